"""Our stores as Optuna sees them, held against Optuna's own storage filled with the same trials."""

import json
import math
import os
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import hpo_research as hpo
from hpo_research import analysis
from hpo_research.analysis.result import Reading, Result
from hpo_research.errors import MissingPackageError, StoreError

optuna = pytest.importorskip("optuna", reason="needs Optuna")
from optuna.distributions import (  # noqa: E402
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import InMemoryStorage, JournalStorage  # noqa: E402
from optuna.storages.journal import JournalFileBackend  # noqa: E402
from optuna.study import StudyDirection  # noqa: E402
from optuna.trial import TrialState  # noqa: E402

from hpo_research.analysis.optuna_view.storage import StoreStorage  # noqa: E402

SPACE = hpo.SearchSpace(
    rate=hpo.Float(1e-4, 1.0, scale="auto"),
    share=hpo.Float(0.0, 0.9),
    drop=hpo.Float(0.0, 0.5, step=0.1),
    near=hpo.Float(0.5, 0.999, scale="reverse_log"),
    steps=hpo.Float(0.01, 1.0, scale="log", step=0.01),
    width=hpo.Integer(2, 64, scale="log"),
    depth=hpo.Integer(1, 9, step=2),
    act=hpo.Categorical(["relu", "ge\x1blu", None]),
    odd=hpo.Categorical([1, 1.0, True, "1"]),
)
DISTRIBUTIONS = {
    "rate": FloatDistribution(1e-4, 1.0, log=True),
    "share": FloatDistribution(0.0, 0.9),
    "drop": FloatDistribution(0.0, 0.5, step=0.1),
    "near": FloatDistribution(0.5, 0.999),
    "steps": FloatDistribution(0.01, 1.0, log=True),
    "width": IntDistribution(2, 64, log=True),
    "depth": IntDistribution(1, 9, step=2),
    "act": CategoricalDistribution(["relu", "ge\x1blu", None]),
    "odd": CategoricalDistribution(["1", "1.0", "True", "'1'"]),
}


def curve(config: dict, epoch: int) -> float:
    return -math.log10(config["rate"]) + config["drop"] + 1 / epoch


def trained(study: hpo.Study, trial: hpo.Trial, until: int | None = None) -> None:
    for epoch in range(trial.reached + 1, (until or trial.until) + 1):
        if trial.config["act"] is None and epoch == 2:
            study.fail(trial.id, "no activation")
            return
        if not study.report(trial.id, epoch, curve(trial.config, epoch)):
            return


def studied(folder: Path, strategy: hpo.Strategy, trials: int, seed: int = 0) -> hpo.Study:
    study = hpo.Study(SPACE, strategy, path=folder, max_epochs=9, direction="maximize", seed=seed)
    for _ in range(trials):
        for trial in study.ask(1):
            trained(study, trial)
    return study


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> list[Path]:
    """A study with a trial in every state, and an experiment of two problems that has ended."""
    root = tmp_path_factory.mktemp("stores")
    with studied(root / "live", hpo.MedianStopping(hpo.Hyperband()), 24) as study:
        (half,) = study.ask(1)
        trained(study, half, until=max(1, half.until - 1))
        study.ask(2)
    seconds = {"branin": hpo.problem("branin"), "noisy": hpo.problem("hartmann6")}
    experiment = hpo.Experiment(
        name="two",
        problems=list(seconds.values()),
        strategies={"random": hpo.Random(), "grid": hpo.Random()},
        seeds=[0, 3],
        budget=hpo.Budget(trials=4),
    )
    hpo.run(experiment, out=root / "over", progress=False)
    return [root / "live", root / "over"]


def filled(result: Result) -> InMemoryStorage:
    """Optuna's own storage, told of a result's frames through the methods that write to it."""
    storage, facts = InMemoryStorage(), result.facts
    trials, reports = result.frame(), result.reports()
    for (problem, strategy, seed), run in result.runs.items():
        is_over = (problem, strategy, seed) in result.over
        own = facts.problems[problem]
        is_minimised = own.direction == "minimize"
        direction = StudyDirection.MINIMIZE if is_minimised else StudyDirection.MAXIMIZE
        study = storage.create_new_study([direction], f"{problem} | {strategy} | seed {seed}")
        told = {"experiment": facts.name, "problem": problem, "strategy": strategy, "seed": seed}
        told["status"] = "finished" if is_over else "not finished"
        told["clock"] = "seconds" if facts.is_study else "seconds since the run began"
        for key, value in told.items():
            storage.set_study_user_attr(study, key, value)
        storage.set_study_system_attr(study, "study:metric_names", [own.metric])
        for row in trials.itertuples():
            if (row.problem, row.strategy, row.seed) == (problem, strategy, seed):
                told_of(storage, study, row, run.trials[row.trial], reports, own, is_over)
    return storage


def told_of(storage, study, row, trial, reports, problem, is_over) -> None:
    number = storage.create_new_trial(study)
    for name, value in trial.config.items():
        distribution = DISTRIBUTIONS.get(name) or FloatDistribution(
            *(
                own[key]
                for own in [dict(problem.space["parameters"])[name]]
                for key in ("low", "high")
            )
        )
        shown = repr(value) if name == "odd" else value
        internal = distribution.to_internal_repr(shown)
        storage.set_trial_param(number, name, internal, distribution)
    if problem.max_epochs != 1:
        mine = reports[
            reports[["problem", "strategy", "seed", "trial"]].eq(list(row[1:5])).all(axis=1)
        ]
        for one in mine.to_dict("records"):
            storage.set_trial_intermediate_value(
                number, one["epoch"], one[f"metric.{problem.metric}"]
            )
    attributes = {
        **{"status": row.status, "origin": row.origin, "reason": row.reason},
        **{"epochs": row.epochs, "until": row.until, "seconds": round(row.cost_seconds, 6)},
    }
    for key, value in attributes.items():
        if value:
            storage.set_trial_user_attr(number, key, value)
    paused = TrialState.PRUNED if is_over else TrialState.WAITING
    states = {"finished": TrialState.COMPLETE, "stopped": TrialState.PRUNED, "paused": paused}
    states |= {"failed": TrialState.FAIL, "running": TrialState.RUNNING}
    state = states[row.status]
    has_value = state in (TrialState.COMPLETE, TrialState.PRUNED) and not math.isnan(row.value)
    storage.set_trial_state_values(number, state, [row.value] if has_value else None)


def undated(found):
    """A trial, or a list of them, without dates; anything else as it is."""
    if isinstance(found, list) and found and hasattr(found[0], "datetime_start"):
        return [undated(one) for one in found]
    if not hasattr(found, "datetime_start"):
        return found
    kept = dict(found.__dict__)
    kept |= {"_datetime_start": None, "datetime_complete": found.datetime_complete is not None}
    return kept


def answer(storage, name: str, arguments: tuple):
    try:
        return undated(getattr(storage, name)(*arguments))
    except (KeyError, ValueError, RuntimeError) as error:
        return type(error), str(error)


GETTERS = {
    **dict.fromkeys(
        ("get_study_name_from_id", "get_study_directions", "get_study_user_attrs"), "study"
    ),
    **dict.fromkeys(("get_study_system_attrs", "get_all_trials", "get_n_trials"), "study"),
    "get_best_trial": "study",
    **dict.fromkeys(("get_trial", "get_trial_params", "get_trial_user_attrs"), "trial"),
    **dict.fromkeys(("get_trial_number_from_id", "get_trial_system_attrs"), "trial"),
    "get_trial_param": "value",
    "get_trial_id_from_study_id_trial_number": "number",
    "get_study_id_from_name": "name",
    "get_all_studies": "none",
}


def test_every_getter_of_the_interface_is_in_the_list():
    interface = {name for name in dir(optuna.storages.BaseStorage) if name.startswith("get_")}
    assert interface == set(GETTERS)


@pytest.fixture(scope="module")
def pairs(folders) -> list[tuple[Result, StoreStorage, InMemoryStorage]]:
    """What each folder holds, and its storages: ours, and Optuna's own that was told of it."""
    results = [Result.read(folder) for folder in folders]
    return [(own, StoreStorage(f), filled(own)) for own, f in zip(results, folders, strict=True)]


@pytest.mark.parametrize("getter", GETTERS)
@pytest.mark.parametrize("which", [0, 1], ids=["live", "over"])
def test_a_getter_answers_as_optunas_own_storage(pairs, which: int, getter: str):
    result, ours, theirs = pairs[which]
    studies, trials = len(result.runs), sum(len(run.trials) for run in result.runs.values())
    names = [own.study_name for own in theirs.get_all_studies()]
    asked = {
        "study": [(i,) for i in range(studies + 1)],
        "trial": [(i,) for i in range(trials + 1)],
        "value": [(i, "rate") for i in range(trials)],
        "number": [(i, n) for i in range(studies) for n in range(4)],
        "name": [(name,) for name in [*names, "other"]],
        "none": [()],
    }[GETTERS[getter]]
    for arguments in asked:
        found, wanted = answer(ours, getter, arguments), answer(theirs, getter, arguments)
        if getter == "get_all_studies":
            found, wanted = [o.__dict__ for o in found], [o.__dict__ for o in wanted]
        assert found == wanted


def test_trials_of_every_state_are_shown(folders):
    states = Counter(t.state.name for t in StoreStorage(folders[0]).get_all_trials(0))
    assert set(states) == {"RUNNING", "WAITING", "COMPLETE", "PRUNED", "FAIL"}
    some = StoreStorage(folders[0]).get_all_trials(0, states=(TrialState.FAIL,))
    assert len(some) == states["FAIL"] and some[0].user_attrs["reason"] == "no activation"


def test_dates_are_local_and_as_far_apart_as_the_clocks(folders):
    history = next(iter(Result.read(folders[0]).histories.values()))
    trials = StoreStorage(folders[0]).get_all_trials(0)
    ended = {outcome.trial: outcome.clock for _, outcome in history.outcomes}
    dates = {t.number: t.datetime_complete for t in trials if t.datetime_complete}
    (first, clock), *others = [(t, c) for t, c in ended.items() if t in dates]
    for number, other in others:
        seconds = (dates[number] - dates[first]).total_seconds()
        assert seconds == pytest.approx(other - clock, abs=1e-5)
    wanted = datetime.fromtimestamp(os.stat(folders[0] / "store.sqlite").st_mtime)
    assert abs(max(t.datetime_start for t in trials) - wanted) < timedelta(seconds=5)


def test_several_folders_are_named_apart(folders):
    storage = StoreStorage(folders)
    names = [own.study_name for own in storage.get_all_studies()]
    assert len(set(names)) == 9 and all(": " in name for name in names)
    assert storage.get_n_trials(0) + 32 == sum(storage.get_n_trials(i) for i in range(9))


def test_whatever_writes_is_refused(folders):
    storage, before = StoreStorage(folders[1]), (folders[1] / "store.sqlite").read_bytes()
    study = optuna.load_study(study_name=storage.get_study_name_from_id(0), storage=storage)
    for write in (
        lambda: study.ask(),
        lambda: study.set_user_attr("a", 1),
        lambda: optuna.create_study(storage=storage),
        lambda: storage.delete_study(0),
        lambda: storage.set_trial_user_attr(0, "a", 1),
        lambda: storage.set_trial_system_attr(0, "a", 1),
        lambda: storage.set_trial_param(0, "x", 0.5, FloatDistribution(0, 1)),
        lambda: storage.set_trial_state_values(0, TrialState.FAIL),
        lambda: storage.set_trial_intermediate_value(0, 1, 0.5),
        lambda: storage.set_study_system_attr(0, "a", 1),
    ):
        with pytest.raises(StoreError, match="Optuna may read and not change"):
            write()
    assert (folders[1] / "store.sqlite").read_bytes() == before


def test_a_store_that_is_written_to_is_read_on_and_ids_stay(tmp_path, monkeypatch):
    looks = []
    look = Reading.look
    monkeypatch.setattr(Reading, "look", lambda self: looks.append(1) or look(self))
    with studied(tmp_path, hpo.Random(), 2) as study:
        storage = StoreStorage(tmp_path, every=0.0)
        first = storage.get_all_trials(0)
        (trial,) = study.ask(1)
        assert storage.get_trial(2).state == TrialState.RUNNING
        study.report(trial.id, 1, 0.5)
        assert storage.get_trial(2).intermediate_values == {1: 0.5}
        study.fail(trial.id, "lost")
        assert storage.get_trial(2).state == TrialState.FAIL
        now = storage.get_all_trials(0, deepcopy=False)
        assert now[:2] == first and [t._trial_id for t in now] == [0, 1, 2]
        kept = storage.get_all_trials(0, deepcopy=False)
        assert all(a is b for a, b in zip(now, kept, strict=True))
        long_ago = time.time() - 60
        for path in tmp_path.glob("store.sqlite*"):
            os.utime(path, (long_ago, long_ago))
        storage.get_all_trials(0)
        count = len(looks)
        for _ in range(100):
            storage.get_all_trials(0)
        assert len(looks) == count  # a folder that did not change is not read


def test_a_trial_that_was_told_outside_its_bounds_is_shown(tmp_path):
    space = hpo.SearchSpace(x=hpo.Float(0, 1, step=0.25), n=hpo.Integer(1, 8, scale="log"))
    with hpo.Study(space, hpo.Random(), path=tmp_path) as study:
        study.add({"x": 0.5, "n": 2}, 1.0)
        study.add({"x": 1.3, "n": 9}, 2.0)
    shown = Result.read(tmp_path).to_optuna().trials
    assert [t.params for t in shown] == [{"x": 0.5, "n": 2}, {"x": 1.3, "n": 9}]
    assert shown[0].distributions["x"].step == 0.25 and shown[1].distributions["x"].high == 1.3


def test_a_study_of_optunas_in_memory_has_the_trials(folders):
    result = Result.read(folders[0])
    study, storage = result.to_optuna(), StoreStorage(folders[0])
    assert undated(study.trials) == undated(storage.get_all_trials(0))
    assert study.best_value == result.best().value and study.metric_names == ["value"]
    study.set_user_attr("mine", 1)  # a copy


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({}, r"to_optuna\(\): expected one run, got 8 runs; .*\('branin', 'grid', 0\)"),
        ({"problem": "branin", "seed": 9}, "got no run"),
        ({"strategy": "gird"}, "got no run"),
    ],
)
def test_a_study_in_memory_is_of_one_run(folders, named: dict, message: str):
    with pytest.raises(StoreError, match=message):
        Result.read(folders[1]).to_optuna(**named)


PLOTS = (
    *("optimization_history", "param_importances", "slice", "contour", "parallel_coordinate"),
    *("edf", "intermediate_values", "rank", "timeline"),
)


@pytest.mark.parametrize("plot", PLOTS)
def test_a_plot_of_optuna_draws_our_study(folders, plot: str):
    pytest.importorskip("plotly", reason="needs plotly")
    study = Result.read(folders[0]).to_optuna()
    draw = getattr(optuna.visualization, f"plot_{plot}")
    options = {"params": ["rate", "odd"]} if plot in ("contour", "rank", "slice") else {}
    if plot == "param_importances":
        options = {"evaluator": optuna.importance.PedAnovaImportanceEvaluator()}
    figure = draw(study, **options)
    drawn = json.loads(figure.to_json())["data"]
    values = [
        v for trace in drawn for key in ("x", "y", "z", "dimensions") for v in [trace.get(key)]
    ]
    assert drawn and any(value is not None and len(value) for value in values)


def test_an_exported_journal_has_what_the_storage_has(folders, tmp_path):
    result = Result.read(folders[1])
    path = tmp_path / "deep" / "optuna.log"
    analysis.optuna_view.journal.write(result, path)
    assert [own.name for own in path.parent.iterdir()] == ["optuna.log"]
    theirs, ours = JournalStorage(JournalFileBackend(str(path))), StoreStorage(folders[1])
    for own in ours.get_all_studies():
        found = next(s for s in theirs.get_all_studies() if s.study_name == own.study_name)
        assert (found.directions, found.user_attrs) == (own.directions, own.user_attrs)
        assert found.system_attrs == own.system_attrs
        wanted = ours.get_all_trials(own._study_id)
        assert undated(theirs.get_all_trials(found._study_id)) == undated(wanted)
    study = optuna.load_study(study_name=own.study_name, storage=theirs)
    study.optimize(lambda trial: trial.suggest_float("x0", 0, 1), n_trials=1)  # it can be written


def test_an_export_that_fails_leaves_nothing_new(folders, tmp_path, monkeypatch):
    path = tmp_path / "optuna.log"
    path.write_text("before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(JournalFileBackend, "append_logs", full)
    with pytest.raises(hpo.errors.StoreWriteError, match="No space left"):
        analysis.optuna_view.journal.write(Result.read(folders[1]), path)
    assert path.read_text() == "before" and [p.name for p in tmp_path.iterdir()] == ["optuna.log"]


def test_without_optuna_the_install_line_is_said(folders, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'hpo_research\[dashboard\]'"):
        Result.read(folders[1]).to_optuna()


def test_reading_results_loads_no_optuna(folders):
    program = (
        "import sys; from hpo_research import Result; "
        f"Result.read({str(folders[1])!r}).best('branin'); assert 'optuna' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_numbers_are_plain(folders):
    trial = StoreStorage(folders[1]).get_all_trials(0)[0]
    assert type(trial.values[0]) is float and not isinstance(trial.values[0], np.floating)
