"""NePS's optimisers, asked and told: Bayesian optimisation, and PriorBand over epochs.

PriorBand is given no prior: it samples the space and around the best so far. A trial that
continues another names it and is that one, trained on.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import neps
from neps.optimizers.ask_and_tell import AskAndTell

from .protocol import Axis, Point, Suggestion, Task, columns

logging.getLogger("neps").setLevel(logging.ERROR)
_EPOCH = "epoch"


class Neps:
    """An optimiser; `ids` are those of what runs, by the number of the trial."""

    def __init__(self, algorithm: Callable[..., Any], task: Task, *, is_by_epoch: bool) -> None:
        self._task = task
        self._is_by_epoch = is_by_epoch and task.epochs > 1
        fields = {axis.name: _parameter(axis) for axis in task.axes}
        if self._is_by_epoch:
            fields[_EPOCH] = neps.IntegerFidelity(1, task.epochs)
        space = type("Space", (neps.PipelineSpace,), fields)()
        self._optimiser = AskAndTell(algorithm(space, **task.options))
        self._trials: dict[str, int] = {}
        self._ids: dict[int, str] = {}
        self._count = 0
        self._others = 0

    def ask(self, count: int) -> list[Suggestion]:
        """Ask for one trial after the other, new or continued."""
        return [self._one() for _ in range(count)]

    def tell(self, number: int, epoch: int, loss: float, *, is_over: bool) -> None:
        """Tell a trial's loss."""
        self._optimiser.tell(self._ids[number], loss)

    def add(self, point: Point, loss: float) -> None:
        """Tell a trial that was not asked for; where there are rungs, only its own are on them."""
        if self._is_by_epoch:
            return
        config = columns(self._task.axes, point)
        self._others += 1
        self._optimiser.tell_custom(config_id=f"other{self._others}", config=config, result=loss)

    def _one(self) -> Suggestion:
        asked = self._optimiser.ask()
        earlier = asked.metadata.previous_trial_id
        if earlier is None:
            number, self._count = self._count, self._count + 1
        else:
            number = self._trials[earlier]
        self._trials[asked.metadata.id] = number
        self._ids[number] = asked.metadata.id
        until = int(asked.config[_EPOCH]) if self._is_by_epoch else self._task.epochs
        point = [asked.config[axis.name] for axis in self._task.axes]
        return Suggestion(number, point if earlier is None else None, until)


def _parameter(axis: Axis) -> Any:
    if axis.kind == "choice":
        return neps.Categorical(choices=tuple(range(axis.size)))
    if axis.kind == "float":
        return neps.Float(axis.low, axis.high, log=axis.is_log)
    return neps.Integer(int(axis.low), int(axis.high), log=axis.is_log)


def _bayesian(task: Task) -> Neps:
    return Neps(neps.algorithms.bayesian_optimization, task, is_by_epoch=False)


def _priorband(task: Task) -> Neps:
    whole = neps.algorithms.random_search if task.epochs == 1 else neps.algorithms.priorband
    return Neps(whole, task, is_by_epoch=True)


ENGINES: Mapping[str, Callable[[Task], Any]] = {"neps": _bayesian, "neps-priorband": _priorband}
