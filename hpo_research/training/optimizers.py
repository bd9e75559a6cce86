"""Optimisers as arithmetic on rows: every stacked network with its own rates, out of place."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float32
from torch import Tensor

from hpo_research.training.recipe import Recipe

Moments = tuple[Float32[Tensor, "_ p"], ...]
"""What an optimiser remembers of past gradients, for the rows that it trains."""

Rates = Sequence[Float32[Tensor, "_ 1"]]
"""The numbers of a step, each for every row that the optimiser trains."""


@runtime_checkable
class Optimizer(Protocol):
    """One step for many networks. `moments` names what is remembered; it begins as 0."""

    @property
    def moments(self) -> tuple[str, ...]: ...  # noqa: D102

    def rates(self, recipe: Recipe, step: int) -> tuple[float, ...]:
        """Return the numbers that a network's step needs; steps count from 1."""
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
    """Gradient descent with momentum, as `torch.optim.SGD`: v ← μv + g + λθ; θ ← θ − ηv."""

    moments: tuple[str, ...] = ("velocity",)

    def rates(self, recipe: Recipe, step: int) -> tuple[float, ...]:
        """Return −η, μ, λ: the same at every step."""
        return (-recipe.learning_rate, recipe.momentum, recipe.weight_decay)

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
        return torch.addcmul(parameters, velocity, descent), (velocity,)


@dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay (arXiv:1711.05101), as `torch.optim.AdamW`; β₂ is 0.999."""

    moments: tuple[str, ...] = ("first_moment", "second_moment")
    second_decay: float = 0.999
    epsilon: float = 1e-8

    def rates(self, recipe: Recipe, step: int) -> tuple[float, ...]:
        """Return 1 − β₁, 1 − ηλ, and −η and ε with the bias corrections of this step in them."""
        first = 1 - recipe.momentum**step
        second = sqrt(1 - self.second_decay**step)
        return (
            1 - recipe.momentum,
            1 - recipe.learning_rate * recipe.weight_decay,
            -recipe.learning_rate * second / first,
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
        mixing, shrinkage, descent, epsilon = rates
        first = torch.lerp(moments[0], gradient, mixing)
        second = moments[1] * self.second_decay
        second.addcmul_(gradient, gradient, value=1 - self.second_decay)
        # 1/rsqrt is √ here: torch's sqrt on the CPU is many times slower at 0 and at denormals.
        direction = second.rsqrt().reciprocal_().add_(epsilon)
        torch.div(first, direction, out=direction)
        return (parameters * shrinkage).addcmul_(direction, descent), (first, second)


OPTIMIZERS: dict[str, Optimizer] = {"adamw": AdamW(), "sgd": SGD()}


Runs = Sequence[tuple[slice, Optimizer]]
"""Which rows of a stack are trained by which optimiser."""


def updated(
    runs: Runs,
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


def schedule(
    optimizer: Optimizer,
    recipes: Sequence[Recipe],
    done: Sequence[int],
    steps: int,
    device: torch.device,
) -> list[Rates]:
    """Return the rates of the next steps of networks that have done so many each."""
    table = [
        [optimizer.rates(recipe, before + step) for step in range(1, steps + 1)]
        for recipe, before in zip(recipes, done, strict=True)
    ]
    columns = torch.tensor(table, device=device).permute(1, 2, 0).unsqueeze(-1).contiguous()
    each = columns.shape[1]
    flat = columns.flatten(0, 1).unbind()
    return [flat[begin : begin + each] for begin in range(0, len(flat), each)]
