"""BBOB-NOISY: eight of COCO's functions under three kinds of noise, with their noise-free values.

Hansen, Finck, Ros and Auger, INRIA RR-6869 (2009), as coco-experiment computes it. COCO draws its
noise from one stream for all functions, in the order of the calls; here a trial draws it from its
own, so that neither batch-mates nor a resumed experiment change it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from hpo_research.options import whole
from hpo_research.problems.coco import MOST_DIMENSIONS, OverBox, bare, check
from hpo_research.problems.coco_draws import place, rotation
from hpo_research.problems.evaluation import Point
from hpo_research.problems.protocol import Evaluation
from hpo_research.problems.single_epoch import one_by_one
from hpo_research.records import Segment

_OFFSET = 1.01e-8  # added by COCO, so that noise cannot reach its hardest target
_BASES = (1, 8, 1, 8, 7, 10, 14, 17, 19, 21)  # BBOB's function for each three
_ELLIPSOID, _VALLEY = 10, 19  # with a conditioning, and with a factor, other than in BBOB
_WEAK = 106  # up to here noise is a hundredth of what it is beyond


@dataclass(frozen=True)
class NoisyBbob(OverBox):
    """A BBOB-NOISY function, 101 to 130, over [−5, 5]ᵈ: x1 to xd, metric `value`, minimised.

    Of three functions in a row the first has log-normal noise, the second a noise of uniform draws
    that grows without bound towards the optimum, the third rare Cauchy outliers; from 101 to 106 it
    is moderate. Reports carry the value without it as `noise_free`; `optimum` is that of the
    noise-free function. With moderate or strong Cauchy noise, COCO adds 10 or 1000 to every value.
    Raises `ProblemError`, and `MissingPackageError` when it is first computed.
    """

    function: int
    instance: int
    dimension: int
    name: str = ""

    def __post_init__(self) -> None:
        rules = {"function": whole(101, 130), "dimension": whole(2, MOST_DIMENSIONS)}
        check(self, "bbob-noisy", rules)

    @cached_property
    def optimum(self) -> float:
        """The least value without noise, as COCO knows it."""
        return float(self._base.best_value())

    @cached_property
    def minimiser(self) -> Point:
        """A point of the box where the optimum is attained."""
        return tuple(map(float, self._base.best_parameter()))

    def noise_free(self, config: dict[str, Any]) -> float:
        """Return the value of a configuration without noise."""
        x = np.array([config[name] for name in self.space.names], dtype=float)
        if self._number == _ELLIPSOID:
            return self.optimum + _ellipsoid(x, self.instance)
        value = float(self._base(x))
        if self._number == _VALLEY:
            return self.optimum + (value - self.optimum) / 10
        return value

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Evaluate the segments one by one; COCO computes on the CPU."""
        yield from one_by_one(segments, self._metrics)

    def _metrics(self, segment: Segment) -> dict[str, float]:
        clean = self.noise_free(segment.config)
        draws = segment.stream.at("coco noise", segment.start + 1).generator()
        noisy = self._noise(clean - self.optimum, draws)
        return {"value": self.optimum + noisy + _OFFSET, "noise_free": clean}

    def _noise(self, regret: float, draws: np.random.Generator) -> float:
        """Return a regret with the noise of the function's kind."""
        weak, kind = self.function <= _WEAK, (self.function - 101) % 3
        if kind == 0:
            return log_normal(regret, 0.01 if weak else 1.0, draws.standard_normal())
        if kind == 1:
            alpha = (0.01 if weak else 1.0) * (0.49 + 1 / self.dimension)
            return growing(regret, alpha, 0.01 if weak else 1.0, *draws.random(2))
        is_outlier = draws.random() < (0.05 if weak else 0.2)
        numerator, denominator = draws.standard_normal(2)
        ratio = numerator / abs(denominator + 1e-199) if is_outlier else 0.0
        return with_outlier(regret, 0.01 if weak else 1.0, ratio)

    @property
    def _number(self) -> int:
        return _BASES[(self.function - 101) // 3]

    @property
    def _base(self) -> Any:
        return bare(self._number, self.dimension, self.instance)


def _ellipsoid(x: Float[np.ndarray, " d"], instance: int) -> float:
    """Return BBOB's rotated ellipsoid (f10) with a conditioning of 10⁴ in the place of 10⁶."""
    seed, d = _ELLIPSOID + 10_000 * instance, len(x)
    turned = _turns(d, seed + 1_000_000) @ (x - np.array(place(d, seed)))
    z = [_oscillated(float(coordinate)) for coordinate in turned]
    return math.fsum(1e4 ** (i / (d - 1)) * zi * zi for i, zi in enumerate(z))


def _oscillated(x: float) -> float:
    """Return T_osz of RR-6829, section 0.2: small smooth irregularities."""
    if x == 0:
        return 0.0
    first, second = (10.0, 7.9) if x > 0 else (5.5, 3.1)
    level = math.log(abs(x))
    waves = math.sin(first * level) + math.sin(second * level)
    return math.copysign(math.exp(level + 0.049 * waves), x)


@lru_cache(maxsize=64)
def _turns(dimension: int, seed: int) -> Float[np.ndarray, "d d"]:
    return rotation(dimension, seed)


def log_normal(regret: float, beta: float, z: float) -> float:
    """Return f exp(β z), RR-6869, equation 1: z is standard normal."""
    return regret * math.exp(beta * z)


def growing(regret: float, alpha: float, beta: float, first: float, second: float) -> float:
    """Return f u₁^β max(1, (10⁹ / f)^(α u₂)), equation 2: u₁ and u₂ are uniform on (0, 1)."""
    return float(regret * first**beta * max(1.0, (1e9 / (regret + 1e-99)) ** (alpha * second)))


def with_outlier(regret: float, alpha: float, ratio: float) -> float:
    """Return f + α max(0, 1000 + c), equation 3: c is a Cauchy draw, or mostly 0."""
    return regret + alpha * max(0.0, 1000.0 + ratio)
