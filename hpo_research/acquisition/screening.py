"""What becomes of a surface when a point is under way, and of its values at fixed points: loops.

Fixed points are projected once: a pending point then costs each of them O(n).
"""

import math
from typing import NamedTuple, no_type_check

import numpy as np

from hpo_research.acquisition.compiled import scored
from hpo_research.acquisition.loops import Members, averaged, means, member, surface_of
from hpo_research.compiled import Floats, fused
from hpo_research.gp.compiled_rows import covaried, dot, scaled
from hpo_research.gp.posterior import LEAST_VARIANCE

_ROWS = 64  # of one block


class Pending(NamedTuple):
    """A further point of each run, seen by each of its GPs: what conditioning on it needs."""

    x: Floats  # Kb d, scaled
    whitened: Floats  # Kb N: l = L⁻¹k
    row: Floats  # Kb N: what L⁻¹ gains, (−l'L⁻¹)/δ but for its own entry, 1/δ
    mean: Floats  # Kb m
    deviation: Floats  # Kb, δ


class Fixed(NamedTuple):
    """What each GP made of r points when none of the batch was chosen yet, w rows being known."""

    whitened: Floats  # Kb r w
    base: Floats  # Kb r c
    variance: Floats  # Kb r


@fused
@no_type_check
def conditioned(members: Members, x: Floats) -> Pending:
    """Predict the point that comes to be under way in each run. Shape: b d."""
    (rows, n), m, b = members.mask.shape, members.best.shape[1], len(x)
    found = Pending(
        np.empty((rows, x.shape[1])),
        np.zeros((rows, n)),
        np.zeros((rows, n)),
        np.empty((rows, m)),
        np.empty(rows),
    )
    k, h = np.empty((1, n)), np.empty((1, n))
    for g in range(rows):
        own = scaled(x[g % b : g % b + 1], members.scale[g])
        found.x[g] = own[0]
        covaried(own, members.x[g].T.copy(), members.coefficients[g], k, h)
        y, row, whitening = found.whitened[g], found.row[g], members.whitening[g]
        base = np.zeros(members.c)
        for i in range(n):
            if members.mask[g, i]:
                y[i] = dot(whitening[i], k[0])
                for j in range(members.c):
                    base[j] += k[0, i] * members.weights[g, i, j]
        places = slice(members.known, members.known + members.deviations.shape[1])
        means(base, y[places], members.deviations[g], members.mean[g], found.mean[g])
        deviation = math.sqrt(max(1.0 - dot(y, y), LEAST_VARIANCE))
        for i in range(n):
            share, gained = -y[i] / deviation, whitening[i]
            for j in range(n):
                row[j] += share * gained[j]
        row[members.known + members.deviations.shape[1]] = 1.0 / deviation
        found.deviation[g] = deviation
    return found


@fused
@no_type_check
def project(members: Members, x: Floats, fixed: Fixed, columns: Floats) -> None:
    """Write what the GPs make of each run's points, what was pending before in `columns`.

    Shapes: b r d; Kb p r.
    """
    b, r = x.shape[:2]
    models, p = members.log_weight.shape[1], columns.shape[1]
    k, h = np.empty((_ROWS, 0)), np.empty((_ROWS, 0))
    for i in range(b):
        surface, places = surface_of(members, i), np.nonzero(members.mask[i])[0]
        n = len(places)
        if k.shape[1] != n:
            k, h = np.empty((_ROWS, n)), np.empty((_ROWS, n))
        for which in range(models):
            g, gp = which * b + i, member(surface.gps, which)
            for j in range(0, r, _ROWS):
                rows = scaled(x[i, j : j + _ROWS], gp.scale)
                size = len(rows)
                covaried(rows, gp.columns, gp.coefficients, k[:size], h[:size])
                y = np.dot(k[:size], gp.forward)
                for s in range(size):
                    fixed.variance[g, j + s] = 1.0 - dot(y[s, :n], y[s, :n])
                    fixed.base[g, j + s] = y[s, n:]
                    for column in range(n - p):
                        fixed.whitened[g, j + s, places[column]] = y[s, column]
                    for column in range(p):
                        columns[g, column, j + s] = y[s, n - p + column]


@fused
@no_type_check
def entered(members: Members, x: Floats, fixed: Fixed, columns: Floats, point: Pending) -> Floats:
    """Return what a pending point adds to the L⁻¹k of fixed points, and take it off the variances.

    The covariance with it, c = k − (L⁻¹k)'(L⁻¹k'), over its deviation δ. Shapes: b r d, Kb p r;
    Kb r.
    """
    b, r, p = len(x), x.shape[1], columns.shape[1]
    found, slope = np.empty((len(members.mask), r)), np.empty((1, r))
    k = np.empty((1, r))
    for g in range(len(found)):
        rows = scaled(x[g % b], members.scale[g])
        covaried(point.x[g : g + 1], rows.T.copy(), members.coefficients[g], k, slope)
        own, y = found[g], point.whitened[g]
        for i in range(r):
            own[i] = k[0, i] - dot(fixed.whitened[g, i], y[: members.known])
        for j in range(p):
            entry, column = y[members.known + j], columns[g, j]
            for i in range(r):
                own[i] -= entry * column[i]
        for i in range(r):
            own[i] /= point.deviation[g]
            fixed.variance[g, i] -= own[i] * own[i]
    return found


@fused
@no_type_check
def screened(members: Members, fixed: Fixed, columns: Floats, value: Floats) -> None:
    """Write the acquisition function at the fixed points. Shapes: Kb p r; b r."""
    (b, models), m = members.log_weight.shape, members.best.shape[1]
    r, p = value.shape[1], columns.shape[1]
    each, pending = np.empty((models, r)), np.empty(p)
    u, density, mass, mean = np.empty(m), np.empty(m), np.empty(m), np.empty(m)
    for i in range(b):
        for k in range(models):
            g = k * b + i
            for s in range(r):
                for j in range(p):
                    pending[j] = columns[g, j, s]
                means(
                    fixed.base[g, s, : members.c],
                    pending,
                    members.deviations[g],
                    members.mean[g],
                    mean,
                )
                variance = max(fixed.variance[g, s], LEAST_VARIANCE)
                each[k, s], _ = scored(
                    members.criterion, mean, variance, members.best[g], u, density, mass
                )
        if models == 1:
            value[i] = each[0]
        else:
            averaged(each, members.log_weight[i], members.is_log, value[i])
