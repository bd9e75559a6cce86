"""The loop of BoTorch's tutorial "Closed-loop batch, constrained BO", without the constraint.

2d scrambled Sobol points, then a `SingleTaskGP` with its default priors and `Standardize`, fitted
anew for every batch, and `qLogNoisyExpectedImprovement` with 128 Sobol samples, maximised jointly
from 10 restarts out of 512 raw samples (`batch_limit` 5, `maxiter` 200). What is running is
pending. Where hyperparameters have few values, its documentation has `MixedSingleTaskGP` for
choices and `optimize_acqf_mixed_alternating`, with the same restarts and raw samples.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models.gp_regression import SingleTaskGP
from botorch.models.gp_regression_mixed import MixedSingleTaskGP
from botorch.models.transforms import Standardize
from botorch.optim.optimize import optimize_acqf
from botorch.optim.optimize_mixed import optimize_acqf_mixed_alternating
from botorch.sampling.normal import SobolQMCNormalSampler
from botorch.utils.sampling import draw_sobol_samples
from gpytorch.mlls import ExactMarginalLogLikelihood

from .protocol import Axis, Point, Suggestion, Task

_FEW = 1000
"""Integers of more values than this are chosen as numbers and rounded."""


class BoTorch:
    """Rows of `x` are in the unit cube, choices as 0, 1, 2, ...; `y` is the negated loss."""

    def __init__(self, task: Task) -> None:
        self._task = task
        axes = task.axes
        self._choices = {j: list(range(a.size)) for j, a in enumerate(axes) if a.kind == "choice"}
        self._discrete = {
            j: [_unit(axis, value) for value in range(int(axis.low), int(axis.high) + 1)]
            for j, axis in enumerate(axes)
            if axis.kind in ("integer", "ordered") and axis.size <= _FEW
        }
        top = [float(a.high) if a.kind == "choice" else 1.0 for a in axes]
        self._bounds = torch.tensor([[0.0] * len(axes), top], dtype=torch.float64)
        cube = torch.tensor([[0.0] * len(axes), [1.0] * len(axes)], dtype=torch.float64)
        count = task.options.get("initial", 2 * len(axes))
        start = draw_sobol_samples(cube, n=count, q=1, seed=task.seed).squeeze(1)
        self._design = [self._drawn(row) for row in start.tolist()]
        self._asked: list[Point] = []
        self._losses: dict[int, float] = {}
        self._others: list[tuple[Point, float]] = []

    def ask(self, count: int) -> list[Suggestion]:
        """Take the next points of the design, or fit and maximise."""
        left = self._design[len(self._asked) :][:count]
        if not left and len(self._losses) + len(self._others) < 2:
            return []
        points = left or [self._point(row) for row in self._chosen(count).tolist()]
        first, until = len(self._asked), self._task.epochs
        self._asked += points
        return [Suggestion(first + i, point, until) for i, point in enumerate(points)]

    def tell(self, number: int, epoch: int, loss: float, *, is_over: bool) -> None:
        """Keep a loss."""
        self._losses[number] = loss

    def add(self, point: Point, loss: float) -> None:
        """Keep a trial of others."""
        self._others.append((point, loss))

    def _chosen(self, count: int) -> torch.Tensor:
        own = [(self._asked[number], loss) for number, loss in sorted(self._losses.items())]
        known = [*self._others, *own]
        x = self._rows([point for point, _ in known])
        y = -torch.tensor([[loss] for _, loss in known], dtype=torch.float64)
        scaled = Standardize(m=1)
        if self._choices:
            model = MixedSingleTaskGP(x, y, list(self._choices), outcome_transform=scaled)
        else:
            model = SingleTaskGP(x, y, outcome_transform=scaled)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        running = [p for i, p in enumerate(self._asked) if i not in self._losses]
        acquisition = qLogNoisyExpectedImprovement(
            model=model,
            X_baseline=x,
            sampler=SobolQMCNormalSampler(torch.Size([128])),
            prune_baseline=True,
            X_pending=self._rows(running) if running else None,
        )
        common: dict[str, Any] = {"num_restarts": 10, "raw_samples": 512}
        if not self._choices and not self._discrete:
            options: dict[str, bool | float | int | str] = {"batch_limit": 5, "maxiter": 200}
            return optimize_acqf(acquisition, self._bounds, q=count, options=options, **common)[
                0
            ].detach()
        return optimize_acqf_mixed_alternating(
            acquisition,
            self._bounds,
            discrete_dims=self._discrete,
            cat_dims=self._choices,
            q=count,
            **common,
        )[0].detach()

    # -- points and rows

    def _rows(self, points: list[Point]) -> torch.Tensor:
        axes = self._task.axes
        rows = [[_unit(a, v) for a, v in zip(axes, point, strict=True)] for point in points]
        return torch.tensor(rows, dtype=torch.float64)

    def _drawn(self, row: list[float]) -> Point:
        """Return a point of the unit cube, every value of an axis as likely as the others."""
        return [
            u if a.kind == "float" else min(int(u * a.size), a.size - 1) + int(a.low)
            for a, u in zip(self._task.axes, self._evenly(row), strict=True)
        ]

    def _evenly(self, row: list[float]) -> list[float]:
        """Put floats on their scale, and leave of logarithmic integers their place on it."""
        even = []
        for axis, u in zip(self._task.axes, row, strict=True):
            value = _value(axis, u) if axis.kind == "float" or axis.is_log else u
            if axis.kind == "integer" and axis.is_log:
                value = (value - axis.low) / axis.size
            even.append(value)
        return even

    def _point(self, row: list[float]) -> Point:
        return [
            round(u) if axis.kind == "choice" else _value(axis, u)
            for axis, u in zip(self._task.axes, row, strict=True)
        ]


def _unit(axis: Axis, value: Any) -> float:
    if axis.kind == "choice":
        return float(value)
    if axis.is_log:
        low, high = math.log(axis.low), math.log(axis.high)
        return (math.log(value) - low) / (high - low)
    return float((value - axis.low) / (axis.high - axis.low))


def _value(axis: Axis, u: float) -> Any:
    if axis.is_log:
        low, high = math.log(axis.low), math.log(axis.high)
        value = math.exp(low + u * (high - low))
    else:
        value = axis.low + u * (axis.high - axis.low)
    value = min(max(value, axis.low), axis.high)
    return value if axis.kind == "float" else round(value)


ENGINES: Mapping[str, Callable[[Task], Any]] = {"botorch": BoTorch}
