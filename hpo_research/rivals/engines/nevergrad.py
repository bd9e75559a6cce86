"""Nevergrad's optimisers, asked and told.

The budget is a guess of 100, since nothing may depend on a run's: NGOpt chooses its algorithm by
it. Workers are as many as the first ask is for. Choices are `Choice`, ordered ones
`TransitionChoice`, logarithmic axes `Log`; integers are rounded by Nevergrad.
"""

from collections.abc import Callable, Mapping
from typing import Any

import nevergrad as ng

from .protocol import Axis, Point, Suggestion, Task

_BUDGET = 100


class Nevergrad:
    """An optimiser of the registry, made at the first call, when the size of a batch is known."""

    def __init__(self, name: str, task: Task) -> None:
        self._name = name
        self._task = task
        self._made: Any = None
        self._asked: list[Any] = []

    def _optimiser(self, workers: int) -> Any:
        if self._made is None:
            space = ng.p.Dict(**{axis.name: _parameter(axis) for axis in self._task.axes})
            space.random_state.seed(self._task.seed)
            options = {"budget": _BUDGET, "num_workers": workers, **self._task.options}
            self._made = ng.optimizers.registry[self._name](parametrization=space, **options)
        return self._made

    def ask(self, count: int) -> list[Suggestion]:
        """Ask for so many candidates."""
        optimiser = self._optimiser(count)
        found = []
        for _ in range(count):
            candidate = optimiser.ask()
            point = [candidate.value[axis.name] for axis in self._task.axes]
            found.append(Suggestion(len(self._asked), point, self._task.epochs))
            self._asked.append(candidate)
        return found

    def tell(self, number: int, epoch: int, loss: float, *, is_over: bool) -> None:
        """Tell a candidate's loss."""
        self._optimiser(1).tell(self._asked[number], loss)

    def add(self, point: Point, loss: float) -> None:
        """Tell a candidate that was not asked for."""
        optimiser = self._optimiser(1)
        values = {axis.name: v for axis, v in zip(self._task.axes, point, strict=True)}
        optimiser.tell(optimiser.parametrization.spawn_child(new_value=values), loss)


def _parameter(axis: Axis) -> Any:
    if axis.kind == "choice":
        return ng.p.Choice(list(range(axis.size)))
    if axis.kind == "ordered":
        return ng.p.TransitionChoice(list(range(axis.size)))
    if axis.is_log:
        number = ng.p.Log(lower=axis.low, upper=axis.high)
    else:
        number = ng.p.Scalar(lower=axis.low, upper=axis.high)
    return number.set_integer_casting() if axis.kind == "integer" else number


ENGINES: Mapping[str, Callable[[Task], Any]] = {
    "nevergrad-ngopt": lambda task: Nevergrad("NGOpt", task),
    "nevergrad-de": lambda task: Nevergrad("DE", task),
}
