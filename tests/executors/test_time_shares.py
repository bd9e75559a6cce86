"""Intervals: how the wall time is split over what computed in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_research.executors.processes.time_shares import Interval, shares

INTERVALS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 20)).map(lambda t: Interval(t[0], t[0] + t[1]))
)


@given(INTERVALS)
def test_shares_are_what_counting_every_moment_gives(intervals: list[Interval]) -> None:
    expected = [0.0] * len(intervals)
    for moment in range(80):
        busy = [
            i for i, interval in enumerate(intervals) if interval.began <= moment < interval.ended
        ]
        for i in busy:
            expected[i] += 1 / len(busy)
    assert shares(intervals) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        ([], []),
        ([Interval(1, 3)], [2]),
        ([Interval(0, 2), Interval(2, 5)], [2, 3]),
        ([Interval(0, 2), Interval(0, 2)], [1, 1]),
        ([Interval(0, 4), Interval(3, 4)], [3.5, 0.5]),
        ([Interval(5, 5), Interval(0, 9)], [0, 9]),
        ([Interval(5, 4)], [0]),
    ],
)
def test_each_moment_is_split_equally(intervals: list[Interval], expected: list[float]) -> None:
    assert shares(intervals) == expected
