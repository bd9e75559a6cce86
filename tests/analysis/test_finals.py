"""Finals: what each run of a problem came to."""

import numpy as np
import pytest
from handmade import made

from hpo_research.analysis.finals import finals
from hpo_research.errors import StoreError
from hpo_research.store import RunName

A, B = [RunName("p", "b", seed) for seed in (2, 10)]
C = RunName("p", "a", 2)


def test_a_final_is_the_best_last_value_of_a_run():
    # Trial 0 was better at its first epoch than in the end; only its end counts.
    result = made({A: [(0, 1, 1.0), (0, 2, 5.0), (1, 1, 3.0)]})
    assert finals(result, "p").values["b"].tolist() == [3.0]


def test_strategies_keep_the_order_of_the_experiment_and_seeds_are_sorted():
    found = finals(made({B: [(0, 1, 2.0)], A: [(0, 1, 1.0)], C: [(0, 1, 3.0)]}), "p")
    assert list(found.values) == ["b", "a"]
    assert found.seeds == (2, 10)
    assert found.values["b"].tolist() == [1.0, 2.0]


def test_a_run_that_found_nothing_or_does_not_exist_is_nan():
    found = finals(made({A: [(0, 1, 1.0)], B: [], C: [(0, 1, 3.0)]}), "p")
    np.testing.assert_array_equal(found.values["b"], [1.0, np.nan])
    np.testing.assert_array_equal(found.values["a"], [3.0, np.nan])


@pytest.mark.parametrize(
    ("direction", "values", "optimum", "best"),
    [("minimize", [3.0, 2.0], 0.5, 1.5), ("maximize", [3.0, 2.0], 4.0, 1.0)],
)
def test_where_the_optimum_is_known_a_final_is_the_distance_from_it(
    direction, values, optimum, best
):
    entries = [(i, 1, value) for i, value in enumerate(values)]
    found = finals(made({A: entries}, direction=direction, optimum=optimum), "p")
    assert (found.is_regret, found.direction) == (True, "minimize")
    assert found.values["b"].tolist() == [best]


@pytest.mark.parametrize("passed", [[(0, 1, 0.4)], [(0, 1, 0.4), (0, 2, 3.0)]])
def test_one_report_beyond_the_optimum_leaves_the_metric_as_it_is(passed):
    found = finals(made({A: passed, C: [(0, 1, 2.0)]}, optimum=0.5), "p")
    assert (found.is_regret, found.direction, found.metric) == (False, "minimize", "log_loss")
    assert found.values["a"].tolist() == [2.0]


def test_a_maximised_metric_without_an_optimum_keeps_its_direction():
    found = finals(made({A: [(0, 1, 1.0), (1, 1, 2.0)]}, direction="maximize"), "p")
    assert (found.is_regret, found.direction) == (False, "maximize")
    assert found.values["b"].tolist() == [2.0]


def test_a_problem_without_runs_is_an_error_that_names_those_with_runs():
    with pytest.raises(StoreError, match="no runs on q; there are runs on p"):
        finals(made({A: []}), "q")
