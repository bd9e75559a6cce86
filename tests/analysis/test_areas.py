"""Areas under the curve of the regret, by hand."""

import numpy as np
import pytest
from handmade import histories, made

from hpo_research.analysis.areas import FLOOR, areas
from tests.analysis.test_profiles import of

VALUES = {"a": [[10.0, 1.0, 1.0, 1.0]], "b": [[100.0, 10.0, 0.1, 0.01]]}


def test_by_hand():
    (own,) = areas(made(of(VALUES), max_epochs=1, optimum=0.0))
    assert (own.start, own.end) == (1, 4)
    assert own.linear[:, 0].tolist() == pytest.approx([12 / 3, 110.1 / 3])
    assert own.log[:, 0].tolist() == pytest.approx([1 / 3, (2 + 1 - 1) / 3])
    assert own.finals("log").values["b"].tolist() == own.log[1].tolist()
    assert own.finals("linear").direction == "minimize"


def test_a_regret_of_zero_counts_as_the_least_that_is_counted():
    values = {"a": [[4.0, 0.0, 0.0]], "b": [[2.0, 2.0, 2.0]]}
    (own,) = areas(made(of(values), max_epochs=1))
    assert not own.is_optimum
    assert own.least == pytest.approx(3.0 * FLOOR)  # the median of 4 and 2
    assert own.log[0, 0] == pytest.approx((np.log10(4) + np.log10(3e-8)) / 2)
    assert own.linear[0, 0] == 2.0


def test_areas_are_those_of_sums_over_epochs():
    found = made(histories(("p",), ("a", "b"), seeds=3), optimum=0.0)
    (own,) = areas(found)
    for i, name in enumerate(("a", "b")):
        for j, seed in enumerate(own.seeds):
            values = [v for _, _, v in histories(("p",), ("a", "b"), seeds=3)["p", name, seed]]
            best = np.minimum.accumulate(values)[:-1]  # the last one holds for nothing more
            assert own.linear[i, j] == pytest.approx(best.mean())
            assert own.log[i, j] == pytest.approx(np.log10(best).mean())


def test_a_problem_on_which_a_run_has_no_value_is_left_out():
    assert areas(made(of({"a": [[1.0, 2.0]], "b": [[]]}), max_epochs=1)) == []
