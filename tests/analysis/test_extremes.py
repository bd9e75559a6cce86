"""Statistics and differences of values up to the largest float."""

import sys

import numpy as np
import pytest
from handmade import histories, made

from hpo_research import tables
from hpo_research.analysis.bootstrap import band
from hpo_research.analysis.extremes import difference, located
from hpo_research.analysis.incumbents import curve, regret
from hpo_research.store import RunName

MAX = sys.float_info.max
EXTREMES = {
    "all the largest": [MAX, MAX, MAX],
    "both ends": [-MAX, MAX, MAX, -MAX],
    "ordinary ones too": [0.1, 0.2, MAX, 1e307],
    "one": [MAX],
    "with a NaN": [np.nan, 1e307, 1e307],
    "subnormal": [5e-324, 1e-310, 0.0],
}
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.mark.parametrize("values", EXTREMES.values(), ids=EXTREMES)
@pytest.mark.parametrize("statistic", [np.nanmedian, np.nanmean, np.nanmax])
def test_a_statistic_of_location_is_finite_and_among_its_values(statistic, values):
    found = float(located(statistic, values))
    assert np.nanmin(values) <= found <= np.nanmax(values)


def test_what_numpy_finds_is_found_to_the_bit_and_beyond_it_to_rounding():
    ordinary = np.random.default_rng(0).normal(size=(7, 5)) * 1e200
    for reduce in (np.median, np.mean):
        assert (located(lambda x: reduce(x, axis=0), ordinary) == reduce(ordinary, axis=0)).all()  # noqa: B023
        huge = located(lambda x: reduce(x, axis=0), ordinary / 1e200 * 1e306)  # noqa: B023
        np.testing.assert_allclose(huge / 1e306, reduce(ordinary, axis=0) / 1e200, rtol=1e-12)
    assert located(np.median, [MAX, 1.0]) == MAX / 2


def test_a_difference_beyond_the_largest_float_is_the_largest_float():
    assert difference([MAX, 1.0, -MAX], -MAX).tolist() == [MAX, MAX, 0.0]
    assert difference([-MAX], [MAX]).tolist() == [-MAX]
    assert difference([np.inf, np.nan], [1.0, 1.0]).tolist()[0] == np.inf


@pytest.mark.parametrize("optimum", [None, -MAX, 0.0])
@pytest.mark.parametrize("statistic", ["median", "mean"])
def test_curves_and_tables_of_huge_values_are_finite(statistic, optimum):
    values = (MAX, 1e307, 0.5, MAX, 2e307, 1e-310)
    runs = {
        RunName("p", s, seed): [(i // 2, i % 2 + 1, values[(i + seed) % 6]) for i in range(4)]
        for s in ("a", "b")
        for seed in range(6)
    }
    result = made(runs, optimum=optimum)
    found = curve(result, "p", "a", "epochs")
    shown = band(found if optimum is None else regret(found, optimum), statistic)
    for part in (shown.center, shown.low, shown.high):
        assert np.isfinite(part[~np.isnan(shown.center)]).all()
    for table in tables.tables(result):
        assert not np.isinf(table.data.select_dtypes("number").to_numpy(dtype=float)).any()


def test_ordinary_bands_are_those_of_numpy():
    found = curve(made(histories()), "p", "grid", "epochs")
    known = found.values[:, ~np.isnan(found.values).any(axis=0)]
    shown = band(found)
    assert (shown.center[~np.isnan(shown.center)] == np.median(known, axis=0)).all()
