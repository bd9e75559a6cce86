"""Laps: how the wall time is split over what computed in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_research.executors.laps import Lap, shares

LAPS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 20)).map(lambda t: Lap(t[0], t[0] + t[1]))
)


@given(LAPS)
def test_shares_are_what_counting_every_moment_gives(laps: list[Lap]) -> None:
    expected = [0.0] * len(laps)
    for moment in range(80):
        busy = [i for i, lap in enumerate(laps) if lap.began <= moment < lap.ended]
        for i in busy:
            expected[i] += 1 / len(busy)
    assert shares(laps) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("laps", "expected"),
    [
        ([], []),
        ([Lap(1, 3)], [2]),
        ([Lap(0, 2), Lap(2, 5)], [2, 3]),
        ([Lap(0, 2), Lap(0, 2)], [1, 1]),
        ([Lap(0, 4), Lap(3, 4)], [3.5, 0.5]),
        ([Lap(5, 5), Lap(0, 9)], [0, 9]),
        ([Lap(5, 4)], [0]),
    ],
)
def test_each_moment_is_split_equally(laps: list[Lap], expected: list[float]) -> None:
    assert shares(laps) == expected
