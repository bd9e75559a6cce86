"""Execution on a simulated clock: the problem's recorded seconds are the only time there is."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from hpo_research.executors.protocol import Poll
from hpo_research.executors.streams import Running, polled
from hpo_research.problems.protocol import Problem
from hpo_research.records import Key, Outcome, Report, Segment


class SimulatedExecutor:
    """A simulated clock for each run: a poll moves every run to its next event.

    The problem's recorded seconds are the only time there is. Events of a run come in order of
    their time, ties by trial id; each carries the run's clock. A stop takes no time: the poll
    after it says who has ended, and moves no run.
    """

    def __init__(self, problem: Problem, device: str = "cpu") -> None:
        self._running = Running(problem, device)
        self._events: dict[Key, tuple[float, tuple[Report | None, Outcome | None]]] = {}
        self._clocks: dict[Key, float] = {}  # of trials that go on at the next poll
        self._ended: list[Key] = []

    def submit(self, segments: Sequence[Segment]) -> None:
        """Take work; a segment's time starts at its `begun`."""
        self._running.submit(segments)
        for segment in segments:
            self._clocks[segment.key] = segment.begun

    def stop(self, trials: Collection[Key]) -> None:
        """Drop running trials, which ends them; unknown names are ignored."""
        # One whose last event is still to come trains no more, and has not ended either.
        ended = (self._events.keys() | self._clocks.keys()) & set(trials)
        self._running.drop(ended)
        self._ended += sorted(ended)
        for key in ended:
            self._events.pop(key, None)
            self._clocks.pop(key, None)

    def poll(self, timeout: float | None = None) -> Poll:
        """Move every run to its next event; `timeout` is not needed here."""
        if self._ended:
            ended, self._ended = self._ended, []
            return polled([], ended)
        # Only now does a trial train on: its last report's state could be taken until here.
        for key in sorted(self._clocks):
            self._schedule(key, self._clocks.pop(key))
        first: dict[int, Key] = {}
        for key, (clock, _) in self._events.items():
            best = first.get(key[0])
            if best is None or (clock, key) < (self._events[best][0], best):
                first[key[0]] = key
        steps = []
        for key in sorted(first.values()):
            clock, step = self._events.pop(key)
            steps.append(step)
            if step[1] is None:
                self._clocks[key] = clock
        return polled(steps, [])

    def close(self) -> None:
        """End the generators."""
        self._running.drop(list(self._running.segments))

    def _schedule(self, key: Key, clock: float) -> None:
        report, outcome = self._running.step(key)
        seconds = outcome.seconds if report is None and outcome is not None else 0.0
        if report is not None:
            seconds = report.seconds or 0.0
        now = clock + seconds
        if report is not None:
            report = replace(report, clock=now)
        if outcome is not None:
            outcome = replace(outcome, clock=now)
        self._events[key] = (now, (report, outcome))
