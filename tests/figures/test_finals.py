"""The final value of every run, as boxes and points."""

import numpy as np
import pytest
from handmade import histories, made
from matplotlib.figure import Figure

from hpo_research.analysis.finals import Finals, finals
from hpo_research.figures.finals import draw_finals, finals_figure
from hpo_research.figures.style import look
from hpo_research.store import RunName
from tests.figures.reading import mistakes


def shown(values: dict[str, list[float]]) -> Finals:
    arrays = {name: np.array(own, dtype=float) for name, own in values.items()}
    seeds = tuple(range(len(next(iter(arrays.values())))))
    return Finals("p", "loss", "minimize", False, seeds, arrays)


def drawn(values: dict[str, list[float]], strategies: list[str] | None = None):
    axes = Figure().subplots()
    draw_finals(axes, shown(values), strategies)
    return axes


def test_every_seed_is_a_point_in_the_row_of_its_strategy():
    axes = drawn({"a": [1.0, 2.0, 4.0], "b": [3.0, np.nan, 5.0]})
    a, b = axes.lines
    assert a.get_xdata().tolist() == [1, 2, 4]
    assert b.get_xdata().tolist() == [3, 5]
    assert np.round(a.get_ydata()).tolist() == [0, 0, 0]
    assert np.round(b.get_ydata()).tolist() == [1, 1]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert axes.get_ylim() == (1.5, -0.5)


def test_a_box_holds_the_middle_half_and_whiskers_reach_to_the_ends():
    axes = drawn({"a": [4.0, 1.0, 2.0, 3.0, 9.0]})
    box = axes.patches[0]
    assert (box.get_x(), box.get_x() + box.get_width()) == (2, 4)
    whisker, median = (lines.get_segments()[0] for lines in axes.collections)
    assert whisker[:, 0].tolist() == [1, 9]
    assert median[:, 0].tolist() == [3, 3]


@pytest.mark.parametrize("values", [[1.0], [1.0, np.nan]])
def test_one_value_has_no_box(values):
    assert not drawn({"a": values, "b": values}).patches


def test_a_strategy_keeps_its_row_and_look_in_a_subset():
    axes = drawn({"b": [1.0, 2.0]}, ["a", "b"])
    line = axes.lines[-1]
    assert line.get_markerfacecolor() == look(1).color
    assert np.round(line.get_ydata()).tolist() == [1, 1]


def test_all_points_are_within_the_axes():
    axes = finals_figure(made(histories(seeds=5), optimum=0)).figure.axes[0]
    left, right = axes.get_xlim()
    values = np.concatenate([line.get_xdata() for line in axes.lines])
    assert left < values.min() < values.max() < right


def test_the_values_are_those_of_the_analysis():
    result = made(histories(), optimum=0.0)
    axes = finals_figure(result).figure.axes[0]
    np.testing.assert_array_equal(axes.lines[1].get_xdata(), finals(result, "p").values["random"])
    assert axes.get_xlabel() == "log loss regret\n(final best − optimum)"
    assert axes.get_xscale() == "log"


def test_the_caption_says_seeds_boxes_and_what_is_missing():
    found = histories(("p", "q")) | {RunName("p", "grid", 1): []}
    found |= {RunName("r", s, k): [] for s in ("grid", "random") for k in range(5)}
    picture = finals_figure(made(found))
    assert [axes.get_title() for axes in picture.figure.axes] == ["p", "q"]
    assert picture.caption == (
        "Final best value of each run on p and q, over 5 seeds. Points: seeds. Boxes: the "
        "interquartile range over seeds, with the median; whiskers extend to the minimum and the "
        "maximum. On p, grid has no value for 1 of 5 seeds. On r, no run has a value."
    )


def test_the_caption_says_where_values_are_regret_and_runs_go_on():
    text = finals_figure(made(histories(), optimum=0.0, over=False)).caption
    assert "Values are regret, the distance from the known optimum." in text
    assert "On p, 10 of 10 runs are not finished." in text


def test_nothing_found_gives_no_figure_and_axes_that_say_so():
    assert finals_figure(made({RunName("p", "s", 0): []})) is None
    assert drawn({"a": [np.nan]}).texts[0].get_text() == "no values"


@pytest.mark.parametrize("problems", [1, 3, 6])
@pytest.mark.parametrize("optimum", [0.0, None])
def test_no_text_is_cut_off_small_or_over_another(problems, optimum):
    titles = [f"curves(ackley{i},max_epochs=27,agreement=0.3)" for i in range(problems)]
    names = [f"strategy number {i}" for i in range(5)]
    result = made(histories(titles, names, least=0.8865), optimum=optimum)
    assert mistakes(finals_figure(result).figure) == []
