"""What problems of a single epoch have in common, whose values are looked up or computed."""

from collections.abc import Callable, Mapping, Sequence

from hpo_research.problems.evaluation import in_step
from hpo_research.problems.protocol import Evaluation
from hpo_research.records import Direction, Report, Segment


class SingleEpoch:
    """One epoch, no state, no recorded seconds."""

    @property
    def max_epochs(self) -> int:
        """One: there is a single fidelity."""
        return 1

    @property
    def can_resume(self) -> bool:
        """Trivially: a trial has no state."""
        return True

    @property
    def has_recorded_seconds(self) -> bool:
        """No."""
        return False


class Minimised(SingleEpoch):
    """A function of a single epoch: its metric is `value`, minimised."""

    @property
    def metric(self) -> str:
        """`value`."""
        return "value"

    @property
    def direction(self) -> Direction:
        """Minimised."""
        return "minimize"


def one_by_one(
    segments: Sequence[Segment],
    metrics: Callable[[Segment], Mapping[str, float]],
    seconds: Callable[[Segment], float] | None = None,
) -> Evaluation:
    """Evaluate segments one after the other on the CPU, each for its one epoch.

    `seconds` gives what an epoch cost, where that is recorded.
    """
    found = [metrics(segment) for segment in segments]
    costs = [None if seconds is None else seconds(segment) for segment in segments]

    def report(i: int, epoch: int) -> Report:
        return Report(*segments[i].key, epoch, found[i], seconds=costs[i], state=dict)

    yield from in_step(segments, report)
