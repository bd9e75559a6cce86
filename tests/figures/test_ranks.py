"""Mean ranks as the budget goes on."""

from dataclasses import replace

import numpy as np
import pytest
from handmade import LIMITS, histories, made
from matplotlib.figure import Figure

from hpo_research.analysis.ranks import ranks
from hpo_research.figures.ranks import draw_ranks, ranks_figure
from hpo_research.figures.style import look
from tests.figures.reading import mistakes


def test_a_line_is_the_mean_rank_over_the_share_of_the_budget():
    result = made(histories(("p", "q")))
    axes = ranks_figure(result).figure.axes[0]
    expected = ranks(result, points=101).bands["random"]
    line = next(line for line in axes.lines if line.get_label() == "random")
    np.testing.assert_array_equal(line.get_ydata()[:-1], expected.center)
    assert axes.get_xlabel() == "share of a run's budget"
    assert axes.get_ylim() == (0.9, 2.1)


def test_a_strategy_keeps_its_look_in_a_subset():
    axes = Figure().subplots()
    result = made(histories(strategies=["a", "b", "c"]))
    draw_ranks(axes, result, "epochs", strategies=["b", "c"])
    colors = {line.get_label(): line.get_color() for line in axes.lines}
    assert (colors["b"], colors["c"]) == (look(1).color, look(2).color)
    assert axes.get_xlabel() == "epochs trained in a run"


def test_the_caption_says_what_was_ranked_and_what_was_left_out():
    found = histories(("p", "q"))
    found = {name: rows for name, rows in found.items() if name[:2] != ("q", "grid")}
    assert ranks_figure(made(found)).caption == (
        "Mean rank of each strategy over 5 paired seeds on p (5 pairs); 1 is best. At each share "
        "of the budget, strategies are ranked by their best value so far, at any epoch, on one "
        "problem and seed; equal values share the mean of their ranks, and runs without a value "
        "come last. Each pair of a problem and a seed counts equally; pairs without any value are "
        "left out. Bands: pointwise 95% percentile bootstrap over seeds (2,000 resamples). Left "
        "out: q, where not every strategy has a finished run. The table of mean ranks follows "
        "another rule and may differ: it ranks final values by the experiment's rule, weights "
        "problems equally, and counts seeds without any value as ties."
    )


@pytest.mark.parametrize(
    ("axis", "budget", "by_rule"),
    [
        ("budget", {"epochs": 40}, False),
        ("budget", {"trials": 20}, True),
        ("evaluations", {"epochs": 40}, True),
        ("seconds", {"trials": 20}, False),
    ],
)
def test_the_caption_says_which_values_are_ranked(axis, budget, by_rule):
    result = made(histories())
    result = replace(result, description={**result.description, "budget": {**LIMITS, **budget}})
    text = ranks_figure(result, axis).caption
    assert ("by their best value so far by the experiment's rule on one problem" in text) == by_rule
    assert ("by their best value so far, at any epoch, on one problem" in text) != by_rule


@pytest.mark.parametrize(
    ("seeds", "said"), [(1, "one paired seed on p (one pair)"), (4, "4 pairs")]
)
def test_fewer_than_five_seeds_have_no_band(seeds, said):
    picture = ranks_figure(made(histories(seeds=seeds)))
    assert said in picture.caption
    assert "No band is drawn for fewer than 5 seeds" in picture.caption
    assert "Bands:" not in picture.caption
    assert not picture.figure.axes[0].collections


def test_there_is_no_figure_of_one_strategy_or_of_runs_that_go_on():
    assert ranks_figure(made(histories(strategies=["a"]))) is None
    assert ranks_figure(made(histories(), over=False)) is None
    axes = Figure().subplots()
    draw_ranks(axes, made(histories(), over=False))
    assert axes.texts[0].get_text() == "no values"


@pytest.mark.parametrize("strategies", [2, 7])
def test_no_text_is_cut_off_small_or_over_another(strategies):
    result = made(histories(strategies=[f"strategy number {i}" for i in range(strategies)]))
    assert mistakes(ranks_figure(result).figure) == []
    assert mistakes(ranks_figure(replace(result), "epochs").figure) == []
