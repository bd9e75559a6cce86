"""The search for the power of Yeo and Johnson's transform, compiled for the CPU."""

import math
from typing import no_type_check

import numpy as np

from hpo_research.compiled import Bools, Floats, fused
from hpo_research.elementary import exp

_TINY = np.finfo(np.float64).tiny
_NEAR = 1e-3  # powers so near 0 take a series: e^z − 1 would lose the digits of small z


@fused
@no_type_check
def likeliest(
    y: Floats,
    mask: Bools,
    stretch: Floats,
    powers: tuple[float, float],
    counts: tuple[int, int, int],
    found: Floats,
) -> None:
    """Write the power of the largest profile likelihood for each GP: see `transforms.yeo_johnson`.

    `counts`: powers of the first grid and of the finer ones, and how many of these there are.
    Shapes: b n, b n, b; b.
    """
    grid, finer, refinements = counts
    for g in range(len(y)):
        above, below = _logarithms(y[g], mask[g])
        first, last = powers
        width = (last - first) / (grid - 1)
        best = _best(above, below, stretch[g], first, last, grid)
        low, high = max(best - width, first), min(best + width, last)
        for _ in range(refinements):
            best = _best(above, below, stretch[g], low, high, finer)
            width = (high - low) / (finer - 1)
            low, high = max(best - width, low), min(best + width, high)
        found[g] = best


@fused
@no_type_check
def _logarithms(y: Floats, mask: Bools) -> tuple[Floats, Floats]:
    """Return ln(1 + |y|) of the targets from 0 on, and of those below."""
    above, below, i, k = np.empty(len(y)), np.empty(len(y)), 0, 0
    for row in range(len(y)):
        if mask[row] and y[row] >= 0:
            above[i] = math.log1p(y[row])
            i += 1
        elif mask[row]:
            below[k] = math.log1p(-y[row])
            k += 1
    return above[:i], below[:k]


@fused
@no_type_check
def _best(
    above: Floats, below: Floats, stretch: float, low: float, high: float, count: int
) -> float:
    """Return the likeliest of so many powers from `low` to `high`, the first in a tie."""
    n = len(above) + len(below)
    value = np.empty(n)
    best, most = low, -math.inf
    for i in range(count):
        power = low + i / (count - 1) * (high - low)
        _powered(above, power, value[: len(above)])
        _powered(below, 2.0 - power, value[len(above) :])
        likelihood = (power - 1.0) * stretch - 0.5 * n * math.log(_variance(value, len(above)))
        if likelihood > most:
            best, most = power, likelihood
    return best


@fused
@no_type_check
def _powered(logarithm: Floats, power: float, value: Floats) -> None:
    """Write (e^(λl) − 1)/λ."""
    if abs(power) < _NEAR:
        for k in range(len(logarithm)):
            z = power * logarithm[k]
            series = 1.0 + z / 9.0
            for term in range(8, 1, -1):
                series = 1.0 + series * z / term
            value[k] = series * logarithm[k]
    else:
        for k in range(len(logarithm)):
            value[k] = (exp(power * logarithm[k]) - 1.0) / power


@fused
@no_type_check
def _variance(value: Floats, split: int) -> float:
    """Return the variance of values of which those from `split` on are negated, as `_moments`."""
    n, total, square = max(len(value), 1), 0.0, 0.0
    for k in range(len(value)):
        total += value[k] if k < split else -value[k]
    mean = total / n
    for k in range(len(value)):
        gap = (value[k] if k < split else -value[k]) - mean
        square += gap * gap
    variance = square / n
    if not math.isfinite(variance):
        return math.inf
    return max(variance, _TINY) if variance > 1e-28 * mean * mean else _TINY
