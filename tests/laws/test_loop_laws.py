"""The laws of the loop, over every way to execute: what a run may count on wherever it trains."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from doubles import Halving, Walk
from functions import LENGTHS, any_of_them, endless, gappy, is_gap, marked, steps
from typer.testing import CliRunner

import hpo_research as hpo
from hpo_research.analysis import incumbents, noise_free
from hpo_research.analysis.finals import counted
from hpo_research.cli.app import app
from hpo_research.device import Compute
from hpo_research.errors import ExperimentError, StudyError
from hpo_research.executors.choice import executor_for
from hpo_research.executors.processes.executor import ProcessExecutor
from hpo_research.executors.processes.pool import Pool
from hpo_research.executors.protocol import Executor
from hpo_research.experiment import deadline, loop
from hpo_research.ledger import AskRow
from hpo_research.problems.protocol import Evaluation
from hpo_research.records import Ask, Report, Run, Segment, resume, start
from hpo_research.store import Store, requests
from hpo_research.testing import check_problem

ENDED = ("finished", "stopped", "failed")


ANY = hpo.FunctionProblem(
    any_of_them, Walk().space, max_epochs=None, has_missing_values=True, can_resume=True
)
"""What the processes hold: it may do all that one of the others may."""
FUNCTION = hpo.FunctionProblem(steps, Walk().space, max_epochs=4, workers=2)
WAYS: dict[str, dict[str, object]] = {
    "lock-step": {"problems": [Walk()], "execution": "lock-step"},
    "lock-step, workers": {"problems": [FUNCTION], "execution": "lock-step"},
    "simulated": {"problems": [Walk()], "execution": "simulated"},
    "asynchronous": {"problems": [FUNCTION], "execution": "asynchronous"},
}


def experiment(way: str, **options: object) -> hpo.Experiment:
    given = {
        "name": "laws",
        "strategies": {"halving": Halving(rung=1)},
        "seeds": [0],
        "parallel": 2,
        "budget": hpo.Budget(trials=8),
    }
    return hpo.Experiment(**{**given, **WAYS[way], **options})


@pytest.fixture(scope="module", autouse=True)
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One pool of processes for all laws: to start one takes longer than they all do."""
    started: list[Pool] = []

    def executor(problem: hpo.Problem, execution: str, place: Compute, store: Store) -> Executor:
        if not isinstance(problem, hpo.FunctionProblem):
            return executor_for(problem, execution, place, store)
        workers = ProcessExecutor(problem, workers=2, lock_step=execution == "lock-step")
        if not started:
            setup = ProcessExecutor(ANY, workers=2)._setup()
            started.append(Pool(setup, 1, 2, lambda known: None, owner="laws"))
        Path(os.environ["HPO_LAWS"] + ".function").write_text(problem.f.__name__)
        workers._pool = started[0]
        workers.close = lambda: workers.stop(list(workers._running))
        return workers

    with pytest.MonkeyPatch.context() as patch:
        alive = tmp_path_factory.mktemp("laws") / "alive"
        patch.setenv("HPO_LAWS", str(alive))
        patch.setattr(loop, "executor_for", executor)
        yield alive
    for pool in started:
        pool.close()


@pytest.fixture(scope="module", params=WAYS)
def live(request: pytest.FixtureRequest, shared: Path) -> Iterator[tuple[Run, Run, hpo.Result]]:
    """A run as the loop that made it holds it at its end, and as its store replays it."""
    session: list[loop.Session] = []
    shared.write_text("")
    with Store.in_memory() as store, pytest.MonkeyPatch.context() as patch:
        opening = loop.open_experiment
        patch.setattr(
            loop, "open_experiment", lambda *a, **k: session.append(opening(*a, **k)) or session[0]
        )
        loop.execute(experiment(request.param), store, Compute())
        result = hpo.Result.of(store)
    (ledger,), (replayed,) = session[0].ledgers.values(), result.runs.values()
    yield ledger.run(), replayed, result


# --- order ---


def test_a_trial_knows_in_which_place_it_ended(live):
    run, replayed, result = live
    places = [trial.place for trial in run.trials]
    assert [trial.place for trial in replayed.trials] == places
    assert sorted(places) == list(range(8))
    assert {trial.status for trial in run.trials} >= {"finished", "stopped"}
    (outcomes,) = result.outcomes.values()
    ends = [outcome.trial for _, outcome in outcomes if outcome.status in ENDED]
    assert [places[trial] for trial in ends] == list(range(8))


def test_a_study_knows_in_which_place_a_trial_ended_also_when_it_is_opened_again(tmp_path):
    def study() -> hpo.Study:
        return hpo.Study(Walk().space, hpo.Random(), max_epochs=3, path=tmp_path)

    with study() as first:
        first.ask(4)
        first.fail(3, "why not")
        first.report(0, 1, 0.5)
        first.tell(2, 0.5)
        first.tell(1, float("nan"))
    with study() as again:
        again.tell(0, 0.5)
        assert [trial.place for trial in first.trials] == [None, 2, 1, 0]
        assert [trial.place for trial in again.trials] == [3, 2, 1, 0]


# --- stops ---


def test_a_stopped_trial_keeps_its_slot_until_it_has_ended(live, shared: Path):
    run, _, result = live
    stops = [p.trial for ask in run.asks for p in ask.proposals if p.kind == "stop"]
    assert stops
    assert {run.trials[trial].status for trial in stops} == {"stopped"}
    (reports,) = result.history.values()
    for trial in run.trials:  # all that was reported counts, and nothing comes afterwards
        assert trial.epochs == tuple(r.epoch for r, _, _ in reports if r.trial == trial.id)
    moments = sorted(map(str.split, shared.read_text().splitlines()), key=lambda m: float(m[0]))
    alive = list(accumulate(int(change) for _, change in moments))
    assert max(alive, default=0) <= 2
    assert alive[-1:] in ([], [0])


def test_a_stop_of_a_process_that_is_gone_ends_its_trial(monkeypatch, tmp_path: Path):
    class Killed(BaseException):
        pass

    def act(self: loop.Loop, rows: Sequence[AskRow]) -> None:
        if any(grant.kind == "stop" for row in rows for grant in row.grants):
            raise Killed
        acted(self, rows)

    acted = loop.Loop._act
    given = experiment("simulated")
    whole = hpo.run(given, out=tmp_path / "whole", device="cpu").frame()
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(loop.Loop, "_act", act)
        hpo.run(given, out=tmp_path / "killed", device="cpu")
    assert hpo.run(given, out=tmp_path / "killed", device="cpu").frame().equals(whole)


# --- ends ---


@pytest.mark.parametrize("way", WAYS)
def test_what_earlier_runs_found_takes_no_number_costs_nothing_and_is_never_best(
    way: str, tmp_path: Path
):
    """Whoever trains: ids from 0, the whole budget is left, and the best is one of its trials."""
    known = [({"x": x / 9, "kind": "a"}, -1e9) for x in range(9)]
    options = {"prior": [hpo.Prior(known), hpo.Prior(known, task="related", name="other")]}
    result = hpo.run(experiment(way, **options), out=tmp_path)
    (run,) = result.runs.values()
    assert [trial.id for trial in run.trials] == list(range(8))
    assert run.best() is None or run.best().value > -1e9
    assert (len(run.prior), [len(own) for own in run.related]) == (9, [9])
    (cost,) = result.costs.values()
    assert cost.epochs == sum(trial.reached for trial in run.trials)
    assert len(result.frame()) == 8


def asked_to_end(folder: Path, watch_at: int):
    """What watches a run, and asks for its end when so many epochs are trained."""

    def watch(progress: hpo.Progress) -> None:
        (run,) = progress.runs
        if run.epochs >= watch_at and not (folder / requests.FOLDER).exists():
            requests.write(folder, requests.Request((run.name,), "enough"))

    return watch


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_is_asked_to_end_stops_and_stays_ended_until_it_is_reopened(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loop, "_WATCH_SECONDS", 0.0)
    given = experiment(way, strategies={"random": hpo.Random()})
    result = hpo.run(given, out=tmp_path, device="cpu", progress=asked_to_end(tmp_path, 2))
    ((name, run),) = result.runs.items()
    assert result.is_finished
    assert result.ended == {name: "enough"}
    assert 2 <= len(run.trials) < 8
    assert {trial.status for trial in run.trials} <= set(ENDED)
    assert "stopped" in {trial.status for trial in run.trials}
    assert "ended: enough" in CliRunner().invoke(app, ["status", str(tmp_path)]).stderr
    larger = experiment(way, strategies=given.strategies, budget=hpo.Budget(trials=10))
    for again in (given, larger):
        assert hpo.run(again, out=tmp_path, device="cpu").runs == result.runs
    assert CliRunner().invoke(app, ["stop", str(tmp_path), "--undo"]).exit_code == 0
    reopened = hpo.run(larger, out=tmp_path, device="cpu")
    assert reopened.ended == {}
    assert len(reopened.frame()) == 10
    assert reopened.frame()[: len(run.trials)].equals(result.frame())


@pytest.mark.parametrize("way", ["lock-step", "simulated"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_rule_ends_the_same_runs_also_when_it_is_killed_in_between(
    way: str, moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Killed(BaseException):
        pass

    def rule(run: Run) -> str:
        return "enough trials" if sum(t.status == "finished" for t in run.trials) >= 2 else ""

    given = experiment(way, strategies={"random": hpo.Random()}, seeds=[0, 1])
    whole = hpo.run(given, out=tmp_path / "whole", device="cpu", ends=rule)
    assert set(whole.ended.values()) == {"enough trials"}
    append = Store.append_asks

    def killing(self: Store, rows: Sequence[AskRow], *rest: object) -> None:
        if moment == "before" and any(row.ended for row in rows):
            raise Killed
        append(self, rows, *rest)
        if any(row.ended for row in rows):
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Store, "append_asks", killing)
        hpo.run(given, out=tmp_path / "killed", device="cpu", ends=rule)
    result = hpo.run(given, out=tmp_path / "killed", device="cpu", ends=rule)
    assert result.runs == whole.runs
    assert (result.over, result.ended) == (whole.over, whole.ended)


@pytest.mark.parametrize("way", ["lock-step", "simulated"])
def test_a_rule_ends_runs_whose_trials_have_one_epoch(way: str, tmp_path: Path):
    def rule(run: Run) -> str:
        return "enough trials" if len(run.trials) >= 4 else ""

    given = experiment(way, problems=[Walk(max_epochs=1)], strategies={"r": hpo.Random()})
    result = hpo.run(given, out=tmp_path / "a", device="cpu", ends=rule)
    assert set(result.ended.values()) == {"enough trials"}
    assert set(result.frame()["status"]) <= {"finished", "stopped"}
    assert len(result.frame()) == 4
    (none,) = hpo.run(given, out=tmp_path / "b", device="cpu", ends=deadline(0.0)).runs.values()
    assert none.trials == ()


def test_a_rule_does_not_end_what_is_over(tmp_path: Path):
    given = experiment("lock-step", problems=[hpo.problem("branin")])
    hpo.run(given, out=tmp_path, device="cpu")
    assert hpo.run(given, out=tmp_path, device="cpu", ends=deadline(0.0)).ended == {}


def test_a_deadline_ends_what_runs(tmp_path: Path):
    result = hpo.run(experiment("simulated"), out=tmp_path, device="cpu", ends=deadline(0.0))
    assert set(result.ended.values()) == {"the deadline, after 0 seconds"}
    assert set(result.frame()["status"]) <= {"stopped"}


def test_a_study_that_was_stopped_asks_for_nothing_until_it_is_reopened(tmp_path: Path):
    def study() -> hpo.Study:
        return hpo.Study(Walk().space, hpo.Random(), max_epochs=3, path=tmp_path)

    with study() as first:
        first.ask(2)
        assert first.report(0, 1, 0.5)
        first.stop("the room is needed")
        assert first.ask() == []
        assert not first.is_finished
        assert first.report(0, 2, 0.4) is False
    with study() as again:
        assert again.ended == "the room is needed"
        assert [trial.status for trial in again.trials] == ["stopped", "stopped"]
        assert again.is_finished
        assert again.ask() == []
        again.reopen()
        assert (again.ended, again.is_finished, len(again.ask())) == ("", False, 1)


# --- values that are missing ---


X = (0.0, 0.0, 1.0, 1.0)  # of four trials


@dataclass(frozen=True)
class Gappy(Walk):
    """A walk whose values at even epochs are missing, or not finite; with x > 0.5 the last."""

    name: str = "gappy"
    max_epochs: int = 5
    fails_above: float = 2.0
    has_missing_values: bool = True

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        walk, dropped = Walk.evaluate(self, segments, device), None
        while True:
            try:
                reports = walk.send(dropped)
            except StopIteration:
                return
            dropped = yield [self._spoilt(report) for report in reports]

    def _spoilt(self, report: Report) -> Report:
        if not is_gap(report.epoch, X[report.trial]):
            return report
        value = {} if report.trial % 2 else {"loss": float("nan")}
        return replace(report, metrics={"double": 1.0, **value})


def given(way: str, inside: hpo.Problem, workers: hpo.FunctionProblem) -> hpo.Experiment:
    """Four trials at x of 0 and of 1, in this process or in workers."""
    problem = workers if isinstance(WAYS[way]["problems"][0], hpo.FunctionProblem) else inside
    options = {"strategies": {"grid": hpo.Grid({"x": [0.0, 1.0], "kind": ["a", "b"]})}}
    return experiment(way, problems=[problem], budget=hpo.Budget(trials=4), **options)


GAPPY = hpo.FunctionProblem(gappy, Walk().space, max_epochs=5, has_missing_values=True)


class Killed(BaseException):
    """What ends a process in a test."""


@contextmanager
def killed_after(polls: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a process end when it has stored so many polls."""
    append, count = Store.append_poll, iter(range(1, 1000))

    def killing(self: Store, *rows: object) -> None:
        append(self, *rows)
        if next(count) == polls:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Store, "append_poll", killing)
        yield


@pytest.mark.parametrize("way", WAYS)
def test_a_value_may_be_missing_before_the_last_and_is_never_compared(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    experiment = given(way, Gappy(), GAPPY)
    result = hpo.run(experiment, out=tmp_path / "whole", device="cpu")
    ((name, run),) = result.runs.items()
    ends = [(trial.config["x"], trial.status, trial.epochs) for trial in run.trials]
    assert set(ends) == {(0.0, "finished", (1, 3, 5)), (1.0, "failed", (1, 3))}
    assert all(math.isfinite(value) for trial in run.trials for value in trial.values)
    assert result.costs[name].epochs == 20
    reports = result.reports()
    assert len(reports) == 18
    assert reports["metric.loss"].isna().equals(reports["epoch"] % 2 == 0)
    assert {report.epoch for report in counted(result, name).values()} == {3, 5}
    for axis in ("epochs", "seconds", "evaluations"):
        best = incumbents.curve(result, name.problem, name.strategy, axis).values[0]
        assert not np.any(np.diff(best) > 0)
        assert best[-1] == run.best().value or axis != "evaluations"
    assert not noise_free.is_noisy(result, name.problem)
    with killed_after(3, monkeypatch):
        hpo.run(experiment, out=tmp_path / "killed", device="cpu")
    again = hpo.run(experiment, out=tmp_path / "killed", device="cpu")
    columns = ["trial", "epoch", "metric.loss"]
    assert again.frame()["value"].equals(result.frame()["value"])
    assert again.reports()[columns].equals(reports[columns])


def test_a_study_may_be_told_that_a_value_is_missing(tmp_path: Path):
    def study() -> hpo.Study:
        options = {"max_epochs": 5, "path": tmp_path, "has_missing_values": True}
        return hpo.Study(Walk().space, hpo.MedianStopping(hpo.Random()), **options)

    with study() as first:
        first.ask(2)
        for value in (float("nan"), None, float("inf")):  # the same, and harmless
            assert first.report(0, 1, value)
        with pytest.raises(StudyError, match="epoch 1 comes after epoch 1"):
            first.report(0, 1, 0.5)
        assert first.report(0, 2, 0.5)
        assert first.report(0, 3, float("nan"))
        with pytest.raises(StudyError, match="now as nan"):
            first.report(0, 2, float("nan"))
    with study() as again:
        assert again.trials == first.trials
        assert (again.trials[0].epochs, again.trials[0].value) == ((2,), 0.5)
        with pytest.raises(StudyError, match="epoch 3 comes after epoch 3"):
            again.report(0, 3, 0.4)
        again.tell(0, float("nan"))
        again.tell(1, 0.25)
        assert [trial.status for trial in again.trials] == ["failed", "finished"]
    with pytest.raises(StudyError, match="holds another study"):
        hpo.Study(Walk().space, hpo.MedianStopping(hpo.Random()), max_epochs=5, path=tmp_path)


# --- open length ---


@dataclass(frozen=True)
class Endless(Walk):
    """A walk that ends by itself; with x > 0.5 the last value of kind "b" is missing."""

    name: str = "endless"
    max_epochs: int | None = None
    fails_above: float = 2.0
    has_missing_values: bool = True

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        configs = {s.key: s.config for s in segments}
        ends = {s.key: LENGTHS[str(s.config["kind"])] for s in segments}
        own = [replace(s, until=min(s.until, ends[s.key])) for s in segments]
        walk, dropped = Walk.evaluate(self, [s for s in own if s.start < s.until], device), None
        while True:
            try:
                reports = walk.send(dropped)
            except StopIteration:
                return
            dropped = yield [
                replace(report, metrics={"double": 1.0})
                if report.epoch == 4 and float(configs[report.key]["x"]) > 0.5
                else report
                for report in reports
            ]


ENDLESS = hpo.FunctionProblem(endless, Walk().space, max_epochs=None, has_missing_values=True)


@pytest.mark.parametrize("way", WAYS)
def test_a_trial_of_open_length_is_finished_where_it_ends(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    experiment = given(way, Endless(), ENDLESS)
    result = hpo.run(experiment, out=tmp_path / "whole", device="cpu")
    ((name, run),) = result.runs.items()
    assert result.is_finished
    ends = [(trial.config["x"], trial.config["kind"]) for trial in run.trials]
    assert ends == [(0.0, "a"), (0.0, "b"), (1.0, "a"), (1.0, "b")]
    assert [trial.status for trial in run.trials] == ["finished"] * 3 + ["failed"]
    assert [trial.epochs for trial in run.trials] == [(1, 2), (1, 2, 3, 4), (1, 2), (1, 2, 3)]
    assert [trial.until for trial in run.trials[:3]] == [2, 4, 2]
    frame = result.frame()
    assert frame["until"].tolist() == [2, 4, 2, None]
    assert len(result.reports()) == 12
    assert len(incumbents.curve(result, name.problem, name.strategy, "evaluations").cost) == 4
    status = CliRunner().invoke(app, ["status", str(tmp_path / "whole")])
    assert status.exit_code == 0
    larger = replace(experiment, budget=hpo.Budget(evaluations=5), strategies={"r": hpo.Random()})
    assert hpo.run(larger, out=tmp_path / "other", device="cpu").costs  # evaluations are trials
    with killed_after(3, monkeypatch):
        hpo.run(experiment, out=tmp_path / "killed", device="cpu")
    again = hpo.run(experiment, out=tmp_path / "killed", device="cpu")
    assert [trial.values for trial in again.runs[name].trials] == [t.values for t in run.trials]
    assert again.frame()["status"].equals(frame["status"])


def test_problems_of_open_length_and_with_missing_values_keep_the_laws_of_problems():
    check_problem(Endless())


@pytest.mark.parametrize("strategy", [hpo.Hyperband(), hpo.MedianStopping(hpo.ASHA())])
def test_what_plans_by_the_length_of_a_trial_needs_one(strategy: hpo.Strategy):
    wrong = "plans by the last epoch of a trial, which .* leaves open; give max_epochs="
    with pytest.raises(ExperimentError, match=rf"Experiment: strategies\['s'\] .*{wrong}"):
        experiment("lock-step", problems=[Endless()], strategies={"s": strategy})
    with pytest.raises(StudyError, match=f"Study: strategy does not suit: .*{wrong}"):
        hpo.Study(Walk().space, strategy, max_epochs=None)
    with pytest.raises(ExperimentError, match=r"cannot count epochs of endless.* Budget\(trials"):
        experiment("lock-step", problems=[Endless()], budget=hpo.Budget(epochs=10))


def test_a_study_is_told_where_a_trial_of_open_length_ends(tmp_path: Path):
    def study() -> hpo.Study:
        options = {"max_epochs": None, "path": tmp_path, "has_missing_values": True}
        return hpo.Study(Walk().space, hpo.MedianStopping(hpo.Random()), **options)

    with study() as first:
        first.ask(5)
        with pytest.raises(StudyError, match="trial 0: nothing was reported for it"):
            first.finish(0)
        assert all(first.report(0, epoch, 1 / epoch) for epoch in (1, 2, 5))
        first.finish(0)
        first.tell(1, 0.5)  # its only epoch
        first.tell(2, float("nan"))
        assert first.report(3, 1, 0.5)
        with pytest.raises(StudyError, match="last epoch, 1, was reported as"):
            first.tell(3, 0.25)
        first.tell(3, 0.5)
        assert first.report(4, 1, 0.5)
        assert first.report(4, 2, None)
    with study() as again:
        again.finish(4)
        for trial in range(5):  # twice is harmless
            again.finish(trial)
        again.tell(1, 0.5)
        assert [trial.status for trial in again.trials] == [
            *("finished", "finished", "failed", "finished", "failed"),
        ]
        assert [trial.until for trial in again.trials[:2]] == [5, 1]
    with pytest.raises(StudyError, match="holds another study"):
        hpo.Study(Walk().space, hpo.MedianStopping(hpo.Random()), path=tmp_path, max_epochs=3)
    with pytest.raises(StudyError, match="finish: trials of this study end at epoch 3"):
        hpo.Study(Walk().space, hpo.Random(), max_epochs=3).finish(0)


# --- attempts ---


MARKED = hpo.FunctionProblem(marked, Walk().space, max_epochs=4, workers=2)
RESUMABLE = replace(MARKED, can_resume=True, name="resumable")


@dataclass(frozen=True)
class Twice:
    """Lets each of two trials pause at epoch 2, and goes on with it at once."""

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        return [self._ask(run, free) for run, free in zip(runs, slots, strict=True)]

    def _ask(self, run: Run, free: int) -> Ask:
        on = [resume(trial.id, 4) for trial in run.trials if trial.status == "paused"][:free]
        new = start({"x": 0.5, "kind": "a"}, 2, "twice")
        return Ask((*on, *[new] * min(free - len(on), 2 - len(run.trials))))


def in_sessions(
    given: hpo.Experiment, folder: Path, shared: Path, monkeypatch: pytest.MonkeyPatch, polls: int
) -> hpo.Result:
    """Run an experiment in three sessions, of which two are killed after so many polls."""
    for session in (1, 2):
        Path(f"{shared}.sitting").write_text(str(session))
        with killed_after(polls, monkeypatch):
            hpo.run(given, out=folder, device="cpu")
    Path(f"{shared}.sitting").write_text("3")
    return hpo.run(given, out=folder, device="cpu")


def sessions(trial: hpo.Trial) -> list[int]:
    return [int(value // 10) for value in trial.values]


@pytest.mark.parametrize("way", WAYS)
def test_what_was_lost_is_the_next_attempt_where_time_is_real_and_silent_elsewhere(
    way: str, tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
):
    experiment = given(way, Walk(fails_above=2.0), MARKED)
    result = in_sessions(experiment, tmp_path / "killed", shared, monkeypatch, 2)
    ((name, run),) = result.runs.items()
    assert [trial.status for trial in run.trials] == ["finished"] * 4
    assert {trial.epochs for trial in run.trials} <= {tuple(range(1, 5)), tuple(range(1, 10))}
    with Store.read(tmp_path / "killed") as store:
        (rows,) = store.history().rows.values()
    stored = [(report.trial, report.attempt) for report, _, _ in rows.reports]
    if way != "asynchronous":
        assert {trial.attempt for trial in run.trials} == {0} == {attempt for _, attempt in stored}
        if way != "lock-step, workers":
            assert hpo.run(experiment, out=tmp_path / "whole", device="cpu").runs[name] == run
        assert result.messages() == []
        return
    # No trial reports more than once a poll: the first two ran in both sessions that were killed.
    assert [trial.attempt for trial in run.trials] == [2, 2, 0, 0]
    for trial in run.trials:
        assert len(set(sessions(trial))) == 1  # a curve of its own
        assert sum(attempt == trial.attempt for t, attempt in stored if t == trial.id) == 4
    lost = [stored.count((t.id, a)) for t in run.trials for a in range(t.attempt)]
    assert len(stored) == 16 + sum(lost)
    assert result.costs[name].epochs == 16 + sum(max(own, 1) for own in lost)
    assert len(result.history[name]) == len(result.reports()) == 16
    assert "restarted after the process was lost: " in result.messages()[0]
    assert hpo.run(experiment, out=tmp_path / "killed", device="cpu").runs == result.runs


@pytest.mark.parametrize(
    ("status", "is_there"), [("running", True), ("running", False), ("paused", False)]
)
def test_a_trial_goes_on_in_its_attempt_from_a_checkpoint_and_only_from_one(
    status: str, is_there: bool, tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
):
    experiment = given("asynchronous", Walk(), RESUMABLE)
    experiment = replace(experiment, strategies={"twice": Twice()}, parallel=1)
    append = Store.append_asks

    def killing(self: Store, rows: Sequence[AskRow], *rest: object) -> None:
        resumes = any(grant.kind == "resume" for row in rows for grant in row.grants)
        if not (resumes and status == "paused"):
            append(self, rows, *rest)
        if resumes:
            raise Killed

    Path(f"{shared}.sitting").write_text("1")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Store, "append_asks", killing)
        hpo.run(experiment, out=tmp_path, device="cpu")
    (run,) = hpo.Result.read(tmp_path).runs.values()
    assert [trial.status for trial in run.trials] == [status]
    checkpoints = sorted(tmp_path.glob("checkpoints/*/*/2.safetensors"))
    assert checkpoints
    Path(f"{shared}.sitting").write_text("2")
    if is_there:
        (run,) = hpo.run(experiment, out=tmp_path, device="cpu").runs.values()
    else:
        for path in checkpoints:
            path.unlink()
        with pytest.warns(UserWarning, match=r"is missing; the trial is trained again from"):
            (run,) = hpo.run(experiment, out=tmp_path, device="cpu").runs.values()
    assert [trial.status for trial in run.trials] == ["finished"] * 2
    resumed = run.trials[0]
    assert resumed.epochs == (1, 2, 3, 4)
    assert sessions(resumed) == ([1, 1, 2, 2] if is_there else [2, 2, 2, 2])
    assert resumed.attempt == (0 if is_there else 1)
