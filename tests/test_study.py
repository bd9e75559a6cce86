"""The study: every promise of the ask/tell door, kept in memory, on disk and across crashes."""

import math
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from doubles import SPACE, Halving, Walk
from hypothesis import given, settings
from hypothesis import strategies as st

import hpo_research as hpo
from hpo_research.device import Compute
from hpo_research.errors import (
    ExperimentError,
    SpaceError,
    StoreLockedError,
    StoreWriteError,
    StrategyError,
    StudyError,
)
from hpo_research.experiment.loop import execute
from hpo_research.records import Ask, Segment, resume, start, stop
from hpo_research.rng import Stream
from hpo_research.store import Store, mark

LINE = hpo.SearchSpace(x=hpo.Float(0, 1))
FOUR = hpo.SearchSpace(n=hpo.Integer(1, 2), kind=hpo.Categorical(["a", "b"]))
MIDDLE = {"x": 0.5, "kind": "a"}


def training(problem: Walk, seed: int) -> Callable[[hpo.Study, hpo.Trial], None]:
    """What a user's own loop does: train a trial on from where it was, report each epoch."""
    states: dict[int, object] = {}

    def train(study: hpo.Study, trial: hpo.Trial) -> None:
        stream = Stream(seed).at("trial", trial.id)
        segment = Segment(
            1,
            trial.id,
            trial.config,
            trial.until,
            stream,
            start=trial.reached,
            state=states.get(trial.id),
        )
        for (report,) in problem.evaluate([segment]):
            states[trial.id] = report.state()
            if not study.report(trial.id, report.epoch, report.metrics["loss"]):
                return

    return train


def told(strategy: hpo.Strategy, n: int, *, trials: int = 6) -> hpo.Study:
    study = hpo.Study(LINE, strategy)
    while len(study.trials) < trials:
        for trial in study.ask(n):
            study.tell(trial.id, trial.config["x"])
    return study


def copied(folder: Path, to: Path) -> Path:
    """The folder as a machine that dies now leaves it."""
    shutil.copytree(folder, to)
    return to


# --- the strategies' own runs, walked by hand ---


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("fails_above", [2.0, 0.4], ids=["all healthy", "some fail"])
@pytest.mark.parametrize("n", [1, 4, 100])
def test_hyperband_by_hand_equals_the_experiment(n: int, fails_above: float, direction: str):
    problem = Walk(direction=direction, fails_above=fails_above)
    experiment = hpo.Experiment(
        name="by hand",
        problems=[problem],
        strategies={"hyperband": hpo.Hyperband()},
        seeds=[5],
        budget=hpo.Budget(trials=17),  # 9 + 5 + 3: every bracket once
    )
    with Store.in_memory() as store:
        execute(experiment, store, Compute())
        expected = hpo.Result.of(store).frame()
    train = training(problem, 5)
    study = hpo.Study(SPACE, hpo.Hyperband(), seed=5, direction=direction, max_epochs=9)
    while len(study.trials) <= 17:
        for trial in study.ask(n):
            if trial.id < 17:
                train(study, trial)
    columns = ["trial", "status", "value", "epochs", "until", "origin", "config.x", "config.kind"]
    got = study.frame().query("trial < 17")
    pd.testing.assert_frame_equal(got[columns], expected[columns], check_exact=True)
    assert (expected["status"] == "failed").any() == (fails_above < 1)


@pytest.mark.parametrize("strategy", [hpo.Random(), hpo.Random(kind="sobol"), hpo.Grid(points=8)])
def test_one_ask_for_many_equals_many_asks_for_one(strategy: hpo.Strategy):
    many, one = told(strategy, 6), told(strategy, 1)
    assert [t.config for t in many.trials] == [t.config for t in one.trials]


def test_a_trial_that_the_strategy_stops_is_told_so():
    study = hpo.Study(SPACE, Halving(), max_epochs=9)
    good, bad = study.ask(2)
    for epoch in (1, 2):
        assert study.report(good.id, epoch, 0.1)
        assert study.report(bad.id, epoch, 0.9)
    assert study.report(good.id, 3, 0.1)
    assert not study.report(bad.id, 3, 0.9)
    assert [t.status for t in study.trials] == ["running", "stopped"]
    assert [t.id for t in study.pending] == [good.id]
    assert not study.report(bad.id, 3, 0.9)  # the same again is harmless, and still a no
    with pytest.raises(StudyError, match="trial 1 is already stopped, at epoch 3"):
        study.report(bad.id, 4, 0.9)


@dataclass(frozen=True)
class StopsTheFirst:
    """Starts two trials; wants trial 0 stopped once trial 1 has reported."""

    def ask(self, runs, slots):
        (run,), (free,) = runs, slots
        stops = [stop(t.id) for t in run.running if t.id == 0 and run.trials[1].reached]
        return [Ask((*stops, *(start(MIDDLE, 9, "own") for _ in range(free))))]


def test_a_trial_stopped_because_of_another_is_told_at_its_next_report(tmp_path: Path):
    study = hpo.Study(SPACE, StopsTheFirst(), max_epochs=9, path=tmp_path / "a")
    study.ask(2)
    assert study.report(0, 1, 0.5)
    assert study.report(1, 1, 0.5)
    assert study.report(1, 2, 0.5)
    rows = Store.read(tmp_path / "a")
    assert rows.rows() == 2 + 3 + 1  # starts, reports, and one stop: it is not said twice
    rows.close()
    with hpo.Study(
        SPACE, StopsTheFirst(), max_epochs=9, path=copied(tmp_path / "a", tmp_path / "b")
    ) as again:
        assert [t.status for t in again.trials] == ["stopped", "running"]
        assert [t.id for t in again.pending] == [1]
    assert not study.report(0, 1, 0.5)
    assert study.trials[0].status == "stopped"
    study.close()


# --- telling ---


@pytest.fixture
def study() -> hpo.Study:
    """One pending trial, to be trained to epoch 9."""
    study = hpo.Study(SPACE, hpo.Random(), max_epochs=9)
    study.ask()
    return study


@pytest.mark.parametrize(
    "value",
    [1, 0.25, np.float32(0.25), np.int64(3), np.array(0.25), torch.tensor(0.25), Fraction(1, 4)],
    ids=lambda value: type(value).__name__,
)
def test_any_number_can_be_told(study: hpo.Study, value: object):
    study.tell(0, value)
    assert study.best.value == float(value)
    assert type(study.best.value) is float


@pytest.mark.parametrize(
    ("value", "came"),
    [
        ("0.5", "'0.5' of type str"),
        (None, "None of type NoneType"),
        (True, "True of type bool"),
        (np.bool_(True), "of type bool"),
        (1j, "1j of type complex"),
        ([0.5], r"\[0.5\] of type list"),
        (torch.tensor([0.5]), "of type Tensor"),
        (torch.tensor(True), "of type Tensor"),
        (10**400, "too large"),
    ],
    ids=str,
)
def test_what_is_no_number_is_refused(study: hpo.Study, value: object, came: str):
    with pytest.raises(StudyError, match=f"trial 0: expected a number, got .*{came}"):
        study.tell(0, value)
    assert study.pending[0].id == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, torch.tensor(math.nan)], ids=str)
def test_a_value_that_is_not_finite_is_a_failure(study: hpo.Study, value: float):
    assert study.report(0, 1, 0.5)
    study.tell(0, value)
    study.tell(0, value)  # again is harmless
    (trial,) = study.trials
    assert (trial.status, trial.value) == ("failed", None)
    assert trial.reason == f"value is {float(value)} at epoch 9"
    assert study.best is None
    with pytest.raises(StudyError, match="trial 0 is already failed, at epoch 1"):
        study.tell(0, 0.5)


def test_the_same_value_twice_is_harmless_and_another_is_an_error(study: hpo.Study):
    assert study.report(0, 2, 0.5)
    assert study.report(0, 2, np.float64(0.5))
    with pytest.raises(StudyError, match=r"trial 0: epoch 2 was reported as 0\.5, now as 0\.75"):
        study.report(0, 2, 0.75)
    with pytest.raises(StudyError, match=r"epoch 2 was reported as 0\.5, now as nan"):
        study.report(0, 2, math.nan)
    study.tell(0, 0.25)
    study.tell(0, 0.25)
    with pytest.raises(StudyError, match=r"epoch 9 was reported as 0\.25, now as 0\.5"):
        study.tell(0, 0.5)
    assert study.trials[0].values == (0.5, 0.25)


def test_epochs_may_have_gaps_but_not_go_back(study: hpo.Study):
    assert study.report(0, np.int64(2), 0.5)
    assert study.report(0, 7, 0.4)
    with pytest.raises(StudyError, match="trial 0: epoch 3 comes after epoch 7 was reported"):
        study.report(0, 3, 0.1)
    assert study.trials[0].epochs == (2, 7)
    assert not study.report(0, 9, 0.3)
    assert study.trials[0].status == "finished"


@pytest.mark.parametrize(
    ("epoch", "message"),
    [
        (0, "epoch 0 is outside 1 to 9, its until"),
        (-1, "epoch -1 is outside 1 to 9"),
        (10, "epoch 10 is outside 1 to 9"),
        (1.0, "epoch must be an integer, got 1.0"),
        ("1", "epoch must be an integer, got '1'"),
        (True, "epoch must be an integer, got True"),
    ],
)
def test_an_epoch_that_cannot_be_is_refused(study: hpo.Study, epoch: object, message: str):
    with pytest.raises(StudyError, match=f"trial 0: {message}"):
        study.report(0, epoch, 0.5)
    assert study.trials[0].epochs == ()


@pytest.mark.parametrize(
    ("trial", "message"),
    [
        (1, "trial 1 is unknown; 1 trial so far"),
        (-1, "trial -1 is unknown"),
        ("0", "expected a trial or its id, got '0'; use trial.id"),
        (None, "expected a trial or its id, got None"),
        (False, "expected a trial or its id, got False"),
        (0.0, "expected a trial or its id, got 0.0"),
    ],
)
@pytest.mark.parametrize("say", [hpo.Study.tell, hpo.Study.fail], ids=["tell", "fail"])
def test_an_unknown_trial_is_refused(study: hpo.Study, say, trial: object, message: str):
    with pytest.raises(StudyError, match=message):
        say(study, trial, 0.5)


def test_a_failure_keeps_its_reason(study: hpo.Study):
    study.report(0, 3, 0.5)
    study.fail(0, "out of memory")
    study.fail(0, "out of memory")  # again is harmless
    (trial,) = study.trials
    assert (trial.status, trial.reason, trial.values) == ("failed", "out of memory", (0.5,))
    assert trial.value is None
    with pytest.raises(StudyError, match="trial 0 is already failed, at epoch 3"):
        study.fail(0, "another")
    study.tell(0, math.nan)
    assert study.trials[0].reason == "out of memory"


def test_a_trial_that_ended_cannot_fail(study: hpo.Study):
    study.tell(0, 0.5)
    with pytest.raises(StudyError, match="trial 0 is already finished, at epoch 9"):
        study.fail(0, "too late")


@pytest.mark.parametrize(
    ("direction", "final", "best"),
    [("minimize", "last", 1), ("minimize", "best", 0), ("maximize", "last", 0)],
)
def test_the_best_trial_is_best_by_direction_and_final(direction: str, final: str, best: int):
    study = hpo.Study(SPACE, hpo.Random(), max_epochs=2, direction=direction, final=final)
    assert study.best is None
    study.ask(3)
    for trial, values in enumerate([(0.1, 0.9), (0.3, 0.4)]):
        study.report(trial, 1, values[0])
        study.report(trial, 2, values[1])
    assert study.best.id == best


def test_without_a_model_the_recommended_trial_is_the_best():
    study = hpo.Study(LINE, hpo.Random())
    assert study.recommended is None
    for trial, value in zip(study.ask(3), (2.0, 1.0, 3.0), strict=True):
        study.tell(trial.id, value)
    assert study.recommended == study.best


# --- asking ---


@pytest.mark.parametrize("n", [0, -1, "2", 1.0, None, True], ids=repr)
def test_a_number_of_trials_that_cannot_be_is_refused(study: hpo.Study, n: object):
    with pytest.raises(
        StudyError, match=rf"ask\(n={n!r}\): n must be an integer from 1 to 1,000,000"
    ):
        study.ask(n)


def test_a_numpy_integer_is_a_number_of_trials(study: hpo.Study):
    assert len(study.ask(np.int64(2))) == 2


def test_waiting_is_nothing_and_not_the_end():
    study = hpo.Study(SPACE, hpo.Hyperband(), max_epochs=9)
    rung = study.ask(100)
    assert len(rung) == 9
    assert study.ask(3) == []
    assert not study.is_finished
    for trial in rung:
        study.tell(trial.id, trial.config["x"])
    assert {t.until for t in study.ask(100)} == {3}


def test_a_strategy_with_nothing_left_is_finished_only_when_nothing_is_pending():
    study = hpo.Study(FOUR, hpo.Grid(points=2))
    trials = study.ask(9)
    assert len(trials) == 4
    assert study.ask() == []
    assert not study.is_finished
    for trial in trials:
        study.tell(trial.id, 0.5)
    assert not study.is_finished  # nobody has asked since
    assert study.ask() == []
    assert study.is_finished
    assert study.ask() == []


@pytest.mark.parametrize("n", [1, 3])
def test_a_trial_is_handed_out_once(tmp_path: Path, n: int):
    seen = []
    for _ in range(3):
        with hpo.Study(SPACE, hpo.Random(), path=tmp_path) as study:
            seen += [trial.id for trial in study.ask(n)]
            assert [t.id for t in study.pending] == list(range(len(seen)))
    assert seen == list(range(3 * n))


# --- the queue ---


def test_enqueued_configurations_come_first_and_take_the_next_numbers():
    study = hpo.Study(LINE, hpo.Random())
    plain = hpo.Study(LINE, hpo.Random()).ask(5)
    study.tell(study.ask()[0].id, 0.5)
    study.enqueue({"x": 0.25})
    study.enqueue({"x": 1})
    trials = study.ask(4)
    assert [t.id for t in trials] == [1, 2, 3, 4]
    assert [t.origin for t in trials] == ["enqueued", "enqueued", "uniform", "uniform"]
    assert [t.config for t in trials] == [
        {"x": 0.25},
        {"x": 1.0},
        plain[3].config,
        plain[4].config,
    ]
    assert type(trials[1].config["x"]) is float


def test_enqueued_configurations_fill_the_bracket_of_hyperband():
    study = hpo.Study(SPACE, hpo.Hyperband(), max_epochs=9)
    for _ in range(2):
        study.enqueue(MIDDLE)
    rung = study.ask(100)
    assert [(t.until, t.origin) for t in rung[:3]] == [
        (1, "enqueued"),
        (1, "enqueued"),
        (1, "uniform"),
    ]
    assert len(rung) == 9


RESUMING = {
    "hyperband": hpo.Hyperband(),
    "asha": hpo.ASHA(),
    "asynchronous hyperband": hpo.AsynchronousHyperband(),
    "freeze-thaw": hpo.FreezeThaw(initial=4, greedy=1, starts=2),
    "model hyperband": hpo.ModelHyperband(initial=4, starts=2),
    "rule": hpo.MedianStopping(hpo.ASHA()),
}


@pytest.mark.parametrize("strategy", RESUMING.values(), ids=RESUMING)
def test_an_enqueued_configuration_starts_at_the_next_ask_whatever_the_strategy_resumes(
    strategy: hpo.Strategy,
):
    study = hpo.Study(SPACE, strategy, max_epochs=9)
    for trial in study.ask(9):
        study.tell(trial.id, trial.config["x"])
    for _ in range(2):
        study.enqueue(MIDDLE)
    trials = study.ask(3)
    assert [(t.id, t.origin, t.until) for t in trials[:2]] == [
        (9, "enqueued", 1),
        (10, "enqueued", 1),
    ]
    assert trials[2].id < 9 and trials[2].until > 1
    for _ in range(40):  # it is trained on at its turn
        for trial in study.pending:
            study.tell(trial.id, -1.0 if trial.origin == "enqueued" else trial.config["x"])
        study.ask(1)
    assert study.trials[9].until > 1


def test_an_enqueued_configuration_starts_while_a_rung_waits():
    study = hpo.Study(SPACE, hpo.Hyperband(), max_epochs=9)
    assert len(study.ask(9)) == 9
    assert study.ask(2) == []
    study.enqueue(MIDDLE)
    assert [(t.id, t.origin, t.until) for t in study.ask(2)] == [(9, "enqueued", 1)]


def test_where_all_are_trained_to_the_end_an_enqueued_configuration_is_too():
    study = hpo.Study(SPACE, hpo.CurveStopping(hpo.Random()), max_epochs=9)
    study.ask(2)
    study.enqueue(MIDDLE)
    assert [(t.origin, t.until) for t in study.ask(2)] == [("enqueued", 9), ("uniform", 9)]


@pytest.mark.parametrize("strategy", [hpo.Grid(points=2), hpo.Random()], ids=["grid", "random"])
@pytest.mark.parametrize("n", [1, 2, 4, 9])
@pytest.mark.parametrize("enqueued", range(4))
def test_an_enqueued_configuration_is_not_proposed_again(
    strategy: hpo.Strategy, n: int, enqueued: int
):
    study = hpo.Study(FOUR, strategy)
    study.enqueue(FOUR.config_at(enqueued))
    while trials := study.ask(n):
        for trial in trials:
            study.tell(trial.id, 0.5)
    assert len({FOUR.identity(t.config) for t in study.trials}) == len(study.trials) == 4
    assert study.trials[0].config == FOUR.config_at(enqueued)


def test_a_configuration_can_be_enqueued_when_the_strategy_has_finished(tmp_path: Path):
    with hpo.Study(FOUR, hpo.Grid(points=2), path=tmp_path) as study:
        for trial in study.ask(4):
            study.tell(trial.id, 0.5)
        assert study.ask() == []
        assert study.is_finished
        study.enqueue({"n": 1, "kind": "a"})
        assert not study.is_finished
    with hpo.Study(FOUR, hpo.Grid(points=2), path=tmp_path) as study:
        assert not study.is_finished
        (trial,) = study.ask(3)
        assert (trial.id, trial.origin, trial.until) == (4, "enqueued", 1)
        assert study.ask() == []
        assert not study.is_finished
        study.tell(4, 0.25)
        assert study.ask() == []
        assert study.is_finished
    with hpo.Study(FOUR, hpo.Grid(points=2), path=tmp_path) as study:
        assert study.is_finished


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"x": 2.0, "kind": "a"}, r"enqueue: x: .*2\.0"),
        ({"x": 0.5}, "enqueue: 'kind' is missing"),
        ({"x": 0.5, "kind": "a", "y": 1}, "enqueue: 'y' is not a hyperparameter"),
        ("x=0.5", "enqueue: expected a mapping"),
    ],
)
def test_a_configuration_outside_the_space_cannot_be_enqueued(
    study: hpo.Study, config: object, message: str
):
    with pytest.raises(SpaceError, match=message):
        study.enqueue(config)
    assert study.ask()[0].origin == "uniform"


# --- on disk ---


def walked(study: hpo.Study) -> None:
    """Something of everything: ended, failed, half trained, untouched, and a queue."""
    study.enqueue(MIDDLE)
    study.ask(4)
    study.tell(0, 0.5)
    study.fail(1, "no luck")
    study.report(2, 1, 0.25)
    study.enqueue({"x": 0.125, "kind": "b"})


def halfway(study: hpo.Study) -> None:
    assert [t.id for t in study.pending] == [2, 3]
    assert study.trials[2].values == (0.25,)
    assert study.trials[1].reason == "no luck"
    assert study.best.id == 2
    study.report(2, 1, 0.25)  # told again by a loop that does not know: harmless
    new = study.ask(2)
    assert [(t.id, t.origin) for t in new] == [(4, "enqueued"), (5, "uniform")]


def fresh(path: Path | None = None, **options: object) -> hpo.Study:
    return hpo.Study(SPACE, hpo.Random(), max_epochs=9, path=path, **options)


def test_a_study_goes_on_after_it_was_closed(tmp_path: Path):
    with fresh(tmp_path) as study:
        walked(study)
        before = study.frame()
    with fresh(tmp_path) as study:
        pd.testing.assert_frame_equal(study.frame(), before)
        halfway(study)
    reference = fresh()
    walked(reference)
    halfway(reference)
    assert [t.config for t in reference.trials] == [t.config for t in study.trials]


def test_a_study_goes_on_after_a_crash(tmp_path: Path):
    with fresh(tmp_path / "alive") as study:
        walked(study)
        folder = copied(tmp_path / "alive", tmp_path / "dead")
    with fresh(folder) as study:
        halfway(study)


def test_a_second_process_goes_on_after_the_first_was_killed(tmp_path: Path):
    script = (
        "import os, sys; from pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_study import fresh, walked\n"
        f"walked(fresh(Path({str(tmp_path)!r})))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    with fresh(tmp_path) as study:
        halfway(study)


def test_the_recommended_trial_is_the_same_after_reopening(tmp_path: Path):
    def modelled() -> hpo.Study:
        return hpo.Study(LINE, hpo.Bayesian(initial=48), path=tmp_path)

    with modelled() as study:
        trials = study.ask(48)
        noise = np.random.default_rng(1).normal(scale=0.1, size=48)
        for trial in trials[:-1]:
            study.tell(trial.id, (trial.config["x"] - 0.3) ** 2 + noise[trial.id])
        found = study.recommended
    assert found.id != study.best.id  # noise made another one lucky
    assert study.recommended == found
    with modelled() as study:
        assert study.recommended == found


def test_the_clock_goes_on_after_reopening(tmp_path: Path):
    with fresh(tmp_path) as study:
        walked(study)
        time.sleep(0.05)
        study.report(2, 2, 0.25)
    with fresh(tmp_path) as study:
        study.report(2, 3, 0.25)
        study.tell(3, 0.5)
    reports = hpo.Result.read(tmp_path).reports().set_index(["trial", "epoch"])
    clocks = reports["clock_seconds"]
    assert 0.05 <= clocks[2, 2] <= clocks[2, 3] <= clocks[3, 9]


def test_a_study_can_be_read_as_a_result(tmp_path: Path):
    with fresh(tmp_path) as study:
        walked(study)
        result = hpo.Result.read(tmp_path)  # while it is open for writing
        frame = result.frame().drop(columns=["problem", "strategy", "seed"])
        pd.testing.assert_frame_equal(frame, study.frame())
    assert not result.is_finished


def test_two_studies_cannot_share_a_folder(tmp_path: Path):
    with (
        fresh(tmp_path),
        pytest.raises(StoreLockedError, match="is writing to it, and that is this process"),
    ):
        fresh(tmp_path)
    fresh(tmp_path).close()


CHANGES = [
    ({"seed": 1}, r"seed: 0 became 1"),
    ({"direction": "maximize"}, "direction: 'minimize' became 'maximize'"),
    ({"max_epochs": 27}, "max_epochs: 9 became 27"),
    ({"final": "best"}, "final: 'last' became 'best'"),
    ({"strategy": hpo.Random(kind="sobol")}, "strategy.kind: 'uniform' became 'sobol'"),
    ({"strategy": hpo.Hyperband()}, r"strategy\.class: .*Random' became .*Hyperband'"),
    ({"space": LINE}, "space.parameters: .* became"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES, ids=[str(c) for c, _ in CHANGES])
def test_a_folder_with_another_study_is_refused_with_the_difference(
    tmp_path: Path, change: dict[str, object], message: str
):
    options = {"space": SPACE, "strategy": hpo.Random(), "max_epochs": 9, "path": tmp_path}
    with hpo.Study(**options) as study:
        walked(study)
        before = study.frame()
    with pytest.raises(StudyError, match=r"(?s)holds another study; use another path.*" + message):
        hpo.Study(**{**options, **change})
    with hpo.Study(**options) as study:  # the refusal has let go of the lock and changed nothing
        pd.testing.assert_frame_equal(study.frame(), before)


def experiment(**options: object) -> hpo.Experiment:
    given = {
        "name": "study",
        "problems": [Walk(name="study")],
        "strategies": {"study": hpo.Random()},
        "seeds": [0],
        "budget": hpo.Budget(evaluations=2),
    }
    return hpo.Experiment(**{**given, **options})


@pytest.mark.parametrize("seeds", [[0], [0, 1]], ids=str)
def test_a_study_does_not_open_the_folder_of_an_experiment(tmp_path: Path, seeds: list[int]):
    hpo.run(experiment(seeds=seeds), out=tmp_path, device="cpu")
    with pytest.raises(StudyError, match=r"holds an experiment named 'study'.*use another path"):
        fresh(tmp_path)
    assert hpo.run(experiment(seeds=seeds), out=tmp_path, device="cpu").is_finished


def test_an_experiment_does_not_run_in_the_folder_of_a_study(tmp_path: Path):
    with fresh(tmp_path) as study:
        walked(study)
    with pytest.raises(ExperimentError, match=r"holds a study.*choose another"):
        hpo.run(experiment(), out=tmp_path, device="cpu")
    fresh(tmp_path).close()


@pytest.mark.parametrize("path", [None, "folder"])
def test_a_closed_study_can_be_read_and_not_told(tmp_path: Path, path: str | None):
    study = fresh(None if path is None else tmp_path / path)
    study.ask()
    study.close()
    study.close()
    assert len(study.frame()) == len(study.pending) == 1
    for act in (
        study.ask,
        lambda: study.tell(0, 0.5),
        lambda: study.fail(0, "why"),
        lambda: study.enqueue(MIDDLE),
    ):
        with pytest.raises(StudyError, match="the study is closed; create it again to continue"):
            act()


def test_what_the_disk_refuses_can_be_said_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refused(*_: object, **__: object) -> None:
        raise StoreWriteError("the disk is full")

    study = fresh(tmp_path)
    study.ask(2)
    with monkeypatch.context() as patch:
        for name in ("append_poll", "append_asks", "set_meta"):
            patch.setattr(study._store, name, refused)
        for act in (
            lambda: study.tell(0, 0.5),
            lambda: study.fail(1, "why"),
            lambda: study.ask(1),
            lambda: study.enqueue(MIDDLE),
        ):
            with pytest.raises(StoreWriteError):
                act()
        assert [t.id for t in study.pending] == [0, 1]
    study.tell(0, 0.5)
    study.fail(1, "why")
    assert study.ask()[0].origin == "uniform"
    study.close()
    with fresh(tmp_path) as study:
        assert [t.status for t in study.trials] == ["finished", "failed", "running"]


# --- mistakes at birth ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": {"x": hpo.Float(0, 1)}}, "space must be a SearchSpace, got"),
        ({"strategy": hpo.Random}, r"strategy must have ask\(runs, slots\), got .*Random"),
        ({"strategy": 3}, r"strategy must have ask\(runs, slots\), got 3"),
        ({"metric": ""}, r"metric must be a non-empty string, got ''"),
        ({"seed": "1"}, "seed must be an integer, got '1'"),
        ({"seed": 1.5}, r"seed must be an integer, got 1\.5"),
        ({"seed": [1]}, r"seed must be an integer, got \[1\]"),
        ({"seed": 2**63}, "seed must be an integer between"),
        ({"direction": "min"}, "direction must be one of minimize, maximize, got 'min'"),
        ({"max_epochs": 0}, r"max_epochs must be an integer >= 1, got 0"),
        ({"max_epochs": 2.0}, r"max_epochs must be an integer >= 1, got 2\.0"),
        ({"max_epochs": True}, r"max_epochs must be an integer >= 1, got True"),
        ({"final": "mean"}, "final must be one of last, best, got 'mean'"),
    ],
)
def test_a_study_that_cannot_be_is_refused(tmp_path: Path, options, message: str):
    given = {"space": SPACE, "strategy": hpo.Random(), "path": tmp_path / "new"}
    with pytest.raises(StudyError, match=message):
        hpo.Study(**{**given, **options})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("strategy", "message"),
    [(hpo.Grid(), "without points"), (hpo.Grid(points="fit"), "the run has none")],
)
def test_a_strategy_that_does_not_suit_is_refused_at_once(strategy: hpo.Strategy, message: str):
    with pytest.raises(StrategyError, match=message):
        hpo.Study(SPACE, strategy)


def test_a_numpy_integer_is_a_seed(tmp_path: Path):
    with hpo.Study(SPACE, hpo.Random(), seed=np.int64(3), path=tmp_path) as study:
        config = study.ask()[0].config
    with hpo.Study(SPACE, hpo.Random(), seed=3, path=tmp_path) as study:
        assert study.pending[0].config == config


@dataclass(frozen=True)
class Says:
    """A strategy that says what it is told to, from its second ask on."""

    asks: object
    count: list[int] = field(default_factory=list, compare=False, metadata={"identity": False})

    def ask(self, runs, slots):
        self.count.append(1)
        return [Ask((start(MIDDLE, 9, "own"),))] if len(self.count) == 1 else self.asks


@pytest.mark.parametrize(
    ("asks", "message"),
    [
        ([], "study: asked 1 run, got 0 asks"),
        ([Ask((resume(0, 9),))], "cannot resume trial 0, which does not exist"),
        ([Ask((start(MIDDLE, 10, "own"),))], "until must be an integer above 0 and at most 9"),
        ([Ask((start({"x": 3}, 9, "own"),))], "proposal: 'kind' is missing"),
        ([Ask((start(MIDDLE, 9, "own"),) * 3)], "2 slots were free, got 3 proposals"),
    ],
    ids=["too few", "unknown", "too long", "outside", "too many"],
)
def test_a_bug_in_a_strategy_is_named_and_changes_nothing(asks: object, message: str):
    study = hpo.Study(SPACE, Says(asks), max_epochs=9)
    with pytest.raises(StrategyError, match=message):
        study.ask(2)
    assert list(study.trials) == []
    assert not study.is_finished


@settings(max_examples=12)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([None, -1.0, 0.0, 0.5])), max_size=20))
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_best_trial_is_always_that_of_the_run(direction: str, said):
    study = hpo.Study(LINE, hpo.Random(), max_epochs=9, direction=direction)
    study.ask(6)
    for trial, value in said:
        known = study.trials[trial]
        if not known.is_running:
            continue
        if value is None:
            study.fail(trial, "why")
        else:
            study.report(trial, known.reached + 1, value)
        values = [trial.value for trial in study.trials if trial.value is not None]
        best = None if study.best is None else study.best.value
        assert best == ((min if direction == "minimize" else max)(values) if values else None)
        assert list(study.pending) == list(study._ledger.run().running)


# --- cost ---


def seconds_a_report(trials: int) -> float:
    study = hpo.Study(LINE, hpo.Random(), max_epochs=1000)
    study.ask(trials)
    times = []
    for epoch in range(1, 101):
        began = time.perf_counter()
        study.report(trials // 2, epoch, 0.5)
        times.append(time.perf_counter() - began)
    study.close()
    return sorted(times)[10]


def test_a_report_costs_the_same_however_many_trials_there_are():
    # A rebuild of the run would cost 100 times as much.
    assert seconds_a_report(5000) < 5 * seconds_a_report(50)


def seconds_to_enqueue(configs: int) -> float:
    with hpo.Study(LINE, hpo.Random()) as study:
        began = time.process_time()
        for _ in range(configs):
            study.enqueue({"x": 0.5})
        return time.process_time() - began


def test_an_enqueue_costs_the_same_however_many_wait():
    # Writing the whole queue each time cost 16 times as much for four times as many.
    assert seconds_to_enqueue(2000) < 8 * seconds_to_enqueue(500)


def operations(turn: Callable[[], object]) -> int:
    """How many functions are called, of Python and of C."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        for _ in range(5):
            turn()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize(
    "strategy",
    [hpo.Random(), hpo.Random("sobol"), hpo.Grid(points=2000), hpo.MedianStopping(hpo.Random())],
    ids=["uniform", "sobol", "grid", "median"],
)
def test_a_turn_does_as_much_however_many_trials_there_are(strategy: hpo.Strategy):
    study = hpo.Study(LINE, strategy, max_epochs=2)

    def turn() -> None:
        (trial,) = study.ask()
        assert study.report(trial.id, 1, -0.5)
        study.tell(trial.id, -0.5)
        assert (study.best, study.pending, study.is_finished) == (study.trials[0], (), False)

    (best,) = study.ask()
    study.tell(best.id, -1.0)
    counts = []
    for trials in (100, 1000):
        for trial in study.ask(trials):
            study.tell(trial.id, trial.config["x"])
        turn()  # what came since is learned once
        counts.append(operations(turn))
    # Rows are a tree of 32: one more level for 32 times as many.
    assert counts[1] < 1.1 * counts[0]


def test_a_trial_costs_two_syncs_and_those_of_a_file_that_is_made_whole_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(mark, "_BEGUN", 0)
    monkeypatch.setattr(mark, "_SHARE", 0.0)  # made whole by its rows alone, not by time
    statements: list[str] = []
    stamps: list[int] = []
    with hpo.Study(LINE, hpo.Random(), path=tmp_path) as study:
        database = study._store._db
        pragmas = ("journal_mode", "synchronous", "wal_autocheckpoint")
        found = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
        assert found == ["wal", 2, 0]  # a commit syncs the log once, and nothing else
        database.set_trace_callback(statements.append)
        monkeypatch.setattr(mark.Log, "_stamp", counted(mark.Log._stamp, stamps))
        for trials in range(1, 201):
            (trial,) = study.ask()
            study.tell(trial.id, trial.config["x"])
            assert statements.count("COMMIT") == 2 * trials
        database.set_trace_callback(None)
        checkpoints = sum("wal_checkpoint" in statement for statement in statements)
    # Of a checkpoint: the log, the file, the head of the next log; the file is stamped twice.
    assert 1 <= checkpoints <= 3
    assert len(stamps) <= 2 * checkpoints + 1
    assert (2 * 200 + 3 * checkpoints + len(stamps)) / 200 < 2.1


def counted(function: Callable[..., object], calls: list[int]) -> Callable[..., object]:
    def called(*arguments: object) -> object:
        calls.append(1)
        return function(*arguments)

    return called
