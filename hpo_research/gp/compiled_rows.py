"""What a GP says of a few rows, compiled for the CPU: covariances, predictions, derivatives.

Of one GP, with only its rows that count. Large products are BLAS's: their shapes depend on one run
alone, and their matrices are laid out here, so that no bit depends on others.
"""

import math
from typing import NamedTuple, no_type_check

import numpy as np

from hpo_research.compiled import Floats, Ints, fused
from hpo_research.elementary import exp


class Known(NamedTuple):
    """A GP as loops read it: n rows that count, of which the last p are pending; c weights a row.

    `columns` holds the scaled rows, `forward` L⁻ᵀ and beside it the weights, `backward` the same
    transposed, `points` the rows and a column of ones. A prediction is a product with `forward`,
    its pullback one with `backward`. `columns` and `points` hold the same numbers in two orders.
    """

    columns: Floats  # d n
    points: Floats  # n (d + 1)
    forward: Floats  # n (n + c)
    backward: Floats  # (n + c) n
    coefficients: Floats  # 7, of the kernel
    scale: Floats  # d
    mean: float


@fused
@no_type_check
def gather(gp: Known, x: Floats, whitening: Floats, weights: Floats, rows: Ints) -> None:
    """Write a GP's rows that count into its matrices. Shapes: N d, N N, N w with w >= c, n."""
    d, n = gp.columns.shape
    for i in range(n):
        for j in range(d):
            gp.columns[j, i] = gp.points[i, j] = x[rows[i], j]
        gp.points[i, d] = 1.0
        for k in range(n):
            gp.backward[i, k] = whitening[rows[i], rows[k]]
        for k in range(n, len(gp.backward)):
            gp.backward[k, i] = weights[rows[i], k - n]
    for i in range(n):
        for k in range(len(gp.backward)):
            gp.forward[i, k] = gp.backward[k, i]


@fused
@no_type_check
def scaled(x: Floats, scale: Floats) -> Floats:
    """Return points of the unit cube in lengthscales from its centre. Shapes: r d, d."""
    rows = np.empty(x.shape)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            rows[i, j] = (x[i, j] - 0.5) / scale[j]
    return rows


@fused
@no_type_check
def covaried(rows: Floats, columns: Floats, coefficients: Floats, k: Floats, h: Floats) -> None:
    """Write the kernel and H; see `Kernel`. Shapes: r d, d n, 7, r n twice."""
    d, n = columns.shape
    w1, w2, a1, a2 = coefficients[0], coefficients[1], coefficients[2], coefficients[3]
    h0, h1 = coefficients[4], coefficients[5]
    for i in range(len(rows)):
        own, slope = k[i], h[i]
        own[:] = 0.0
        for j in range(d):
            at, column = rows[i, j], columns[j]
            for z in range(n):
                gap = at - column[z]
                own[z] += gap * gap
        for z in range(n):
            r2 = own[z]
            r = math.sqrt(r2)
            e = exp(w1 * r + w2 * r2)
            own[z] = (1.0 + r * (a1 + a2 * r)) * e
            slope[z] = (h0 + h1 * r) * e


@fused
@no_type_check
def dot(y: Floats, z: Floats) -> float:
    """Return Σ y z, by eight sums, which are added one after another at the end."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    e, f, g, h = 0.0, 0.0, 0.0, 0.0
    whole = len(y) // 8
    for i in range(whole):
        own, other = y[8 * i : 8 * i + 8], z[8 * i : 8 * i + 8]
        a += own[0] * other[0]
        b += own[1] * other[1]
        c += own[2] * other[2]
        d += own[3] * other[3]
        e += own[4] * other[4]
        f += own[5] * other[5]
        g += own[6] * other[6]
        h += own[7] * other[7]
    for i in range(8 * whole, len(y)):
        a += y[i] * z[i]
    return ((a + b) + (c + d)) + ((e + f) + (g + h))


@fused
@no_type_check
def pulled(by_k: Floats, h: Floats, rows: Floats, gp: Known) -> Floats:
    """Return ∂f/∂x = Σ_k w_k (z_k − x)/ℓ with w = ∂f/∂k ∘ H. Shapes: r n twice, r d; r d."""
    r, d = rows.shape
    for i in range(r):
        w, slope = by_k[i], h[i]
        for k in range(len(w)):
            w[k] *= slope[k]
    sums = np.dot(by_k, gp.points)
    found = np.empty((r, d))
    for i in range(r):
        for j in range(d):
            found[i, j] = (sums[i, j] - sums[i, d] * rows[i, j]) / gp.scale[j]
    return found
