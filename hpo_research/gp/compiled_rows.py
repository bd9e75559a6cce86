"""What a GP says of a few rows, compiled for the CPU: covariances and derivatives.

Large products are BLAS's; their shapes depend on one run alone.
"""

import math
from typing import no_type_check

import numpy as np

from hpo_research.compiled import Floats, nested
from hpo_research.elementary import exp


@nested
@no_type_check
def scaled(x: Floats, span: Floats, scale: Floats) -> Floats:
    """Return points of the unit cube, in units of spans, in lengthscales from its centre.

    Shapes: r d, d, d.
    """
    rows = np.empty(x.shape)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            rows[i, j] = (x[i, j] * span[j] - 0.5) / scale[j]
    return rows


@nested
@no_type_check
def covaried(rows: Floats, columns: Floats, coefficients: Floats, k: Floats, h: Floats) -> None:
    """Write the kernel and H; see `Kernel`. Shapes: r d, d n, 7, r n twice."""
    d, n = columns.shape
    w1, w2, a1, a2 = coefficients[0], coefficients[1], coefficients[2], coefficients[3]
    h0, h1 = coefficients[4], coefficients[5]
    for i in range(len(rows)):
        own, slope = k[i], h[i]
        for z in range(n):
            own[z] = 0.0
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


@nested
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


@nested
@no_type_check
def pulled(w: Floats, rows: Floats, x: Floats, scale: Floats, found: Floats) -> None:
    """Write Σ_k w_k (x_k − row)/ℓ, the derivative by each row. Shapes: r n, r d, n d, d, r d."""
    sums = np.dot(w, x)
    for i in range(len(rows)):
        total, own = 0.0, w[i]
        for k in range(len(own)):
            total += own[k]
        for j in range(len(scale)):
            found[i, j] = (sums[i, j] - total * rows[i, j]) / scale[j]
