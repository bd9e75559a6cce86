"""Optuna's samplers and pruners, asked and told.

With a pruner a trial is trained epoch by epoch and reported after each; it goes on, before any new
one begins, unless the pruner says that it should not.
"""

from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from .protocol import Axis, Point, Suggestion, Task, columns

optuna.logging.set_verbosity(optuna.logging.ERROR)

_SAMPLERS: Mapping[str, Callable[..., Any]] = {
    "tpe": optuna.samplers.TPESampler,
    "gp": optuna.samplers.GPSampler,
    "cma": optuna.samplers.CmaEsSampler,
}


class Optuna:
    """A study in memory that minimises, with one of Optuna's samplers."""

    def __init__(self, kind: str, task: Task, pruner: Any = None) -> None:
        self._axes = task.axes
        self._epochs = task.epochs
        self._distributions = {axis.name: _distribution(axis) for axis in task.axes}
        sampler = _SAMPLERS[kind](seed=task.seed, **task.options)
        self._study = optuna.create_study(
            # HyperbandPruner takes a trial's bracket from the study's name, else drawn by uuid4.
            study_name=f"seed {task.seed}",
            sampler=sampler,
            pruner=pruner or optuna.pruners.NopPruner(),
        )
        self._is_pruned = pruner is not None
        self._trials: list[Any] = []
        self._going_on: list[tuple[int, int]] = []

    def ask(self, count: int) -> list[Suggestion]:
        """Let those trials go on that do, then ask for others."""
        found = [Suggestion(number, None, epoch) for number, epoch in self._going_on[:count]]
        del self._going_on[:count]
        until = 1 if self._is_pruned else self._epochs
        while len(found) < count:
            trial = self._study.ask(self._distributions)
            point = [trial.params[axis.name] for axis in self._axes]
            found.append(Suggestion(len(self._trials), point, until))
            self._trials.append(trial)
        return found

    def tell(self, number: int, epoch: int, loss: float, *, is_over: bool) -> None:
        """Tell a trial's loss; with a pruner, report it and ask whether it goes on."""
        trial = self._trials[number]
        if not self._is_pruned or is_over:
            self._study.tell(trial, loss)
            return
        trial.report(loss, epoch)
        if epoch >= self._epochs:
            self._study.tell(trial, loss)
        elif trial.should_prune():
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._going_on.append((number, epoch + 1))

    def add(self, point: Point, loss: float) -> None:
        """Add a trial that is complete."""
        self._study.add_trial(
            optuna.trial.create_trial(
                params=columns(self._axes, point), distributions=self._distributions, value=loss
            )
        )


def _distribution(axis: Axis) -> BaseDistribution:
    if axis.kind == "float":
        return FloatDistribution(axis.low, axis.high, log=axis.is_log)
    if axis.kind == "choice":
        return CategoricalDistribution(list(range(axis.size)))
    return IntDistribution(int(axis.low), int(axis.high), log=axis.is_log)


def _hyperband(epochs: int) -> Any:
    return optuna.pruners.HyperbandPruner(max_resource=epochs)


ENGINES: Mapping[str, Callable[[Task], Any]] = {
    "optuna-tpe": lambda task: Optuna("tpe", task),
    "optuna-gp": lambda task: Optuna("gp", task),
    "optuna-cma": lambda task: Optuna("cma", task),
    "optuna-median": lambda task: Optuna("tpe", task, optuna.pruners.MedianPruner()),
    "optuna-hyperband": lambda task: Optuna("tpe", task, _hyperband(task.epochs)),
}
