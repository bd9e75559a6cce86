"""The pictures of one run: what each shows, and that hard runs have a clear one or none."""

import math

import numpy as np
import pytest
from matplotlib.figure import Figure

import hpo_research as hpo
from hpo_research.analysis.calibration import Calibration, calibration
from hpo_research.analysis.importance import most_important
from hpo_research.analysis.modelled import modelled
from hpo_research.analysis.result import Result
from hpo_research.analysis.sections import contours, slices
from hpo_research.analysis.timeline import Timeline, timeline
from hpo_research.errors import StoreError
from hpo_research.figures import draw_parallel, draw_slice, draw_timeline
from hpo_research.figures.calibration import calibration_figure
from hpo_research.figures.contours import contours_figure
from hpo_research.figures.draw import sketches
from hpo_research.figures.hyperparameters import places, ticks
from hpo_research.figures.parallel import parallel_figure
from hpo_research.figures.slices import slices_figure
from hpo_research.figures.sobol import sobol_figure
from hpo_research.figures.timeline import timeline_figure
from hpo_research.records import Run, Trial
from hpo_research.store import RunName
from tests.figures.reading import mistakes

FIGURES = {
    "slices": slices_figure,
    "parallel": parallel_figure,
    "contours": contours_figure,
    "timeline": timeline_figure,
    "sobol": sobol_figure,
    "calibration": calibration_figure,
}
MIXED = hpo.SearchSpace(
    rate=hpo.Float(1e-5, 1e-1, scale="log"),
    layers=hpo.Integer(1, 8),
    kind=hpo.Categorical(("relu", "tanh", "a long name of an activation")),
    momentum=hpo.Float(0.5, 0.9999, scale="reverse_log"),
)


def value(config: dict) -> float:
    return (math.log10(config["rate"]) + 3) ** 2 + config["layers"] / 8 + (config["kind"] == "tanh")


def study(folder, space, strategy, tell, count: int, batch: int = 8) -> Result:
    with hpo.Study(space, strategy, path=folder) as own:
        for _ in range(0, count, batch):
            for trial in own.ask(min(batch, count)):
                told = tell(trial)
                if told is None:
                    own.fail(trial.id, "out of memory")
                else:
                    own.tell(trial.id, told)
    return Result.read(folder)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Result:
    """A study of 32 trials of `Bayesian`, every seventh of which failed."""
    folder = tmp_path_factory.mktemp("mixed")
    told = lambda trial: None if trial.id % 7 == 5 else value(trial.config)  # noqa: E731
    return study(folder, MIXED, hpo.Bayesian(starts=4), told, 32)


@pytest.mark.parametrize("name", FIGURES)
def test_every_picture_of_a_mixed_study_can_be_read(mixed, name):
    picture = FIGURES[name](mixed)
    assert picture is not None and picture.name == name and picture.caption.endswith(".")
    assert not mistakes(picture.figure)


def test_they_are_drawn_of_a_single_run_alone(mixed):
    assert set(FIGURES) <= {sketch.name for sketch in sketches(mixed)}
    assert mixed.single == RunName("study", "study", 0)
    both = mixed.merge(mixed, apart=True)
    assert both.single is None and not set(FIGURES) & {sketch.name for sketch in sketches(both)}


HARD = {
    "one trial": (MIXED, 1, lambda trial: 1.0, {"slices", "parallel", "timeline"}),
    "all failed": (MIXED, 8, lambda trial: None, {"timeline"}),
    "constant": (MIXED, 8, lambda trial: 2.0, {"slices", "parallel", "contours", "timeline"}),
    "one parameter": (
        hpo.SearchSpace(x=hpo.Float(0, 1)),
        8,
        lambda trial: trial.config["x"],
        {"slices", "parallel", "timeline"},
    ),
    "categories": (
        hpo.SearchSpace(a=hpo.Categorical(("x", "y", "z")), b=hpo.Categorical((True, None))),
        6,
        lambda trial: len(str(trial.config["b"])) + (trial.config["a"] == "x"),
        {"slices", "parallel", "contours", "timeline", "sobol"},
    ),
}


@pytest.mark.parametrize("case", HARD)
def test_a_hard_run_has_a_clear_picture_or_none(case, tmp_path):
    space, count, told, shown = HARD[case]
    result = study(tmp_path, space, hpo.Random(), told, count, batch=count)
    found = {name: make(result) for name, make in FIGURES.items()}
    assert {name for name, picture in found.items() if picture} == shown
    assert all(picture.caption.endswith(".") for picture in found.values() if picture)


def test_a_slice_is_what_the_model_believes_through_the_best_trial(mixed):
    model = modelled(mixed)
    assert model is not None and model.is_own and model.trials == model.known == 32
    (own,) = slices(model, ["layers"])
    rows = [{**model.best.config, "layers": k} for k in range(1, 9)]
    belief = model.view.believe(MIXED.encode(rows))
    np.testing.assert_allclose(own.belief.median, belief.median)
    (plane,) = contours(model, ["kind", "layers"])
    row = MIXED.parameters["kind"].index(model.best.config["kind"])
    np.testing.assert_allclose(plane.median[row], belief.median)


def test_scales_and_categories_stand_where_the_space_says():
    rate, layers, kind, momentum = MIXED.parameters.values()
    assert places(rate, [1e-5, 1e-3, 1e-1]) == pytest.approx([0, 0.5, 1])
    assert places(rate, [1e-6]) < 0  # outside its bounds, as from an earlier run
    assert places(kind, ["relu", "tanh"]) == pytest.approx([1 / 6, 1 / 2])
    for parameter in (rate, layers, momentum):
        values = [parameter.low, parameter.high]
        assert places(parameter, values) == pytest.approx(parameter.encode(values), abs=1e-12)
        at, names = ticks(parameter, most=5)
        assert 2 <= len(at) <= 5 and at == sorted(at) and len(set(names)) == len(names)
        assert min(at) >= 0 and max(at) <= 1
    assert ticks(rate, most=5)[1][0] == "$10^{-5}$"


def test_of_a_thousand_trials_and_thirty_parameters_the_model_sees_some_and_says_so():
    space = hpo.SearchSpace({f"p{i}": hpo.Float(0, 1) for i in range(30)})
    cube = np.random.default_rng(0).random((1000, 30))
    trials = [
        Trial(i, config, "finished", 1, value=float(row[7]), epochs=(1,), values=(float(row[7]),))
        for i, (config, row) in enumerate(zip(space.decode(cube), cube, strict=True))
    ]
    axes = Figure(figsize=(7, 3)).subplots()
    run = Run(space, trials=tuple(trials))
    assert draw_parallel(axes, run, ["p7", "p1"]) is not None
    lines = axes.collections[-1].get_segments()
    assert len(lines) == 1000 and lines[-1][0, 1] == pytest.approx(cube[:, 7].min())


def test_few_trials_say_nothing_of_what_is_important(tmp_path):
    space = hpo.SearchSpace({f"p{i}": hpo.Float(0, 1) for i in range(12)})
    result = study(tmp_path, space, hpo.Random(), lambda trial: trial.config["p7"], 8)
    names, found, said = most_important(result, result.single, 4)
    assert names == ["p0", "p1", "p2", "p3"] and not found and "too few" in said
    names, _, said = most_important(result, result.single, 12)
    assert len(names) == 12 and not said


def test_every_segment_of_a_multi_fidelity_run_has_its_span(tmp_path):
    experiment = hpo.Experiment(
        "rungs",
        [hpo.problem("curves")],
        {"ASHA": hpo.ASHA()},
        seeds=[0],
        parallel=2,
        budget=hpo.Budget(epochs=30),
    )
    result = hpo.run(experiment, out=tmp_path, device="cpu")
    history = result.histories[result.single]
    spans = timeline(history).stretches
    begun = [p for ask in history.run.asks for p in ask.proposals if p.kind != "stop"]
    assert len(spans) == len(begun) and {"paused"} <= {span.status for span in spans}
    ends = [(o.trial, o.status, o.epoch) for _, o in history.outcomes]
    known = [(s.trial, s.status, s.last) for s in spans if s.status != "running"]
    assert sorted(known) == sorted(ends)
    assert all(span.end >= span.start for span in spans)
    picture = timeline_figure(result)
    assert picture is not None and "by the run's clock" in picture.caption
    draw_timeline(Figure().subplots(), Timeline((), (), 0.0))


def test_coverage_counts_residuals_and_its_band_is_binomial():
    residual = np.random.default_rng(0).normal(size=400)
    nothing = np.full(400, np.nan)
    name = RunName("p", "s", 0)
    found = Calibration(name, np.arange(400), residual, nothing, nothing, 100, 100)
    for level in (0.5, 0.8, 0.95):
        low, high = found.band(level)
        assert low <= found.covered(level) <= high and low < level < high
    assert math.isnan(found.mean_log_density) and math.isnan(found.gain)


def test_forecasts_are_those_of_the_asks_and_of_what_they_chose(mixed):
    name = mixed.single
    found = calibration(mixed, name)
    run = mixed.runs[name]
    assert [run.trials[i].origin for i in found.trials] == ["qlogei"] * len(found.trials)
    chosen = [t.id for t in run.trials if t.origin == "qlogei" and t.status == "finished"]
    assert found.trials.tolist() == chosen and found.asks == found.of
    first = int(found.trials[0])
    view = hpo.Bayesian(starts=4).believe(mixed.histories[name].at(1))
    judged = view.judge(MIXED.encode([run.trials[first].config]), run.values[[first]])
    assert judged.residual[0] == pytest.approx(found.residual[0])


def test_wrong_names_are_refused(mixed):
    axes = Figure().subplots()
    run = mixed.runs[mixed.single]
    with pytest.raises(StoreError, match="no hyperparameter 'x'; the run has rate, layers"):
        draw_slice(axes, run, "x")
    with pytest.raises(StoreError, match="no hyperparameter 'x'"):
        draw_parallel(axes, run, ["rate", "x"])
    with pytest.raises(StoreError, match="a run is named by problem, strategy and seed"):
        slices_figure(mixed, RunName("study", "study", 7))
    with pytest.raises(StoreError, match="expected the name of one run"):
        slices_figure(mixed.merge(mixed, apart=True))
