"""Optimisers as arithmetic on rows: every stacked network with its own rates, out of place."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float32
from torch import Tensor

from hpo_research.training.recipe import Recipe, Task
from hpo_research.training.schedules import learning_rates

Moments = tuple[Float32[Tensor, "_ p"], ...]
"""What an optimiser remembers of past gradients, for the rows that it trains."""

Rates = Sequence[Float32[Tensor, "_ 1"]]
"""The numbers of a step, each for every row that the optimiser trains."""


@runtime_checkable
class Optimizer(Protocol):
    """One step for many networks. `moments` names what is remembered; it begins as 0."""

    @property
    def moments(self) -> tuple[str, ...]: ...  # noqa: D102

    def rates(self, recipe: Recipe, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return the numbers of a network's step at a learning rate; steps count from 1."""
        ...

    def update(
        self,
        parameters: Float32[Tensor, "b p"],
        moments: Moments,
        gradient: Float32[Tensor, "b p"],
        rates: Rates,
    ) -> tuple[Float32[Tensor, "b p"], Moments]:
        """Return the parameters and the moments after a step."""
        ...


@dataclass(frozen=True)
class SGD:
    """Gradient descent with momentum, as `torch.optim.SGD`: v ← μv + g + λθ; θ ← θ − ηv.

    Nesterov's form (Sutskever et al., ICML 2013) goes along g + λθ + μv instead of v.
    """

    is_nesterov: bool = False
    moments: tuple[str, ...] = ("velocity",)

    def rates(self, recipe: Recipe, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return −η, μ, λ."""
        return (-learning_rate, recipe.momentum, recipe.weight_decay)

    def update(
        self,
        parameters: Float32[Tensor, "b p"],
        moments: Moments,
        gradient: Float32[Tensor, "b p"],
        rates: Rates,
    ) -> tuple[Float32[Tensor, "b p"], Moments]:
        """Return the parameters and the velocity after a step."""
        descent, momentum, decay = rates
        penalised = torch.addcmul(gradient, parameters, decay)
        velocity = torch.addcmul(penalised, moments[0], momentum)
        direction = velocity
        if self.is_nesterov:
            direction = torch.addcmul(penalised, velocity, momentum, out=penalised)
        return torch.addcmul(parameters, direction, descent), (velocity,)


@dataclass(frozen=True)
class Adam:
    """Adam (arXiv:1412.6980) as `torch.optim.Adam`, or `AdamW` (arXiv:1711.05101): β₂ is 0.999.

    Weight decay is decoupled in AdamW, an L2 penalty in Adam.
    """

    is_decoupled: bool = False
    moments: tuple[str, ...] = ("first_moment", "second_moment")
    second_decay: float = 0.999
    epsilon: float = 1e-8

    def rates(self, recipe: Recipe, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return 1 − β₁, 1 − ηλ or λ, and −η and ε with this step's bias corrections in them."""
        first = 1 - recipe.momentum**step
        second = sqrt(1 - self.second_decay**step)
        decay = recipe.weight_decay
        return (
            1 - recipe.momentum,
            1 - learning_rate * decay if self.is_decoupled else decay,
            -learning_rate * second / first,
            self.epsilon * second,
        )

    def update(
        self,
        parameters: Float32[Tensor, "b p"],
        moments: Moments,
        gradient: Float32[Tensor, "b p"],
        rates: Rates,
    ) -> tuple[Float32[Tensor, "b p"], Moments]:
        """Return the parameters and both moments after a step."""
        mixing, decay, descent, epsilon = rates
        if not self.is_decoupled:
            gradient = torch.addcmul(gradient, parameters, decay)
        first = torch.lerp(moments[0], gradient, mixing)
        second = moments[1] * self.second_decay
        second.addcmul_(gradient, gradient, value=1 - self.second_decay)
        direction = _root(second).add_(epsilon)
        torch.div(first, direction, out=direction)
        kept = parameters * decay if self.is_decoupled else parameters
        return torch.addcmul(kept, direction, descent), (first, second)


@dataclass(frozen=True)
class RMSprop:
    """RMSprop with momentum as `torch.optim.RMSprop`: s ← αs + (1 − α)g²; v ← μv + g/(√s + ε)."""

    moments: tuple[str, ...] = ("second_moment", "velocity")
    smoothing: float = 0.99
    epsilon: float = 1e-8

    def rates(self, recipe: Recipe, learning_rate: float, step: int) -> tuple[float, ...]:
        """Return −η, μ, λ."""
        return (-learning_rate, recipe.momentum, recipe.weight_decay)

    def update(
        self,
        parameters: Float32[Tensor, "b p"],
        moments: Moments,
        gradient: Float32[Tensor, "b p"],
        rates: Rates,
    ) -> tuple[Float32[Tensor, "b p"], Moments]:
        """Return the parameters, the second moment and the velocity after a step."""
        descent, momentum, decay = rates
        penalised = torch.addcmul(gradient, parameters, decay)
        second = moments[0] * self.smoothing
        second.addcmul_(penalised, penalised, value=1 - self.smoothing)
        direction = penalised.div_(_root(second).add_(self.epsilon))
        velocity = torch.addcmul(direction, moments[1], momentum)
        return torch.addcmul(parameters, velocity, descent), (second, velocity)


def _root(x: Float32[Tensor, "b p"]) -> Float32[Tensor, "b p"]:
    # 1/rsqrt is √ here: torch's sqrt on the CPU is many times slower at 0 and at denormals.
    return x.rsqrt().reciprocal_()


OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": SGD(),
    "nesterov": SGD(is_nesterov=True),
    "adam": Adam(),
    "adamw": Adam(is_decoupled=True),
    "rmsprop": RMSprop(),
}


RowGroups = Sequence[tuple[slice, Optimizer]]
"""Which rows of a stack are trained by which optimiser."""


def updated(
    runs: RowGroups,
    parameters: Float32[Tensor, "b p"],
    moments: Sequence[Moments],
    gradient: Float32[Tensor, "b p"],
    rates: Sequence[Rates],
) -> tuple[Float32[Tensor, "b p"], tuple[Moments, ...]]:
    """Take a step with every run of rows; `moments` and `rates` hold one entry a run."""
    if len(runs) == 1:
        moved, known = runs[0][1].update(parameters, moments[0], gradient, rates[0])
        return moved, (known,)
    steps = [
        optimizer.update(parameters[rows], known, gradient[rows], rate)
        for (rows, optimizer), known, rate in zip(runs, moments, rates, strict=True)
    ]
    return torch.cat([rows for rows, _ in steps]), tuple(known for _, known in steps)


def rates_of_steps(
    optimizer: Optimizer, tasks: Sequence[Task], epochs: Sequence[int], steps: int
) -> Float32[Tensor, "s r b 1"]:
    """Return the rates of the next epoch of networks that have done so many epochs each."""
    table = []
    for task, epoch in zip(tasks, epochs, strict=True):
        recipe, done = task.recipe, epoch * steps
        scheduled = learning_rates(task, done, steps)
        table.append(
            [optimizer.rates(recipe, rate, done + i) for i, rate in enumerate(scheduled, start=1)]
        )
    return torch.tensor(table, dtype=torch.float32).permute(1, 2, 0).unsqueeze(-1).contiguous()
