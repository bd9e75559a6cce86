"""Laps: when each trial computed, and which share of the wall time that is."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Lap:
    """The time for which a trial computed without a break, on this machine's monotonic clock."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long that was."""
        return max(0.0, self.ended - self.began)


def shares(laps: Sequence[Lap]) -> list[float]:
    """Split the wall time in which anything computed: each moment equally over its laps.

    The shares add up to the length of the union of the laps; a lap beside no other is its own
    share.
    """
    starts = [(lap.began, 1) for lap in laps if lap.seconds]
    ends = [(lap.ended, -1) for lap in laps if lap.seconds]
    # A clock that runs at one over the number of laps that are under way.
    shared: dict[float, float] = {}
    clock, count, before = 0.0, 0, 0.0
    for now, change in sorted(starts + ends):
        if count:
            clock += (now - before) / count
        count, before = count + change, now
        shared[now] = clock
    return [shared[lap.ended] - shared[lap.began] if lap.seconds else 0.0 for lap in laps]
