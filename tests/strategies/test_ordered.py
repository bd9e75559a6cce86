"""A sorted list in blocks beside `sorted`."""

from bisect import bisect_left, bisect_right

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo_research.strategies import ordered
from hpo_research.strategies.ordered import Ordered

items = st.integers(0, 30)


@settings(max_examples=60, deadline=None)
@given(
    first=st.lists(items, max_size=30),
    moves=st.lists(st.tuples(st.booleans(), items), max_size=60),
    asked=items,
    block=st.sampled_from([1, 2, 5, 512]),
)
def test_it_is_a_sorted_list(first, moves, asked, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordered, "_BLOCK", block)
        own, plain = Ordered(first), sorted(first)
        for is_more, item in moves:
            if is_more:
                own.add(item)
                plain = sorted([*plain, item])
            elif item in plain:
                own.remove(item)
                plain.remove(item)
            assert (list(own), len(own)) == (plain, len(plain))
            assert own.below(asked) == bisect_left(plain, asked)
            assert own.up_to(asked) == bisect_right(plain, asked)
            assert [own[place] for place in range(len(plain))] == plain
            assert own.last(4) == plain[-4:]


@pytest.mark.parametrize("place", [-1, 2])
def test_a_place_outside_is_refused(place):
    with pytest.raises(IndexError, match=f"place {place} lies outside 2 items"):
        Ordered([3, 1])[place]
