"""The one-liner: a function, a space, and the best trial."""

import dataclasses
import math
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles import label

import hpo_research as hpo
from hpo_research.errors import (
    AllTrialsFailedError,
    ExperimentError,
    ProblemError,
    StoreLockedError,
    StrategyError,
)
from hpo_research.executors.lock_step import LockStepExecutor
from hpo_research.experiment import loop
from hpo_research.store import Store

SPACE = hpo.SearchSpace(x=hpo.Float(-1, 1), kind=hpo.Categorical(["a", "b"]))


def parabola(config):
    return config["x"] ** 2 + (config["kind"] == "b")


def trained(config, report):
    for epoch in range(report.start + 1, report.until + 1):
        if not report(epoch, config["x"] ** 2 + 1 / epoch):
            return


def hopeless(config):
    raise RuntimeError("no data")


def expected(trials: int, seed: int = 0) -> list[dict]:
    """The configurations that random search tries."""
    return [t.config for t in hpo.Study(SPACE, hpo.Random(), seed=seed).ask(trials)]


@pytest.mark.parametrize(
    ("direction", "choose", "parallel"), [("minimize", min, 1), ("maximize", max, 2)]
)
def test_the_best_trial_is_returned(direction: str, choose, parallel: int):
    best = hpo.tune(
        parabola,
        SPACE,
        strategy=hpo.Random(),
        trials=6,
        parallel=parallel,
        seed=3,
        direction=direction,
    )
    configs = expected(6, seed=3)
    assert best.config == choose(configs, key=parabola)
    assert best.value == parabola(best.config)
    assert best.id == configs.index(best.config)
    assert best.status == "finished"


def test_a_lambda_and_a_closure_are_functions():
    shift = 0.5
    best = hpo.tune(
        lambda config: (config["x"] - shift) ** 2, SPACE, strategy=hpo.Random(), trials=3
    )
    assert best.config == min(expected(3), key=lambda config: (config["x"] - shift) ** 2)


def test_a_function_that_reports_is_searched_by_hyperband(tmp_path: Path):
    best = hpo.tune(
        trained, SPACE, strategy=hpo.Hyperband(), trials=9, max_epochs=9, parallel=2, path=tmp_path
    )
    frame = hpo.Result.read(tmp_path).frame()
    assert frame["epochs"].value_counts().to_dict() == {1: 6, 3: 2, 9: 1}
    assert best.config == min(expected(9), key=lambda config: config["x"] ** 2)
    assert best.epochs == (1, 2, 3, 4, 5, 6, 7, 8, 9)


def test_a_folder_goes_on_and_takes_more_trials(tmp_path: Path):
    counter = tmp_path / "calls"

    def counted(config):
        with counter.open("a") as file:
            file.write("x")
        return parabola(config)

    def tuned(trials: int) -> hpo.Trial:
        return hpo.tune(
            counted,
            SPACE,
            strategy=hpo.Random(),
            trials=trials,
            parallel=2,
            path=tmp_path / "out",
        )

    first = tuned(4)
    assert tuned(4) == first
    assert len(counter.read_text()) == 4
    more = tuned(7)
    assert len(counter.read_text()) == 7
    assert more.config == min(expected(7), key=parabola)
    with pytest.raises(ExperimentError, match="trials: 7 became 4; it can only grow"):
        tuned(4)


def test_a_folder_with_another_seed_holds_both(tmp_path: Path):
    one = hpo.tune(parabola, SPACE, strategy=hpo.Random(), trials=2, path=tmp_path)
    two = hpo.tune(parabola, SPACE, strategy=hpo.Random(), trials=2, path=tmp_path, seed=1)
    assert one.config == min(expected(2), key=parabola)
    assert two.config == min(expected(2, seed=1), key=parabola)
    assert hpo.tune(parabola, SPACE, strategy=hpo.Random(), trials=2, path=tmp_path) == one


def test_a_folder_in_use_is_refused(tmp_path: Path):
    with Store.write(tmp_path), pytest.raises(StoreLockedError, match="is writing to it"):
        hpo.tune(parabola, SPACE, trials=2, path=tmp_path)


def test_when_every_trial_fails_the_reason_is_told():
    with pytest.raises(
        AllTrialsFailedError,
        match=r"tune on hopeless, seed 0: all 3 trials failed; the first: RuntimeError: no data",
    ):
        hpo.tune(hopeless, SPACE, trials=3, parallel=2)


def test_failures_are_passed_over():
    def picky(config):
        return math.nan if config["kind"] == "a" else config["x"]

    best = hpo.tune(picky, SPACE, strategy=hpo.Random(), trials=6, parallel=2)
    allowed = [config for config in expected(6) if config["kind"] == "b"]
    assert best.config == min(allowed, key=lambda config: config["x"])


def test_asynchronous_execution_tries_the_same_random_configurations(tmp_path: Path):
    def slow(config):
        time.sleep(0.02 * (config["kind"] == "a"))
        return parabola(config)

    best = hpo.tune(
        slow,
        SPACE,
        strategy=hpo.Random(),
        trials=6,
        parallel=2,
        execution="asynchronous",
        path=tmp_path,
    )
    assert best.config == min(expected(6), key=parabola)
    assert set(hpo.Result.read(tmp_path).frame()["status"]) == {"finished"}


def test_a_model_chooses_unless_told_otherwise(tmp_path: Path):
    hpo.tune(parabola, SPACE, trials=6, parallel=2, path=tmp_path)
    assert hpo.Result.read(tmp_path).frame()["origin"].tolist() == [
        *("middle", "sobol", "sobol", "sobol", "qlogei", "qlogei")
    ]


def test_a_strategy_is_taken_as_it_is():
    best = hpo.tune(parabola, SPACE, strategy=hpo.Grid(points={"x": [0.5, 0.25]}), trials=4)
    assert best.config == {"x": 0.25, "kind": "a"}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"function": lambda: 0.5}, ProblemError, r"expected f\(config\) or f\(config, report\)"),
        (
            {"function": lambda a, b, c: 0.5},
            ProblemError,
            "bind the other arguments with",
        ),
        ({"function": lambda config, *, k: 0.5}, ProblemError, r"expected f\(config\) or"),
        ({"function": 0.5}, ProblemError, r"f=0\.5\): f must be a function of a config"),
        ({"max_epochs": 3}, ProblemError, r"write it as f\(config, report\)"),
        ({"direction": "min"}, ProblemError, "direction must be one of minimize, maximize"),
        ({"trials": 0}, ExperimentError, r"Budget\(trials=0\): trials must be an integer >= 1"),
        ({"trials": None}, ExperimentError, r"Budget\(\): expected"),
        ({"parallel": 0}, ProblemError, "workers must be an integer >= 1"),
        ({"strategy": hpo.Random}, ExperimentError, r"must have ask\(runs, slots\), got the class"),
        ({"strategy": hpo.Grid(points=11)}, StrategyError, "22 combinations, the budget allows 20"),
        ({"seed": "1"}, ExperimentError, "must be an integer, got '1'"),
        ({"execution": "fast"}, ExperimentError, "execution must be one of"),
        ({"execution": "simulated"}, ExperimentError, "records no seconds"),
    ],
    ids=label,
)
def test_a_call_that_cannot_be_is_refused(tmp_path: Path, options, error: type, message: str):
    given = {"function": parabola, "space": SPACE, "path": tmp_path / "new"}
    with pytest.raises(error, match=message):
        hpo.tune(**{**given, **options})
    assert not (tmp_path / "new").exists()


# -- Ctrl-C


@dataclasses.dataclass(frozen=True)
class Interrupting:
    """Presses Ctrl-C once so many trials are known."""

    at: int = dataclasses.field(metadata={"identity": False})

    def ask(self, runs, slots):
        if len(runs[0].trials) == self.at:
            signal.raise_signal(signal.SIGINT)
        return hpo.Random().ask(runs, slots)


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts, also where the tests were started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def without_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions are called in this process: a tenth of a second instead of two."""
    monkeypatch.setattr(loop, "executor_for", lambda problem, *_: LockStepExecutor(problem))


@pytest.mark.parametrize("is_stored", [False, True], ids=["in memory", "stored"])
def test_an_interrupt_passes_on_with_the_best_so_far(
    without_processes, tmp_path: Path, monkeypatch, is_stored: bool
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "out" if is_stored else None
    best = min(expected(3), key=parabola)
    with pytest.raises(KeyboardInterrupt) as stop:
        hpo.tune(parabola, SPACE, strategy=Interrupting(3), trials=6, path=path)
    assert type(stop.value) is KeyboardInterrupt  # Python ends a script by the signal only then
    assert stop.value.__suppress_context__
    assert f"best so far: {best} with loss {parabola(best)}, of 3 trials" in str(stop.value)
    path = path or Path("results", "parabola-interrupted")
    assert f"stored in {path}: call it again, with path={str(path)!r}, to go on" in str(stop.value)
    assert len(hpo.Result.read(path).frame()) == 3
    again = hpo.tune(parabola, SPACE, strategy=Interrupting(99), trials=6, path=path)
    assert again.config == min(expected(6), key=parabola)


def test_an_interrupt_that_nothing_can_keep_says_so(without_processes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("results").write_text("a file")
    with pytest.raises(
        KeyboardInterrupt, match=r"nothing is kept: results/.*; give path= next time"
    ):
        hpo.tune(parabola, SPACE, strategy=Interrupting(3), trials=6)


def test_two_interrupts_are_two_folders(without_processes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("parabola-interrupted", "parabola-interrupted-2"):
        with pytest.raises(KeyboardInterrupt, match=f"stored in results/{name}:"):
            hpo.tune(parabola, SPACE, strategy=Interrupting(3), trials=6)


def test_an_interrupt_before_any_value_says_so(without_processes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt, match="no trial has finished"):
        hpo.tune(hopeless, SPACE, strategy=Interrupting(1), trials=2)


def test_an_interrupted_experiment_says_how_to_go_on(tmp_path: Path):
    def ran(at: int) -> hpo.Result:
        experiment = hpo.Experiment(
            name="stopped",
            problems=[hpo.problem("branin")],
            strategies={"random": Interrupting(at)},
            seeds=[0],
            parallel=1,
            budget=hpo.Budget(trials=4),
        )
        return hpo.run(experiment, out=tmp_path, device="cpu")

    with pytest.raises(KeyboardInterrupt, match=f"stored in {tmp_path}: run it again to resume"):
        ran(2)
    assert len(ran(99).frame()) == 4
