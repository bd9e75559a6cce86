"""Syne Tune's schedulers, asked and told one epoch at a time where they decide at each.

Its ASHA decides at each report whether a running trial goes on, so a trial is trained epoch by
epoch and, where it goes on, does so before any new one begins.
"""

import datetime
import logging
from collections.abc import Callable, Mapping
from typing import Any

from syne_tune.backend.trial_status import Trial
from syne_tune.config_space import choice, lograndint, loguniform, ordinal, randint, uniform
from syne_tune.optimizer.baselines import ASHA, CQR
from syne_tune.optimizer.scheduler import SchedulerDecision

from .protocol import Axis, Point, Suggestion, Task, columns

logging.getLogger("syne_tune").setLevel(logging.ERROR)
_BEGUN = datetime.datetime(2000, 1, 1)


class SyneTune:
    """A scheduler and the trials that it gave; others' are numbered beyond them."""

    def __init__(self, scheduler: Any, task: Task, *, is_by_epoch: bool) -> None:
        self._scheduler = scheduler
        self._task = task
        self._is_by_epoch = is_by_epoch
        self._trials: list[Trial] = []
        self._count = 0
        self._going_on: list[tuple[int, int]] = []

    def ask(self, count: int) -> list[Suggestion]:
        """Let those trials go on that do, then begin others."""
        found = [Suggestion(number, None, epoch) for number, epoch in self._going_on[:count]]
        del self._going_on[:count]
        until = 1 if self._is_by_epoch else self._task.epochs
        while len(found) < count:
            suggestion = self._scheduler.suggest()
            if suggestion is None:
                break
            trial = self._begun(suggestion.config)
            point = [trial.config[axis.name] for axis in self._task.axes]
            found.append(Suggestion(len(self._trials), point, until))
            self._trials.append(trial)
        return found

    def tell(self, number: int, epoch: int, loss: float, *, is_over: bool) -> None:
        """Report a loss, and note whether the trial goes on."""
        trial, result = self._trials[number], {"loss": loss, "epoch": epoch}
        if not self._is_by_epoch or is_over or epoch >= self._task.epochs:
            self._scheduler.on_trial_complete(trial, result)
        elif self._scheduler.on_trial_result(trial, result) == SchedulerDecision.CONTINUE:
            self._going_on.append((number, epoch + 1))

    def add(self, point: Point, loss: float) -> None:
        """Report a trial that was not suggested."""
        trial = self._begun(columns(self._task.axes, point))
        self._scheduler.on_trial_complete(trial, {"loss": loss, "epoch": self._task.epochs})

    def _begun(self, config: dict[str, Any]) -> Trial:
        trial = Trial(self._count, config, _BEGUN)
        self._count += 1
        self._scheduler.on_trial_add(trial)
        return trial


def _domain(axis: Axis) -> Any:
    if axis.kind == "choice":
        return choice(list(range(axis.size)))
    if axis.kind == "ordered":
        return ordinal(list(range(axis.size)))
    if axis.kind == "integer":
        return (lograndint if axis.is_log else randint)(int(axis.low), int(axis.high))
    return (loguniform if axis.is_log else uniform)(axis.low, axis.high)


def _space(task: Task) -> dict[str, Any]:
    return {axis.name: _domain(axis) for axis in task.axes}


def _cqr(task: Task) -> SyneTune:
    made = CQR(_space(task), metric="loss", random_seed=task.seed, **task.options)
    return SyneTune(made, task, is_by_epoch=False)


def _asha(task: Task) -> SyneTune:
    made = ASHA(
        _space(task),
        metric="loss",
        time_attr="epoch",
        max_t=task.epochs,
        random_seed=task.seed,
        **task.options,
    )
    return SyneTune(made, task, is_by_epoch=True)


ENGINES: Mapping[str, Callable[[Task], Any]] = {"syne-tune-cqr": _cqr, "syne-tune-asha": _asha}
