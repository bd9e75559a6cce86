"""The loops of acquisition functions over samples, compiled for the CPU.

Exponentials and error functions stay with torch, which computes eight at once.
"""

import math
from typing import no_type_check

from hpo_research.compiled import Floats, compiled


@compiled
@no_type_check
def standardised(
    mean: Floats, variance: Floats, best: Floats, u: Floats, half: Floats, bent: Floats
) -> None:
    """Write u = (best − mean)/deviation, −u²/2 and −u/√2. Shapes: b q m, b q, b m, b q m thrice."""
    b, q, m = mean.shape
    bend = -math.sqrt(0.5)
    for g in range(b):
        for i in range(q):
            scale = 1.0 / math.sqrt(variance[g, i])
            for k in range(m):
                own = (best[g, k] - mean[g, i, k]) * scale
                u[g, i, k] = own
                half[g, i, k] = -0.5 * own * own
                bent[g, i, k] = bend * own


@compiled
@no_type_check
def improved(
    u: Floats,
    density: Floats,
    tail: Floats,
    variance: Floats,
    value: Floats,
    by_mean: Floats,
    by_variance: Floats,
    far: float,
) -> None:
    """Write ln of the mean over samples of σh(u), and its derivatives by means and variance.

    `density` is exp(−u²/2), `tail` erfc(−u/√2), both without their constants. Where all
    samples are below `far`, the tail's series are taken. Shapes: b q m thrice, b q; b q, b q m and
    b q.
    """
    b, q, m = u.shape
    bell = 1.0 / math.sqrt(2.0 * math.pi)
    for g in range(b):
        for i in range(q):
            total, flat, largest = 0.0, 0.0, -math.inf
            for k in range(m):
                height = bell * density[g, i, k]
                flat += height
                total += height + u[g, i, k] * 0.5 * tail[g, i, k]
                largest = max(largest, u[g, i, k])
            if largest < far:
                found = _fallen(u[g, i], largest, variance[g, i], by_mean[g, i])
                value[g, i], by_variance[g, i] = found
                continue
            improvement = total * math.sqrt(variance[g, i])
            value[g, i] = math.log(improvement / m)
            scale = -0.5 / improvement
            for k in range(m):
                by_mean[g, i, k] = scale * tail[g, i, k]
            by_variance[g, i] = flat / (2.0 * total * variance[g, i])


@compiled
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
