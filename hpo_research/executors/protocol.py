"""What an executor is: three verbs and a clock."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from hpo_research.records import Key, Outcome, Report, Segment


@dataclass(frozen=True)
class Poll:
    """What a poll brought: reports and outcomes, each with its clock, and who has ended.

    `ended` names stopped trials of which nothing runs and nothing comes any more.
    """

    reports: tuple[Report, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    ended: tuple[Key, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it brought nothing."""
        return not (self.reports or self.outcomes or self.ended)


class Executor(Protocol):
    """Runs the segments of one problem; it keeps nothing between segments.

    The value of a report must be finite: anything else ends the trial with a failed `Outcome`
    whose reason says what came, and no report. The last report of a segment that may be resumed
    carries a `state`; the loop keeps it and hands it to the next segment. A trial that is stopped
    keeps its slot, and what it reports counts, until a poll names it in `ended` (or has its
    outcome, where it finished by then); the loop writes that it was stopped. In lock-step a poll
    trains every running segment by one epoch, and with it the stopped ones have ended. Reports up
    to a segment's `known` are silent.
    """

    def submit(self, segments: Sequence[Segment]) -> None:
        """Take work."""
        ...

    def stop(self, trials: Collection[Key]) -> None:
        """Let running trials end; unknown names, of trials that have ended, are ignored."""
        ...

    def poll(self, timeout: float | None = None) -> Poll:
        """Wait for the next reports and outcomes, at most `timeout` seconds where time is real."""
        ...

    def close(self) -> None:
        """End every process; nothing stays behind."""
        ...
