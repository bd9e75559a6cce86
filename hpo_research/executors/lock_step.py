"""Execution in lock-step in this process: a poll trains every running segment by one epoch."""

from collections.abc import Collection, Sequence

from hpo_research.executors.protocol import Poll
from hpo_research.executors.streams import Running, polled
from hpo_research.problems.protocol import Problem
from hpo_research.records import Key, Segment


class LockStepExecutor:
    """Lock-step in this process: a poll trains every running segment by one epoch."""

    def __init__(self, problem: Problem, device: str = "cpu") -> None:
        self._running = Running(problem, device)
        self._ended: list[Key] = []

    def submit(self, segments: Sequence[Segment]) -> None:
        """Take work: the segments submitted together train as one batch."""
        self._running.submit(segments)

    def stop(self, trials: Collection[Key]) -> None:
        """Drop running trials, which ends them; unknown names are ignored."""
        self._ended += self._running.drop(trials)

    def poll(self, timeout: float | None = None) -> Poll:
        """Train every running segment by one epoch; `timeout` is not needed here."""
        ended, self._ended = self._ended, []
        steps = [self._running.step(key) for key in sorted(self._running.segments)]
        return polled(steps, ended)

    def close(self) -> None:
        """End the generators."""
        self._running.drop(list(self._running.segments))
