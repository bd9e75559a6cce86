"""Bins: how finitely many equally stepped values share the unit interval on a scale."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hpo_research.space.scale import LINEAR, Scale

_MOST = 2**50  # up to here the middles of linear bins are told apart in float64
_EPS = float(np.finfo(float).eps)


def clamped(unit: np.ndarray) -> np.ndarray:
    """Return points brought into [0, 1]; NaN is taken for 0."""
    return np.asarray(np.fmin(np.fmax(unit, 0.0), 1.0))


@dataclass(frozen=True)
class Bins:
    """The bins of `count` equally stepped values on a scale, one after another on [0, 1].

    Value k is low + k × step; its bin is [k − 1/2, k + 1/2] in steps, mapped by the scale. An
    outer edge outside the scale's domain is mirrored on the scale.
    """

    low: float
    step: float
    count: int
    scale: Scale

    @cached_property
    def line(self) -> tuple[float, float]:
        """The outer edges on the scale."""
        low, high = self.low, self.low + (self.count - 1) * self.step
        half = self.step / 2
        f = self.scale.forward
        inner = f(np.array([low, low + half, high - half, high]))
        left = f(np.float64(low - half)) if low - half > self.scale.domain[0] else None
        right = f(np.float64(high + half)) if high + half < self.scale.domain[1] else None
        return (
            float(2 * inner[0] - inner[1] if left is None else left),
            float(2 * inner[3] - inner[2] if right is None else right),
        )

    def encode(self, index: np.ndarray) -> np.ndarray:
        """Map indices (as floats) to the middles of their bins."""
        if self.scale is LINEAR:
            return (index + 0.5) / self.count
        left, right = self.line
        middle = (self._edge(index - 0.5) + self._edge(index + 0.5)) / 2
        return np.asarray((middle - left) / (right - left))

    def decode(self, unit: np.ndarray) -> np.ndarray:
        """Map points of [0, 1] to the indices of their bins; NaN is taken for 0."""
        unit = clamped(unit)
        if self.scale is LINEAR:
            index = np.floor(unit * self.count)
        else:
            left, right = self.line
            x = self.scale.backward(left + unit * (right - left))
            index = np.floor((x - self.low) / self.step + 0.5)
        return np.asarray(np.minimum(np.maximum(index, 0), self.count - 1))

    def are_distinct(self) -> bool:
        """Whether every bin is wide enough for its middle not to be rounded into a neighbour."""
        if self.count > _MOST or self.scale is LINEAR:
            return self.count <= _MOST
        left, right = self.line
        return self._narrowest() >= 16 * _EPS * max(1.0, abs(left), abs(right)) / (right - left)

    def _narrowest(self) -> float:
        # The scales are convex or concave, so the narrowest bin is the first or the last.
        left, right = self.line
        ends = np.array([0.0, self.count - 1.0])
        return float(np.min(self._edge(ends + 0.5) - self._edge(ends - 0.5)) / (right - left))

    def _edge(self, index: np.ndarray) -> np.ndarray:
        left, right = self.line
        x = self.low + index * self.step
        inside = (x > self.scale.domain[0]) & (x < self.scale.domain[1])
        s = self.scale.forward(np.where(inside, x, self.low))
        outer = np.where(index > self.count - 1, right, s)
        return np.asarray(np.where(index < 0, left, outer))
