"""The evidence of one GP and its gradient, compiled for the CPU: what `likelihood.evidence` says.

Only the rows that count take part, padded to a multiple of 8 with rows of the unit matrix, so that
a GP's bits depend on its own rows alone. Matrices, and the points as columns, are kept in panels as
`tiles` has them; of symmetric ones the upper triangle is computed.
"""

import math
from typing import NamedTuple, no_type_check

import numpy as np

from hpo_research.compiled import Bools, Floats, Ints, fused
from hpo_research.elementary import exp
from hpo_research.gp.data import CENTRE
from hpo_research.linalg import JITTERS
from hpo_research.tiles import ROWS, factorise, set_identity, subtract_product
from hpo_research.vectors import LANES, load, store

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Known(NamedTuple):
    """What one GP knows of n rows that count, padded to w: centred points, targets, and so on.

    Shapes of arrays: w/8 d 8, w, d, 7.
    """

    points: Floats
    y: Floats
    n: int
    lengthscale_of: Ints
    coefficients: Floats


class Workspace(NamedTuple):
    """Arrays that every evaluation of a GP writes anew.

    `upper`: K, then U with z = L⁻¹(y − μ) beside it, then W = αα' − K⁻¹; `alpha` holds −α in row 0.
    Shapes: w/8+1 w 8, w/8 w 8 twice, w/8 d 8 twice, w/8 4 8.
    """

    upper: Floats
    whitening: Floats
    h: Floats
    scaled: Floats
    sums: Floats
    alpha: Floats


@fused
@no_type_check
def evidence_each(
    x: Floats,
    y: Floats,
    mask: Bools,
    lengthscale_of: Ints,
    coefficients: Floats,
    theta: Floats,
    value: Floats,
    slope: Floats,
) -> None:
    """Write `evidence` of each GP. Shapes: b n d, b n twice, d, b 7, b t, b, b t."""
    for g in range(len(x)):
        known = known_of(x[g], y[g], mask[g], lengthscale_of, coefficients[g])
        value[g] = evidence(known, workspace(known), theta[g], slope[g])


@fused
@no_type_check
def known_of(
    x: Floats, y: Floats, mask: Bools, lengthscale_of: Ints, coefficients: Floats
) -> Known:
    """Return the rows that count. Shapes: n d, n, n, d, 7."""
    n = 0
    for i in range(len(mask)):
        n += mask[i]
    panels, d = -(-n // LANES), x.shape[1]
    points, targets = np.zeros((panels, d, LANES)), np.zeros(LANES * panels)
    k = 0
    for i in range(len(mask)):
        if mask[i]:
            targets[k] = y[i]
            for j in range(d):
                points[k // LANES, j, k % LANES] = x[i, j] - CENTRE
            k += 1
    return Known(points, targets, n, lengthscale_of, coefficients)


@fused
@no_type_check
def workspace(known: Known) -> Workspace:
    """Return arrays to compute the evidence of a GP in."""
    panels, d, _ = known.points.shape
    padded = LANES * panels
    return Workspace(
        np.empty((panels + 1, padded, LANES)),
        np.empty((panels, padded, LANES)),
        np.empty((panels, padded, LANES)),
        np.empty((panels, d, LANES)),
        np.empty((panels, d, LANES)),
        np.empty((panels, ROWS, LANES)),
    )


@fused
@no_type_check
def evidence(known: Known, work: Workspace, theta: Floats, slope: Floats) -> float:
    """Return log p(y | θ), and write its gradient in θ = (ln ℓ_1, ..., ln ℓ_p, ln σ², μ).

    With K = LL', z = L⁻¹(y − μ) and α = L'⁻¹z it is −½ z'z − ½ ln det K − ½ n ln 2π. NaN where K
    has no factor, whatever the jitter. Shapes: t, t.
    """
    noise, half_size = math.exp(theta[-2]), _factorise(known, work, theta)
    fitted = _solve(work)
    slope[-2], slope[-1] = 0.5 * noise * _weigh(known, work), 0.0
    for i in range(known.n):
        slope[-1] -= work.alpha[i // LANES, 0, i % LANES]
    for j in range(len(slope) - 2):
        slope[j] = 0.0
    for p in range(len(work.sums)):
        for j in range(len(known.lengthscale_of)):
            for c in range(LANES):
                slope[known.lengthscale_of[j]] += work.sums[p, j, c]
    return -0.5 * fitted - half_size - _HALF_LOG_2PI * known.n


@fused
@no_type_check
def _factorise(known: Known, work: Workspace, theta: Floats) -> float:
    """Write U, z and L⁻¹; return ½ ln det K, NaN where K has no factor."""
    noise, half_size = math.exp(theta[-2]), math.nan
    _scale(known, theta, work.scaled)
    for jitter in JITTERS:
        _covariances(known, work, 1.0 + noise + jitter, theta[-1])
        set_identity(work.whitening)
        half_size = factorise(work.upper, work.whitening)
        if math.isfinite(half_size):
            break
    return half_size


@fused
@no_type_check
def condition_each(
    x: Floats,
    y: Floats,
    mask: Bools,
    lengthscale_of: Ints,
    coefficients: Floats,
    theta: Floats,
    whitening: Floats,
    weights: Floats,
) -> None:
    """Write L⁻¹ and K⁻¹(y − μ) of each GP into the unit matrix and 0: see `posterior.condition`.

    NaN where K has no factor. Shapes: b n d, b n twice, d, b 7, b t, b m m, b m with m ≥ n.
    """
    for g in range(len(x)):
        known = known_of(x[g], y[g], mask[g], lengthscale_of, coefficients[g])
        work = workspace(known)
        factor = 0.0 * _factorise(known, work, theta[g])  # 0, or NaN
        _solve(work)
        rows = np.empty(known.n, np.int64)
        k = 0
        for i in range(len(mask[g])):
            if mask[g, i]:
                rows[k] = i
                k += 1
        for k in range(known.n):
            weights[g, rows[k]] = factor - work.alpha[k // LANES, 0, k % LANES]
            for c in range(k + 1):
                whitening[g, rows[k], rows[c]] = factor + work.whitening[c // LANES, k, c % LANES]


@fused
@no_type_check
def _scale(known: Known, theta: Floats, scaled: Floats) -> None:
    """Write x̃ = x/ℓ."""
    for j in range(scaled.shape[1]):
        lengthscale = math.exp(theta[known.lengthscale_of[j]])
        for p in range(len(scaled)):
            for c in range(LANES):
                scaled[p, j, c] = known.points[p, j, c] / lengthscale


@fused
@no_type_check
def _covariances(known: Known, work: Workspace, diagonal: float, mean: float) -> None:
    """Write the upper triangle of K, y − μ beside it, and H = −2 dk/d(r²) above the diagonal."""
    upper, h, scaled, n = work.upper, work.h, work.scaled, known.n
    panels, padded, _ = h.shape
    values, slopes = upper.reshape(-1), h.reshape(-1)
    for p in range(panels):
        rows = LANES * p + LANES
        for i in range(0, rows, ROWS):
            _distances(h, p, i, scaled)
        first, last = p * padded * LANES, (p * padded + rows) * LANES
        _kernel(known.coefficients, values[first:last], slopes[first:last])
        for i in range(LANES * p, rows):
            for c in range(i + 1 - LANES * p):
                h[p, i, c] = 0.0
            upper[p, i, i % LANES] = diagonal
            store(upper, panels, i, 0.0 * load(scaled, p, 0))
            upper[panels, i, 0] = known.y[i] - mean
    for i in range(n, padded):  # rows and columns of the unit matrix
        for k in range(i):
            upper[panels - 1, k, i % LANES] = 0.0
        upper[panels - 1, i, i % LANES] = 1.0
        upper[panels, i, 0] = 0.0


@fused
@no_type_check
def _distances(r2: Floats, p: int, i: int, scaled: Floats) -> None:
    """Write the squared distances of 4 rows from the 8 of a panel."""
    q, at = i // LANES, i % LANES
    none = 0.0 * load(scaled, p, 0)
    s0, s1, s2, s3 = none, none, none, none
    for j in range(scaled.shape[1]):
        x = load(scaled, p, j)
        gap = scaled[q, j, at] - x
        s0 = s0 + gap * gap
        gap = scaled[q, j, at + 1] - x
        s1 = s1 + gap * gap
        gap = scaled[q, j, at + 2] - x
        s2 = s2 + gap * gap
        gap = scaled[q, j, at + 3] - x
        s3 = s3 + gap * gap
    store(r2, p, i, s0)
    store(r2, p, i + 1, s1)
    store(r2, p, i + 2, s2)
    store(r2, p, i + 3, s3)


@fused
@no_type_check
def _kernel(coefficients: Floats, values: Floats, slopes: Floats) -> None:
    """Write k of the squared distances that `slopes` holds, and H in their place."""
    w1, w2, a1, a2 = coefficients[0], coefficients[1], coefficients[2], coefficients[3]
    h0, h1 = coefficients[4], coefficients[5]
    for k in range(len(values)):
        r2 = slopes[k]
        r = math.sqrt(r2)
        e = exp(w1 * r + w2 * r2)
        values[k] = (1.0 + r * (a1 + a2 * r)) * e
        slopes[k] = (h0 + h1 * r) * e


@fused
@no_type_check
def _solve(work: Workspace) -> float:
    """Write −α = −L'⁻¹z, and return z'z."""
    panels, padded, _ = work.whitening.shape
    alpha, z, whitening = work.alpha, work.upper, work.whitening
    for p in range(panels):
        for r in range(ROWS):
            for c in range(LANES):
                alpha[p, r, c] = 0.0
        subtract_product(alpha, p, 0, z, padded, whitening, LANES * p, padded)
    fitted = 0.0
    for k in range(padded):
        fitted += work.upper[panels, k, 0] * work.upper[panels, k, 0]
    return fitted


@fused
@no_type_check
def _weigh(known: Known, work: Workspace) -> float:
    """Write Σ_i M_ik (x̃_ij − x̃_kj)² over i < k for each j and k, M = W ∘ H; return tr W.

    W = αα' − K⁻¹ (Rasmussen and Williams 2006, equation 5.9).
    """
    upper, alpha, whitening = work.upper, work.alpha, work.whitening
    panels, padded, _ = whitening.shape
    trace = 0.0
    for p in range(panels):
        for j in range(work.sums.shape[1]):
            for c in range(LANES):
                work.sums[p, j, c] = 0.0
        for i in range(0, LANES * p + LANES, ROWS):
            for k in range(i, i + ROWS):
                store(upper, p, k, alpha[i // LANES, 0, k % LANES] * load(alpha, p, 0))
            subtract_product(upper, p, i, whitening, i, whitening, LANES * p, padded)
            _add_squares(work, p, i)
        for i in range(LANES * p, min(LANES * p + LANES, known.n)):
            trace += upper[p, i, i % LANES]
    return trace


@fused
@no_type_check
def _add_squares(work: Workspace, p: int, i: int) -> None:
    """Add what 4 rows have in the sums of a panel."""
    upper, h, scaled, q, at = work.upper, work.h, work.scaled, i // LANES, i % LANES
    w0, w1 = load(upper, p, i) * load(h, p, i), load(upper, p, i + 1) * load(h, p, i + 1)
    w2, w3 = load(upper, p, i + 2) * load(h, p, i + 2), load(upper, p, i + 3) * load(h, p, i + 3)
    for j in range(scaled.shape[1]):
        x, total = load(scaled, p, j), load(work.sums, p, j)
        gap = scaled[q, j, at] - x
        total = total + w0 * (gap * gap)
        gap = scaled[q, j, at + 1] - x
        total = total + w1 * (gap * gap)
        gap = scaled[q, j, at + 2] - x
        total = total + w2 * (gap * gap)
        gap = scaled[q, j, at + 3] - x
        total = total + w3 * (gap * gap)
        store(work.sums, p, j, total)
