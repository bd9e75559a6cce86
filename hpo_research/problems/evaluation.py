"""How problems evaluate a batch of segments: functions of a point, and epochs in step."""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Protocol, runtime_checkable

import jaxtyping as jt
import torch
from torch import Tensor

from hpo_research.problems.protocol import Evaluation, Problem
from hpo_research.records import Key, Report, Segment
from hpo_research.space import Float, SearchSpace

Point = tuple[float, ...]
Bounds = tuple[tuple[float, float], ...]
Values = Callable[[Tensor], Tensor]
"""n d to n."""


_ROWS = 16  # BoTorch's functions differ in the last bit between one row and many, not from here on


@runtime_checkable
class Analytic(Problem, Protocol):
    """A problem that is a function of a point, defined outside its box too: what a shift moves.

    It is minimised. `minimisers` are points of the box where the optimum is attained, none where
    unknown; the optimum must also hold when the function is shifted with one of them staying in
    the box. `optimum_is_global` says that no point anywhere has a lower value.
    """

    @property
    def bounds(self) -> Bounds: ...  # noqa: D102
    @property
    def minimisers(self) -> tuple[Point, ...]: ...  # noqa: D102
    @property
    def optimum_is_global(self) -> bool: ...  # noqa: D102

    def values(self, x: jt.Float64[Tensor, "n d"]) -> jt.Float64[Tensor, " n"]:
        """Evaluate at any points; a row's value is the same, bit for bit, whatever the others."""
        ...


def box(bounds: Bounds) -> SearchSpace:
    """Return the space of x1, ..., xd over these bounds."""
    return SearchSpace({f"x{i}": Float(low, high) for i, (low, high) in enumerate(bounds, 1)})


def points(space: SearchSpace, segments: Sequence[Segment], device: str) -> Tensor:
    """Stack the segments' configurations of floats. Shape: n d, float64."""
    rows = [[segment.config[name] for name in space.names] for segment in segments]
    x = torch.tensor(rows, dtype=torch.float64, device=device)
    return x.reshape(len(rows), space.dimension)


def padded(f: Values, x: jt.Float64[Tensor, "n d"]) -> jt.Float64[Tensor, "n ..."]:
    """Apply a function of rows with the rows padded to a multiple of 16.

    From 16 rows on, kernels take the same path whatever the number of rows, so that a row's
    value does not depend on its batch-mates.
    """
    n = x.shape[0]
    filler = x[:1].expand(-n % _ROWS, -1)
    return f(torch.cat([x, filler]).contiguous())[:n]


def in_step(segments: Sequence[Segment], report: Callable[[int, int], Report]) -> Evaluation:
    """Yield one epoch of every live segment a step; `report(i, epoch)` gives segment i's report."""
    dropped: set[Key] = set()
    for step in count(1):
        due = [
            (i, segment.start + step)
            for i, segment in enumerate(segments)
            if segment.start + step <= segment.until and segment.key not in dropped
        ]
        if not due:
            return
        dropped.update((yield [report(i, epoch) for i, epoch in due]) or ())


def evaluated(problem: Analytic, segments: Sequence[Segment], device: str) -> Evaluation:
    """Evaluate a function of points for all segments in one tensor call."""
    if not segments:
        return
    values = problem.values(points(problem.space, segments, device)).tolist()

    def report(i: int, epoch: int) -> Report:
        segment = segments[i]
        metrics = {problem.metric: values[i]}
        return Report(segment.run, segment.trial, epoch, metrics, state=dict)

    yield from in_step(segments, report)
