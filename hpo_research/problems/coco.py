"""COCO's noiseless functions, of floats and with integers: BBOB and BBOB-MIXINT.

BBOB: Hansen, Finck, Ros and Auger, INRIA RR-6829 (2009), and Hansen et al., Optimization Methods
and Software 36 (2021). BBOB-MIXINT: Tušar, Brockhoff and Hansen, GECCO 2019. Both are computed by
COCO itself, the package coco-experiment; nothing is downloaded.
"""

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import jaxtyping as jt
import numpy as np
import torch
from torch import Tensor

from hpo_research.errors import MissingPackageError, ProblemError
from hpo_research.options import Mistakes, Rule, is_integer, whole
from hpo_research.problems.evaluation import Bounds, Point, box
from hpo_research.problems.naming import name_of
from hpo_research.problems.protocol import Evaluation
from hpo_research.problems.single_epoch import Minimised, one_by_one
from hpo_research.records import Segment
from hpo_research.space import Float, Integer, Parameter, SearchSpace
from hpo_research.text import quoted

MOST_INSTANCES = 10**5 - 1
"""COCO seeds an instance's draws with ten thousand times its number, which then fits 31 bits."""

MOST_DIMENSIONS = 40
"""As in COCO's own suite: its rotations are made in buffers for no more than 44."""

MIXINT_DIMENSIONS = (5, 10, 20, 40)
"""Multiples of five; from 50 on COCO takes other, large-scale functions."""

_ARITIES = (2, 4, 8, 16, 0)


class OverBox(Minimised):
    """A function of COCO over [−5, 5]ᵈ: x1 to xd."""

    dimension: int

    @property
    def bounds(self) -> Bounds:
        """[−5, 5] in every dimension."""
        return ((-5.0, 5.0),) * self.dimension

    @cached_property
    def space(self) -> SearchSpace:
        """x1, ..., xd over [−5, 5]."""
        return box(self.bounds)


@dataclass(frozen=True)
class Bbob(OverBox):
    """A noiseless BBOB function, 1 to 24, over [−5, 5]ᵈ: x1 to xd, metric `value`, minimised.

    `instance` shifts and rotates the function; it has to be named, since COCO's default suite holds
    others from year to year. `optimum` is COCO's own. Points outside of the box have values too.
    Raises `ProblemError`, and `MissingPackageError` without coco-experiment when it is first
    computed.
    """

    function: int
    instance: int
    dimension: int
    name: str = ""

    def __post_init__(self) -> None:
        check(self, "bbob", {"function": whole(1, 24), "dimension": whole(2, MOST_DIMENSIONS)})

    @cached_property
    def optimum(self) -> float:
        """The least value, as COCO knows it."""
        return float(bare(self.function, self.dimension, self.instance).best_value())

    @cached_property
    def minimiser(self) -> Point:
        """A point of the box where the optimum is attained."""
        known = bare(self.function, self.dimension, self.instance)
        return tuple(map(float, known.best_parameter()))

    @property
    def minimisers(self) -> tuple[Point, ...]:
        """The known minimiser."""
        return (self.minimiser,)

    @property
    def optimum_is_global(self) -> bool:
        """Yes: outside of the box penalties are added to values that are no lower."""
        return True

    def value(self, config: dict[str, Any]) -> float:
        """Evaluate one configuration."""
        return self.at([config[name] for name in self.space.names])

    def at(self, point: Sequence[float]) -> float:
        """Evaluate one point, inside the box or not."""
        known = bare(self.function, self.dimension, self.instance)
        return float(known(np.array(point, dtype=float)))

    def values(self, x: jt.Float64[Tensor, "n d"]) -> jt.Float64[Tensor, " n"]:
        """Evaluate any points, one by one on the CPU."""
        return torch.tensor([self.at(point) for point in x.tolist()], dtype=x.dtype).to(x.device)

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Evaluate the segments one by one; COCO computes on the CPU."""
        yield from one_by_one(segments, lambda segment: {"value": self.value(segment.config)})


@dataclass(frozen=True)
class MixedInteger(Minimised):
    """A BBOB-MIXINT function, 1 to 24: integers of 2, 4, 8 and 16 values, then as many floats.

    `dimension` is 5, 10, 20 or 40; a fifth of the parameters has each number of values, the last
    fifth lies over [−5, 5]. COCO moves the grids so that the optimum is on them, and scales the
    function. `optimum` is its value there. Raises `ProblemError`, and `MissingPackageError` when
    it is first computed.
    """

    function: int
    instance: int
    dimension: int
    name: str = ""

    def __post_init__(self) -> None:
        dimension = one_of_dimensions(MIXINT_DIMENSIONS)
        check(self, "bbob-mixint", {"function": whole(1, 24), "dimension": dimension})

    @cached_property
    def space(self) -> SearchSpace:
        """x1, ..., xd: integers from 0, and floats over [−5, 5]."""
        made: dict[str, Parameter] = {}
        for i, arity in enumerate(self._arities, 1):
            made[f"x{i}"] = Integer(0, arity - 1) if arity else Float(-5.0, 5.0)
        return SearchSpace(made)

    @cached_property
    def minimiser(self) -> Point:
        """The point of the space to which COCO has moved the minimum."""
        inner = bare(self.function, self.dimension, self.instance).best_parameter().tolist()
        return tuple(
            float(_on_grid(x, arity)) if arity else x
            for x, arity in zip(inner, self._arities, strict=True)
        )

    @cached_property
    def optimum(self) -> float:
        """The value at the minimiser."""
        return self._at(self.minimiser)

    def value(self, config: dict[str, Any]) -> float:
        """Evaluate one configuration."""
        return self._at([config[name] for name in self.space.names])

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Evaluate the segments one by one; COCO computes on the CPU."""
        yield from one_by_one(segments, lambda segment: {"value": self.value(segment.config)})

    def _at(self, point: Sequence[float]) -> float:
        held = in_suite("bbob-mixint", self.function, self.dimension, self.instance)
        return float(held.problem(np.array(point, dtype=float)))

    @property
    def _arities(self) -> tuple[int, ...]:
        return tuple(arity for arity in _ARITIES for _ in range(self.dimension // 5))


def _on_grid(x: float, arity: int) -> int:
    """Return the integer nearest to a coordinate, as COCO rounds it: halves go up.

    The integers 0 to k − 1 stand for k places that divide [−4, 4] into k + 1 equal parts.
    """
    low, high = -4 + 8 / (arity + 1), 4 - 8 / (arity + 1)
    nearest = math.floor((arity - 1) * (x - low) / (high - low) + 1e-7 + 0.5)
    return min(max(nearest, 0), arity - 1)


def one_of_dimensions(dimensions: Sequence[int]) -> Rule:
    """Return the rule of a dimension that is one of a few."""
    words = f"one of {', '.join(map(str, dimensions))}"
    return lambda value: "" if is_integer(value) and value in dimensions else words


def check(problem: Any, suite: str, rules: Mapping[str, Rule]) -> None:
    """Check the fields that COCO's problems share, and name the problem. Raises `ProblemError`."""
    given = (problem.function, problem.instance, problem.dimension)
    call = f"{type(problem).__name__}({', '.join(map(quoted, given))})"
    rules = {**rules, "instance": whole(1, MOST_INSTANCES)}
    Mistakes.of(problem, rules, call).refuse(ProblemError)
    where = f"i{problem.instance:02}-d{problem.dimension:02}"
    name = name_of(call, problem.name, f"{suite}-f{problem.function:02}-{where}")
    object.__setattr__(problem, "name", name)


def cocoex() -> Any:
    """Return the package coco-experiment. Raises `MissingPackageError`."""
    try:
        return importlib.import_module("cocoex")
    except ImportError as error:
        raise MissingPackageError(
            "BBOB's functions come with coco-experiment; install it: "
            "pip install 'hpo_research[suites]'"
        ) from error


@lru_cache(maxsize=1024)
def bare(function: int, dimension: int, instance: int) -> Any:
    """Return COCO's own noiseless function; the same arguments give the same object."""
    return cocoex().BareProblem("bbob", function, dimension, instance)


@dataclass(frozen=True, eq=False)
class Held:
    """A function of a suite of COCO's, with the suite, which has to live as long as it does."""

    suite: Any
    problem: Any


@lru_cache(maxsize=1024)
def in_suite(suite: str, function: int, dimension: int, instance: int) -> Held:
    """Return a function of one of COCO's other suites; the same arguments give the same object.

    `function` is its index in the suite, from 1.
    """
    which = f"dimensions: {dimension} function_indices: {function}"
    made = cocoex().Suite(suite, f"instances: {instance}", which)
    return Held(made, made.get_problem(0))
