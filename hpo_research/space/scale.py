"""The scales of a numeric hyperparameter: a monotone map and its inverse."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Map = Callable[[Any], Any]
"""Elementwise on NumPy arrays and scalars."""


@dataclass(frozen=True)
class Scale:
    """A non-decreasing map from values to a line on which they are uniform, and its inverse.

    `domain` is the open interval on which the map is defined. `lowest` is the least bound that
    makes sense on it; `rule` says in words what bounds must be.
    """

    name: str
    forward: Map
    backward: Map
    domain: tuple[float, float]
    rule: str
    lowest: float = -np.inf

    def is_defined_on(self, low: float, high: float) -> bool:
        """Whether both bounds lie inside the scale's domain."""
        return self.domain[0] < low and self.lowest <= low and high < self.domain[1]


def _identity(x: Any) -> Any:
    return x


def _reverse_log(x: Any) -> Any:
    return -np.log1p(-x)


def _reverse_exp(s: Any) -> Any:
    return -np.expm1(-s)


_INFINITE = (-np.inf, np.inf)
LINEAR = Scale("linear", _identity, _identity, _INFINITE, "any bounds")
LOG = Scale("log", np.log, np.exp, (0.0, np.inf), "bounds above 0")
REVERSE_LOG = Scale(
    "reverse_log",
    _reverse_log,
    _reverse_exp,
    (-np.inf, 1.0),
    "bounds from 0 to below 1",
    lowest=0.0,
)
SCALES = {scale.name: scale for scale in (LINEAR, LOG, REVERSE_LOG)}


def resolve(name: str, low: float, high: float) -> Scale:
    """Return the scale of that name; `auto` is log when low > 0 and high ≥ 100 × low."""
    if name == "auto":
        return LOG if low > 0 and high >= 100 * low else LINEAR
    return SCALES[name]
