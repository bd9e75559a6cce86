"""What a problem is: a space, a metric, and a generator that evaluates a batch of segments."""

from collections.abc import Collection, Generator, Sequence
from typing import Protocol, runtime_checkable

from hpo_research.records import OPEN, Direction, Key, Report, Segment
from hpo_research.space import SearchSpace

Evaluation = Generator[list[Report], Collection[Key] | None, None]
"""Yields the reports of one epoch of every live trial; `send(keys)` drops trials."""


@runtime_checkable
class Problem(Protocol):
    """Something to optimise. A frozen dataclass: its fields are its identity in an experiment.

    `name` tells two versions apart; `metric` is the reported metric that is optimised in
    `direction`; `optimum` its known best value, None where unknown. A resource unit is an epoch;
    `max_epochs` is 1 for a problem with a single fidelity, and None where its length is open: a
    trial is then finished at the last epoch that it reports. `can_resume` says whether a trial can
    be trained on from a state; `has_recorded_seconds` whether reports carry recorded times that a
    simulated clock can replay.

    A problem may also say `has_missing_values = True` (a wrapper of it need not): a report before
    the segment's `until` may then lack the metric or hold one that is not finite. The epoch counts,
    its value is stored as missing, and nothing compares it.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def space(self) -> SearchSpace: ...  # noqa: D102
    @property
    def metric(self) -> str: ...  # noqa: D102
    @property
    def direction(self) -> Direction: ...  # noqa: D102
    @property
    def max_epochs(self) -> int | None: ...  # noqa: D102
    @property
    def can_resume(self) -> bool: ...  # noqa: D102
    @property
    def optimum(self) -> float | None: ...  # noqa: D102
    @property
    def has_recorded_seconds(self) -> bool: ...  # noqa: D102

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Train every segment from its `start` to its `until`, one epoch a step.

        Each step yields one `Report` for each live segment: first epoch start+1, the next step
        start+2, and so on, until the last segment has reached its `until`. Segments of different
        lengths may share a batch. `send(keys)` (instead of `next`) drops trials before the next
        epoch. Where `max_epochs` is None, a segment that has not reached its `until` (`OPEN`, most
        often) has ended for good with the first step that holds no report of it. A trial's values
        are the same, bit for bit on the CPU, whatever its batch-mates and wherever it was resumed:
        all randomness comes from `segment.stream`. A value that is not a finite number is reported
        as it is; the executor ends the trial as failed, at `until` in any case and before it unless
        the problem `has_missing_values`.
        """
        ...


def last_epoch(max_epochs: int | None) -> int:
    """Return the last epoch of a trial: `OPEN` where its length is open."""
    return OPEN if max_epochs is None else max_epochs


def has_missing_values(problem: object) -> bool:
    """Return whether a value may be missing before a segment's `until`, as the problem says.

    What a wrapper leaves out is said by the problem inside it.
    """
    while problem is not None:
        said = getattr(problem, "has_missing_values", None)
        if said is not None:
            return said is True
        problem = getattr(problem, "problem", None)
    return False
