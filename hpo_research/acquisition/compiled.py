"""The criteria of a row, compiled for the CPU: what `criteria` computes in tensors.

A criterion is told by a number, and by √β where it is a confidence bound.
"""

import math
from typing import no_type_check

import numpy as np

from hpo_research.compiled import Floats, fused, nested
from hpo_research.elementary import normal

LOG_QEI, QEI, BOUND = 0, 1, 2
FAR = -30.0
"""Below this, φ(u) + uΦ(u) would lose too many digits, and five terms of its tail suffice."""


@fused
@no_type_check
def scores(
    criterion: tuple[int, float],
    mean: Floats,
    variance: Floats,
    best: Floats,
    value: Floats,
    by_mean: Floats,
    by_variance: Floats,
) -> None:
    """Write the criterion and its derivatives. Shapes: b q m, b q, b m; b q, b q m, b q."""
    b, q, m = mean.shape
    u, density, mass = np.empty(m), np.empty(m), np.empty(m)
    for g in range(b):
        for i in range(q):
            own = by_mean[g, i]
            for k in range(m):
                own[k] = mean[g, i, k]
            value[g, i], by_variance[g, i] = scored(
                criterion, own, variance[g, i], best[g], u, density, mass
            )


@nested
@no_type_check
def scored(
    criterion: tuple[int, float],
    mean: Floats,
    variance: float,
    best: Floats,
    u: Floats,
    density: Floats,
    mass: Floats,
) -> tuple[float, float]:
    """Return a row's criterion and its derivative by the variance; by the means: in their place.

    `u`, `density` and `mass` are for what comes in between. Shapes: m, (), m, m thrice.
    """
    kind, width = criterion
    m, deviation = len(mean), math.sqrt(variance)
    if kind == BOUND:
        total = 0.0
        for k in range(m):
            total += mean[k]
        for k in range(m):
            mean[k] = -1.0 / m
        return width * deviation - total / m, width / (2.0 * deviation)
    scale, largest = 1.0 / deviation, -math.inf
    for k in range(m):
        u[k] = (best[k] - mean[k]) * scale
    normal(u, density, mass)
    if kind == QEI:
        total, flat = 0.0, 0.0
        for k in range(m):
            total += max(density[k] + u[k] * mass[k], 0.0)
            flat += density[k]
            mean[k] = -mass[k] / m
        return deviation * total / m, flat / (2.0 * m * deviation)
    total, flat = 0.0, 0.0
    for k in range(m):
        flat += density[k]
        total += density[k] + u[k] * mass[k]
        largest = max(largest, u[k])
    if largest < FAR:
        return _fallen(u, largest, variance, mean)
    share = -1.0 / (total * deviation)
    for k in range(m):
        mean[k] = share * mass[k]
    return math.log(total * deviation / m), flat / (2.0 * total * variance)


@nested
@no_type_check
def _fallen(u: Floats, largest: float, variance: float, by_mean: Floats) -> tuple[float, float]:
    """Return the same for one point far below all samples; see `improvement.log_tail`.

    Samples whose improvement is less than e⁻⁶⁰ of the largest weigh nothing.
    """
    m, top = len(u), -math.inf
    deviation = math.sqrt(variance)
    for k in range(m):
        by_mean[k] = 0.0
        if u[k] * u[k] - largest * largest < 120.0:
            square = min(u[k] * u[k], 1e300)
            v = 1.0 / square
            share = v * (1.0 - v * (3.0 - v * (15.0 - v * (105.0 - v * 945.0))))
            by_mean[k] = math.log(share) - 0.5 * square
            top = max(top, by_mean[k])
    total, along = 0.0, 0.0
    for k in range(m):
        if by_mean[k] < 0:
            square = min(u[k] * u[k], 1e300)
            v = 1.0 / square
            share = v * (1.0 - v * (3.0 - v * (15.0 - v * (105.0 - v * 945.0))))
            weight = math.exp(by_mean[k] - top)
            slope = (share - 1.0) / (share * u[k])
            total += weight
            along += weight * slope * u[k]
            by_mean[k] = weight * slope
    for k in range(m):
        by_mean[k] /= -total * deviation
    value = top + math.log(total * deviation / m) - 0.5 * math.log(2.0 * math.pi)
    return value, (1.0 - along / total) / (2.0 * variance)
