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
    """Runs the segments of one problem; it keeps nothing between segments.

    The value of a report must be finite: anything else ends the trial with a failed `Outcome`
    whose reason says what came, and no report. The last report of a segment that may be resumed
    carries a `state`; the loop keeps it and hands it to the next segment. After `stop` nothing
    more comes of a trial; its `stopped` outcome is written by the loop. In lock-step a poll
    trains every running segment by one epoch. Reports up to a segment's `known` are silent.
    """

    def submit(self, segments: Sequence[Segment]) -> None:
        """Take work."""
        ...

    def stop(self, trials: Collection[Key]) -> None:
        """Drop running trials; unknown names are ignored."""
        ...

    def poll(self, timeout: float | None = None) -> Poll:
        """Wait for the next reports and outcomes, at most `timeout` seconds where time is real."""
        ...

    def close(self) -> None:
        """End every process; nothing stays behind."""
        ...
