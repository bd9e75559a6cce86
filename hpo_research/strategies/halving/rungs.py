"""Rungs and the trials that climb them."""

from bisect import bisect_right
from dataclasses import dataclass

from hpo_research.records import Trial


@dataclass(frozen=True)
class Ladders:
    """The rungs of every bracket: the epochs of each, ascending.

    Trials belong to brackets by their id: the first `sizes[0]` to the first bracket, and so on,
    then again from the first. So each bracket's share is that of its size, whenever trials end.
    """

    rungs: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...] = (1,)

    def bracket(self, trial: int) -> int:
        """Return the bracket of a trial."""
        place = trial % sum(self.sizes)
        for bracket, size in enumerate(self.sizes):
            place -= size
            if place < 0:
                return bracket
        raise AssertionError("a place lies within the sum of the sizes")

    def rungs_of(self, trial: int) -> tuple[int, ...]:
        """Return the rungs that a trial is to climb."""
        return self.rungs[self.bracket(trial)]


def value_at(trial: Trial, epochs: int) -> float | None:
    """Return the value at a rung: the latest up to it, or the first beyond; None below it."""
    if trial.reached < epochs:
        return None
    return trial.values[max(bisect_right(trial.epochs, epochs) - 1, 0)]


def value_by(trial: Trial, epoch: int) -> float | None:
    """Return the latest value reported at or before an epoch."""
    known = bisect_right(trial.epochs, epoch)
    return trial.values[known - 1] if known else None
