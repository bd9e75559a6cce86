"""How soon one is where another ends: counting by hand, and laws."""

import numpy as np
import pytest
from handmade import histories, made

from hpo_research import tables
from hpo_research.analysis.speed_ups import speed_ups
from hpo_research.store import RunName


def falling(values, *, seeds=1, problem="p", strategy="a", shift=0.0):
    """Runs in which each epoch is a trial of its own, with these values."""
    return {
        RunName(problem, strategy, seed): [(i, 1, v + shift * seed) for i, v in enumerate(values)]
        for seed in range(seeds)
    }


def test_by_hand():
    fast, slow = [4.0, 2.0, 1.0, 1.0], [9.0, 4.0, 3.0, 2.0]
    shown = speed_ups(made(falling(fast) | falling(slow, strategy="b"), budget=4))
    assert (shown.axis, shown.strategies, shown.problems) == ("epochs", ("a", "b"), ("p",))
    assert shown.share.tolist() == [[0.75, 0.5], [np.inf, 1.0]]
    assert shown.reached.tolist() == [[1, 1], [0, 1]]
    assert np.isnan(shown.low).all()


def test_where_a_trial_has_one_epoch_budgets_count_evaluations():
    found = falling([2.0, 1.0]) | falling([3.0, 2.0], strategy="b")
    assert speed_ups(made(found, budget=2, max_epochs=1)).axis == "evaluations"


def test_higher_is_better_where_it_is_maximised():
    rising = falling([1.0, 3.0]) | falling([1.0, 2.0], strategy="b")
    shown = speed_ups(made(rising, direction="maximize", budget=2))
    assert shown.share.tolist() == [[1.0, 1.0], [np.inf, 1.0]]


def test_the_median_over_problems_and_a_dash_where_most_are_not_reached():
    found = {}
    for i, problem in enumerate("pqr"):
        found |= falling([9.0, 9.0, 9.0, 1.0][i:], problem=problem)
        found |= falling([2.0] * 4, problem=problem, strategy="b")
    shown = speed_ups(made(found, budget=4))
    assert shown.share[0].tolist() == [0.75, 0.75]
    assert shown.share[1].tolist() == [np.inf, 0.25]
    (table,) = (t for t in tables.tables(made(found, budget=4)) if t.name == "speed-ups")
    assert [cell.text for cell in table.rows[1]] == ["2", "b", "– (0/3)", "25%"]
    assert table.head == ["", "Strategy", "1", "2"]


def test_laws():
    result = made(histories(("p", "q"), ("a", "b", "c"), seeds=8))
    shown = speed_ups(result)
    assert (shown.low <= shown.high).all()
    assert ((shown.share > 0) & ((shown.share <= 1) | np.isinf(shown.share))).all()
    for i in range(3):
        assert shown.share[i, i] <= 1
        for j in range(3):
            is_there = [shown.reached[i, j], shown.reached[j, i]]
            assert max(is_there) >= 1  # of two, one ends where the other does or before
    again = speed_ups(result)
    np.testing.assert_array_equal(shown.low, again.low)


@pytest.mark.parametrize("options", [{"budget": None}, {"over": False}])
def test_nothing_without_a_budget_or_a_finished_run(options):
    assert speed_ups(made(histories(), **options)) is None


def test_nothing_without_a_second_strategy():
    assert speed_ups(made(histories(strategies=["a"]))) is None
