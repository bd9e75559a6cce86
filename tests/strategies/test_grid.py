import itertools
import math
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_research.errors import StrategyError
from hpo_research.records import Ask, Run, Trial
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.strategies.grid import Grid
from hpo_research.strategies.lattice import near_equal, spaced
from tests.strategies.simulated import accepted, born

SPACE = SearchSpace(
    rate=Float(1e-4, 1.0, scale="log"), act=Categorical(("relu", "gelu")), width=Integer(8, 16)
)


def proposed(grid: Grid, run: Run, slots: int = 10_000) -> list:
    (ask,) = grid.ask([run], [slots])
    return [proposal.config for proposal in ask.proposals]


def points(grid: Grid, space: SearchSpace, total: int | None = None) -> list[list]:
    return [
        [value for piece in axis.pieces for value in piece.values()]
        for axis in grid.lattice(space, total).axes
    ]


def test_combinations_come_once_in_declared_order_the_last_parameter_fastest():
    grid = Grid({"rate": [0.1, 0.01], "width": 3})
    expected = [
        {"rate": rate, "act": act, "width": width}
        for rate, act, width in itertools.product((0.1, 0.01), ("relu", "gelu"), (8, 12, 16))
    ]
    run = Run(SPACE, max_epochs=5, total=12)
    (ask,) = grid.ask([run], [100])
    assert [proposal.config for proposal in ask.proposals] == expected
    assert {(p.kind, p.until, p.origin) for p in ask.proposals} == {("start", 5, "grid")}
    assert list(ask.proposals[0].config) == ["rate", "act", "width"]
    assert grid.ask([accepted(run, ask)], [4]) == [Ask()]


@pytest.mark.parametrize(
    ("parameter", "count", "expected"),
    [
        (Float(0.0, 1.0), 1, [0.5]),
        (Float(0.0, 1.0), 5, [0.0, 0.25, 0.5, 0.75, 1.0]),
        (Float(1e-4, 1.0, scale="log"), 1, [1e-2]),
        (Float(1e-4, 1.0, scale="auto"), 5, [1e-4, 1e-3, 1e-2, 1e-1, 1.0]),
        (Float(0.0, 0.99, scale="reverse_log"), 3, [0.0, 0.9, 0.99]),
        (Float(0.0, 1.0, step=0.25), 3, [0.0, 0.5, 1.0]),
        (Float(0.0, 1.0, step=0.25), 100, [0.0, 0.25, 0.5, 0.75, 1.0]),
        (Integer(0, 10), 1, [5]),
        (Integer(0, 10), 3, [0, 5, 10]),
        (Integer(0, 10), 11, list(range(11))),
        (Integer(1, 256, scale="log"), 9, [1, 2, 4, 8, 16, 32, 64, 128, 256]),
        (Integer(1, 256, scale="log"), 1, [16]),
        (Integer(1, 10, scale="log"), 8, [1, 2, 3, 4, 5, 7, 10]),  # 1 and 1.39 are both 1
        (Integer(1, 10, scale="log"), 10, list(range(1, 11))),
        (Integer(10, 50, step=20), 2, [10, 50]),
    ],
)
def test_points_are_equally_spaced_on_the_scale(parameter, count, expected):
    values = spaced(parameter, count)
    assert values == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert [type(value) for value in values] == [type(value) for value in expected]


def test_bounds_are_met_exactly():
    parameter = Float(0.1, 0.7, scale="log")
    assert spaced(parameter, 4)[0] == 0.1
    assert spaced(parameter, 4)[-1] == 0.7


def test_one_number_serves_all_numeric_parameters():
    assert points(Grid(2), SPACE) == [[1e-4, 1.0], ["relu", "gelu"], [8, 16]]


def test_a_list_also_chooses_among_categories_and_repeats_count_once():
    grid = Grid({"rate": [1, 0.5, 1.0], "width": [8.0, 16], "act": ["gelu"]})
    values = points(grid, SPACE)
    assert values == [[1.0, 0.5], ["gelu"], [8, 16]]
    assert [type(value) for value in values[2]] == [int, int]


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (2, (1, 2, 1)),
        (3, (1, 2, 1)),
        (4, (2, 2, 1)),
        (8, (2, 2, 2)),
        (11, (2, 2, 2)),
        (12, (3, 2, 2)),
        (48, (5, 2, 4)),
        (49, (5, 2, 4)),
        (50, (5, 2, 5)),
        (1000, (55, 2, 9)),  # width has nine values; the rest goes to rate
    ],
)
def test_fit_is_the_largest_near_equal_grid_within_the_budget(total, expected):
    grid = Grid("fit")
    assert tuple(len(axis) for axis in points(grid, SPACE, total)) == expected
    assert len(proposed(grid, Run(SPACE, total=total))) == math.prod(expected)


def test_a_fitted_single_point_is_the_middle():
    assert points(Grid("fit"), SPACE, 2) == [pytest.approx([1e-2]), ["relu", "gelu"], [12]]


def test_fit_with_categories_alone_is_all_of_them():
    space = SearchSpace(a=Categorical((1, 2)), b=Categorical(("x", "y", "z")))
    assert len(proposed(Grid("fit"), Run(space, total=7))) == 6


@given(
    sizes=st.lists(st.none() | st.integers(2, 6), min_size=1, max_size=3),
    total=st.integers(1, 120),
)
def test_near_equal_is_the_largest_by_brute_force(sizes, total):
    """Counts that are g or g+1, the larger ones first, or a whole smaller axis."""
    candidates = []
    for g in range(1, total + 1):
        for more in itertools.product((0, 1), repeat=len(sizes)):
            wanted = [g + extra for extra in more]
            counts = [w if s is None else min(w, s) for w, s in zip(wanted, sizes, strict=True)]
            free = [e for e, s in zip(more, sizes, strict=True) if s is None or s > g]
            if math.prod(counts) <= total and free == sorted(free, reverse=True):
                candidates.append(counts)
    chosen = near_equal(sizes, total)
    assert chosen in candidates
    assert math.prod(chosen) == max(map(math.prod, candidates))


def test_the_grid_of_a_list_is_the_list():
    among = [{"rate": 0.5, "act": "gelu", "width": w} for w in (9, 8, 16)]
    space = SearchSpace(SPACE.parameters, among=among)
    assert proposed(Grid(), Run(space)) == among
    assert proposed(Grid("fit"), Run(space)) == among
    with pytest.raises(StrategyError, match=r"3 combinations, the budget allows 2 trials"):
        proposed(Grid(), Run(space, total=2))


def test_names_that_the_problem_lacks_are_noted_on_the_first_ask():
    grid = Grid({"rate": 2, "width": 2, "depth": 4, "momentum": [0.9]})
    run = Run(SPACE)
    (ask,) = grid.ask([run], [1])
    assert ask.notes == {
        "note": "Grid: points for depth, momentum ignored; the problem has no such parameter"
    }
    (ask,) = grid.ask([accepted(run, ask)], [1])
    assert ask.notes == {}


def test_trials_put_in_by_the_user_are_left_out_wherever_they_are():
    grid = Grid({"rate": [0.1, 0.01], "width": 2})
    whole = proposed(grid, Run(SPACE))
    own = [whole[5], {"rate": 0.3, "act": "relu", "width": 9}, whole[0]]
    trials = tuple(Trial(i, config, "failed", 1) for i, config in enumerate(own))
    run = Run(SPACE, trials=trials)
    assert proposed(grid, run) == [config for config in whole if config not in own]
    earlier = replace(run, trials=(), prior=trials)
    assert proposed(grid, earlier) == [config for config in whole if config not in own]
    assert proposed(grid, replace(earlier, prior=(), related=(trials,))) == whole


def test_a_large_grid_is_walked_not_written_out():
    space = SearchSpace({f"x{i}": Float(0.0, 1.0) for i in range(12)})
    began = time.perf_counter()
    assert len(proposed(Grid(10), Run(space), slots=3)) == 3
    assert time.perf_counter() - began < 1


def test_no_slots_give_an_empty_ask_before_anything_is_worked_out():
    assert Grid().ask([Run(SPACE)], [0]) == [Ask()]


def test_categories_are_told_apart_with_their_types():
    space = SearchSpace(c=Categorical((1, 1.0, True, "1")))
    values = [config["c"] for config in proposed(Grid(), Run(space))]
    assert [type(value) for value in values] == [int, float, bool, str]


@pytest.mark.parametrize(
    ("grid", "total", "message"),
    [
        (Grid(), None, r"Grid\(points=None\): rate, width are numeric and without points; give "
         r"points as a dict such as \{'rate': 5\}, as one number for all, or as 'fit'"),
        (Grid({"rate": 3}), None, r"width is numeric and without points"),
        (Grid(3), 17, r"Grid\(points=3\): the grid has 18 combinations, the budget allows 17 "
         r"trials; raise the budget or give fewer points"),
        (Grid("fit"), None, r"'fit' needs a budget in trials and the run has none"),
        (Grid("fit"), 1, r"the categories alone have 2 combinations, the budget allows 1 trials; "
         r"raise the budget or search fewer categories"),
        (Grid({"rate": [2.0], "width": 2}), None,
         r"Grid\(points=\{'rate': \[2\.0\]\}\): expected a number from 0\.0001 to 1\S*, got 2\.0"),
        (Grid({"rate": 2, "width": [8.5]}), None, r"'width': \[8\.5\].*integer from 8 to 16"),
        (Grid({"rate": 2, "width": 2, "act": ["tanh"]}), None, r"expected one of \['relu', 'gelu"),
        (Grid({"rate": 2, "width": 2, "act": 2}), None,
         r"Grid\(points=\{'act': 2\}\): act is categorical and has no scale to put points on; "
         r"leave it out for all of its values, or list those wanted"),
    ],
)  # fmt: skip
def test_a_grid_that_does_not_suit_the_problem_is_an_error(grid, total, message):
    with pytest.raises(StrategyError, match=message):
        grid.ask([Run(SPACE, total=total)], [1])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (0, r"Grid\(points=0\): points must be an integer >= 1, a dict of integers or lists"),
        (-2, r"Grid\(points=-2\): points must be an integer >= 1"),
        (True, r"Grid\(points=True\): points must be an integer >= 1"),
        (2.5, r"Grid\(points=2\.5\): points must be an integer >= 1"),
        ("fitt", r"Grid\(points='fitt'\): .* or 'fit'"),
        ({"x": 0}, r"Grid\(points=\{'x': 0\}\): points must be a list, got 0; an integer >= 1 is"),
        ({"x": []}, r"Grid\(points=\{'x': \[\]\}\): .* a list of at least one value"),
        ({"x": "abc"}, r"Grid\(points=\{'x': 'abc'\}\): points must be a list"),
        ({"x": None}, r"Grid\(points=\{'x': None\}\): points must be a list"),
    ],
)
def test_wrong_points_are_refused(wrong, message):
    with pytest.raises(StrategyError, match=message):
        born(Grid, {"points": wrong})


def test_numpy_counts_are_numbers():
    assert born(Grid, {"points": np.int64(3)}).points == 3
