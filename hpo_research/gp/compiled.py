"""The loops of Gaussian processes over the entries of small matrices, compiled for the CPU.

Exponentials stay with torch, which computes eight at once.
"""

import math
from typing import no_type_check

import numpy as np

from hpo_research.compiled import Floats, compiled


@compiled
@no_type_check
def apart(x: Floats, z: Floats, coefficients: Floats, r: Floats, e: Floats) -> None:
    """Write r and the exponent of the kernel, w1·r + w2·r². Shapes: b n d, b m d, b 7, b n m."""
    b, n, d = x.shape
    m = z.shape[1]
    columns, r2 = np.empty((d, m)), np.empty(m)
    for g in range(b):
        w1, w2 = coefficients[g, 0], coefficients[g, 1]
        for j in range(d):
            for k in range(m):
                columns[j, k] = z[g, k, j]
        for i in range(n):
            for k in range(m):
                r2[k] = 0.0
            for j in range(d):
                at = x[g, i, j]
                for k in range(m):
                    gap = at - columns[j, k]
                    r2[k] += gap * gap
            for k in range(m):
                distance = math.sqrt(r2[k])
                r[g, i, k] = distance
                e[g, i, k] = w1 * distance + w2 * r2[k]


@compiled
@no_type_check
def shaped(coefficients: Floats, r: Floats, e: Floats) -> None:
    """Turn r into k and the exponential into H, both in place. Shapes: b 7, b n m, b n m."""
    b, n, m = r.shape
    for g in range(b):
        a1, a2 = coefficients[g, 2], coefficients[g, 3]
        h0, h1 = coefficients[g, 4], coefficients[g, 5]
        for i in range(n):
            for k in range(m):
                distance, exponential = r[g, i, k], e[g, i, k]
                r[g, i, k] = (1.0 + distance * (a1 + a2 * distance)) * exponential
                e[g, i, k] = (h0 + h1 * distance) * exponential


@compiled
@no_type_check
def pulled(x: Floats, z: Floats, h: Floats, by_k: Floats, scale: Floats, found: Floats) -> None:
    """Write ∂f/∂x = Σ_k w_k (z_k − x)/ℓ with w = ∂f/∂k ∘ H.

    Shapes: b q d, b n d, b q n twice, b d, b q d.
    """
    b, q, d = x.shape
    n = z.shape[1]
    sums = np.empty(d)
    for g in range(b):
        for i in range(q):
            sums[:] = 0.0
            total = 0.0
            for k in range(n):
                weight = by_k[g, i, k] * h[g, i, k]
                total += weight
                for j in range(d):
                    sums[j] += weight * z[g, k, j]
            for j in range(d):
                found[g, i, j] = (sums[j] - total * x[g, i, j]) / scale[g, j]
