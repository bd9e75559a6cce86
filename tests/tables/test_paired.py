"""Strategies compared seed by seed: oracles are brute force and SciPy."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from handmade import made
from scipy import stats

from hpo_research import tables
from hpo_research.analysis.ranks import ranks
from hpo_research.store import RunName
from hpo_research.tables.paired import holm, signed_rank


def result(values, **options):
    """One problem; a value a seed for every strategy, None for a run that found nothing."""
    histories = {
        RunName("p", strategy, seed): [] if value is None else [(0, 1, value)]
        for strategy, own in values.items()
        for seed, value in enumerate(own)
    }
    return made(histories, **options)


def table(found, name):
    return next(table for table in tables.tables(found) if table.name == name)


def by_brute_force(differences):
    """All assignments of signs to the ranks of the differences that are not 0."""
    differing = differences[differences != 0]
    ranks = stats.rankdata(np.abs(differing))
    expected = ranks.sum() / 2
    seen = abs(ranks[differing > 0].sum() - expected)
    sums = [
        abs(ranks[np.array(signs)].sum() - expected)
        for signs in product([False, True], repeat=len(ranks))
    ]
    return np.mean([total >= seen - 1e-9 for total in sums])


@pytest.mark.parametrize(
    "differences",
    [
        [1.0, -2.0, 3.0, 4.0, 5.0, 6.0],
        [1.0, 1.0, -1.0, 2.0, 2.0, 3.0, 0.0],
        [1.0, -2.0, np.inf, np.inf, 5.0, 6.0, -np.inf],
    ],
    ids=["distinct", "tied", "infinite"],
)
def test_the_p_value_is_that_of_all_assignments_of_signs(differences):
    differences = np.array(differences)
    assert signed_rank(differences) == pytest.approx(by_brute_force(differences), abs=1e-12)


@pytest.mark.parametrize("differences", [[], [0.0] * 9, [1.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0, 0.0]])
def test_fewer_than_six_differing_pairs_give_no_p_value(differences):
    assert np.isnan(signed_rank(np.array(differences)))


@pytest.mark.parametrize(
    ("p", "corrected"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, 0.9], [1.0, 1.0]),
        ([0.02, np.nan], [0.02, np.nan]),
        ([], []),
    ],
)
def test_holm_multiplies_the_least_by_the_number_of_tests_and_never_decreases(p, corrected):
    np.testing.assert_allclose(holm(p), corrected)


def test_wins_ties_and_losses_are_those_of_the_first():
    found = result({"a": [1.0, 2.0, 3.0, None], "b": [2.0, 2.0, 1.0, 5.0]})
    row = table(found, "comparisons").data.iloc[0]
    assert (row["first"], row["second"], row["seeds"]) == ("a", "b", 4)
    assert (row["wins"], row["ties"], row["losses"]) == (1, 1, 2)
    assert row["median_difference"] == 0.0


def test_a_larger_value_wins_where_the_metric_is_maximised():
    found = result({"a": [3.0, 4.0], "b": [1.0, 1.0]}, direction="maximize")
    row = table(found, "comparisons").data.iloc[0]
    assert (row["wins"], row["losses"], row["median_difference"]) == (2, 0, 2.5)
    assert table(found, "ranks").data["mean_rank"].tolist() == [1.0, 2.0]


def test_eight_seeds_that_all_agree_give_the_least_p_value():
    found = result({"a": list(range(8)), "b": [v + 1 + v / 9 for v in range(8)]})
    row = table(found, "comparisons").data.iloc[0]
    assert row["p"] == row["p_holm"] == 2 / 2**8
    assert table(found, "comparisons").rows[0][-1].text == "0.008"


def test_equal_values_share_a_rank_and_a_run_without_a_value_ranks_last():
    found = result({"a": [1.0, 1.0], "b": [1.0, 2.0], "c": [9.0, None]})
    assert table(found, "ranks").data["mean_rank"].tolist() == [1.25, 1.75, 3.0]


def test_runs_that_are_not_over_are_compared_with_none():
    found = result({"a": [1.0, 1.0], "b": [2.0, 2.0]}, over=False)
    row = table(found, "comparisons").data.iloc[0]
    assert (row["seeds"], row["wins"], row["losses"]) == (0, 0, 0)
    assert table(found, "ranks").data["mean_rank"].isna().all()


def test_the_caption_says_what_the_pairs_of_a_seed_share():
    caption = table(result({"a": [1.0], "b": [2.0]}), "comparisons").caption
    assert caption.startswith(
        "Seeds are pairs: a seed gives both strategies the same initial weights, data order and "
        "noise, and the same initial design where they begin with the same kind. Wins, ties and "
    )


@pytest.mark.parametrize(
    ("final", "rule"), [("last", "that of its last epoch"), ("best", "its best at any epoch")]
)
def test_the_caption_of_the_ranks_says_their_rule_and_that_the_figure_has_another(final, rule):
    found = result({"a": [1.0], "b": [2.0]})
    found = replace(found, description={**found.description, "final": final})
    caption = table(found, "ranks").caption
    assert f"The value of a trial is {rule}" in caption
    assert "The figure of mean ranks follows another rule and may differ" in caption
    assert "in the last column" not in caption


def test_the_caption_of_the_ranks_says_how_problems_count_in_the_last_column():
    values = {RunName(p, s, 0): [(0, 1, 1.0)] for p in "pq" for s in "ab"}
    caption = table(made(values), "ranks").caption
    assert "is finished; in the last column, over problems, each weighted equally." in caption


def test_the_table_and_the_figure_of_mean_ranks_differ_where_their_rules_do():
    # At its last epoch a is worse than b; on the way it was better.
    found = made(
        {
            RunName("p", "a", 0): [(0, 1, 1.0), (0, 2, 3.0)],
            RunName("p", "b", 0): [(0, 1, 2.5), (0, 2, 2.0)],
        }
    )
    assert table(found, "ranks").data["mean_rank"].tolist() == [2.0, 1.0]
    assert [float(band.center[-1]) for band in ranks(found).bands.values()] == [1.0, 2.0]


def test_ranks_do_not_depend_on_the_scale_of_a_problem():
    small = result({"a": [1.0, 5.0], "b": [2.0, 3.0]})
    large = result({"a": [1e6, 5e9], "b": [2e6, 3e9]})
    assert table(small, "ranks").data.equals(table(large, "ranks").data)
