"""What becomes of a surface when a point is under way, and of its values at fixed points: loops.

Fixed points are projected once: a pending point then costs each of them O(n).
"""

import math
from typing import NamedTuple, no_type_check

import numpy as np

from hpo_research.acquisition.compiled import scored
from hpo_research.acquisition.loops import Members, averaged, means
from hpo_research.compiled import Floats, fused, nested
from hpo_research.gp.compiled_rows import covaried, dot, scaled
from hpo_research.gp.posterior import LEAST_VARIANCE

_ROWS = 64  # of one block


class Pending(NamedTuple):
    """A further point of each run, seen by each of its GPs: what conditioning on it needs."""

    x: Floats  # Kb d, scaled
    whitened: Floats  # Kb n: l = L⁻¹k
    row: Floats  # Kb n: what L⁻¹ gains, (−l'L⁻¹)/δ but for its own entry, 1/δ
    mean: Floats  # Kb m
    deviation: Floats  # Kb, δ


class Fixed(NamedTuple):
    """What each GP made of r points when none of the batch was chosen yet, p being pending."""

    whitened: Floats  # Kb r n
    base: Floats  # Kb r c
    variance: Floats  # Kb r


@fused
@no_type_check
def conditioned(members: Members, x: Floats, point: Pending) -> None:
    """Predict the point that comes to be under way in each run. Shape: b d."""
    n, p, d = members.whitening.shape[1], members.deviations.shape[1], x.shape[1]
    units = np.ones(d)
    k, h, base = np.empty((1, n)), np.empty((1, n)), np.empty(members.weights.shape[2])
    for g in range(len(members.mean)):
        whitening, run = members.whitening[g], g % len(x)
        own, y, row = (
            scaled(x[run : run + 1], units, members.scale[g]),
            point.whitened[g],
            point.row[g],
        )
        covaried(own, members.columns[g], members.coefficients[g], k, h)
        for j in range(d):
            point.x[g, j] = own[0, j]
        for j in range(len(base)):
            base[j] = 0.0
        for i in range(n):
            y[i], row[i] = dot(whitening[i], k[0]), 0.0
            for j in range(len(base)):
                base[j] += k[0, i] * members.weights[g, i, j]
        places = slice(members.known, members.known + p)
        means(base, y[places], members.deviations[g], members.mean[g], point.mean[g])
        deviation = math.sqrt(max(1.0 - dot(y, y), LEAST_VARIANCE))
        for i in range(n):
            share, gained = -y[i] / deviation, whitening[i]
            for j in range(n):
                row[j] += share * gained[j]
        row[members.known + p] = 1.0 / deviation
        point.deviation[g] = deviation


@fused
@no_type_check
def project(members: Members, x: Floats, fixed: Fixed) -> None:
    """Write what the GPs make of each run's points. Shape: b r d."""
    (b, r, _), n = x.shape, members.whitening.shape[1]
    k, h, units = np.empty((_ROWS, n)), np.empty((_ROWS, n)), np.ones(x.shape[2])
    for g in range(len(members.mean)):
        for j in range(0, r, _ROWS):
            rows = scaled(x[g % b, j : j + _ROWS], units, members.scale[g])
            size = len(rows)
            covaried(rows, members.columns[g], members.coefficients[g], k, h)
            y, base = np.dot(k[:size], members.turned[g]), np.dot(k[:size], members.weights[g])
            for s in range(size):
                own, other = fixed.whitened[g, j + s], fixed.base[g, j + s]
                for z in range(n):
                    own[z] = y[s, z]
                for z in range(len(other)):
                    other[z] = base[s, z]
                fixed.variance[g, j + s] = 1.0 - dot(own, own)


@fused
@no_type_check
def entered(
    members: Members, x: Floats, fixed: Fixed, columns: Floats, point: Pending, found: Floats
) -> None:
    """Write what a pending point adds to the L⁻¹k of fixed points, and take it off the variances.

    The covariance with it, c = k − (L⁻¹k)'(L⁻¹k'), over its deviation δ. `columns`: what the points
    of the batch so far added. Shapes: b r d, Kb q r; Kb r.
    """
    (b, r, d), q = x.shape, columns.shape[1]
    k, h, across, units = np.empty((1, r)), np.empty((1, r)), np.empty((d, r)), np.ones(d)
    first = members.known + members.deviations.shape[1] - q
    for g in range(len(found)):
        own, y, rows = found[g], point.whitened[g], scaled(x[g % b], units, members.scale[g])
        for i in range(r):
            for j in range(d):
                across[j, i] = rows[i, j]
        covaried(point.x[g : g + 1], across, members.coefficients[g], k, h)
        for i in range(r):
            own[i] = k[0, i] - dot(fixed.whitened[g, i], y)
        for j in range(q):
            entry, column = y[first + j], columns[g, j]
            for i in range(r):
                own[i] -= entry * column[i]
        for i in range(r):
            own[i] /= point.deviation[g]
            fixed.variance[g, i] -= own[i] * own[i]


@nested
@no_type_check
def entries(fixed: Fixed, columns: Floats, g: int, s: int, known: int, found: Floats) -> None:
    """Write a fixed point's entries of L⁻¹k that pending points have. Shapes: Kb q r, p."""
    q = columns.shape[1]
    before = len(found) - q
    for j in range(before):
        found[j] = fixed.whitened[g, s, known + j]
    for j in range(q):
        found[before + j] = columns[g, j, s]


@fused
@no_type_check
def screened(members: Members, fixed: Fixed, columns: Floats, value: Floats) -> None:
    """Write the acquisition function at the fixed points. Shapes: Kb q r; b r."""
    (b, models), (p, m) = members.log_weight.shape, members.deviations.shape[1:]
    r = value.shape[1]
    each, pending = np.empty((models, r)), np.empty(p)
    u, density, mass, mean = np.empty(m), np.empty(m), np.empty(m), np.empty(m)
    for i in range(b):
        for k in range(models):
            g = k * b + i
            for s in range(r):
                entries(fixed, columns, g, s, members.known, pending)
                means(fixed.base[g, s], pending, members.deviations[g], members.mean[g], mean)
                each[k, s], _ = scored(
                    members.criterion,
                    mean,
                    max(fixed.variance[g, s], LEAST_VARIANCE),
                    members.best[g],
                    u,
                    density,
                    mass,
                )
        averaged(each, members.log_weight[i], members.is_log, value[i])
