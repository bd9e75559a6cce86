"""Synthetic test functions: BoTorch's own, with exact minima, evaluated for all trials at once."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import jaxtyping as jt
import torch
from botorch.test_functions import synthetic as botorch
from torch import Tensor

from hpo_research import moved
from hpo_research.ambient import ordinary, single
from hpo_research.errors import ProblemError
from hpo_research.options import Mistakes, whole
from hpo_research.problems.evaluation import Bounds, Point, Values, box, evaluated, padded
from hpo_research.problems.naming import name_of
from hpo_research.problems.protocol import Evaluation
from hpo_research.problems.single_epoch import Minimised
from hpo_research.records import Segment
from hpo_research.space import SearchSpace
from hpo_research.text import quoted

_MOST_DIMENSIONS = 10**6


@dataclass(frozen=True)
class Synthetic(Minimised):
    """A test function over its own bounds: hyperparameters x1 to xd, metric `value`, minimised.

    `function` is a name in `FUNCTIONS`. `dimension` None is the function's usual one. `optimum` is
    the minimum of the very function that is evaluated, to the last digits (BoTorch quotes the
    published, rounded ones). Raises `ProblemError`.
    """

    function: str
    dimension: int | None = None
    name: str = ""

    def __post_init__(self) -> None:
        call = f"Synthetic({quoted(self.function)}, dimension={quoted(self.dimension)})"
        known = FUNCTIONS.get(self.function) if isinstance(self.function, str) else None
        if known is None:
            raise ProblemError(f"{call}: expected one of {', '.join(FUNCTIONS)}")
        if self.dimension is None:
            object.__setattr__(self, "dimension", known.dimension)
        rules = {"dimension": whole(known.smallest, known.largest or _MOST_DIMENSIONS)}
        Mistakes.of(self, rules, call).refuse(ProblemError)
        usual = self.dimension == known.dimension
        otherwise = self.function if usual else f"{self.function}-{self.dimension}d"
        object.__setattr__(self, "name", name_of(call, self.name, otherwise))

    @property
    def optimum_is_global(self) -> bool:
        """Whether no point outside the box has a lower value."""
        return FUNCTIONS[self.function].optimum_is_global

    @cached_property
    def bounds(self) -> Bounds:
        """The function's own bounds."""
        return FUNCTIONS[self.function].bounds(self._d)

    @cached_property
    def space(self) -> SearchSpace:
        """x1, ..., xd over the bounds."""
        return box(self.bounds)

    @cached_property
    def minimisers(self) -> tuple[Point, ...]:
        """Every point of the box where the minimum is attained."""
        return FUNCTIONS[self.function].minimisers(self._d)

    @cached_property
    def optimum(self) -> float:
        """The minimum over the box."""
        return FUNCTIONS[self.function].optimum(self._d)

    @ordinary()
    def values(self, x: jt.Float64[Tensor, "n d"]) -> jt.Float64[Tensor, " n"]:
        """Evaluate at any points, also outside the bounds, in one tensor call."""
        return padded(_built(self.function, self._d, str(x.device)), x)

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Evaluate all segments in one tensor call."""
        return evaluated(self, segments, device)

    @property
    def _d(self) -> int:
        return self.dimension or FUNCTIONS[self.function].dimension


@dataclass(frozen=True)
class Function:
    """A test function by dimension: how to build it, its box, and where its minimum lies.

    `dimension` is the usual one; `smallest` and `largest` bound what can be asked for.
    """

    description: str
    build: Callable[[int], Values]
    bounds: Callable[[int], Bounds]
    minimisers: Callable[[int], tuple[Point, ...]]
    optimum: Callable[[int], float]
    dimension: int = 2
    smallest: int = 1
    largest: int | None = None
    optimum_is_global: bool = True


@lru_cache(maxsize=256)
@ordinary()
def _built(function: str, dimension: int, device: str) -> Values:
    f = FUNCTIONS[function].build(dimension)
    return f.to(device) if isinstance(f, torch.nn.Module) else f


def _botorch(cls: Callable[..., torch.nn.Module]) -> Callable[[int], Values]:
    def build(dimension: int) -> Values:
        # Some coefficients are of torch's default dtype, which is the user's.
        everywhere = [(-math.inf, math.inf)] * dimension
        with single():
            return cls(dim=dimension, bounds=everywhere).double()

    return build


def _branin(dim: int, bounds: list[tuple[float, float]]) -> torch.nn.Module:
    return botorch.Branin(bounds=bounds)


def _sphere(dimension: int) -> Values:
    return lambda x: (x * x).sum(dim=-1)


def _cube(low: float, high: float) -> Callable[[int], Bounds]:
    return lambda dimension: ((low, high),) * dimension


def _all(coordinate: float) -> Callable[[int], tuple[Point, ...]]:
    return lambda dimension: ((coordinate,) * dimension,)


def _zero(dimension: int) -> float:
    return 0.0


def _branin_minimisers(dimension: int) -> tuple[Point, ...]:
    return (-math.pi, 12.275), (math.pi, 2.275), (3 * math.pi, 2.475)


def _michalewicz_term(x: float, i: int) -> float:
    return -math.sin(x) * math.sin(i * x * x / math.pi) ** 20


@lru_cache(maxsize=4096)
def _michalewicz_coordinate(i: int) -> float:
    """Return where −sin(x) sin(i x²/π)²⁰ is least on [0, π].

    The second factor has a peak at each π√((k+½)/i), and sin(x) decreases away from π/2, so the
    least value is beside one of the two peaks around π/2; Newton on the logarithm finds it.
    """
    around = math.floor(i / 4 - 0.5)
    best = []
    for k in {min(max(around + step, 0), i - 1) for step in (0, 1)}:
        x = math.pi * math.sqrt((k + 0.5) / i)
        for _ in range(20):
            angle, slope = i * x * x / math.pi, 2 * i * x / math.pi
            first = 1 / math.tan(x) + 20 * slope / math.tan(angle)
            second = -1 / math.sin(x) ** 2 - 20 * (slope / math.sin(angle)) ** 2
            second += 40 * i / math.pi / math.tan(angle)
            x -= first / second
        best.append((_michalewicz_term(x, i), x))
    return min(best)[1]


def _michalewicz_minimisers(dimension: int) -> tuple[Point, ...]:
    return (tuple(_michalewicz_coordinate(i) for i in range(1, dimension + 1)),)


def _michalewicz_optimum(dimension: int) -> float:
    (minimiser,) = _michalewicz_minimisers(dimension)
    return math.fsum(_michalewicz_term(x, i) for i, x in enumerate(minimiser, 1))


# Newton's method at 40 digits on the functions as BoTorch evaluates them: its Hartmann
# coefficients are float32 numbers, which moves the minimum by 1e-7 from the published one.
_HARTMANN3: Point = (0.1145888780216636, 0.5556488938847998, 0.8525469841069018)
_HARTMANN6: Point = (
    0.20168951147428166,
    0.15001069180927995,
    0.4768739718958708,
    0.2753324307506445,
    0.3116516166482795,
    0.6573005342632461,
)
_STYBLINSKI_TANG = -2.903534027771177  # the least root of 4x³ − 32x + 5

FUNCTIONS: dict[str, Function] = {
    "branin": Function(
        "Branin: smooth, three equal minima",
        _botorch(_branin),
        lambda dimension: ((-5.0, 10.0), (0.0, 15.0)),
        _branin_minimisers,
        lambda dimension: 5 / (4 * math.pi),
        smallest=2,
        largest=2,
    ),
    "hartmann3": Function(
        "Hartmann: four Gaussian dips in three dimensions",
        _botorch(botorch.Hartmann),
        _cube(0.0, 1.0),
        lambda dimension: (_HARTMANN3,),
        lambda dimension: -3.862779860974306,
        dimension=3,
        smallest=3,
        largest=3,
    ),
    "hartmann6": Function(
        "Hartmann: four Gaussian dips in six dimensions",
        _botorch(botorch.Hartmann),
        _cube(0.0, 1.0),
        lambda dimension: (_HARTMANN6,),
        lambda dimension: -3.322368004440186,
        dimension=6,
        smallest=6,
        largest=6,
    ),
    "ackley": Function(
        "Ackley: a funnel covered with ripples",
        _botorch(botorch.Ackley),
        _cube(-32.768, 32.768),
        _all(0.0),
        _zero,
    ),
    "levy": Function(
        "Levy: a wavy bowl", _botorch(botorch.Levy), _cube(-10.0, 10.0), _all(1.0), _zero
    ),
    "rosenbrock": Function(
        "Rosenbrock: a long, flat, curved valley",
        _botorch(botorch.Rosenbrock),
        _cube(-5.0, 10.0),
        _all(1.0),
        _zero,
        smallest=2,
    ),
    "michalewicz": Function(
        "Michalewicz: narrow ravines on a plateau",
        _botorch(botorch.Michalewicz),
        _cube(0.0, math.pi),
        _michalewicz_minimisers,
        _michalewicz_optimum,
        optimum_is_global=False,
    ),
    "styblinski-tang": Function(
        "Styblinski-Tang: two wells a dimension, one of them deeper",
        _botorch(botorch.StyblinskiTang),
        _cube(-5.0, 5.0),
        _all(_STYBLINSKI_TANG),
        lambda dimension: -39.16616570377142 * dimension,
    ),
    "griewank": Function(
        "Griewank: a wide bowl with fine regular ripples",
        _botorch(botorch.Griewank),
        _cube(-600.0, 600.0),
        _all(0.0),
        _zero,
    ),
    "rastrigin": Function(
        "Rastrigin: a bowl with a deep dip at every integer",
        _botorch(botorch.Rastrigin),
        _cube(-5.12, 5.12),
        _all(0.0),
        _zero,
    ),
    "sphere": Function("Sphere: the sum of squares", _sphere, _cube(-5.0, 5.0), _all(0.0), _zero),
}

moved.answer_for_old_names(__name__)
