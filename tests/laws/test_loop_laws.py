"""The laws of the loop, over every way to execute: what a run may count on wherever it trains."""

import os
import time
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import pytest
from doubles import Halving, Walk
from typer.testing import CliRunner

import hpo_research as hpo
from hpo_research.cli.app import app
from hpo_research.device import Place
from hpo_research.executors.choice import executor_for
from hpo_research.executors.pool import Pool
from hpo_research.executors.protocol import Executor
from hpo_research.executors.workers import Workers
from hpo_research.experiment import deadline, loop
from hpo_research.ledger import AskRow
from hpo_research.records import Run
from hpo_research.store import Store, requests

ENDED = ("finished", "stopped", "failed")


def steps(config, report):
    """A function that is slow to return when it is told to, and says when it is alive."""
    with open(os.environ["HPO_LAWS"], "a") as file:
        file.write(f"{time.monotonic()} 1\n")
    for epoch in range(report.start + 1, report.until + 1):
        if not report(epoch, config["x"] + 1 / epoch):
            time.sleep(0.05)
            break
    with open(os.environ["HPO_LAWS"], "a") as file:
        file.write(f"{time.monotonic()} -1\n")


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

    def executor(problem: hpo.Problem, execution: str, place: Place, store: Store) -> Executor:
        if problem is not FUNCTION:
            return executor_for(problem, execution, place, store)
        workers = Workers(problem, workers=2, lock_step=execution == "lock-step")
        if not started:
            started.append(Pool(workers._orders(), 1, 2, lambda known: None, owner="laws"))
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
    opened: list[loop.Opened] = []
    shared.write_text("")
    with Store.in_memory() as store, pytest.MonkeyPatch.context() as patch:
        opening = loop.open_experiment
        patch.setattr(
            loop, "open_experiment", lambda *a, **k: opened.append(opening(*a, **k)) or opened[0]
        )
        loop.execute(experiment(request.param), store, Place())
        result = hpo.Result.of(store)
    (ledger,), (replayed,) = opened[0].ledgers.values(), result.runs.values()
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
    result = hpo.run(given, out=tmp_path, device="cpu", watch=asked_to_end(tmp_path, 2))
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
