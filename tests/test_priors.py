"""Results from elsewhere: what a study is told, what is tried first, what earlier runs found."""

import contextlib
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from botorch.acquisition.logei import qLogExpectedImprovement, qLogNoisyExpectedImprovement
from botorch.models import SingleTaskGP
from functions import own_x

import hpo_research as hpo
from hpo_research.analysis import earlier
from hpo_research.analysis.export import export
from hpo_research.device import Compute
from hpo_research.errors import EarlierResultsWarning, ExperimentError, SpaceError, StudyError
from hpo_research.executors.lock_step import LockStepExecutor
from hpo_research.experiment import loop
from hpo_research.experiment.loop import execute
from hpo_research.experiment.turn import Turn
from hpo_research.records import Report, Run, start
from hpo_research.report import contents
from hpo_research.space.outside import is_inside, located
from hpo_research.store import Store
from hpo_research.strategies.models.surrogate import surrogate

SPACE = hpo.SearchSpace(
    x=hpo.Float(0, 1), rate=hpo.Float(1e-4, 1, scale="log"), kind=hpo.Categorical(("a", "b"))
)
FOUR = hpo.SearchSpace(n=hpo.Integer(1, 2), kind=hpo.Categorical(("a", "b")))
INSIDE = {"x": 0.25, "rate": 0.01, "kind": "a"}
OUTSIDE = {"x": 1.5, "rate": 10.0, "kind": "a"}


def studied(path: Path | None = None, strategy: hpo.Strategy | None = None, **given) -> hpo.Study:
    return hpo.Study(SPACE, strategy or hpo.Random(), path=path, **given)


# --- added trials ---


def test_an_added_trial_takes_the_next_number_counts_and_costs_nothing(tmp_path: Path):
    with studied(tmp_path, max_epochs=9) as study:
        (asked,) = study.ask()
        added = study.add(INSIDE, 0.25)
        assert (added.id, added.origin, added.status, added.until) == (1, "added", "finished", 9)
        study.tell(asked.id, 0.5)
        assert study.best == added
        assert study.ask()[0].id == 2
        assert study.pending[0].id == 2
    found = hpo.Result.read(tmp_path)
    assert found.best().trial == 1
    assert list(found.frame()["origin"]) == ["uniform", "added", "uniform"]
    assert next(iter(found.costs.values())).epochs == 9  # of the trial that was asked for


def test_an_added_trial_is_the_same_when_the_study_is_opened_again(tmp_path: Path):
    with studied(tmp_path) as study:
        study.add(INSIDE, 0.25)
        study.add(OUTSIDE, -1.0)
        study.add(INSIDE, math.nan)
        known = list(study.trials)
    with studied(tmp_path) as study:
        assert list(study.trials) == known
        assert [trial.status for trial in study.trials] == ["finished", "finished", "failed"]
        assert not study.pending


def test_an_added_trial_is_stored_whole_or_not_at_all(tmp_path: Path, monkeypatch):
    with studied(tmp_path) as study:
        monkeypatch.setattr("hpo_research.store.writer.Writer.poll", interrupted)
        with pytest.raises(KeyboardInterrupt):
            study.add(INSIDE, 0.25)
        assert not study.trials
    monkeypatch.undo()
    with studied(tmp_path) as study:
        assert not study.trials
        assert study.add(INSIDE, 0.25).id == 0


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("strategy", [hpo.Random(), hpo.Grid(points=2)], ids=["random", "grid"])
def test_what_was_added_inside_is_not_proposed_and_outside_leaves_all(strategy: hpo.Strategy):
    study = hpo.Study(FOUR, strategy)
    study.add({"n": 7, "kind": "a"}, 0.1)
    study.add(FOUR.config_at(2), 0.2)
    while trials := study.ask(3):
        for trial in trials:
            study.tell(trial.id, 0.5)
    own = [trial.config for trial in study.trials if trial.origin != "added"]
    assert sorted(own, key=str) == sorted((FOUR.config_at(k) for k in (0, 1, 3)), key=str)
    assert study.best.config == {"n": 7, "kind": "a"}


@pytest.mark.parametrize(
    ("config", "value", "error", "message"),
    [
        ({**INSIDE, "kind": "c"}, 1.0, SpaceError, "add: kind: expected one of"),
        ({**INSIDE, "x": True}, 1.0, SpaceError, "add: x: .*got True"),
        ({**INSIDE, "x": math.nan}, 1.0, SpaceError, "add: x: .*got nan"),
        ({**INSIDE, "x": 1e9}, 1.0, SpaceError, "add: x: .*check its unit"),
        ({**INSIDE, "rate": -1.0}, 1.0, SpaceError, "add: rate: .*log scale"),
        ({"x": 0.5, "kind": "a", "y": 1}, 1.0, SpaceError, "'y' is not.*\nadd: 'rate' is missing"),
        ("x=0.5", 1.0, SpaceError, "add: expected a mapping"),
        (INSIDE, "good", StudyError, "add: value must be a number"),
    ],
)
def test_what_no_model_could_learn_from_is_refused(config, value, error, message):
    study = studied()
    with pytest.raises(error, match=message):
        study.add(config, value)
    assert not study.trials


def test_a_place_outside_continues_the_scale():
    cube = located(SPACE, [INSIDE, OUTSIDE, {"x": -0.5, "rate": 1e-5, "kind": "b"}])
    assert cube[0] == pytest.approx([0.25, 0.5, 0.25])
    assert cube[1] == pytest.approx([1.5, 1.25, 0.25])
    assert cube[2] == pytest.approx([-0.5, -0.25, 0.75])
    assert [is_inside(SPACE, config) for config in (INSIDE, OUTSIDE)] == [True, False]
    whole = hpo.SearchSpace(n=hpo.Integer(1, 4))
    assert located(whole, [{"n": n} for n in (0, 1, 4, 5)])[:, 0] == pytest.approx(
        [-0.125, 0.125, 0.875, 1.125]
    )


def test_a_model_learns_from_what_lies_outside_and_stays_inside():
    study = studied(strategy=hpo.Bayesian(initial=2, starts=4, samples=4))
    for x in (0.2, 0.6, 1.4, 1.8):
        study.add({"x": x, "rate": 0.01, "kind": "a"}, -x)
    (trial,) = study.ask()
    assert trial.origin == "qlogei"  # two trials inside are the initial ones
    assert is_inside(SPACE, trial.config)
    assert trial.config["x"] > 0.6


def test_a_strategy_cannot_claim_a_trial_of_the_users():
    class Claims:
        def ask(self, runs, slots):
            return [hpo.Ask((start(INSIDE, 1, "added"),)) if n else hpo.Ask() for n in slots]

    with pytest.raises(hpo.errors.StrategyError, match="'added' is that of the user's own"):
        studied(strategy=Claims())


# --- tried first ---


def parabola(config: dict) -> float:
    return (config["x"] - 0.7) ** 2 + (config["kind"] == "b")


def experiment(strategies: dict[str, hpo.Strategy] | None = None, **given) -> hpo.Experiment:
    return hpo.Experiment(
        name="priors",
        problems=[Parabola()],
        strategies=strategies or {"random": hpo.Random()},
        seeds=range(2),
        budget=hpo.Budget(trials=6),
        parallel=2,
        **given,
    )


@dataclass(frozen=True)
class Parabola:
    """(x − 0.7)² of x, and 1 more for b: a problem that needs no process."""

    max_epochs: int = 1
    name: ClassVar[str] = "parabola"
    metric: ClassVar[str] = "loss"
    direction: ClassVar[str] = "minimize"
    optimum: ClassVar[float | None] = None
    can_resume: ClassVar[bool] = True
    has_recorded_seconds: ClassVar[bool] = False
    space: ClassVar[hpo.SearchSpace] = SPACE
    f: ClassVar = staticmethod(parabola)

    def evaluate(self, segments, device="cpu"):
        for epoch in range(1, self.max_epochs + 1):
            yield [
                Report(
                    *(s.run, s.trial, epoch, {"loss": self.f(s.config) + 1 / epoch}),
                    state=lambda: {"x": 0},
                )
                for s in segments
                if s.start < epoch <= s.until
            ]


def outcome_of(run: Run) -> list[tuple[object, ...]]:
    """All of a run's trials but the seconds they took."""
    return [(t.id, dict(t.config), t.status, t.origin, t.values) for t in run.trials]


def test_every_run_tries_the_queue_first_within_its_budget(tmp_path: Path):
    queue = [{**INSIDE, "x": x} for x in (0.0, 0.5, 1.0)]
    strategies = {"random": hpo.Random(), "model": hpo.Bayesian(initial=8)}
    result = hpo.run(experiment(strategies, enqueue=queue), out=tmp_path)
    for run in result.runs.values():
        assert [trial.config for trial in run.trials[:3]] == queue
        assert [trial.origin for trial in run.trials[:3]] == ["enqueued"] * 3
        assert len(run.trials) == 6
    plain = hpo.run(experiment(strategies), out=tmp_path / "plain")
    for name, run in result.runs.items():
        if name.strategy == "random":  # draws belong to the number of a trial
            assert outcome_of(run)[3:] == outcome_of(plain.runs[name])[3:]
    with pytest.raises(ExperimentError, match="enqueue"):
        hpo.run(experiment(strategies, enqueue=queue[:2]), out=tmp_path)


def test_a_queue_takes_the_places_of_the_first_rung():
    queue = [INSIDE, {**INSIDE, "x": 0.5}]
    given = experiment({"hyperband": hpo.Hyperband()}, enqueue={"parabola": queue})
    given = replace(given, problems=[Parabola(9)], budget=hpo.Budget(trials=9))
    with Store.in_memory() as store:
        execute(given, store, Compute())
        run = next(iter(hpo.Result.of(store).runs.values()))
    assert [(t.origin, t.epochs[0]) for t in run.trials[:3]] == [
        ("enqueued", 1),
        ("enqueued", 1),
        ("uniform", 1),
    ]


def test_wrong_configurations_are_refused_together():
    with pytest.raises(ExperimentError, match=r"enqueue\[0\] for parabola: x.*\n.*'kind' is miss"):
        experiment(enqueue=[{**INSIDE, "x": 2}, {"x": 0.5, "rate": 0.5}])
    with pytest.raises(ExperimentError, match="there is no problem 'ackley'"):
        experiment(enqueue={"ackley": [INSIDE]})


# --- earlier runs ---


KNOWN = [({"x": x / 10, "rate": 0.01, "kind": "ab"[x % 2]}, (x - 6.5) ** 2) for x in range(8)]


def trials_of(pairs) -> tuple[hpo.Trial, ...]:
    return tuple(
        hpo.Trial(i, config, "finished", 1, (1,), (value,), value)
        for i, (config, value) in enumerate(pairs)
    )


def sources(folder: Path) -> dict[str, object]:
    """The same trials, in everything that `prior=` takes."""
    with studied(folder / "study") as study:
        for config, value in KNOWN:
            study.add(config, value)
        exported = study.frame()
    rows = [{"x": c["x"], "lr": c["rate"], "kind": c["kind"], "value": v} for c, v in KNOWN]
    frame = pd.DataFrame(rows)
    frame.to_csv(folder / "trials.csv", index=False)
    exported.to_csv(folder / "exported.csv", index=False)
    return {
        "pairs": KNOWN,
        "trials": trials_of(KNOWN),
        "folder": folder / "study",
        "result": hpo.Result.read(folder / "study"),
        "exported": exported,
        "exported csv": str(folder / "exported.csv"),
        "renamed": (frame, {"rename": {"lr": "rate"}}),
        "renamed csv": (folder / "trials.csv", {"rename": {"lr": "rate"}}),
        "filled": (frame, {"fill": {"rate": 0.01}}),
    }


def test_earlier_results_are_the_same_from_every_source(tmp_path: Path):
    strategies = {"random": hpo.Random()}
    (expected,) = experiment(strategies, prior=KNOWN).prior["parabola"]
    assert [(t.config, t.value) for t in expected.trials] == KNOWN
    for name, source in sources(tmp_path).items():
        given, how = source if isinstance(source, tuple) and name != "trials" else (source, {})
        (found,) = experiment(strategies, prior=given, **how).prior["parabola"]
        assert found.trials == expected.trials, name


def test_a_trial_that_ended_elsewhere_counts_as_at_the_last_epoch_here():
    done = hpo.Trial(0, INSIDE, "finished", 2, (1, 2), (0.5, 0.25), 0.25)
    paused = hpo.Trial(1, INSIDE, "paused", 1, (1,), (0.5,), 0.5)
    given = replace(experiment(), problems=[Parabola(3)], prior=[done, paused])
    (first, second) = given.prior["parabola"][0].trials
    assert (first.until, first.epochs, first.values, first.value) == (3, (3,), (0.25,), 0.25)
    assert (second.status, second.epochs, second.value) == ("paused", (1,), 0.5)
    with pytest.raises(ExperimentError, match=r"prior\[0\]: was to reach epoch 9, .*last is 3"):
        replace(given, prior=[replace(paused, until=9)])


@pytest.mark.parametrize(
    ("prior", "given", "message"),
    [
        ([(INSIDE,)], {}, r"prior\[0\]: expected \(configuration, value\)"),
        ([(INSIDE, "low")], {}, r"prior\[0\]: expected a number"),
        ([({**INSIDE, "kind": "c"}, 1.0)] * 2, {}, r"prior\[0\]: kind.*\nprior\[1\]: kind"),
        (pd.DataFrame({"x": [0.1], "value": [1.0]}), {}, "no column 'rate'.*\n.*no column 'kind'"),
        (KNOWN, {"rename": {"lr": "speed"}}, "rename: 'speed' is not a hyperparameter"),
        (KNOWN, {"fill": {"speed": 1}}, "fill: 'speed' is not a hyperparameter"),
        (KNOWN, {"prior_task": "similar"}, "prior_task must be one of same, related"),
        (None, {"fill": {"x": 1}}, "fill=: there is no prior to read"),
        (KNOWN, {"rename": "lr"}, "rename must be a dict by name"),
        ({"ackley": KNOWN}, {}, "prior: there is no problem 'ackley'"),
        (3, {}, "prior must be a list"),
    ],
)
def test_what_is_no_earlier_result_is_refused(prior, given, message):
    with pytest.raises(ExperimentError, match=message):
        experiment(prior=prior, **given)


def test_the_results_of_another_metric_or_direction_are_refused(tmp_path: Path):
    other = {"name": "other", "metric": "error", "direction": "maximize"}
    for key, message in (("metric", "reports 'error', other 'loss'"), ("direction", "direction '")):
        classes = {key: other[key], "name": "other"}
        made = type(f"Other{key.title()}", (Parabola,), classes)
        folder = tmp_path / key
        with Store.write(folder) as store:
            given = replace(experiment(), problems=[made()])
            store.set_meta({"experiment": json.dumps(given.description())})
        with pytest.raises(ExperimentError, match=message):
            renamed = type("Named", (Parabola,), {"name": "other"})
            replace(experiment(), problems=[renamed()], prior=folder)


def test_priors_take_no_number_cost_nothing_and_are_never_the_best(tmp_path: Path):
    prior = [(config, value - 100) for config, value in KNOWN]
    result = hpo.run(experiment(prior=prior), out=tmp_path)
    for run in result.runs.values():
        assert [trial.id for trial in run.trials] == list(range(6))
        assert run.best().value >= 0
        assert run.prior == experiment(prior=prior).prior["parabola"][0].trials
    assert len(result.frame()) == 12
    assert min(result.frame()["value"]) >= 0


def test_priors_are_part_of_what_may_not_change(tmp_path: Path):
    hpo.run(experiment(prior=KNOWN), out=tmp_path)
    assert hpo.run(experiment(prior=KNOWN), out=tmp_path).is_finished
    for other in ({"prior": KNOWN[:-1]}, {}, {"prior": KNOWN, "prior_task": "related"}):
        with pytest.raises(ExperimentError, match=r"problems\['parabola'\].prior"):
            hpo.run(experiment(**other), out=tmp_path)
    with studied(tmp_path / "study", prior=KNOWN):
        pass
    with pytest.raises(StudyError, match=r"prior\[0\]\.count: 8 became 7"):
        studied(tmp_path / "study", prior=KNOWN[:-1])


@pytest.mark.parametrize("strategy", [hpo.Random(), hpo.Grid(points=2)], ids=["random", "grid"])
def test_known_configurations_are_skipped(strategy: hpo.Strategy):
    known = [(FOUR.config_at(1), 0.5), (FOUR.config_at(3), math.nan), ({"n": 9, "kind": "a"}, 0.1)]
    study = hpo.Study(FOUR, strategy, prior=known)
    assert {str(t.config) for t in study.ask(9)} == {str(FOUR.config_at(k)) for k in (0, 2)}
    other = hpo.Study(FOUR, strategy, prior=known, prior_task="related")
    assert len(other.ask(9)) == 4


def test_inner_strategies_skip_what_is_known():
    known = [(FOUR.config_at(1), 0.5)]
    study = hpo.Study(FOUR, hpo.Hyperband(), max_epochs=9, prior=known)
    configs = [trial.config for trial in study.ask(9)]
    assert len(configs) == 3
    assert FOUR.config_at(1) not in configs


def test_known_trials_are_counted_by_the_initial_design():
    model = hpo.Bayesian(initial=6, starts=2, samples=2)
    outside = [({**INSIDE, "x": 1.5}, 3.0)] * 6

    def origins(prior, **given) -> list[str]:
        return [t.origin for t in studied(strategy=model, prior=prior, **given).ask(2)]

    assert origins([]) == ["middle", "sobol"]
    assert origins(KNOWN[:2]) == ["sobol", "sobol"]
    assert origins(outside) == ["middle", "sobol"]
    assert origins(KNOWN[:6], prior_task="related") == ["middle", "sobol"]
    assert origins(KNOWN[:6]) == ["qlogei", "qlogei"]


MODELS = {
    "one kernel": hpo.Bayesian(starts=2, samples=4),
    "averaged": hpo.Bayesian(model="averaged", acquisition="qlognei", starts=2, samples=4),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_first_fit_is_that_of_the_same_data_as_trials(model: hpo.Bayesian):
    data = [*KNOWN, (OUTSIDE, 1.0)]
    trials = trials_of(data)
    told = [hpo.Trial(*_of(t), origin="added") for t in trials]
    known, earlier = Run(SPACE, trials=tuple(told)), Run(SPACE, prior=trials)
    cube = np.random.default_rng(0).random((32, 3))
    views = [surrogate(model, run) for run in (known, earlier)]
    values = [view.acquisition(cube) for view in views]
    beliefs = [view.believe(cube).median for view in views]
    np.testing.assert_allclose(values[0], values[1], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(beliefs[0], beliefs[1], rtol=1e-9, atol=1e-9)
    notes = [model.ask([run], [1])[0].notes for run in (known, earlier)]
    for name in ("lengthscale", "noise", "mean", "log_evidence"):
        assert notes[0][name] == pytest.approx(notes[1][name], rel=1e-9, abs=1e-9)
    assert notes[1]["prior"] == len(data)
    assert "prior" not in notes[0]


def _of(trial: hpo.Trial) -> tuple[object, ...]:
    return (
        *(trial.id, trial.config, trial.status, trial.until),
        *(trial.epochs, trial.values, trial.value),
    )


def test_curves_of_earlier_runs_give_the_fit_of_the_same_curves_as_trials():
    curves = tuple(
        hpo.Trial(i, c, "finished", 3, (1, 2, 3), (v + 2, v + 1, v), v)
        for i, (c, v) in enumerate(KNOWN)
    )
    model = hpo.FreezeThaw(initial=4, starts=2)
    asks = [
        model.ask([Run(SPACE, max_epochs=3, **{name: curves})], [1])[0]
        for name in ("trials", "prior")
    ]
    assert asks[0].notes["curve_fit"] == pytest.approx(asks[1].notes["curve_fit"], rel=1e-9)
    assert asks[1].proposals[0].kind == "start"
    assert asks[1].proposals[0].origin == "model"


def test_a_model_of_single_values_leaves_paused_trials_out():
    short = [
        hpo.Trial(i, t.config, "paused", 1, (1,), (9.0,), 9.0)
        for i, t in enumerate(trials_of(KNOWN))
    ]
    given = {"max_epochs": 3, "seed": 1}
    plain = Run(SPACE, **given)
    known = Run(SPACE, prior=tuple(short), **given)
    ask = hpo.Bayesian(initial=4).ask([known], [2])[0]
    assert ask == hpo.Bayesian(initial=4).ask([plain], [2])[0]
    curves = hpo.FreezeThaw(initial=4, starts=2)
    assert curves.ask([known], [1])[0].proposals[0].origin == "model"
    assert curves.ask([plain], [1])[0].proposals[0].origin == "sobol"


LEARNING = {
    "botorch": hpo.Bayesian(model=SingleTaskGP, acquisition=qLogNoisyExpectedImprovement, starts=2),
    "botorch's bound": hpo.Bayesian(acquisition=qLogExpectedImprovement, starts=2, samples=4),
    "ranks": hpo.Bayesian(transform="rank", starts=2, samples=4),
    "by evidence": hpo.Bayesian(transform="by-evidence", starts=2, samples=4),
    "thompson": hpo.Bayesian(acquisition="thompson", starts=2),
    "rule": hpo.MedianStopping(hpo.Bayesian(starts=2, samples=4)),
    "freeze-thaw": hpo.FreezeThaw(starts=2),
    "model hyperband": hpo.ModelHyperband(starts=2),
    "hyperband": hpo.Hyperband(inner=hpo.Bayesian(starts=2, samples=4)),
}


APART = ("botorch", "ranks", "by evidence", "freeze-thaw")  # where a related task is told apart


@pytest.mark.parametrize(
    ("name", "task"), [*((name, "same") for name in LEARNING), *((n, "related") for n in APART)]
)
def test_every_strategy_takes_priors_and_stays_inside(name: str, task: str):
    strategy = LEARNING[name]
    prior = (*trials_of([*KNOWN, (OUTSIDE, -1e3)]), hpo.Trial(9, INSIDE, "failed", 1))
    known = {"prior": prior} if task == "same" else {"related": (prior, prior[:4])}
    run = Run(SPACE, max_epochs=3, trials=trials_of(KNOWN[:2]), **known)
    (ask,) = strategy.ask([run], [2])
    assert strategy.ask([run], [2]) == [ask]
    assert ask.proposals
    for proposal in ask.proposals:
        assert is_inside(SPACE, proposal.config)
        assert proposal.config not in [config for config, _ in KNOWN[:2]]


def test_a_related_task_is_learned_from_whatever_its_scale():
    model = hpo.Bayesian(initial=2, starts=2, samples=4)
    own = trials_of(KNOWN[:3])
    notes, values = [], []
    for scale in (1.0, 1e6):
        prior = trials_of((config, scale * value - scale) for config, value in KNOWN)
        run = Run(SPACE, trials=own, related=(prior,))
        notes.append(model.ask([run], [1])[0].notes)
        values.append(surrogate(model, run).acquisition(np.full((1, 3), 0.65)))
    assert notes[0]["lengthscale"] == pytest.approx(notes[1]["lengthscale"], rel=1e-6)
    assert notes[0]["prior"] == 8
    assert notes[0]["trials"] == 11
    np.testing.assert_allclose(values[0], values[1], rtol=1e-6)
    alone = surrogate(model, Run(SPACE, trials=own)).acquisition(np.full((1, 3), 0.65))
    assert abs(alone - values[0]) > 1e-3


@pytest.mark.parametrize("at", [1, 4])
def test_killed_with_priors_and_a_queue_is_uninterrupted(tmp_path: Path, monkeypatch, at: int):
    given = experiment(prior=KNOWN[:3], enqueue=[INSIDE])
    whole = hpo.run(given, out=tmp_path / "whole")
    calls = 0
    enter = Turn.poll

    def killed(self, *rest):
        nonlocal calls
        calls += 1
        if calls == at:
            raise KeyboardInterrupt
        return enter(self, *rest)

    monkeypatch.setattr(Turn, "poll", killed)
    with contextlib.suppress(KeyboardInterrupt):
        hpo.run(given, out=tmp_path / "killed")
    monkeypatch.undo()
    again = hpo.run(experiment(prior=KNOWN[:3], enqueue=[INSIDE]), out=tmp_path / "killed")
    for name, run in whole.runs.items():
        assert outcome_of(again.runs[name]) == outcome_of(run)


def test_the_report_says_what_was_known_and_tried_first():
    given = experiment(prior=KNOWN, enqueue=[INSIDE])
    with Store.in_memory() as store:
        execute(given, store, Compute())
        (problem,) = contents.problems(hpo.Result.of(store))
    assert ("from earlier runs", "8 trials of the same task, the best 0.25") in problem.parameters
    assert ("tried first", "1 configuration of the user's") in problem.parameters


def test_an_experiment_of_fewer_problems_holds_its_part():
    both = hpo.Experiment(
        name="two",
        problems=[Parabola(), hpo.problem("branin")],
        strategies={"random": hpo.Random()},
        seeds=[0],
        budget=hpo.Budget(trials=2),
        prior={"parabola": [({**INSIDE, "lr": 1.0, "rate": None}, 1.0)]},
        rename={"rate": None, "lr": "rate"},
        enqueue={"branin": [{"x1": 0.0, "x2": 5.0}], "parabola": [INSIDE]},
    )
    assert both.prior["parabola"][0].trials[0].config["rate"] == 1.0
    alone = replace(both, problems=both.problems[1:])
    assert (dict(alone.prior), dict(alone.queues)) == ({}, {"branin": [{"x1": 0.0, "x2": 5.0}]})
    assert replace(both, seeds=[1]).prior == both.prior


def test_tune_begins_with_its_queue_and_what_is_known(monkeypatch):
    """In this process: a worker has nothing to say of priors, and takes seconds to start."""

    def executor(problem: hpo.FunctionProblem, *_: object) -> LockStepExecutor:
        assert problem.f is own_x
        return LockStepExecutor(type("Own", (Parabola,), {"f": staticmethod(own_x)})())

    monkeypatch.setattr(loop, "executor_for", executor)
    queue = [INSIDE, {**INSIDE, "x": 0.0}]
    best = hpo.tune(own_x, SPACE, strategy=hpo.Random(), trials=2, prior=KNOWN, enqueue=queue)
    assert (best.id, best.origin, best.value) == (1, "enqueued", 1.0)


# --- several sources ---


def test_sources_of_their_own_tasks_stand_side_by_side(tmp_path: Path):
    with studied(tmp_path / "first") as study:
        study.add(INSIDE, 0.25)
    related = hpo.Prior(KNOWN[:3], task="related", name="third")
    given = experiment(prior=[tmp_path / "first", hpo.Prior(KNOWN[:2]), related])
    tasks = [(own.name, own.task, len(own.trials)) for own in given.prior["parabola"]]
    assert tasks == [("first", "same", 1), ("", "same", 2), ("third", "related", 3)]
    result = hpo.run(given, out=tmp_path / "out")
    for run in result.runs.values():
        assert [(t.id, t.value) for t in run.prior] == [(0, 0.25), *enumerate([42.25, 30.25], 1)]
        assert [[t.value for t in own] for own in run.related] == [[42.25, 30.25, 20.25]]
    assert result.facts.problems["parabola"].earlier == given.prior["parabola"]
    frame = result.earlier_frame()
    assert list(frame["source"]) == ["first", "", "", "third", "third", "third"]
    assert set(frame["origin"]) == {"prior"}
    assert [path.stem for path in export(result, tmp_path / "export")][2:] == ["earlier"]
    again = pd.read_csv(tmp_path / "export" / "earlier.csv")
    (read,) = experiment(prior=again[again["task"] == "related"]).prior["parabola"]
    assert read.trials == given.prior["parabola"][2].trials
    lines = list(earlier.lines(result))
    assert lines[0] == "parabola began with 1 trial of the same task (first), the best 0.25"
    assert lines[2] == "parabola began with 3 trials of a related task (third), the best 20.25"


def test_mistakes_name_their_source():
    wrong = [hpo.Prior([({**INSIDE, "kind": "c"}, 1.0)]), hpo.Prior(KNOWN, fill={"z": 1}, name="")]
    with pytest.raises(ExperimentError) as caught:
        experiment(prior=wrong)
    first, second, third = str(caught.value).split("\n")
    assert first.startswith("prior[0][0]: kind: expected one of")
    assert second.startswith("fill: 'z' is not a hyperparameter")
    assert third.startswith("prior[1]: name")


def test_a_store_of_one_source_is_read_and_gone_on_with(tmp_path: Path):
    given = experiment(prior=KNOWN)
    whole = hpo.run(given, out=tmp_path)
    with Store.write(tmp_path) as store:
        described = store.experiment()
        (described["problems"]["parabola"]["prior"],) = described["problems"]["parabola"]["prior"]
        store.set_meta({"experiment": json.dumps(described)})
    assert hpo.Result.read(tmp_path).runs == whole.runs
    assert hpo.run(given, out=tmp_path).is_finished


def test_what_a_source_held_at_first_counts_when_it_has_grown(tmp_path: Path):
    def grow(config, value):
        with studied(tmp_path / "parent") as study:
            study.add(config, value)

    grow(*KNOWN[0])
    grow(*KNOWN[1])
    given = {"prior": tmp_path / "parent", "prior_task": "related"}
    before = hpo.run(experiment(**given), out=tmp_path / "child")
    grow(*KNOWN[2])
    said = r"parent holds 3 trials by now, and held 2 when this was begun: those count"
    with pytest.warns(EarlierResultsWarning, match=said):
        after = hpo.run(experiment(**given), out=tmp_path / "child")
    assert after.runs == before.runs
    with studied(tmp_path / "study", **given):
        pass
    grow(*KNOWN[3])
    with pytest.warns(EarlierResultsWarning, match="4 trials by now, and held 3"):
        studied(tmp_path / "study", **given).close()
    with pytest.raises(ExperimentError, match=r"prior\[0\].digest"):  # another source of that name
        other = hpo.Prior(KNOWN[4:], task="related", name="parent")
        hpo.run(experiment(prior=other), out=tmp_path / "child")


def test_a_task_that_is_none_is_left_out_until_a_fit_begins_anew():
    rng = np.random.default_rng(0)
    space = hpo.SearchSpace(x=hpo.Float(0, 1), y=hpo.Float(0, 1))
    configs = [{"x": float(a), "y": float(b)} for a, b in rng.random((24, 2))]
    own = trials_of((c, (c["x"] - 0.3) ** 2 + (c["y"] - 0.6) ** 2) for c in configs[:12])
    alike = trials_of((t.config, 9 * t.value - 4) for t in own)
    noise = trials_of((c, float(rng.random())) for c in configs[12:])
    model = hpo.Bayesian(initial=2, starts=2, samples=2)
    run = Run(space, trials=own, related=(noise, alike))
    (first,) = model.ask([run], [1])
    unlike, like = first.notes["task_lengthscale"]
    assert unlike < 0.5 < like
    (second,) = model.ask([replace(run, asks=(first,))], [1])
    assert second.notes["prior"] == len(alike)
    assert second.notes["task_lengthscale"][0] == unlike
    alone = replace(run, related=())
    lonely = replace(run, related=(noise,), asks=(first,))  # its notes are of two tasks
    bare = {"task_lengthscale": [unlike]}
    lonely = replace(lonely, asks=(replace(first, notes={**first.notes, **bare}),))
    known = {k: v for k, v in first.notes.items() if k != "task_lengthscale"}
    alone = replace(alone, asks=(replace(first, notes=known),))
    assert model.ask([lonely], [2])[0].proposals == model.ask([alone], [2])[0].proposals
    older = replace(
        run, asks=(replace(first, notes=known),)
    )  # a store from before there were tasks
    assert len(model.ask([older], [1])[0].notes["task_lengthscale"]) == 2
    begun_anew = replace(run, asks=(first,) * 10)
    assert model.ask([begun_anew], [1])[0].notes["prior"] == len(alike) + len(noise)
