"""What an executor is: three verbs and a clock."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from hpo_research.records import Key, Outcome, Report, Segment


@dataclass(frozen=True)
class Poll:
    """What a poll brought: reports and outcomes, each with its clock."""

    reports: tuple[Report, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


class Executor(Protocol):
    """Runs the segments of one problem.

    The value of a report must be finite: anything else ends the trial with a failed `Outcome`
    whose reason says what came, and no report. After `stop` nothing more comes of a trial; its
    `stopped` outcome is written by the loop. In lock-step a poll trains every running segment by
    one epoch. `known` reports of a segment are computed in silence at `submit`.
    """

    def submit(self, segments: Sequence[Segment]) -> None:
        """Take work. A segment of a trial that this executor has paused finds its state here."""
        ...

    def stop(self, trials: Collection[Key]) -> None:
        """Drop running trials; unknown names are ignored."""
        ...

    def poll(self, timeout: float | None = None) -> Poll:
        """Wait for the next reports and outcomes, at most `timeout` seconds where time is real."""
        ...

    def forget(self, trials: Collection[Key]) -> None:
        """Release what is kept of trials that will never be resumed."""
        ...

    def close(self) -> None:
        """End every process and release every state; nothing stays behind."""
        ...
