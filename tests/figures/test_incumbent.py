"""The best value so far against what it cost."""

from dataclasses import replace

import numpy as np
import pytest
from handmade import changed, histories, made
from matplotlib.figure import Figure

from hpo_research.analysis.bootstrap import band
from hpo_research.analysis.incumbents import curve
from hpo_research.errors import StoreError
from hpo_research.figures.incumbent import draw_incumbent, incumbent_figure
from hpo_research.figures.panel import panel, trains_fully
from hpo_research.figures.scales import Scale
from hpo_research.figures.style import COLUMN, PAGE, look
from hpo_research.store import RunName
from tests.figures.reading import mistakes


def lines(axes):
    """The lines of strategies, without the edges of their bands."""
    return [line for line in axes.lines if not line.get_label().startswith("_child")]


def test_there_is_a_panel_a_problem_and_a_line_a_strategy():
    figure = incumbent_figure(made(histories(("a", "b", "c", "d")))).figure
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c", "d"]
    assert [len(lines(axes)) for axes in figure.axes] == [2, 2, 2, 2]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["grid", "random"]


@pytest.mark.parametrize(("problems", "width"), [(1, COLUMN), (4, COLUMN), (5, PAGE)])
def test_up_to_four_panels_fit_a_column(problems, width):
    found = histories([f"p{i}" for i in range(problems)], seeds=1)
    assert incumbent_figure(made(found)).figure.get_figwidth() == width


def test_a_line_is_the_median_over_seeds_and_its_last_step_can_be_seen():
    found = {RunName("p", "s", k): [(0, 1, 3.0 + k), (0, 2, 2.0 - k)] for k in range(3)}
    (line,) = lines(incumbent_figure(made(found)).figure.axes[0])
    assert line.get_xdata().tolist() == [1, 2, 2.04]
    assert line.get_ydata().tolist() == [4, 1, 1]
    assert line.get_drawstyle() == "steps-post"


def test_a_band_is_that_of_the_analysis():
    result = made(histories(strategies=["s"], seeds=6))
    axes = Figure().subplots()
    draw_incumbent(axes, result, "p")
    edges = [line for line in axes.lines if line not in lines(axes)]
    expected = band(curve(result, "p", "s"))
    np.testing.assert_array_equal(edges[0].get_ydata()[:-1], expected.low)
    np.testing.assert_array_equal(edges[1].get_ydata()[:-1], expected.high)


def test_a_strategy_keeps_its_look_on_axes_of_ones_own_and_in_a_subset():
    result = made(histories(strategies=["a", "b", "c"]))
    axes = Figure().subplots()
    draw_incumbent(axes, result, "p", strategies=["c"])
    (line,) = lines(axes)
    assert (line.get_color(), line.get_marker()) == (look(2).color, look(2).marker)
    assert line.get_label() == "c"
    assert [text.get_text() for text in axes.legend().get_texts()] == ["c"]


def test_lines_differ_without_colour():
    result = made(histories(strategies=[f"s{i}" for i in range(5)], seeds=1))
    drawn = lines(incumbent_figure(result).figure.axes[0])
    assert len({(line.get_marker()) for line in drawn}) == 5
    assert len({str(line._unscaled_dash_pattern) for line in drawn}) == 5


@pytest.mark.parametrize(
    ("optimum", "scale", "label"),
    [
        (0.0, "log", "log loss regret\n(best so far − optimum)"),
        (1.0, "linear", "best log loss so far\n(lower is better)"),
        (None, "linear", "best log loss so far\n(lower is better)"),
    ],
)
def test_a_known_optimum_that_is_not_passed_gives_regret(optimum, scale, label):
    axes = incumbent_figure(made(histories(least=0.9), optimum=optimum)).figure.axes[0]
    assert axes.get_yscale() == scale
    assert axes.get_ylabel() == label


def test_an_optimum_that_noise_passed_is_drawn_as_a_line():
    figure = incumbent_figure(made(histories(), optimum=1.0)).figure
    assert figure.axes[0].texts[0].get_text() == "optimum"


def test_an_optimum_without_noise_is_said_to_be_one():
    result = made(histories(seeds=1), optimum=1.0)
    history = {
        name: [
            (replace(r, metrics={**r.metrics, "noise_free": 2.0}), *rest) for r, *rest in entries
        ]
        for name, entries in result.history.items()
    }
    picture = incumbent_figure(changed(result, "reports", history))
    assert picture.figure.axes[0].texts[0].get_text() == "optimum without noise"
    said = "On p, the optimum is noise-free, so noisy values may be better than it."
    assert said in picture.caption
    assert mistakes(picture.figure) == []


def test_a_regret_that_reaches_0_is_drawn_down_to_0():
    found = {RunName("p", "s", k): [(0, 1, 3.0), (1, 1, 2.002), (2, 1, 2.0)] for k in range(2)}
    result = made(found, optimum=2.0)
    shown = panel(result, "p", "epochs")
    assert shown.scale == Scale("log and zero", 0.001)
    np.testing.assert_allclose(shown.bands["s"].center, [1, 0.002, 0])
    picture = incumbent_figure(result)
    assert "On p, the axis is linear between 0 and 0.001." in picture.caption
    assert picture.figure.axes[0].get_ylim()[0] < 0
    assert mistakes(picture.figure) == []


def told(result, axis="epochs"):
    return incumbent_figure(result, axis).caption


def test_the_caption_says_costs_seeds_and_band():
    assert told(made(histories(seeds=6))) == (
        "Best value so far at any epoch on p against the epochs trained in a run: "
        "median over 6 seeds. "
        "Bands: pointwise, between order statistics that hold the median with at least 95%. "
        "A line begins where all of its seeds have a value."
    )


@pytest.mark.parametrize(("optimum", "says"), [(0.0, True), (1.0, False), (None, False)])
def test_the_caption_says_where_values_are_regret(optimum, says):
    assert ("Values are regret" in told(made(histories(), optimum=optimum))) == says


@pytest.mark.parametrize(
    ("seeds", "says"), [(1, "of one seed."), (5, "median over 5 seeds.")], ids=["1", "5"]
)
def test_fewer_than_six_seeds_have_no_band_but_a_thin_line_each(seeds, says):
    result = made(histories(seeds=seeds))
    each = "; thin lines are single seeds" if seeds > 1 else ""
    assert f"{says} No band is drawn for fewer than 6 seeds{each}." in told(result)
    assert "Bands:" not in told(result)
    axes = incumbent_figure(result).figure.axes[0]
    assert not axes.collections
    thin = [line for line in axes.lines if line not in lines(axes)]
    expected = curve(result, "p", "grid").values if seeds > 1 else np.empty((0, 20))
    assert len(thin) == 2 * len(expected)
    for line, values in zip(thin, expected, strict=False):
        np.testing.assert_array_equal(line.get_ydata()[:-1], values)


def test_the_caption_says_where_some_lines_have_too_few_seeds_for_a_band():
    found = {**histories(seeds=6), RunName("p", "grid", 0): []}
    said = "at least 95%; none for fewer than 6 seeds; thin lines are single seeds."
    assert said in told(made(found))
    assert len(incumbent_figure(made(found)).figure.axes[0].collections) == 1


def test_of_more_than_five_lines_bands_are_bars_at_the_marks():
    result = made(histories(strategies=[f"s{i}" for i in range(6)], seeds=6))
    axes = incumbent_figure(result).figure.axes[0]
    assert "Bars at some of the marks: pointwise, between order statistics" in told(result)
    assert len(axes.lines) == len(axes.collections) == 6
    for i, (line, bars) in enumerate(zip(axes.lines, axes.collections, strict=True)):
        expected = band(curve(result, "p", f"s{i}"))
        marked = [place for place in line.get_markevery() if place < len(expected.cost)]
        drawn = {x: (low, high) for (x, low), (_, high) in bars.get_segments()}
        costs = {expected.cost[place] for place in marked}
        assert len(costs & drawn.keys()) >= len(marked) - 1 > 0  # 24 bars in all, not 30
        for place in (place for place in marked if expected.cost[place] in drawn):
            at = (expected.low[place], expected.high[place])
            assert drawn[expected.cost[place]] == at


@pytest.mark.parametrize(("slower", "scale"), [(1.0, "linear"), (1e4, "log")])
def test_seconds_are_on_a_log_axis_where_one_line_would_be_lost_beside_another(slower, scale):
    found = histories(strategies=["a", "b"], seeds=6)
    each = {"a": 1.0, "b": slower}
    asked = {name: [(turn, each[name.strategy]) for turn in range(20)] for name in found}
    result = made(found, asked=asked)
    picture = incumbent_figure(result, "seconds")
    (axes,) = picture.figure.axes
    assert axes.get_xscale() == scale
    assert mistakes(picture.figure) == []
    for line in lines(axes):
        costs = line.get_xdata()[line.get_markevery()]
        apart = np.diff(np.log(costs) if scale == "log" else costs)
        assert len(costs) > 2
        assert apart.max() < 0.7 * np.ptp(np.log(costs) if scale == "log" else costs)
    assert incumbent_figure(result, "epochs").figure.axes[0].get_xscale() == "linear"


def test_the_caption_names_lines_that_coincide_once_for_all_problems():
    found = histories(("p", "q"), ["random"])
    for other in ("hyperband", "third"):
        found |= {
            RunName(n.problem, other, n.seed): rows for n, rows in found.items() if n[1] == "random"
        }
    text = told(made(found))
    assert "On p and q, random, hyperband and third coincide." in text
    assert text.count("coincide") == 1


def test_the_caption_names_seeds_without_values_and_unfinished_runs():
    found = {**histories(), RunName("p", "grid", 0): []}
    text = told(made(found, over=False))
    assert "median over 4 to 5 seeds" in text
    assert "On p, grid has values for 4 of 5 seeds." in text
    assert "On p, 10 of 10 runs are not finished." in text


def test_a_result_without_values_draws_a_panel_that_says_so():
    picture = incumbent_figure(made({RunName("p", "s", k): [] for k in range(2)}))
    assert picture.figure.axes[0].texts[0].get_text() == "no values"
    assert picture.caption == "No run has a value yet."


@pytest.mark.parametrize("problems", [1, 4, 6])
@pytest.mark.parametrize("strategies", [2, 7])
def test_no_text_is_cut_off_small_or_over_another(problems, strategies):
    names = [f"strategy number {i}" for i in range(strategies)]
    titles = [f"curves(ackley{i},max_epochs=27,agreement=0.3)" for i in range(problems)]
    result = made(histories(titles, names), optimum=0)
    assert mistakes(incumbent_figure(result).figure) == []
    assert mistakes(incumbent_figure(result, "seconds").figure) == []


@pytest.mark.parametrize(
    ("execution", "label"),
    [
        ("lock-step", "seconds of training and search in a run"),
        ("asynchronous", "seconds since a run began"),
        ("simulated", "simulated seconds of a run"),
    ],
)
def test_the_seconds_say_what_they_count(execution, label):
    result = made(histories(), execution=execution)
    assert incumbent_figure(result, "seconds").figure.axes[0].get_xlabel() == label
    assert f"against the {label}" in told(result, "seconds")


@pytest.mark.parametrize(
    ("axis", "max_epochs", "label"),
    [
        ("epochs", 9, "epochs trained in a run"),
        ("epochs", 1, "evaluations in a run"),
        ("evaluations", 2, "evaluations in a run"),
        ("evaluations", 9, "trials ended in a run"),
    ],
)
def test_an_evaluation_is_a_trial_trained_to_the_end(axis, max_epochs, label):
    result = made(histories(), max_epochs=max_epochs)  # whose trials end at epoch 2
    assert incumbent_figure(result, axis).figure.axes[0].get_xlabel() == label


def test_a_failed_trial_is_an_evaluation_and_a_paused_one_is_not():
    result = made(histories(n=4), max_epochs=2)
    name = RunName("p", "grid", 0)
    for status, is_one in (("failed", True), ("paused", False)):
        run = result.runs[name]
        first = replace(run.trials[0], status=status, epochs=(1,), values=(0.5,), value=None)
        other = changed(result, "run", {name: replace(run, trials=(first, *run.trials[1:]))})
        assert trains_fully(other, "p", "grid") == is_one


def test_what_is_left_out_over_evaluations_is_said():
    shown = {"p": ["random"], "q": ["random", "grid"]}
    picture = incumbent_figure(made(histories(("p", "q"))), "evaluations", strategies=shown)
    assert picture.caption.endswith(
        "On p, grid is left out: not every trial was trained to the last epoch."
    )
    assert [len(lines(axes)) for axes in picture.figure.axes] == [1, 2]


def test_names_are_shown_as_they_are():
    figure = incumbent_figure(made(histories(["$x_{", "cost in $ and $"], ["_a", "b$c$"]))).figure
    figure.draw_without_rendering()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["_a", r"b\$c\$"]
    assert {axes.get_title() for axes in figure.axes} == {r"\$x_{", r"cost in \$ and \$"}


@pytest.mark.parametrize(
    ("problem", "strategies", "message"),
    [
        ("q", None, "no problem 'q'; there are p"),
        ("p", ["qei"], "no strategy 'qei'; there are grid, random"),
    ],
)
def test_a_name_that_the_result_does_not_hold_is_refused(problem, strategies, message):
    with pytest.raises(StoreError, match=message):
        draw_incumbent(Figure().subplots(), made(histories()), problem, strategies=strategies)
