"""Ax's client, asked and told: its own generation strategy, or the one of `method="quality"`.

It decides itself how many of its initial trials run at once, and waits for data in between.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Literal

from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
from ax.exceptions.core import DataRequiredError, SearchSpaceExhausted
from ax.exceptions.generation_strategy import (
    GenerationStrategyRepeatedPoints,
    MaxParallelismReachedException,
)
from ax.utils.common.logger import set_ax_logger_levels

from .protocol import Axis, Point, Suggestion, Task, columns

set_ax_logger_levels(logging.ERROR)
_NOTHING_NOW = (
    DataRequiredError,
    MaxParallelismReachedException,
    SearchSpaceExhausted,
    GenerationStrategyRepeatedPoints,
)


class Ax:
    """A client; trials are told in the order in which it gave them."""

    def __init__(self, task: Task, method: str | None = None) -> None:
        self._task = task
        self._client = Client(random_seed=task.seed)
        self._client.configure_experiment([_parameter(axis) for axis in task.axes])
        self._client.configure_optimization(objective="-loss")
        options = {**({"method": method} if method else {}), **task.options}
        if options:
            self._client.configure_generation_strategy(**options)
        self._trials: list[int] = []

    def ask(self, count: int) -> list[Suggestion]:
        """Ask for up to so many trials."""
        try:
            trials = self._client.get_next_trials(max_trials=count)
        except _NOTHING_NOW:
            return []
        found = []
        for index, values in trials.items():
            point = [values[axis.name] for axis in self._task.axes]
            found.append(Suggestion(len(self._trials), point, self._task.epochs))
            self._trials.append(index)
        return found

    def tell(self, number: int, epoch: int, loss: float, *, is_over: bool) -> None:
        """Complete a trial."""
        self._client.complete_trial(self._trials[number], raw_data={"loss": loss})

    def add(self, point: Point, loss: float) -> None:
        """Attach a trial and complete it."""
        index = self._client.attach_trial(columns(self._task.axes, point))
        self._client.complete_trial(index, raw_data={"loss": loss})


def _parameter(axis: Axis) -> Any:
    if axis.kind in ("ordered", "choice"):
        is_ordered = axis.kind == "ordered"
        return ChoiceParameterConfig(
            axis.name, list(range(axis.size)), "int", is_ordered=is_ordered
        )
    scaling: Literal["log"] | None = "log" if axis.is_log else None
    if axis.kind == "integer":
        bounds = (int(axis.low), int(axis.high))
        return RangeParameterConfig(axis.name, bounds, "int", scaling=scaling)
    return RangeParameterConfig(axis.name, (axis.low, axis.high), "float", scaling=scaling)


ENGINES: Mapping[str, Callable[[Task], Any]] = {
    "ax": Ax,
    "ax-quality": lambda task: Ax(task, "quality"),
}
