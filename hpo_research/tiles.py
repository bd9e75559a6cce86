"""Cholesky factors and inverses of matrices, for compiled loops, by tiles that stay in registers.

BLAS packs its operands before it multiplies, which for some hundred rows takes longer than the
products do. Here matrices are kept as a product reads them: in panels of 8 columns, entry
(k, 8p + c) at [p, k, c], so that 4 rows of a panel are computed by going once down two panels. The
rows, a multiple of 8, are summed over in their order: an entry's bits depend on the matrix alone.
"""

import math
from typing import no_type_check

from hpo_research.compiled import Floats, fused
from hpo_research.vectors import LANES, load, store

ROWS = 4
_SHARE = 256  # rows of the factor whose part in all that is below is subtracted at once


@fused
@no_type_check
def subtract_product(
    out: Floats, p: int, row: int, left: Floats, i: int, right: Floats, first: int, last: int
) -> None:
    """Subtract Σ_k left[k, i + r] right[k, 8p + c] from out[row + r, 8p + c], first ≤ k < last.

    r runs to 4, c to 8; i is a multiple of 4.
    """
    q, at = i // LANES, i % LANES
    s0, s1 = load(out, p, row), load(out, p, row + 1)
    s2, s3 = load(out, p, row + 2), load(out, p, row + 3)
    for k in range(first, last):
        b = load(right, p, k)
        s0 = s0 - left[q, k, at] * b
        s1 = s1 - left[q, k, at + 1] * b
        s2 = s2 - left[q, k, at + 2] * b
        s3 = s3 - left[q, k, at + 3] * b
    store(out, p, row, s0)
    store(out, p, row + 1, s1)
    store(out, p, row + 2, s2)
    store(out, p, row + 3, s3)


@fused
@no_type_check
def factorise(upper: Floats, whitening: Floats) -> float:
    """Return ½ ln det K, and write U = L' over the upper triangle of K, and L⁻¹, where K = LL'.

    `whitening` holds the unit matrix before. R, what stands in the panels of `upper` beyond column
    n, becomes L⁻¹R. Below U, entries have no meaning. NaN where K has no factor. Shapes, r panels
    being R's: (n/8 + r) n 8, n/8 n 8.
    """
    panels, n, _ = upper.shape
    half = 0.0
    for share in range(0, n, _SHARE):
        end = min(share + _SHARE, n)
        for i in range(share, end, ROWS):
            _subtract(upper, whitening, i, share, i)
            size = _eliminate(upper, whitening, i)
            if not math.isfinite(size):
                return math.nan
            half += size
        for p in range(end // LANES, panels):
            for i in range(end, min(n, LANES * p + LANES), ROWS):
                subtract_product(upper, p, i, upper, i, upper, share, end)
        for p in range(end // LANES):
            for i in range(end, n, ROWS):
                subtract_product(whitening, p, i, upper, i, whitening, max(LANES * p, share), end)
    return half


@fused
@no_type_check
def _subtract(upper: Floats, whitening: Floats, i: int, first: int, last: int) -> None:
    """Subtract from four rows of both matrices what rows `first` to `last` − 1 have in them."""
    own = i // LANES
    for p in range(own, len(upper)):
        subtract_product(upper, p, i, upper, i, upper, first, last)
    for p in range(own + 1):
        subtract_product(whitening, p, i, upper, i, whitening, max(LANES * p, first), last)


@fused
@no_type_check
def _eliminate(upper: Floats, whitening: Floats, i: int) -> float:
    """Solve four rows from which the share of those above is subtracted; return Σ ln of pivots.

    The four are [D | S] with D = U_i'U_i, which become U_i'⁻¹[D | S]; so do those of the other.
    """
    p, at = i // LANES, i % LANES
    d0 = upper[p, i, at]
    q0 = 1.0 / math.sqrt(d0)
    a1, a2, a3 = upper[p, i, at + 1] * q0, upper[p, i, at + 2] * q0, upper[p, i, at + 3] * q0
    d1 = upper[p, i + 1, at + 1] - a1 * a1
    q1 = 1.0 / math.sqrt(d1)
    b2 = (upper[p, i + 1, at + 2] - a1 * a2) * q1
    b3 = (upper[p, i + 1, at + 3] - a1 * a3) * q1
    d2 = upper[p, i + 2, at + 2] - a2 * a2 - b2 * b2
    q2 = 1.0 / math.sqrt(d2)
    c3 = (upper[p, i + 2, at + 3] - a2 * a3 - b2 * b3) * q2
    d3 = upper[p, i + 3, at + 3] - a3 * a3 - b3 * b3 - c3 * c3
    if not min(min(d0, d1), min(d2, d3)) > 0.0:
        return math.nan
    above = (q0, q1, q2, 1.0 / math.sqrt(d3), a1, a2, a3, b2, b3, c3)
    _solve(upper, p, len(upper), i, above)
    _solve(whitening, 0, p + 1, i, above)
    return 0.5 * (math.log(d0) + math.log(d1) + math.log(d2) + math.log(d3))


@fused
@no_type_check
def _solve(rows: Floats, first: int, last: int, i: int, above: tuple[float, ...]) -> None:
    """Solve with the inverted pivots, and with what stands above them, in panels first to last."""
    q0, q1, q2, q3, a1, a2, a3, b2, b3, c3 = above
    for p in range(first, last):
        v0 = q0 * load(rows, p, i)
        v1 = q1 * (load(rows, p, i + 1) - a1 * v0)
        v2 = q2 * (load(rows, p, i + 2) - a2 * v0 - b2 * v1)
        v3 = q3 * (load(rows, p, i + 3) - a3 * v0 - b3 * v1 - c3 * v2)
        store(rows, p, i, v0)
        store(rows, p, i + 1, v1)
        store(rows, p, i + 2, v2)
        store(rows, p, i + 3, v3)


@fused
@no_type_check
def set_identity(rows: Floats) -> None:
    """Write the unit matrix. Shape: n/8 n 8."""
    panels, n, _ = rows.shape
    for p in range(panels):
        for i in range(n):
            for c in range(LANES):
                rows[p, i, c] = 1.0 if i == LANES * p + c else 0.0
