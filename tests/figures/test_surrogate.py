import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from handmade import changed
from matplotlib.figure import Figure

import hpo_research as hpo
from hpo_research.analysis.believed import believed
from hpo_research.analysis.result import Result
from hpo_research.device import Compute
from hpo_research.errors import StoreError
from hpo_research.experiment import loop
from hpo_research.figures.draw import pictures
from hpo_research.figures.surrogate import (
    draw_acquisition,
    draw_belief,
    draw_surface,
    surrogate_figure,
)
from hpo_research.records import Report, Run, Segment
from hpo_research.store import RunName, Store
from hpo_research.strategies.models.surrogate import surrogate

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


@dataclass(frozen=True)
class Slow:
    """A wave whose configurations above 0.2 take long, and half of which fail without a word."""

    max_epochs: int = 1
    name: str = "slow"
    space: hpo.SearchSpace = LINE
    metric: str = "value"
    direction: str = "minimize"
    optimum: float | None = None
    can_resume: bool = True
    has_recorded_seconds: bool = True

    def evaluate(self, segments, device="cpu"):
        for epoch in range(1, self.max_epochs + 1):
            dropped = yield [self._report(s, epoch) for s in segments if s.until >= epoch]
            segments = [s for s in segments if s.key not in (dropped or ())]

    def _report(self, segment: Segment, epoch: int) -> Report:
        rate = float(segment.config["rate"])
        is_silent = rate > 0.1 and segment.trial % 2 == 0
        value = math.nan if is_silent else wave(segment.config) + 1 / epoch
        seconds = 1 + 20 * rate
        return Report(*segment.key, epoch, {"value": value}, seconds, state=dict)


def facts(run: Run) -> list[tuple[object, ...]]:
    """What is known of a run's trials; a running one's values are of no use to a model."""
    return [
        (t.id, "running") if t.is_running else (t.id, t.status, t.value, t.epochs, t.values)
        for t in run.trials
    ]


@pytest.mark.parametrize("final", ["last", "best"])
@pytest.mark.parametrize("epochs", [1, 3])
def test_a_run_is_rebuilt_as_the_strategy_saw_it(epochs, final, monkeypatch):
    seen: dict[int, Run] = {}
    asking = hpo.Bayesian.ask

    def ask(strategy, runs, slots):
        seen.update({len(run.asks): run for run in runs})
        return asking(strategy, runs, slots)

    monkeypatch.setattr(hpo.Bayesian, "ask", ask)
    experiment = hpo.Experiment(
        "slow",
        [Slow(epochs)],
        {"q-EI": hpo.Bayesian(design="sobol", starts=4)},
        seeds=[0],
        parallel=3,
        budget=hpo.Budget(trials=14),
        execution="simulated",
        final=final,
    )
    with Store.in_memory() as store:
        loop.execute(experiment, store, Compute())
        result = Result.of(store)
    name = RunName("slow", "q-EI", 0)
    asks = result.runs[name].asks
    modelled = [i for i, ask in enumerate(asks) if "lengthscale" in ask.notes and ask.proposals]
    for number in modelled:
        assert facts(believed(result, name, number).run) == facts(seen[number])
    ended = {trial.id: trial.status for trial in result.runs[name].trials}
    late = {t.id for i in modelled for t in seen[i].trials if t.is_running}
    assert any(ended[trial] == "failed" for trial in late)


@pytest.mark.parametrize("status", ["failed", "stopped"])
def test_a_trial_that_ended_later_without_a_report_was_running(result, status):
    name = RunName("branin", "q-EI", 0)
    run, turn = result.runs[name], result.asked[name][2][0]
    silent = replace(run.trials[5], status=status, value=None, epochs=(), values=())
    late = [
        (turn + 1, replace(o, status=status, epoch=0)) if o.trial == 5 else (at, o)
        for at, o in result.outcomes[name]
    ]
    reports = [row for row in result.history[name] if row[0].trial != 5]
    trials = (*run.trials[:5], silent, *run.trials[6:])
    other = changed(noting(result, pending=1.0, trials=7.0), "reports", {name: reports})
    other = changed(other, "outcomes", {name: late})
    other = changed(other, "run", {name: replace(other.runs[name], trials=trials)})
    trials = believed(other, name, ask=2).run.trials
    assert [trial.status for trial in trials] == ["finished"] * 5 + ["running"] + ["finished"] * 2


def noting(result: Result, ask: int = 2, **counts: float) -> Result:
    """The same result, in which an ask of a model noted other counts of trials."""
    name = RunName("branin", "q-EI", 0)
    run = result.runs[name]
    asks = list(run.asks)
    asks[ask] = replace(asks[ask], notes={**asks[ask].notes, **counts})
    return changed(result, "run", {name: replace(run, asks=tuple(asks))})


@pytest.mark.parametrize("counts", [{"trials": 5.0}, {"failed": 1.0}, {"pending": 2.0}], ids=str)
def test_a_rebuilt_run_that_is_not_the_one_that_was_noted_is_not_shown(result, counts):
    other = noting(result, 1, **counts)
    (key, count), *_ = counts.items()
    with pytest.raises(StoreError, match=rf"ask number 1 noted .*'{key}': {count}.* give"):
        believed(other, RunName("branin", "q-EI", 0))
    assert surrogate_figure(other, "branin", "q-EI") is None


@pytest.mark.parametrize("ask", [0, 99])
def test_an_ask_without_a_model_is_refused(result, ask):
    with pytest.raises(StoreError, match=f"has no ask number {ask} of a built-in model"):
        believed(result, RunName("branin", "q-EI", 0), ask=ask)


def test_a_strategy_without_a_model_is_refused(result):
    with pytest.raises(StoreError, match="has no ask of a built-in model"):
        believed(result, RunName("branin", "random", 0))


def test_two_hyperparameters_get_three_surfaces_with_trials_and_a_numbered_batch(result):
    picture = surrogate_figure(result, "branin", "q-EI")
    panels = [axes for axes in picture.figure.axes if axes.get_xlabel() or axes.collections][:6]
    assert picture.name == "surrogate-branin-q-EI"
    first = panels[0]
    assert [text.get_text() for text in first.texts] == ["1", "2", "3", "4"]
    assert len(first.lines[0].get_xdata()) == 4
    assert "when it chose its batches of 4 after 4 and 8 values" in picture.caption


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
