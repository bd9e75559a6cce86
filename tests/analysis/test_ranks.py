"""Mean ranks over problems and paired seeds."""

from dataclasses import replace

import numpy as np
import pytest
from handmade import LIMITS, changed, histories, made
from hypothesis import given
from hypothesis import strategies as st

from hpo_research.analysis.bootstrap import LEAST_SEEDS
from hpo_research.analysis.ranks import ranks
from hpo_research.errors import StoreError
from hpo_research.rng import Stream
from hpo_research.store import RunName


def at_each(values: list[float]) -> list[tuple[int, int, float]]:
    """A history in which each epoch is a trial of its own."""
    return [(i, 1, value) for i, value in enumerate(values)]


def ended(best: dict[str, list[float]]) -> dict[RunName, list[tuple[int, int, float]]]:
    """One report a run: the values of each strategy by seed; NaN for a run without any."""
    return {
        RunName("p", strategy, seed): [] if np.isnan(value) else at_each([value])
        for strategy, values in best.items()
        for seed, value in enumerate(values)
    }


def last(shown) -> dict[str, float]:
    return {name: float(band.center[-1]) for name, band in shown.bands.items()}


def slow(found, strategies, seed, cost):
    """The ranks on a problem and seed by a plain loop: 1, the better, half of the equal."""
    best = []
    for strategy in strategies:
        values = [v for _, _, v in found[RunName("p", strategy, seed)][: int(cost)]]
        best.append(min(values, default=np.inf))
    return [
        1 + sum(other < own for other in best) + (sum(other == own for other in best) - 1) / 2
        for own in best
    ]


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abc"), st.integers(0, 2)),
        st.lists(st.integers(0, 3).map(float), max_size=6),
        min_size=9,
        max_size=9,
    )
)
def test_ranks_equal_a_plain_loop(drawn):
    found = {RunName("p", s, k): at_each(values) for (s, k), values in sorted(drawn.items())}
    shown = ranks(made(found), "epochs")
    seeds = [k for k in range(3) if any(found[RunName("p", s, k)] for s in "abc")]
    assert shown.seeds == tuple(seeds)
    for name, band in shown.bands.items():
        expected = [
            np.mean([slow(found, "abc", k, cost)["abc".index(name)] for k in seeds])
            for cost in band.cost
        ]
        np.testing.assert_allclose(band.center, expected)


def test_the_mean_ranks_of_all_strategies_have_the_mean_of_places():
    shown = ranks(made(histories(("p", "q"), ("a", "b", "c", "d"))), "epochs")
    total = sum(band.center for band in shown.bands.values())
    np.testing.assert_allclose(total, 1 + 2 + 3 + 4)


def test_equal_values_share_a_rank_and_no_value_comes_last():
    found = ended({"a": [1.0], "b": [1.0], "c": [np.nan], "d": [np.nan], "e": [0.5]})
    assert last(ranks(made(found))) == {"a": 2.5, "b": 2.5, "c": 4.5, "d": 4.5, "e": 1.0}


def test_the_higher_value_is_better_where_the_metric_is_maximised():
    found = ended({"a": [1.0, 3.0], "b": [2.0, 2.0]})
    assert last(ranks(made(found, direction="maximize"))) == {"a": 1.5, "b": 1.5}
    found = ended({"a": [1.0, 1.0], "b": [2.0, 2.0]})
    assert last(ranks(made(found, direction="maximize"))) == {"a": 2.0, "b": 1.0}


def test_values_of_different_size_on_two_problems_count_the_same():
    found = {RunName("p", "a", 0): at_each([1.0]), RunName("p", "b", 0): at_each([1.1])}
    found |= {RunName("q", "a", 0): at_each([9e9]), RunName("q", "b", 0): at_each([1.0])}
    shown = ranks(made(found))
    assert last(shown) == {"a": 1.5, "b": 1.5}
    assert (shown.problems, shown.pairs) == (("p", "q"), 2)


def test_a_pair_without_a_run_of_every_strategy_is_left_out_and_named():
    found = histories(("p", "q", "r"), seeds=2)
    del (
        found[RunName("p", "grid", 1)],
        found[RunName("q", "grid", 0)],
        found[RunName("q", "grid", 1)],
    )
    shown = ranks(made(found))
    assert (shown.problems, shown.seeds, shown.pairs) == (("p", "r"), (0, 1), 3)
    assert shown.left_out == (
        "Left out: 1 of 2 seeds on p, where not every strategy has a finished run.",
        "Left out: q, where not every strategy has a finished run.",
    )


def test_a_run_that_is_not_over_is_left_out():
    result = made(histories(seeds=2))
    result = changed(result, "is_over", {RunName("p", "random", 0): False})
    assert ranks(result).seeds == (1,)
    nothing = ranks(changed(result, "is_over", dict.fromkeys(result.runs, False)))
    assert (nothing.bands, nothing.pairs) == ({}, 0)


def test_a_problem_on_which_nothing_was_found_is_left_out():
    found = ended({"a": [np.nan, 1.0], "b": [np.nan, 2.0]})
    shown = ranks(made(found))
    assert shown.seeds == (1,)
    assert shown.left_out == ("Left out: 1 of 2 seeds on p, where no run has a value.",)


@pytest.mark.parametrize(
    ("budget", "first"),
    [
        ({"epochs": 40}, 1 / 40),
        ({"evaluations": 4}, 1 / 36),
        ({"evaluations": 4, "epochs": 18, "trials": 5}, 1 / 18),
        ({"trials": 20}, 1 / 20),
        ({"seconds": 50.0}, 0.5 / 50),
    ],
    ids=str,
)
def test_the_budget_axis_is_the_share_of_what_the_budget_counts(budget, first):
    result = made(histories())
    result = replace(result, description={**result.description, "budget": {**LIMITS, **budget}})
    cost = next(iter(ranks(result).bands.values())).cost
    assert cost[0] == pytest.approx(first)
    assert cost[-1] == 1


def test_many_costs_are_thinned():
    shown = ranks(made(histories()), "epochs", points=5)
    assert shown.bands["grid"].cost.tolist() == [1, 5.75, 10.5, 15.25, 20]


def test_a_band_equals_a_plain_loop_that_keeps_all_problems_of_a_seed_together():
    found = histories(("p", "q"), seeds=5, n=4)
    del found[RunName("q", "grid", 3)]  # seed 3 counts once, the others twice
    shown = ranks(made(found), "epochs", resamples=50, level=0.9)
    draws = Stream(0).at("bootstrap").generator().integers(5, size=(50, 5))
    at_end = {
        (p, k): 1.0 + grid_is_worse(found, p, k)
        for p in "pq"
        for k in range(5)
        if (p, k) != ("q", 3)
    }
    means = [
        np.mean([at_end[p, k] for k in rows for p in "pq" if (p, k) in at_end]) for rows in draws
    ]
    band = shown.bands["grid"]
    assert band.low[-1] == pytest.approx(np.quantile(means, 0.05))
    assert band.high[-1] == pytest.approx(np.quantile(means, 0.95))


def grid_is_worse(found, problem: str, seed: int) -> bool:
    best = {s: min(v for *_, v in found[RunName(problem, s, seed)]) for s in ("grid", "random")}
    return best["grid"] > best["random"]


@pytest.mark.parametrize("seeds", range(1, LEAST_SEEDS + 1))
def test_only_five_seeds_or_more_have_a_band(seeds):
    band = ranks(made(histories(seeds=seeds))).bands["grid"]
    assert np.isnan(band.low).all() == np.isnan(band.high).all() == (seeds < LEAST_SEEDS)
    assert band.seeds == seeds


def test_a_subset_is_ranked_by_itself_in_the_experiments_order():
    found = ended({"a": [1.0], "b": [2.0], "c": [3.0]})
    assert last(ranks(made(found), strategies=["c", "b"])) == {"b": 1.0, "c": 2.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"axis": "hours"}, "'hours'.*: axis must be one of budget, evaluations, epochs, seconds"),
        ({"strategies": ["grid"]}, "two strategies or more, got grid"),
        ({"strategies": ["grid", "x"]}, "no strategy 'x'; there are grid, random"),
    ],
    ids=["axis", "one", "unknown"],
)
def test_what_cannot_be_ranked_is_named(options, message):
    with pytest.raises(StoreError, match=message):
        ranks(made(histories()), **options)


def test_a_share_of_no_budget_is_refused():
    with pytest.raises(StoreError, match="no budget; choose axis='epochs'"):
        ranks(made(histories(), budget=None))
