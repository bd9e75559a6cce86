"""Killed at any transaction and run again, an experiment gives the numbers it would have given."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from doubles import Halving, Walk

import hpo_research as hpo
from hpo_research.store import Store


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the package may catch it."""


KILLS = 8

STRATEGIES = {
    "grid": hpo.Grid(points=2),
    "random": hpo.Random(),
    "hyperband": hpo.Hyperband(),
    "halving": Halving(),
    "asha": hpo.MedianStopping(hpo.ASHA(), min_trials=2),
    "completion": hpo.Completion(hpo.Random(), not_improving=2, convergence=0.4, rounds=2),
}
MODEL = hpo.Bayesian(initial=3, samples=8, starts=2)
MODELS = {"q-EI": MODEL, "hyperband q-EI": hpo.Hyperband(inner=MODEL)}


def experiment(execution: str, parallel: int | None) -> hpo.Experiment:
    """All strategies without a model; with `models` before the execution, those with one."""
    if execution.startswith("models, "):
        return hpo.Experiment(
            name="killed",
            problems=[Walk(max_epochs=3)],
            strategies=MODELS,
            seeds=[3],
            budget=hpo.Budget(evaluations=6),
            parallel=parallel,
            execution=execution.removeprefix("models, "),
        )
    return hpo.Experiment(
        name="killed",
        problems=[Walk(), Walk(name="restarting", can_resume=False, max_epochs=3)],
        strategies=STRATEGIES,
        seeds=[3],
        budget=hpo.Budget(evaluations=7),
        parallel=parallel,
        execution=execution,
    )


def export(result: hpo.Result) -> tuple[pd.DataFrame, pd.DataFrame]:
    return tuple(
        frame[[c for c in frame if not c.endswith("_seconds")]]
        for frame in (result.frame(), result.reports())
    )


def killing(monkeypatch: pytest.MonkeyPatch, at: int, moment: str) -> Callable[[], int]:
    """Kill at the at-th transaction, before or after it is durable; returns the count."""
    count = 0

    def guarded(method: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: object, **options: object) -> None:
            nonlocal count
            count += 1
            if count == at and moment == "before":
                raise Killed
            method(*arguments, **options)
            if count == at:
                raise Killed

        return call

    for name in ("append_poll", "append_asks"):
        monkeypatch.setattr(Store, name, guarded(getattr(Store, name)))
    return lambda: count


SETTINGS = [
    ("lock-step", None),
    ("lock-step", 2),
    ("simulated", 3),
    ("models, lock-step", 2),
    ("models, simulated", 3),
]


@pytest.fixture(scope="module", params=SETTINGS, ids=str)
def setting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    execution, parallel = request.param
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        count = killing(patch, 0, "never")
        result = hpo.run(experiment(execution, parallel), out=folder, device="cpu")
    assert result.is_finished
    return execution, parallel, export(result), count()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_a_transaction_equals_uninterrupted(setting, tmp_path: Path, moment: str):
    execution, parallel, whole, transactions = setting
    assert transactions > 20
    for at in sorted({1, 2, 3, *range(4, transactions + 1, transactions // KILLS), transactions}):
        folder = tmp_path / str(at)
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
            killing(patch, at, moment)
            hpo.run(experiment(execution, parallel), out=folder, device="cpu")
        result = hpo.run(experiment(execution, parallel), out=folder, device="cpu")
        for expected, got in zip(whole, export(result), strict=True):
            pd.testing.assert_frame_equal(expected, got, check_exact=True)


@pytest.mark.parametrize("step", [2, 7])
def test_killed_again_and_again_equals_uninterrupted(setting, tmp_path: Path, step: int):
    execution, parallel, whole, transactions = setting
    for _ in range(transactions):
        with pytest.MonkeyPatch.context() as patch:
            killing(patch, step, "after")
            try:
                result = hpo.run(experiment(execution, parallel), out=tmp_path, device="cpu")
                break
            except Killed:
                continue
    for expected, got in zip(whole, export(result), strict=True):
        pd.testing.assert_frame_equal(expected, got, check_exact=True)
