import math

import numpy as np
import pytest
from handmade import made
from hypothesis import given
from hypothesis import strategies as st

from hpo_research.analysis.bootstrap import LEAST_FOR_MEDIAN, band, between
from hpo_research.analysis.incumbents import Curve, at, curve, regret
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.rng import Stream
from hpo_research.store import RunName

_VALUES = st.floats(-5, 5).map(lambda v: round(v, 1))


@st.composite
def histories(draw):
    """What some seeds reported: trials interleaved at random, epochs in order."""
    found = {}
    for seed in range(draw(st.integers(1, 4))):
        entries, reached = [], {}
        for _ in range(draw(st.integers(0, 12))):
            trial = draw(st.integers(0, len(reached)))
            reached[trial] = reached.get(trial, 0) + 1
            entries.append((trial, reached[trial], draw(_VALUES)))
        found[RunName("p", "s", seed)] = entries
    return found


def slow(entries, at, better):
    """The best value of all reports at a cost of at most `at`, by a plain loop."""
    best = math.nan
    for spent, (_, _, value) in enumerate(entries, start=1):
        if spent <= at and (math.isnan(best) or better(value, best)):
            best = value
    return best


@given(histories(), st.sampled_from(["minimize", "maximize"]))
def test_a_curve_over_epochs_equals_a_plain_loop(found, direction):
    drawn = curve(made(found, direction=direction), "p", "s", "epochs")
    better = float.__lt__ if direction == "minimize" else float.__gt__
    expected = [[slow(entries, at, better) for at in drawn.cost] for entries in found.values()]
    np.testing.assert_array_equal(drawn.values, np.array(expected).reshape(drawn.values.shape))
    assert drawn.cost.tolist() == sorted(
        {i + 1 for entries in found.values() for i in range(len(entries))}
    )


@given(histories())
def test_an_incumbent_never_gets_worse(found):
    values = curve(made(found), "p", "s", "epochs").values
    assert not (np.diff(values, axis=1) > 0).any()


def test_a_step_begins_at_its_own_cost():
    found = {RunName("p", "s", 0): [(0, 1, 3.0), (0, 2, 1.0)], RunName("p", "s", 1): [(0, 1, 2.0)]}
    drawn = curve(made(found), "p", "s", "epochs")
    assert drawn.cost.tolist() == [1, 2]
    assert drawn.values.tolist() == [[3, 1], [2, 2]]


def test_a_run_that_is_not_over_has_no_value_beyond_what_it_has_spent():
    found = {RunName("p", "s", 0): [(0, 1, 3.0), (0, 2, 1.0)], RunName("p", "s", 1): [(0, 1, 2.0)]}
    values = curve(made(found, over=False), "p", "s", "epochs").values
    np.testing.assert_array_equal(values, [[3, 1], [2, math.nan]])


def test_seconds_are_the_runs_share_in_lock_step_and_its_clock_otherwise():
    found = {RunName("p", "s", 0): [(0, 1, 3.0), (1, 1, 2.0), (0, 2, 1.0)]}
    assert curve(made(found), "p", "s", "seconds").cost.tolist() == [0.5, 2.0, 4.5]
    simulated = made(found, execution="simulated")
    assert curve(simulated, "p", "s", "seconds").cost.tolist() == [0, 2, 4]


def test_seconds_in_lock_step_count_the_asks_before_a_report():
    name = RunName("p", "s", 0)
    found = {name: [(0, 1, 3.0), (1, 1, 2.0), (0, 2, 1.0)]}  # in turns 1, 2, 3
    asked = {name: [(0, 10.0), (2, 100.0), (3, 1000.0)]}
    drawn = curve(made(found, asked=asked), "p", "s", "seconds")
    assert drawn.cost.tolist() == [0.5 + 10, 2 + 10, 4.5 + 110]
    simulated = made(found, asked=asked, execution="simulated")
    assert curve(simulated, "p", "s", "seconds").cost.tolist() == [0, 2, 4]


@given(histories(), st.lists(st.integers(0, 20), min_size=1, max_size=5))
def test_a_curve_at_other_costs_equals_a_plain_loop(found, costs):
    drawn = curve(made(found), "p", "s", "epochs")
    expected = [[slow(own, cost, float.__lt__) for cost in costs] for own in found.values()]
    np.testing.assert_array_equal(at(drawn, np.array(costs, dtype=float)), np.array(expected))


def test_evaluations_count_ended_trials_in_the_order_of_their_last_report():
    entries = [(0, 1, 5.0), (1, 1, 4.0), (1, 2, 3.0), (0, 2, 1.0)]
    drawn = curve(made({RunName("p", "s", 0): entries}), "p", "s", "evaluations")
    assert drawn.cost.tolist() == [1, 2]
    assert drawn.values.tolist() == [[3, 1]]


def test_many_costs_are_thinned_to_a_grid_that_keeps_both_ends():
    entries = [(i, 1, float(50 - i)) for i in range(50)]
    drawn = curve(made({RunName("p", "s", 0): entries}), "p", "s", "epochs", points=11)
    assert len(drawn.cost) == 11
    assert (drawn.cost[0], drawn.cost[-1]) == (1, 50)
    assert drawn.values[0].tolist() == [51 - math.floor(cost) for cost in drawn.cost]


def test_regret_is_the_distance_from_the_optimum_in_either_direction():
    found = {RunName("p", "s", 0): [(0, 1, 3.0)]}
    low = curve(made(found), "p", "s", "epochs")
    high = curve(made(found, direction="maximize"), "p", "s", "epochs")
    assert regret(low, 1.0).values.tolist() == [[2.0]]
    assert regret(high, 4.0).values.tolist() == [[1.0]]
    assert regret(high, 4.0).direction == "minimize"


def test_unknown_runs_and_axes_are_named():
    result = made({RunName("p", "s", 0): [(0, 1, 3.0)]})
    with pytest.raises(StoreError, match="no runs of t on p; there are s on p"):
        curve(result, "p", "t")
    with pytest.raises(StoreError, match=r"'hours'.*: axis must be one of evaluations, ep"):
        curve(result, "p", "s", "hours")


# -- bands


def some(seeds: int, seed: int = 0, p: int = 7) -> Curve:
    steps = Stream(seed).at("test").generator().exponential(size=(seeds, p))
    values = np.minimum.accumulate(steps, axis=1)
    return Curve("p", "s", "epochs", "minimize", tuple(range(seeds)), np.arange(1.0, p + 1), values)


@pytest.mark.parametrize(
    ("statistic", "seeds"),
    [("mean", 5), *((s, n) for s in ("mean", "median") for n in (6, 10, 31))],
)
def test_a_band_contains_its_center_and_stays_among_the_values(statistic, seeds):
    drawn = some(seeds)
    found = band(drawn, statistic)
    assert (found.low <= found.center + 1e-12).all()
    assert (found.center <= found.high + 1e-12).all()
    assert (found.low >= drawn.values.min(axis=0) - 1e-12).all()
    assert (found.high <= drawn.values.max(axis=0) + 1e-12).all()
    assert found.seeds == seeds


def test_the_band_of_the_mean_equals_a_plain_loop():
    drawn = some(6)
    draws = Stream(3).generator().integers(6, size=(200, 6))
    resampled = np.array([[np.mean(column[rows]) for column in drawn.values.T] for rows in draws])
    found = band(drawn, "mean", level=0.9, resamples=200, stream=Stream(3))
    np.testing.assert_allclose(found.center, [np.mean(column) for column in drawn.values.T])
    np.testing.assert_allclose(found.low, np.quantile(resampled, 0.05, axis=0))
    np.testing.assert_allclose(found.high, np.quantile(resampled, 0.95, axis=0))


def test_blocks_of_columns_do_not_change_a_band(monkeypatch):
    whole = band(some(5), "mean")
    monkeypatch.setattr("hpo_research.analysis.bootstrap._BYTES", 1)
    np.testing.assert_array_equal(band(some(5), "mean").high, whole.high)


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_a_band_is_the_same_in_every_call(statistic):
    np.testing.assert_array_equal(band(some(6), statistic).low, band(some(6), statistic).low)


def test_another_stream_gives_another_band():
    assert (band(some(9), "mean").low != band(some(9), "mean", stream=Stream(1)).low).any()


@given(st.integers(1, 300), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_median_lies_between_the_innermost_places_that_cover_it(n, level):
    def cover(k):  # the median lies within the k-th values from either end
        return 1 - 2 * sum(math.comb(n, i) for i in range(k)) / 2**n

    found = between(n, level)
    if found is None:
        assert n == 1 or cover(1) < level
        return
    low, high = found
    assert (low + high, low < high) == (n - 1, True)
    assert cover(low + 1) >= level - 1e-12
    assert low + 2 > n // 2 or cover(low + 2) < level + 1e-12


def test_the_least_seeds_of_a_median_are_those_that_any_interval_has():
    assert between(LEAST_FOR_MEDIAN, 0.95) == (0, LEAST_FOR_MEDIAN - 1)
    assert between(LEAST_FOR_MEDIAN - 1, 0.95) is None


def test_the_band_of_the_median_is_made_of_values():
    drawn = some(10)
    found = band(drawn)
    ordered = np.sort(drawn.values, axis=0)
    np.testing.assert_array_equal(found.low, ordered[1])
    np.testing.assert_array_equal(found.high, ordered[8])


@pytest.mark.parametrize(("statistic", "least"), [("mean", 5), ("median", 6)])
def test_too_few_seeds_have_no_band(statistic, least):
    assert band(some(least), statistic).has_interval
    for seeds in range(1, least):
        found = band(some(seeds), statistic)
        expected = getattr(np, statistic)(some(seeds).values, axis=0)
        np.testing.assert_array_equal(found.center, expected)
        assert not found.has_interval
        assert found.seeds == seeds


@pytest.mark.parametrize(("seeds", "expected"), [(6, 0.96875), (7, 0.984375), (9, 0.9609375)])
def test_the_median_band_covers_as_often_as_it_says(seeds, expected):
    # 4,000 samples: 5 standard errors have a probability below 1e-6.
    draws = Stream(seeds).at("coverage").generator().exponential(size=(seeds, 4000)) - math.log(2)
    drawn = Curve("p", "s", "epochs", "minimize", tuple(range(seeds)), np.arange(4000.0), draws)
    found = band(drawn)
    covered = ((found.low <= 0) & (found.high >= 0)).mean()
    assert covered == pytest.approx(expected, abs=5 * np.sqrt(expected * (1 - expected) / 4000))


def test_a_band_begins_where_every_seed_has_a_value_and_skips_seeds_without_any():
    whole = [[5.0, 4.0, 4.0]] * 4
    values = np.array([[math.nan, 2.0, 1.0], *whole, [math.nan] * 3])
    drawn = Curve("p", "s", "epochs", "minimize", tuple(range(6)), np.arange(3.0), values)
    found = band(drawn, "mean")
    np.testing.assert_allclose(found.center, [math.nan, 3.6, 3.4])
    assert np.isnan(found.low).tolist() == [True, False, False]
    assert found.seeds == 5


def test_runs_without_values_have_a_curve_and_an_empty_band():
    result: Result = made({RunName("p", "s", seed): [] for seed in range(3)})
    drawn = curve(result, "p", "s", "epochs")
    assert drawn.values.shape == (3, 0)
    assert band(drawn).seeds == 0


def test_a_percentile_band_of_the_mean_covers_about_as_often_as_it_says():
    # 400 samples of 40 normal values. A 95 % percentile band of the mean of 40 covers about
    # 94 %; fewer than 360 of 400 (90 %) has a probability below 0.1 %.
    draws = Stream(5).at("coverage").generator().standard_normal((40, 400))
    drawn = Curve("p", "s", "epochs", "minimize", tuple(range(40)), np.arange(400.0), draws)
    found = band(drawn, "mean")
    assert ((found.low <= 0) & (found.high >= 0)).sum() >= 360
