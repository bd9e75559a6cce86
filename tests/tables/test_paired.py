"""Strategies compared seed by seed."""

from dataclasses import replace

import numpy as np
import pytest
from handmade import made

from hpo_research import tables
from hpo_research.analysis.ranks import ranks
from hpo_research.errors import StoreError
from hpo_research.store import RunName


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


def test_the_effect_is_from_one_side_to_the_other():
    low, high = [float(v) for v in range(6)], [v + 1.5 for v in range(6)]
    found = result({"a": low, "b": high, "c": low})
    effects = table(found, "comparisons").data["effect"]
    assert effects.tolist()[0] == 1.0  # a is better than b in every pair
    assert np.isnan(effects.tolist()[1])  # a and c came to the same
    assert effects.tolist()[2] == -1.0
    assert [row[-3].text for row in table(found, "comparisons").rows] == ["+1.00", "–", "-1.00"]


def test_a_correction_counts_those_that_came_to_the_same_once():
    a, b = list(range(8)), [v + 1 + v / 9 for v in range(8)]
    data = table(result({"a": a, "b": b, "c": b}), "comparisons").data
    assert data["p"].tolist()[:2] == data["p_holm"].tolist()[:2] == [2 / 2**8] * 2


def test_with_a_control_only_its_pairs_are_tested_and_counted():
    values = {name: [v + i * (1 + v / 9) for v in range(8)] for i, name in enumerate("abc")}
    shown = next(t for t in tables.tables(result(values), "b") if t.name == "comparisons")
    assert shown.data[["first", "second"]].to_numpy().tolist() == [["b", "a"], ["b", "c"]]
    assert shown.data["p_holm"].tolist() == [2 * 2 / 2**8] * 2
    assert shown.title == "Comparisons with b"
    assert "corrected for all comparisons with b on the problem" in shown.caption
    every = table(result(values), "comparisons").data
    assert every["p_holm"].tolist() == [3 * 2 / 2**8] * 3


def test_more_pairs_than_are_simulated_are_said(monkeypatch):
    values = {name: [v + i * (1 + v / 9) for v in range(10)] for i, name in enumerate("abc")}
    assert "not simulated" not in table(result(values), "comparisons").caption
    monkeypatch.setattr("hpo_research.tables.power._MOST_TESTS", 2)
    found = tables.tables(result(values))
    assert "power" not in [own.name for own in found]
    said = "is not simulated for 3 pairs, more than 2: a report with --control NAME or --only NAME"
    assert said in next(own for own in found if own.name == "comparisons").caption


def test_a_control_that_is_no_strategy_is_refused():
    with pytest.raises(StoreError, match="no strategy 'd'; there are a, b"):
        tables.tables(result({"a": [1.0], "b": [2.0]}), "d")


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
