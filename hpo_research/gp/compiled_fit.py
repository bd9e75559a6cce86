"""The fits of `fit.fits`, compiled for the CPU: of each GP all starts and kernels in one call.

`optim.compiled` judges the steps, as it does for `lbfgs.minimise`; but only rows that still search
are evaluated.
"""

from typing import NamedTuple, no_type_check

import numpy as np

from hpo_research.compiled import Bools, Floats, Ints, fused
from hpo_research.gp.compiled_evidence import Known, Workspace, evidence, known_of, workspace
from hpo_research.optim.compiled import Rows, Trials, begun, best, judge, resume
from hpo_research.vectors import LANES

_MANY = 1000  # rows: with more of them, the starts are compared on some
_ENOUGH = 512


class Prior(NamedTuple):
    """Location, scale and weight (0: flat) of each hyperparameter's prior, and its bounds.

    `constant` is what the density is divided by, as a logarithm. Shapes: 3 t, t, t.
    """

    table: Floats
    constant: float
    lower: Floats
    upper: Floats


class Counts(NamedTuple):
    """`Options` in numbers: `limits` are those of `judge`."""

    limits: tuple[float, ...]
    evaluations: int
    history: int
    backtracks: int
    after: int
    kept: int


class Curvature(NamedTuple):
    """What searches have seen of second derivatives, as in `Rows`; scale 0: nothing.

    A row of a search takes its own, or the only one. Shapes: s 2 h t, s.
    """

    pairs: Floats
    scale: Floats


class Found(NamedTuple):
    """Where each GP's fit with each kernel ended. Shapes: k b t, k b thrice, k b."""

    theta: Floats
    evidence: Floats
    row: Ints
    evaluations: Ints
    has_converged: Bools


@fused
@no_type_check
def fit_each(
    x: Floats,
    y: Floats,
    mask: Bools,
    lengthscale_of: Ints,
    kernels: Floats,
    starts: Floats,
    prior: Prior,
    counts: Counts,
    more_noise: float,
    found: Found,
) -> None:
    """Fit every GP with every kernel, the second and later from where the first one ended.

    These begin with the curvature that the first one's search has seen, with noise of `more_noise`
    (its logarithm) where that has more evidence. Shapes: b n d, b n, b n, d,
    k b 7, b s t.
    """
    for g in range(len(x)):
        known = known_of(x[g], y[g], mask[g], lengthscale_of, kernels[0, g])
        work = workspace(known)
        curvature = Curvature(np.zeros((1, 2, counts.history, starts.shape[2])), np.zeros(1))
        for k in range(len(kernels)):
            known = Known(known.points, known.y, known.n, lengthscale_of, kernels[k, g])
            begin = starts[g] if k == 0 else _both(found.theta[0, g], more_noise)
            if k == 0 and known.n > _MANY:
                # No start is left before its end; then all rows say which end is the best.
                part = _part(known)
                whole = Counts(
                    counts.limits, counts.evaluations, counts.history, counts.backtracks, 0, 0
                )
                rows = _searched(part, workspace(part), begin, curvature, prior, whole)
                begin, curvature = rows.x, Curvature(rows.pairs, rows.scale)
            own = _stricter(counts) if known.n > _MANY else counts
            rows = _searched(known, work, begin, curvature, prior, own)
            i = best(rows.value, 1)[0]
            if k == 0:
                curvature = Curvature(rows.pairs[i : i + 1], rows.scale[i : i + 1])
            for j in range(len(prior.lower)):
                found.theta[k, g, j] = rows.x[i, j]
            found.evidence[k, g] = -rows.value[i] * max(known.n, 1)
            found.row[k, g], found.has_converged[k, g] = i, rows.has_converged[i]
            found.evaluations[k, g] = 0
            for count in rows.evaluations:
                found.evaluations[k, g] += count


@fused
@no_type_check
def _stricter(counts: Counts) -> Counts:
    """Return the same with a tenth of the decrease: steps that begin near the end are small."""
    a, b, c, d, e, decrease, level = counts.limits
    limits = (a, b, c, d, e, 0.1 * decrease, level)
    return Counts(
        limits,
        counts.evaluations,
        counts.history,
        counts.backtracks,
        counts.after,
        counts.kept,
    )


@fused
@no_type_check
def _part(known: Known) -> Known:
    """Return some of the rows, evenly spaced."""
    points, y = np.empty((_ENOUGH // LANES, *known.points.shape[1:])), np.empty(_ENOUGH)
    for i in range(_ENOUGH):
        row = i * known.n // _ENOUGH
        y[i] = known.y[row]
        for j in range(points.shape[1]):
            points[i // LANES, j, i % LANES] = known.points[row // LANES, j, row % LANES]
    return Known(points, y, _ENOUGH, known.lengthscale_of, known.coefficients)


@fused
@no_type_check
def _both(theta: Floats, more_noise: float) -> Floats:
    """Return a start, and the same with more noise. Shape: 2 t."""
    found = np.empty((2, len(theta)))
    for i in range(2):
        for j in range(len(theta)):
            found[i, j] = theta[j]
    found[1, -2] = max(theta[-2], more_noise)
    return found


@fused
@no_type_check
def _searched(
    known: Known,
    work: Workspace,
    starts: Floats,
    curvature: Curvature,
    prior: Prior,
    counts: Counts,
) -> Rows:
    """Search from each start, as `lbfgs.minimise` does. Shape: s t."""
    s, t = starts.shape
    lower, upper, x = np.empty((s, t)), np.empty((s, t)), np.empty((s, t))
    value, gradient = np.empty(s), np.empty((s, t))
    for i in range(s):
        for j in range(t):
            lower[i, j], upper[i, j] = prior.lower[j], prior.upper[j]
            x[i, j] = min(max(starts[i, j], lower[i, j]), upper[i, j])
        value[i] = _loss(known, work, prior, x[i], gradient[i])
    rows = begun(x, (lower, upper), value, gradient, counts.history, counts.limits[-1])
    after = counts.after
    if curvature.scale[0] > 0.0:
        after = 1
        for i in range(s):
            own = i % len(curvature.scale)
            resume(rows, i, curvature.pairs[own], curvature.scale[own], counts.limits)
    trial, trial_value, trial_gradient = np.empty((s, t)), np.empty(s), np.empty((s, t))
    for turn in range(counts.evaluations - 1):
        if turn + 1 == after:
            _prune(rows, counts.kept)
        going = 0
        for i in range(s):
            if not rows.is_done[i]:
                going += 1
                for j in range(t):
                    moved = rows.x[i, j] + rows.step[i] * rows.direction[i, j]
                    trial[i, j] = min(max(moved, lower[i, j]), upper[i, j])
                trial_value[i] = _loss(known, work, prior, trial[i], trial_gradient[i])
        if going == 0:
            break
        judge(rows, Trials(trial, trial_value, trial_gradient), counts.limits, counts.backtracks)
    return rows


@fused
@no_type_check
def _loss(known: Known, work: Workspace, prior: Prior, theta: Floats, gradient: Floats) -> float:
    """Return minus the log evidence and prior density a row of data, and write its gradient."""
    value, scale = evidence(known, work, theta, gradient), -1.0 / max(known.n, 1)
    density = -prior.constant
    for j in range(len(theta)):
        location, deviation, weight = prior.table[0, j], prior.table[1, j], prior.table[2, j]
        z = (theta[j] - location) / deviation
        density -= (theta[j] + 0.5 * z * z) * weight
        gradient[j] = (gradient[j] - (1.0 + z / deviation) * weight) * scale
    return (value + density) * scale


@fused
@no_type_check
def _prune(rows: Rows, kept: int) -> None:
    """End all rows but those of the least values, so many."""
    order = best(rows.value, len(rows.value))
    for k in range(kept, len(order)):
        rows.is_done[order[k]] = True
