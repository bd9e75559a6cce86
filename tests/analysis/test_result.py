"""A result and its frames: what a store holds, read by anyone at any moment."""

import sqlite3
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from doubles import SPACE, Walk
from handmade import made

import hpo_research as hpo
from hpo_research.analysis import frames
from hpo_research.analysis.result import Reading
from hpo_research.device import Compute
from hpo_research.errors import StoreError
from hpo_research.experiment import loop
from hpo_research.ledger import AskRow
from hpo_research.records import Outcome, Report, Run, Start, Trial
from hpo_research.store import RunName, Store

OTHER = hpo.SearchSpace(
    n=hpo.Integer(1, 9),
    x=hpo.Float(0, 1),
    flag=hpo.Categorical([True, False]),
    kind=hpo.Categorical(["a", "b"]),
)
FIXED = [
    *("problem", "strategy", "seed", "trial", "status", "value", "epochs", "until", "origin"),
    *("reason", "cost_seconds"),
]


def experiment(**options: object) -> hpo.Experiment:
    given = {
        "name": "read",
        "problems": [Walk(), Walk(name="other", space=OTHER, max_epochs=3, metric="error")],
        "strategies": {"z": hpo.Hyperband(), "a": hpo.Random()},
        "seeds": [10, 2],
        "budget": hpo.Budget(evaluations=3),
    }
    return hpo.Experiment(**{**given, **options})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("read")
    hpo.run(experiment(), out=folder, device="cpu")
    return folder


@pytest.fixture(scope="module")
def result(folder: Path) -> hpo.Result:
    return hpo.Result.read(folder)


# --- frames ---


def test_the_columns_are_the_documented_ones(result: hpo.Result):
    settings = {"config.x", "config.kind", "config.n", "config.flag"}
    assert list(result.frame())[: len(FIXED)] == FIXED
    assert set(result.frame()) == {*FIXED, *settings}
    reports = result.reports()
    assert list(reports)[:8] == [
        *("problem", "strategy", "seed", "trial", "epoch", "run_epochs"),
        *("epoch_seconds", "clock_seconds"),
    ]
    assert list(reports)[8:] == ["metric.double", "metric.error", "metric.loss"]


@pytest.mark.parametrize("read", [hpo.Result.frame, hpo.Result.reports], ids=["trials", "reports"])
def test_rows_are_sorted_and_numbered(result: hpo.Result, read):
    frame = read(result)
    keys = ["problem", "strategy", "seed", "trial", *(["epoch"] if "epoch" in frame else [])]
    assert frame[keys].equals(frame[keys].sort_values(keys, ignore_index=True))
    assert not frame.duplicated(keys).any()
    assert frame["seed"].unique().tolist() == [2, 10]
    assert list(frame.index) == list(range(len(frame)))


def test_configurations_keep_their_native_types(result: hpo.Result):
    rows = result.frame().query("problem == 'other'")
    types = {"config.n": int, "config.x": float, "config.flag": bool, "config.kind": str}
    assert {c: {type(v) for v in rows[c]} for c in types} == {c: {t} for c, t in types.items()}


def test_what_a_problem_lacks_is_missing(result: hpo.Result):
    rows = result.frame().query("problem == 'walk'")
    assert rows[["config.n", "config.flag"]].isna().all().all()
    assert set(map(type, rows["config.n"])) == {type(None)}
    reports = result.reports()
    assert reports.query("problem == 'walk'")["metric.error"].isna().all()
    assert reports.query("problem == 'other'")["metric.error"].notna().all()


def test_the_frame_says_what_the_trials_say(result: hpo.Result):
    frame = result.frame()
    assert set(frame["status"]) == {"finished", "paused", "failed"}
    for name, run in result.runs.items():
        rows = frame.query("problem == @name.problem and strategy == @name.strategy")
        rows = rows[rows["seed"] == name.seed]
        assert rows["trial"].tolist() == [t.id for t in run.trials]
        assert rows["epochs"].tolist() == [t.reached for t in run.trials]
        expected = [np.nan if t.value is None else t.value for t in run.trials]
        np.testing.assert_array_equal(rows["value"], expected)


def test_the_epochs_of_a_run_count_up_to_its_cost(result: hpo.Result):
    for name, rows in result.reports().groupby(["problem", "strategy", "seed"]):
        order = rows.sort_values("run_epochs")
        assert order["run_epochs"].is_unique
        trials = result.runs[RunName(*name)].trials
        cost = result.costs[RunName(*name)]
        failed = sum(t.status == "failed" for t in trials)
        assert cost.epochs == len(rows) + failed <= 27


@pytest.mark.parametrize("runs", [{}, {RunName("p", "s", 0): Run(SPACE)}], ids=["none", "no trial"])
def test_a_frame_of_nothing_has_its_columns(runs):
    assert list(frames.trials(runs)) == FIXED
    assert len(frames.trials(runs)) == 0
    reports = frames.reports({name: [] for name in runs})
    assert list(reports)[:5] == ["problem", "strategy", "seed", "trial", "epoch"]
    assert len(reports) == 0


def test_a_trial_without_a_value_has_a_missing_one():
    trials = (Trial(0, {"x": 0.5}, "running", 9), Trial(1, {"x": 1}, "failed", 9, reason="why"))
    frame = frames.trials({RunName("p", "s", 0): Run(SPACE, trials=trials)})
    assert frame["value"].dtype == float
    assert frame["value"].isna().all()
    assert frame["reason"].tolist() == ["", "why"]
    assert [type(x) for x in frame["config.x"]] == [float, int]


# --- reading ---


@pytest.mark.parametrize(
    "space",
    [
        SPACE,
        OTHER,
        hpo.SearchSpace({"learning rate": hpo.Float(1e-5, 1, scale="auto")}),
        hpo.SearchSpace(x=hpo.Float(0, 1, step=0.25), n=hpo.Integer(1, 512, scale="log")),
        hpo.SearchSpace(x=hpo.Float(0, 0.999, scale="reverse_log")),
        hpo.SearchSpace(k=hpo.Categorical([1, 2.5, True, "1", None], ordered=False)),
        hpo.SearchSpace(k=hpo.Categorical([1, 4, 16], ordered=True)),
        hpo.SearchSpace(n=hpo.Integer(0, 9), among=[{"n": 3}, {"n": 7}]),
    ],
    ids=lambda space: ",".join(space.names),
)
def test_a_space_is_read_as_it_was(tmp_path: Path, space: hpo.SearchSpace):
    with hpo.Study(space, hpo.Random(), path=tmp_path):
        pass
    (run,) = hpo.Result.read(tmp_path).runs.values()
    assert run.space == space


def test_what_is_read_equals_what_the_run_returned(tmp_path: Path):
    returned = hpo.run(experiment(), out=tmp_path, device="cpu")
    read = hpo.Result.read(tmp_path)
    pd.testing.assert_frame_equal(read.frame(), returned.frame(), check_exact=True)
    pd.testing.assert_frame_equal(read.reports(), returned.reports(), check_exact=True)
    assert read == returned
    assert read.is_finished
    assert read.folder == tmp_path
    assert read.provenance[0]["device"] == "cpu"


def test_every_stored_ask_is_read_with_its_turn_and_seconds(folder: Path, result: hpo.Result):
    query = (
        "SELECT problem, strategy, seed, turn, seconds FROM ask JOIN run ON run.id = ask.run "
        "ORDER BY turn"
    )
    with closing(sqlite3.connect(folder / "store.sqlite")) as database:
        rows = database.execute(query).fetchall()
    for name, asked in result.asked.items():
        assert asked == [row[3:] for row in rows if row[:3] == name]
    assert sum(map(len, result.asked.values())) == len(rows) > len(result.runs)
    assert all(seconds > 0 for *_, seconds in rows)


def test_every_stored_outcome_is_read_with_its_turn_in_the_order_of_writing(
    folder: Path, result: hpo.Result
):
    query = (
        "SELECT problem, strategy, seed, turn, trial, status, epoch FROM outcome "
        "JOIN run ON run.id = outcome.run ORDER BY turn, trial"
    )
    with closing(sqlite3.connect(folder / "store.sqlite")) as database:
        rows = database.execute(query).fetchall()
    for name, outcomes in result.outcomes.items():
        read = [(turn, o.trial, o.status, o.epoch) for turn, o in outcomes]
        assert read == [row[3:] for row in rows if row[:3] == name]
        last = {outcome.trial: outcome.status for _, outcome in outcomes}
        assert last == {trial.id: trial.status for trial in result.runs[name].trials}
    assert sum(map(len, result.outcomes.values())) == len(rows) > len(result.runs)


def test_a_running_experiment_can_be_read_at_every_turn(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(loop, "_WATCH_SECONDS", 0.0)
    seen = []

    def watch(progress: hpo.Progress) -> None:
        now = hpo.Result.read(tmp_path)
        counts = {p.name: (p.trials, p.running, p.failed, p.epochs) for p in progress.runs}
        got = {
            name: (
                len(run.trials),
                len(run.running),
                sum(t.status == "failed" for t in run.trials),
                now.costs[name].epochs,
            )
            for name, run in now.runs.items()
        }
        seen.append(got == counts)

    with Store.write(tmp_path) as store:
        loop.execute(experiment(), store, Compute(), watch)
    assert len(seen) > 9
    assert all(seen)


def test_a_reader_sees_one_moment_though_runs_are_added_meanwhile(tmp_path: Path, monkeypatch):
    hpo.run(experiment(seeds=[2], problems=[Walk()]), out=tmp_path, device="cpu")
    reading = Store.meta

    def meta(store: Store, key: str) -> str | None:
        text = reading(store, key)
        if key == "experiment" and reader.pop("is waiting", False):
            hpo.run(experiment(), out=tmp_path, device="cpu")
        return text

    reader = {"is waiting": True}
    monkeypatch.setattr(Store, "meta", meta)
    result = hpo.Result.read(tmp_path)
    assert {(name.problem, name.seed) for name in result.runs} == {("walk", 2)}
    assert result.is_finished


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "holds no store"),
        (lambda folder: Store.write(folder).close(), "holds no experiment yet; run it first"),
    ],
    ids=["nothing", "empty store"],
)
def test_a_folder_without_an_experiment_says_so(tmp_path: Path, make, message: str):
    make(tmp_path)
    with pytest.raises(StoreError, match=message):
        hpo.Result.read(tmp_path)


# --- messages ---


def test_a_result_is_silent_where_values_came(result: hpo.Result):
    assert result.messages() == []


@pytest.mark.parametrize(
    ("statuses", "says"),
    [(["failed"], True), (["failed", "failed"], True), (["failed", "running"], False), ([], False)],
    ids=str,
)
def test_a_run_in_which_every_trial_failed_is_named(statuses: list[str], says: bool):
    with Store.in_memory() as store:
        study = experiment(problems=[Walk()], strategies={"a": hpo.Random()}, seeds=[3])
        loop.open_experiment(study, store, "cpu")
        config = {"x": 0.5, "kind": "a"}
        grants = tuple(Start(config, 9, "", i) for i in range(len(statuses)))
        store.append_asks([AskRow(1, grants)])
        failed = [i for i, status in enumerate(statuses) if status == "failed"]
        outcomes = [Outcome(1, i, "failed", 1, f"reason {i}") for i in failed]
        store.append_poll([(Report(1, i, 1, {"loss": 0.5}), 1) for i in failed], outcomes)
        messages = hpo.Result.of(store).messages()
    every = "the only trial failed" if len(statuses) == 1 else "all 2 trials failed; the first"
    line = f"a on walk, seed 3: {every}: reason 0"
    assert messages == ([line] if says else [])


def test_a_function_whose_source_changed_between_sessions_is_named():
    result = made({RunName("p", "s", 0): [(0, 1, 1.0)]})
    assert result.changes() == []
    notes = [{"sources": {"mine.loss": digest, "mine.same": "c"}} for digest in ("a", "b")]
    (line,) = replace(result, provenance=notes).changes()
    assert line.startswith("the source of mine.loss changed between sessions")


def test_looking_again_shows_what_reading_anew_shows(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(loop, "_WATCH_SECONDS", 0.0)
    again, seen = Reading(tmp_path), []

    def watch(_: hpo.Progress) -> None:
        looks = (again.look(), hpo.Result.read(tmp_path))
        one, other = ([getattr(look, f.name) for f in fields(look)] for look in looks)
        seen.append(one == other)

    for evaluations in (2, 3):  # the larger budget takes back what the smaller one cut short
        with Store.write(tmp_path) as store:
            more = experiment(seeds=[2], budget=hpo.Budget(evaluations=evaluations))
            loop.execute(more, store, Compute(), watch)
    assert len(seen) > 9
    assert all(seen)
