"""Intervals: when each trial computed, and which share of the wall time that is."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """The time for which a trial computed without a break, on this machine's monotonic clock."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long that was."""
        return max(0.0, self.ended - self.began)


def shares(intervals: Sequence[Interval]) -> list[float]:
    """Split the wall time in which anything computed: each moment equally over its intervals.

    The shares add up to the length of the union of the intervals; an interval beside no other is
    its own share.
    """
    starts = [(interval.began, 1) for interval in intervals if interval.seconds]
    ends = [(interval.ended, -1) for interval in intervals if interval.seconds]
    # A clock that runs at one over the number of intervals that are under way.
    shared: dict[float, float] = {}
    clock, count, before = 0.0, 0, 0.0
    for now, change in sorted(starts + ends):
        if count:
            clock += (now - before) / count
        count, before = count + change, now
        shared[now] = clock
    return [
        shared[interval.ended] - shared[interval.began] if interval.seconds else 0.0
        for interval in intervals
    ]
