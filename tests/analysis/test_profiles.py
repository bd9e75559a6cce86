"""Performance and data profiles, by hand: with ties, and with what is never solved."""

import numpy as np
import pytest
from handmade import histories, made

from hpo_research.analysis.profiles import profiles, solved_after, to_the_fastest
from hpo_research.analysis.trajectories import trajectories
from hpo_research.errors import StoreError
from hpo_research.store import RunName

VALUES = {
    # On seed 0 from 10 to 0, so that 1 is 10 % of the way: a is there at 2, b at 4, c never.
    "a": [[10.0, 1.0, 0.5, 0.0], [4.0, 2.0, 2.0, 2.0]],
    "b": [[8.0, 8.0, 2.0, 0.5], [4.0, 2.0, 2.0, 2.0]],
    "c": [[9.0, 9.0, 9.0, 9.0], [4.0, 4.0, 4.0, 2.1]],
}


def of(values=VALUES, problem="p"):
    return {
        RunName(problem, strategy, seed): [(i, 1, v) for i, v in enumerate(own)]
        for strategy, seeds in values.items()
        for seed, own in enumerate(seeds)
    }


def at(shown, grid, pooled, value):
    return pooled.center[:, int(np.searchsorted(grid, value, side="right")) - 1].tolist()


def test_by_hand():
    found = made(of(), max_epochs=1)
    (own,) = trajectories(found)
    times = solved_after(own, 0.1)
    assert times.tolist() == [[2, 2], [4, 2], [np.inf, 4]]
    assert to_the_fastest(times).tolist() == [[1, 1], [2, 1], [np.inf, 2]]
    shown = profiles(found)
    assert shown.fastest.center[:, 0].tolist() == [1.0, 0.5, 0.0]
    assert at(shown, shown.ratio, shown.within_ratio, 1.9) == [1.0, 0.5, 0.0]
    assert at(shown, shown.ratio, shown.within_ratio, 2.001) == [1.0, 1.0, 0.5]
    assert shown.solved.center[:, 0].tolist() == [1.0, 1.0, 0.5]
    # One hyperparameter: two evaluations are one of Moré and Wild's units.
    assert at(shown, shown.cost, shown.within_cost, 0.99) == [0.0, 0.0, 0.0]
    assert at(shown, shown.cost, shown.within_cost, 1.01) == [1.0, 0.5, 0.0]
    assert at(shown, shown.cost, shown.within_cost, 2.001) == [1.0, 1.0, 0.5]
    assert shown.problems == ("p",)
    assert shown.seeds == (2,)


def test_at_no_tolerance_only_the_best_loss_solves():
    (own,) = trajectories(made(of(), max_epochs=1))
    assert solved_after(own, 0.0).tolist() == [[4, 2], [np.inf, 2], [np.inf, np.inf]]


def test_runs_without_a_value_solve_nothing():
    values = {"a": [[3.0, 1.0], []], "b": [[], []]}
    (own,) = trajectories(made(of(values), max_epochs=1))
    assert solved_after(own, 0.1).tolist() == [[2, np.inf], [np.inf, np.inf]]
    shown = profiles(made(of(values), max_epochs=1))
    assert shown.solved.center[:, 0].tolist() == [0.5, 0.0]


def test_another_strategy_that_coincides_changes_no_line_but_its_own():
    found = histories(("p", "q"), ("a", "b"), seeds=6)
    twins = {name._replace(strategy="twin"): own for name, own in found.items() if name[1] == "a"}
    alone, joined = profiles(made(found)), profiles(made(found | twins))
    for field in ("within_ratio", "within_cost", "solved"):
        one, two = getattr(alone, field), getattr(joined, field)
        np.testing.assert_array_equal(one.center, two.center[:2])
        np.testing.assert_array_equal(two.center[0], two.center[2])


def test_problems_weigh_the_same():
    found = of() | of({name: own[:1] for name, own in VALUES.items()}, "q")
    shown = profiles(made(found, max_epochs=1))
    assert shown.solved.center[:, 0].tolist() == [1.0, 1.0, 0.25]
    assert shown.seeds == (2, 1)


def test_what_cannot_be_profiled():
    assert profiles(made(histories(strategies=["a"]))) is None
    assert profiles(made(histories(), over=False)) is None
    with pytest.raises(StoreError, match=r"tolerance must be a number >= 0 and < 1"):
        profiles(made(histories()), 2)
