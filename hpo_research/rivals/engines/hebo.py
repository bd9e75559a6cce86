"""HEBO's optimiser, asked and told. It takes no account of what is running."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from hebo.design_space.design_space import DesignSpace
from hebo.optimizers.hebo import HEBO

from .protocol import Axis, Point, Suggestion, Task, columns

torch.set_num_threads(1)


class Hebo:
    """An optimiser; a trial is a row of the data frame that it came with."""

    def __init__(self, task: Task) -> None:
        self._task = task
        space = DesignSpace().parse([_parameter(axis) for axis in task.axes])
        self._optimiser = HEBO(space, scramble_seed=task.seed, **task.options)
        self._asked: list[pd.DataFrame] = []

    def ask(self, count: int) -> list[Suggestion]:
        """Ask for so many rows."""
        rows = self._optimiser.suggest(n_suggestions=count)
        found = []
        for i in range(len(rows)):
            row = rows.iloc[i : i + 1]
            point = [row[axis.name].iloc[0] for axis in self._task.axes]
            found.append(Suggestion(len(self._asked), point, self._task.epochs))
            self._asked.append(row)
        return found

    def tell(self, number: int, epoch: int, loss: float, *, is_over: bool) -> None:
        """Observe a row."""
        self._optimiser.observe(self._asked[number], np.array([[loss]]))

    def add(self, point: Point, loss: float) -> None:
        """Observe a row that was not asked for."""
        row = pd.DataFrame([columns(self._task.axes, point)])
        self._optimiser.observe(row, np.array([[loss]]))


def _parameter(axis: Axis) -> dict[str, Any]:
    if axis.kind == "choice":
        return {"name": axis.name, "type": "cat", "categories": list(range(axis.size))}
    kind = {"float": "num", "integer": "int", "ordered": "int"}[axis.kind]
    if axis.is_log:
        kind = {"num": "pow", "int": "pow_int"}[kind]
    return {"name": axis.name, "type": kind, "lb": axis.low, "ub": axis.high}


ENGINES: Mapping[str, Callable[[Task], Any]] = {"hebo": Hebo}
