"""Wrappers: a problem made noisy, shifted, rotated or discrete. They compose."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cached_property
from typing import Generic, TypeVar

import jaxtyping as jt
import numpy as np
import torch
from torch import Tensor

from hpo_research.errors import ProblemError
from hpo_research.options import Mistakes, number, seed, whole
from hpo_research.problems.evaluation import Analytic, Bounds, Point, evaluated
from hpo_research.problems.naming import add_name
from hpo_research.problems.protocol import Evaluation, Problem
from hpo_research.records import Direction, Key, Report, Segment
from hpo_research.rng import Stream
from hpo_research.space import Categorical, Config, Float, Parameter, SearchSpace

_MARGIN = 0.1  # of a range: a drawn shift keeps the minimiser this far from the bounds
_COUNTABLE = 2**16  # configurations: a grid up to here is searched whole for its optimum
_DIGITS = 13  # decimal digits of a grid's bounds and step, which float64 holds exactly

T = TypeVar("T")


class Inner(Generic[T]):
    """A read-only attribute of a wrapper that is the wrapped problem's own."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, wrapper: object, owner: type | None = None) -> T:
        value: T = getattr(wrapper.problem, self.name)  # type: ignore[attr-defined]
        return value


@dataclass(frozen=True)
class Noisy:
    """Any problem with Gaussian noise of standard deviation `sd` added to its metric.

    The noise is drawn from the trial's own stream at each epoch. Reports carry the value without
    it as metric `noise_free`; `optimum` is the noise-free one, which noisy values may pass.
    Raises `ProblemError`.
    """

    problem: Problem
    sd: float
    name: str = ""

    space = Inner[SearchSpace]()
    metric = Inner[str]()
    direction = Inner[Direction]()
    max_epochs = Inner[int]()
    can_resume = Inner[bool]()
    optimum = Inner[float | None]()
    has_recorded_seconds = Inner[bool]()

    def __post_init__(self) -> None:
        call = f"Noisy({_title(self.problem)}, sd={self.sd!r})"
        _check_problem(call, self.problem)
        Mistakes.of(self, {"sd": number(least=0)}, call).refuse(ProblemError)
        inner: object = self.problem
        while inner is not None:
            if isinstance(inner, Noisy):
                raise ProblemError(f"{call}: the problem is noisy already; use one Noisy")
            inner = getattr(inner, "problem", None)
        add_name(call, self, f"+noise({self.sd:g})")

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Evaluate the inner problem and add noise to each report."""
        streams = {segment.key: segment.stream for segment in segments}

        def disturbed(report: Report) -> Report:
            clean = report.metrics.get(self.metric)
            if clean is None or not math.isfinite(clean):
                return report  # it may say why there is no value
            z = streams[report.key].at("noise", report.epoch).generator().standard_normal()
            noisy = {self.metric: clean + self.sd * float(z)}
            return replace(report, metrics={"noise_free": clean, **report.metrics, **noisy})

        yield from _changed(self.problem.evaluate(segments, device), disturbed)


@dataclass(frozen=True)
class Shifted:
    """A function of points moved inside its own box: f(x − s), over the unchanged bounds.

    `offset` gives s, one number a dimension; or `seed` draws the place where the minimiser comes
    to lie, uniformly over the box less a tenth of each range at either side. A shift that carries
    every known minimiser out of the box is refused, so `optimum` stays the same and is attained
    exactly: f is evaluated at x* + (x − (x* + s)), which is x* where x is the moved minimiser.
    `minimisers` holds that one alone. Where the inner problem knows none, a seed moves the middle
    of the box, and `optimum` is None. Raises `ProblemError`.
    """

    problem: Analytic
    seed: int | None = None
    offset: Point | None = None
    name: str = ""

    space = Inner[SearchSpace]()
    bounds = Inner[Bounds]()
    metric = Inner[str]()
    direction = Inner[Direction]()
    max_epochs = Inner[int]()
    can_resume = Inner[bool]()
    has_recorded_seconds = Inner[bool]()
    optimum_is_global = Inner[bool]()

    def __post_init__(self) -> None:
        call = f"Shifted({_title(self.problem)}, seed={self.seed!r}, offset={self.offset!r})"
        _check_analytic(call, self.problem)
        if (self.seed is None) == (self.offset is None):
            raise ProblemError(f"{call}: expected a seed or an offset, exactly one of them")
        if self.offset is not None:
            offset = _checked_offset(call, self.problem, self.offset)
            object.__setattr__(self, "offset", offset)
            what = ",".join(f"{s:g}" for s in offset)
        else:
            Mistakes.of(self, {"seed": seed}, call).refuse(ProblemError)
            what = f"seed={self.seed}"
        add_name(call, self, f"+shift({what})")

    @cached_property
    def minimisers(self) -> tuple[Point, ...]:
        """Where the minimiser has come to lie; none where the inner problem knows none."""
        return (self._move.point,) if self.problem.minimisers else ()

    @cached_property
    def optimum(self) -> float | None:
        """The inner problem's, at the moved minimiser; None where that is unknown."""
        return self.problem.optimum if self.minimisers else None

    @cached_property
    def _move(self) -> "Move":
        if self.offset is not None:
            return Move(*_shifted_inside(self.problem, self.offset)[0])
        low, high = np.array(self.bounds).T
        unit = Stream(self.seed or 0).at("shift").generator().random(len(low))
        point = low + (_MARGIN + (1 - 2 * _MARGIN) * unit) * (high - low)
        return Move(tuple(point.tolist()), (*self.problem.minimisers, _middle(self.bounds))[0])

    def values(self, x: jt.Float64[Tensor, "n d"]) -> jt.Float64[Tensor, " n"]:
        """Evaluate the inner function at the shifted points."""
        return self.problem.values(self._move.apply(x))

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Evaluate all segments in one tensor call."""
        return evaluated(self, segments, device)


@dataclass(frozen=True)
class Rotated:
    """A function of points turned about the middle of its box, over the unchanged bounds.

    With u = (x − low)/(high − low) − 1/2, f is evaluated where the unit point is Q u. Q is a
    random orthogonal matrix, uniform by Haar measure, drawn from `seed`. The corners of the box
    leave it under Q, and so may a minimiser: `optimum` is kept, and attained exactly, where a
    known minimiser stays inside and no point outside the old box is better (all of the functions
    here but Michalewicz); otherwise it is None. Raises `ProblemError`.
    """

    problem: Analytic
    seed: int
    name: str = ""

    space = Inner[SearchSpace]()
    bounds = Inner[Bounds]()
    metric = Inner[str]()
    direction = Inner[Direction]()
    max_epochs = Inner[int]()
    can_resume = Inner[bool]()
    has_recorded_seconds = Inner[bool]()
    optimum_is_global = Inner[bool]()

    def __post_init__(self) -> None:
        call = f"Rotated({_title(self.problem)}, seed={self.seed!r})"
        _check_analytic(call, self.problem)
        Mistakes.of(self, {"seed": seed}, call).refuse(ProblemError)
        add_name(call, self, f"+rotate(seed={self.seed})")

    @cached_property
    def matrix(self) -> tuple[Point, ...]:
        """The rows of Q."""
        d = len(self.bounds)
        normal = Stream(self.seed).at("rotation").generator().standard_normal((d, d))
        q, r = np.linalg.qr(normal)
        # Signs by the diagonal of R make Q uniform: Mezzadri, Notices of the AMS 54 (2007), 592.
        return tuple(tuple(row) for row in (q * np.sign(np.diag(r))).tolist())

    @cached_property
    def minimisers(self) -> tuple[Point, ...]:
        """A known minimiser that is still inside the box, if the optimum is known."""
        return (self._move.point,) if self.optimum is not None else ()

    @cached_property
    def optimum(self) -> float | None:
        """The inner problem's, None where it is lost."""
        kept = self.optimum_is_global and self._turned_inside
        return self.problem.optimum if kept else None

    @cached_property
    def _turned_inside(self) -> list[tuple[Point, Point]]:
        """Pairs of where a minimiser has come to lie, inside the box, and the minimiser."""
        low, high = np.array(self.bounds).T
        unit = (np.array(self.problem.minimisers).reshape(-1, len(low)) - low) / (high - low) - 0.5
        points = low + (unit @ np.array(self.matrix) + 0.5) * (high - low)
        return _inside(self.bounds, points.tolist(), self.problem.minimisers)

    @cached_property
    def _move(self) -> "Move":
        middle = _middle(self.bounds)
        point, image = (*self._turned_inside, (middle, middle))[0]
        return Move(point, image, tuple(high - low for low, high in self.bounds), self.matrix)

    def values(self, x: jt.Float64[Tensor, "n d"]) -> jt.Float64[Tensor, " n"]:
        """Evaluate the inner function at the turned points."""
        return self.problem.values(self._move.apply(x))

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Evaluate all segments in one tensor call."""
        return evaluated(self, segments, device)


@dataclass(frozen=True)
class Discretised:
    """Any problem on a grid: each continuous parameter gets `steps` equal steps, bounds included.

    On a linear scale that is `Float(low, high, step=(high − low) / steps)`, the bounds and the
    step rounded inwards to 13 digits where they have more; on another scale an ordered
    `Categorical` of the `steps` + 1 values that are equally spaced on it. Parameters that are
    discrete already stay as they are. `optimum` is the inner one where a known minimiser lies on
    the grid, else computed from all points of the grid where they are at most 65,536 points of an
    `Analytic` problem, else None. Raises `ProblemError`.
    """

    problem: Problem
    steps: int
    name: str = ""

    metric = Inner[str]()
    direction = Inner[Direction]()
    max_epochs = Inner[int]()
    can_resume = Inner[bool]()
    has_recorded_seconds = Inner[bool]()

    def __post_init__(self) -> None:
        call = f"Discretised({_title(self.problem)}, steps={self.steps!r})"
        _check_problem(call, self.problem)
        Mistakes.of(self, {"steps": whole()}, call).refuse(ProblemError)
        if self.problem.space.size is not None:
            raise ProblemError(f"{call}: the problem is discrete already; use it as it is")
        for parameter in self.problem.space.parameters.values():
            _stepped(call, parameter, self.steps)
        add_name(call, self, f"+steps({self.steps})")

    @cached_property
    def space(self) -> SearchSpace:
        """The inner space with its continuous parameters stepped."""
        inner = self.problem.space.parameters
        return SearchSpace({name: _stepped(self.name, p, self.steps) for name, p in inner.items()})

    @cached_property
    def optimum(self) -> float | None:
        """The best value on the grid, None where unknown."""
        if not isinstance(self.problem, Analytic):
            return None
        for minimiser in self.problem.minimisers:
            config: Config = dict(zip(self.space.names, minimiser, strict=True))
            if self.space.decode(self.space.encode([config])) == [config]:
                return self.problem.optimum
        if self.space.size is None or self.space.size > _COUNTABLE:
            return None
        columns = [
            torch.tensor([p.value_at(k) for k in range(p.size or 0)], dtype=torch.float64)
            for p in self.space.parameters.values()
        ]
        grid = torch.cartesian_prod(*columns).reshape(-1, len(columns))
        return float(self.problem.values(grid).min())

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Evaluate the inner problem: every point of the grid is a point of its space."""
        return self.problem.evaluate(segments, device)


@dataclass(frozen=True)
class Move:
    """The affine map x ↦ `image` + Q (x − `point`), Q acting in the unit cube; None is a shift.

    It takes `point` to `image` exactly, in floating point too.
    """

    point: Point
    image: Point
    ranges: Point = ()
    matrix: tuple[Point, ...] | None = None

    def apply(self, x: jt.Float64[Tensor, "n d"]) -> jt.Float64[Tensor, "n d"]:
        """Map points; elementwise only, so a row comes out the same, bit for bit, in any batch."""
        move = x - x.new_tensor(self.point)
        if self.matrix is not None:
            ranges = x.new_tensor(self.ranges)
            unit = move / ranges
            turned = torch.zeros_like(unit)
            for j, column in enumerate(zip(*self.matrix, strict=True)):
                turned = turned + unit[:, j : j + 1] * x.new_tensor(column)
            move = turned * ranges
        return x.new_tensor(self.image) + move


def _changed(evaluation: Evaluation, change: Callable[[Report], Report]) -> Evaluation:
    """Yield what the inner evaluation yields with every report changed; pass on what is dropped."""
    dropped: Collection[Key] | None = None
    try:
        while True:
            try:
                reports = evaluation.send(dropped)
            except StopIteration:
                return
            dropped = yield [change(report) for report in reports]
    finally:
        evaluation.close()


def _inside(
    bounds: Bounds, points: Sequence[Sequence[float]], images: Sequence[Point]
) -> list[tuple[Point, Point]]:
    """Return the pairs of a point and its image whose point lies inside the bounds."""
    low, high = np.array(bounds).T
    pairs = zip(points, images, strict=True)
    return [(tuple(p), image) for p, image in pairs if ((low <= p) & (p <= high)).all()]


def _shifted_inside(problem: Analytic, offset: Point) -> list[tuple[Point, Point]]:
    points = [[x + s for x, s in zip(p, offset, strict=True)] for p in problem.minimisers]
    return _inside(problem.bounds, points, problem.minimisers)


def _middle(bounds: Bounds) -> Point:
    return tuple((low + high) / 2 for low, high in bounds)


def _stepped(call: str, parameter: Parameter, steps: int) -> Parameter:
    """Return the parameter in equal steps on its scale, itself where it is finite."""
    if not isinstance(parameter, Float) or parameter.size is not None:
        return parameter
    if parameter.resolved.name != "linear":
        return Categorical(tuple(parameter.decode(np.linspace(0, 1, steps + 1))), ordered=True)
    largest = Decimal(max(abs(parameter.low), abs(parameter.high)))
    quantum = Decimal(1).scaleb(largest.adjusted() + 1 - _DIGITS)
    low = Decimal(repr(parameter.low)).quantize(quantum, ROUND_CEILING)
    step = ((Decimal(repr(parameter.high)) - low) / steps).quantize(quantum, ROUND_FLOOR)
    if step <= 0:
        raise ProblemError(f"{call}: {parameter} is too narrow for so many steps; use fewer")
    return Float(float(low), float(low + steps * step), step=float(step))


def _title(problem: object) -> str:
    return problem.name if isinstance(problem, Problem) else repr(problem)


def _check_problem(call: str, problem: object) -> None:
    if not isinstance(problem, Problem):
        raise ProblemError(f"{call}: expected a problem, such as problem('branin')")


def _check_analytic(call: str, problem: object) -> None:
    _check_problem(call, problem)
    if not isinstance(problem, Analytic):
        raise ProblemError(f"{call}: expected a function of points; move it before other wrappers")


def _checked_offset(call: str, problem: Analytic, offset: Sequence[float]) -> Point:
    d = len(problem.bounds)
    if not isinstance(offset, Sequence) or [number()(s) for s in offset] != [""] * d:
        raise ProblemError(f"{call}: offset must be {d} finite numbers, got {offset!r}")
    numbers = tuple(float(s) for s in offset)
    if not problem.minimisers:
        raise ProblemError(f"{call}: no minimiser is known that must stay inside; give a seed")
    if not _shifted_inside(problem, numbers):
        what = f"the minimiser {problem.minimisers[0]} out of {problem.bounds}"
        raise ProblemError(f"{call}: the offset carries {what}; use a smaller one")
    return numbers
