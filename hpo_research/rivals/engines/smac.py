"""SMAC's facades, asked and told that the function is deterministic.

The budget is that of its `Scenario`, 100 trials unless the option `n_trials` says otherwise: from
it SMAC takes the length of its initial design, and nothing may depend on a run's. The
multi-fidelity facade trains from one epoch to the last; a configuration that it asks for again is
the same trial, trained on. What is known already of one that it asks for is told at once.
"""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import smac
from ConfigSpace import Configuration
from smac.main.exceptions import ConfigurationSpaceExhaustedException
from smac.runhistory.dataclasses import TrialInfo, TrialValue

from .configurations import space_of
from .losses import Losses
from .protocol import Point, Suggestion, Task, columns

_PLANNED = ("n_trials",)
"""Options of the `Scenario`; the others are the facade's."""
_MOST = 1000
"""How often SMAC may ask for what is known already before it counts as waiting."""


class Smac:
    """A facade, the numbers of its configurations, and what is known of them by epoch."""

    def __init__(self, facade: str, task: Task, *, is_by_epoch: bool = False) -> None:
        self._task = task
        self._is_by_epoch = is_by_epoch
        self._space = space_of(task.axes, task.seed)
        self._folder = tempfile.TemporaryDirectory(prefix="hpo-")
        options = dict(task.options)
        planned = {key: options.pop(key) for key in _PLANNED if key in options}
        budgets = {"min_budget": 1, "max_budget": task.epochs} if is_by_epoch else {}
        scenario = smac.Scenario(
            self._space,
            deterministic=True,
            seed=task.seed,
            output_directory=Path(self._folder.name),
            **planned,
            **budgets,
        )
        self._facade = getattr(smac, facade)(
            scenario,
            _never_until if is_by_epoch else _never,
            overwrite=True,
            logging_level=False,
            **options,
        )
        self._numbers: dict[Any, int] = {}
        self._running: dict[int, Any] = {}
        self._losses = Losses()

    def ask(self, count: int) -> list[Suggestion]:
        """Ask for one trial after the other."""
        found: list[Suggestion] = []
        for _ in range(_MOST):
            if len(found) == count:
                break
            try:
                info = self._facade.ask()
            except (StopIteration, ConfigurationSpaceExhaustedException):
                break
            number, until = self._numbers.get(info.config), self._until(info)
            if number is not None and not self._is_new(number, until):
                cost = self._losses.at(number, until)
                if cost is not None and number not in self._running:
                    self._say(info, cost)
                continue
            point = None
            if number is None:
                number = self._numbers[info.config] = len(self._numbers)
                point = [info.config[axis.name] for axis in self._task.axes]
            self._running[number] = info
            found.append(Suggestion(number, point, until))
        return found

    def tell(self, number: int, epoch: int, loss: float, *, is_over: bool) -> None:
        """Tell a trial's cost."""
        self._losses.add(number, epoch, loss, is_over=is_over)
        self._say(self._running.pop(number), loss)

    def add(self, point: Point, loss: float) -> None:
        """Tell a trial that was not asked for."""
        config = Configuration(self._space, values=columns(self._task.axes, point))
        budget = float(self._task.epochs) if self._is_by_epoch else None
        self._say(TrialInfo(config, seed=0, budget=budget), loss)

    def _until(self, info: Any) -> int:
        return round(info.budget) if self._is_by_epoch else self._task.epochs

    def _is_new(self, number: int, until: int) -> bool:
        return number not in self._running and self._losses.can_reach(number, until)

    def _say(self, info: Any, cost: float) -> None:
        self._facade.tell(info, TrialValue(cost=cost), save=False)


def _never(config: Any, seed: int = 0) -> float:
    raise RuntimeError("SMAC is asked and told; it evaluates nothing itself")


def _never_until(config: Any, seed: int = 0, budget: float = 0) -> float:
    return _never(config, seed)


ENGINES: Mapping[str, Callable[[Task], Any]] = {
    "smac-rf": lambda task: Smac("HyperparameterOptimizationFacade", task),
    "smac-gp": lambda task: Smac("BlackBoxFacade", task),
    "smac-hyperband": lambda task: Smac("MultiFidelityFacade", task, is_by_epoch=True),
}
