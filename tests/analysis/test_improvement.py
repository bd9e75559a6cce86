"""The probability of improvement and interquartile means: by hand, and against SciPy."""

import numpy as np
import pytest
from scipy import stats

from hpo_research import tables
from hpo_research.analysis.finals import finals
from hpo_research.analysis.improvement import improvement, interquartile, interquartile_mean
from hpo_research.figures.improvement import improvement_figure
from tests.analysis.test_over_problems import of_values
from tests.figures.reading import mistakes


def found(values):
    result = of_values(values)
    return improvement(result, [finals(result, p) for p in result.facts.problems])


def test_by_hand_with_ties_and_a_run_without_a_value():
    own = found({"p": {"a": [1.0, 2.0], "b": [2.0, 3.0]}, "q": {"a": [5.0, None], "b": [4.0, 6.0]}})
    assert own.each[0, 0, 1] == (1 + 1 + 0.5 + 1) / 4
    assert own.each[1, 0, 1] == (0 + 1 + 0 + 0) / 4
    assert own.mean[0, 1] == pytest.approx((3.5 + 1) / 8)
    assert own.mean[0, 1] + own.mean[1, 0] == 1
    assert not own.has_interval
    assert np.isnan(own.low).all()


def test_it_is_the_statistic_of_mann_and_whitney():
    generator = np.random.default_rng(3)
    a, b = generator.integers(6, size=(2, 12)).astype(float)
    own = found({"p": {"a": a.tolist(), "b": b.tolist()}})
    u = stats.mannwhitneyu(b, a).statistic  # pairs in which b is greater, so that a is better
    assert own.mean[0, 1] == pytest.approx(u / 144)
    assert own.low[0, 1] < own.mean[0, 1] < own.high[0, 1]
    assert own.low[1, 0] == pytest.approx(1 - own.high[0, 1])


def test_the_interval_is_as_wide_as_the_statistic_varies():
    generator = np.random.default_rng(5)
    runs = {f"p{i}": generator.normal(size=(2, 20)) for i in range(3)}
    own = found({p: {"a": v[0].tolist(), "b": v[1].tolist()} for p, v in runs.items()})
    drawn = []
    for _ in range(600):
        each = []
        for a, b in runs.values():
            x, y = (generator.choice(v, 20) for v in (a, b))
            each.append(np.mean((x[:, None] < y) + 0.5 * (x[:, None] == y)))
        drawn.append(np.mean(each))
    width = own.high[0, 1] - own.low[0, 1]
    assert width == pytest.approx(np.ptp(np.quantile(drawn, [0.025, 0.975])), rel=0.15)


def test_those_that_coincide_count_once():
    own = found({"p": {"a": [1.0, 2.0], "b": [3.0, 1.0], "c": [3.0, 1.0]}})
    assert own.strategies == (("a",), ("b", "c"))
    assert found({"p": {"b": [3.0, 1.0], "c": [3.0, 1.0]}}) is None


def test_the_interquartile_mean_leaves_out_a_quarter_on_both_sides():
    assert interquartile_mean(np.array([9.0, 1.0, 2.0, 3.0, np.inf, 4.0, -5.0, 5.0])) == 3.5
    values = np.random.default_rng(1).normal(size=30)
    center, low, high = interquartile([values[:10], values[10:]])
    assert center == stats.trim_mean(values, 0.25)
    assert low < center < high
    assert np.isnan(interquartile([values[:9]])[1])


@pytest.mark.parametrize("seeds", [3, 12])
def test_the_figure_and_the_tables(seeds):
    generator = np.random.default_rng(2)
    values = {
        p: {name: generator.normal(i, size=seeds).tolist() for i, name in enumerate("abc")}
        for p in ("p", "q")
    }
    result = of_values(values)
    picture = improvement_figure(result)
    assert not mistakes(picture.figure)
    named = {table.name: table for table in tables.tables(result)}
    table = named["improvement"]
    for words in (picture.caption, table.caption):
        assert ("fewer than 10 seeds" in words) == (seeds < 10)
    own = found(values)
    assert table.rows[0][3].text.startswith(f"{own.mean[0, 1]:.0%}")
    assert (named["interquartile"].rows[0][-1].text == "–") == (seeds < 10)
