import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

import hpo_research as hpo
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.figures.draw import pictures
from hpo_research.figures.surrogate import (
    believed,
    draw_acquisition,
    draw_belief,
    draw_surface,
    surrogate_figure,
)
from hpo_research.store import RunName
from hpo_research.strategies.surrogate import surrogate

LINE = hpo.SearchSpace(rate=hpo.Float(1e-3, 1.0, scale="log"))


def wave(config: dict) -> float:
    return math.sin(3 * math.log10(config["rate"])) + config["rate"]


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> Result:
    experiment = hpo.Experiment(
        "surrogates",
        [
            hpo.problem("branin"),
            hpo.FunctionProblem(wave, LINE, workers=1),
            hpo.problem("hartmann3"),
        ],
        {"random": hpo.Random(), "q-EI": hpo.Bayesian(initial=4, starts=8)},
        seeds=[0],
        parallel=4,
        budget=hpo.Budget(evaluations=12),
    )
    return hpo.run(experiment, out=tmp_path_factory.mktemp("surrogates"), device="cpu")


def test_what_is_shown_is_what_the_ask_knew_and_chose(result):
    name = RunName("branin", "q-EI", 0)
    first, second = believed(result, name), believed(result, name, ask=2)
    assert [len(view.run.trials) for view in (first, second)] == [4, 8]
    asks = result.runs[name].asks
    for view, ask in ((first, asks[1]), (second, asks[2])):
        assert list(view.chosen) == [proposal.config for proposal in ask.proposals]
        hyper = view.surfaces[0].posterior.hyperparameters
        assert hyper.lengthscale[0].tolist() == ask.notes["lengthscale"]


def test_trials_that_had_not_reported_by_then_were_running(result):
    name = RunName("branin", "q-EI", 0)
    early = replace(
        result, asked={**result.asked, name: [(turn - 2, s) for turn, s in result.asked[name]]}
    )
    trials = believed(early, name, ask=2).run.trials
    assert {t.status for t in trials[4:]} == {"running"}
    assert all(t.value is None for t in trials[4:])


@pytest.mark.parametrize("ask", [0, 99])
def test_an_ask_without_a_model_is_refused(result, ask):
    with pytest.raises(StoreError, match=f"holds no ask number {ask} of a model of our own"):
        believed(result, RunName("branin", "q-EI", 0), ask=ask)


def test_a_strategy_without_a_model_is_refused(result):
    with pytest.raises(StoreError, match="holds no ask of a model of our own"):
        believed(result, RunName("branin", "random", 0))


def test_two_hyperparameters_get_three_surfaces_with_trials_and_a_numbered_batch(result):
    picture = surrogate_figure(result, "branin", "q-EI")
    panels = [axes for axes in picture.figure.axes if axes.get_xlabel() or axes.collections][:6]
    assert picture.name == "surrogate-branin-q-EI"
    first = panels[0]
    assert [text.get_text() for text in first.texts] == ["1", "2", "3", "4"]
    assert len(first.lines[0].get_xdata()) == 4
    assert "when it chose its first batch of 4 after 4 values" in picture.caption


def test_one_hyperparameter_gets_its_belief_and_a_line_for_each_point_of_the_batch(result):
    name = RunName(
        "function" if "function" in result.description["problems"] else "wave", "q-EI", 0
    )
    view = believed(result, name)
    figure = Figure()
    above, below = figure.subplots(2)
    draw_belief(above, view)
    draw_acquisition(below, view)
    assert above.get_xscale() == "log"
    assert above.get_xlim()[0] < 1e-3 * 1.2
    dashed = [line for line in below.lines if len(line.get_xdata()) > 1]
    assert len(dashed) == 4
    assert len({str(line.get_linestyle()) + line.get_color() for line in dashed}) == 4


def test_a_chosen_point_stands_at_the_top_of_its_line(result):
    name = RunName(
        "function" if "function" in result.description["problems"] else "wave", "q-EI", 0
    )
    view = believed(result, name)
    cube = np.linspace(0, 1, 2001)[:, None]
    for k, config in enumerate(view.chosen):
        at = view.acquisition(view.run.space.encode([config]), k)[0]
        assert at >= view.acquisition(cube, k).max() - 1e-6


def test_three_hyperparameters_are_not_drawn(result):
    assert surrogate_figure(result, "hartmann3", "q-EI") is None
    with pytest.raises(
        StoreError, match="expected one or two numbers to draw over, got x1, x2, x3"
    ):
        draw_surface(
            Figure().subplots(), believed(result, RunName("hartmann3", "q-EI", 0)), "median"
        )


def test_the_report_has_a_picture_for_each_small_problem_with_a_model(result):
    names = [picture.name for picture in pictures(result) if "surrogate" in picture.name]
    assert len(names) == 2


def test_a_maximised_metric_is_drawn_in_its_own_sign(result):
    run = result.runs[RunName("branin", "q-EI", 0)]
    flipped = replace(
        run,
        direction="maximize",
        trials=tuple(replace(t, value=-t.value) for t in run.trials if t.value is not None),
    )
    view = surrogate(hpo.Bayesian(starts=4), flipped)
    axes = Figure().subplots()
    draw_surface(axes, view, "median")
    assert (
        float(np.max([c.get_array().max() for c in axes.collections if c.get_array() is not None]))
        < 10
    )
