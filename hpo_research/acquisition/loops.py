"""Acquisition functions of our own models as compiled loops: their values and derivatives.

The tensors of `GPAcquisition` and `MixtureAcquisition` say the same; tests hold one against the
other. Loops take one run after another, so that a run's bits do not depend on others.
"""

import math
from typing import NamedTuple, no_type_check

import numpy as np

from hpo_research.acquisition.compiled import scored
from hpo_research.compiled import Bools, Floats, fused
from hpo_research.elementary import exp
from hpo_research.gp.compiled_rows import Known, covaried, dot, gather, pulled, scaled
from hpo_research.gp.posterior import LEAST_VARIANCE

_ROWS = 64  # of one block: few enough that what is computed of them stays in the cache


class Members(NamedTuple):
    """The GPs of b runs, K of each: GP k of run i is row k · b + i.

    Of N rows those of `mask` count, the last p of them pending. Each of m samples has weights of
    its own (c = m) or all have the same (c = 1). The members' values, of the `criterion` that
    `scored` takes, are averaged by weights whose logarithms are given, as logarithms if `is_log`.
    """

    x: Floats  # Kb N d, scaled
    mask: Bools  # Kb N
    whitening: Floats  # Kb N N
    weights: Floats  # Kb N w, of which the first c are read
    coefficients: Floats  # Kb 7
    scale: Floats  # Kb d
    mean: Floats  # Kb
    best: Floats  # Kb m
    deviations: Floats  # Kb p m
    log_weight: Floats  # b K
    criterion: tuple[int, float]
    is_log: bool
    c: int
    known: int


class Surface(NamedTuple):
    """One run's acquisition function: its K GPs, as `Known` has them, and how they are averaged."""

    gps: Known
    best: Floats  # K m
    deviations: Floats  # K p m
    log_weight: Floats  # K
    criterion: tuple[int, float]
    is_log: bool


@fused
@no_type_check
def surface_of(members: Members, run: int) -> Surface:
    """Lay out the GPs of a run."""
    b, models = members.log_weight.shape
    rows, d, c = np.nonzero(members.mask[run])[0], members.x.shape[2], members.c
    n = len(rows)
    gps = Known(
        np.empty((models, d, n)),
        np.empty((models, n, d + 1)),
        np.empty((models, n, n + c)),
        np.empty((models, n + c, n)),
        members.coefficients[run::b].copy(),
        members.scale[run::b].copy(),
        members.mean[run::b].copy(),
    )
    for k in range(models):
        g = k * b + run
        gather(member(gps, k), members.x[g], members.whitening[g], members.weights[g], rows)
    return Surface(
        gps,
        members.best[run::b].copy(),
        members.deviations[run::b].copy(),
        members.log_weight[run],
        members.criterion,
        members.is_log,
    )


@fused
@no_type_check
def member(gps: Known, k: int) -> Known:
    """Return one of the GPs."""
    return Known(
        gps.columns[k],
        gps.points[k],
        gps.forward[k],
        gps.backward[k],
        gps.coefficients[k],
        gps.scale[k],
        gps.mean[k],
    )


@fused
@no_type_check
def means(base: Floats, pending: Floats, deviations: Floats, mean: float, found: Floats) -> None:
    """Write a row's means under each sample. Shapes: c, p, p m, (), m.

    The pending points add to what the weights give their entries of L⁻¹k times their deviations.
    """
    if len(base) == 1:
        found[:] = base[0] + mean
    else:
        found[:] = base
        found += mean
    for j in range(len(pending)):
        entry, deviation = pending[j], deviations[j]
        for k in range(len(found)):
            found[k] += entry * deviation[k]


@fused
@no_type_check
def member_values(surface: Surface, which: int, x: Floats, value: Floats, gradient: Floats) -> None:
    """Write what one member makes of r points, and its derivatives where there is room for them.

    Shapes: r d, r, r d or 0 d.
    """
    gp = member(surface.gps, which)
    best, deviations = surface.best[which], surface.deviations[which]
    r, (n, width), (p, m) = len(x), gp.forward.shape, deviations.shape
    known, c = n - p, width - n
    rows = scaled(x, gp.scale)
    k, h = np.empty((r, n)), np.empty((r, n))
    covaried(rows, gp.columns, gp.coefficients, k, h)
    y = np.dot(k, gp.forward)
    u, density, mass, by_mean = np.empty(m), np.empty(m), np.empty(m), np.empty(m)
    for i in range(r):
        own = y[i]
        means(own[n:], own[known:n], deviations, gp.mean, by_mean)
        variance = max(1.0 - dot(own[:n], own[:n]), LEAST_VARIANCE)
        value[i], by_variance = scored(surface.criterion, by_mean, variance, best, u, density, mass)
        if len(gradient) > 0:
            turned(own, by_mean, by_variance, deviations, c)
    if len(gradient) > 0:
        gradient[:] = pulled(np.dot(y, gp.backward), h, rows, gp)


@fused
@no_type_check
def turned(y: Floats, by_mean: Floats, by_variance: float, deviations: Floats, c: int) -> None:
    """Turn (L⁻¹k, base means) of a row into the derivatives by them. Shapes: n + c, m, (), p m."""
    p, m = deviations.shape
    n = len(y) - c
    for k in range(n):
        y[k] *= -2.0 * by_variance
    for j in range(p):
        total, deviation = 0.0, deviations[j]
        for k in range(m):
            total += by_mean[k] * deviation[k]
        y[n - p + j] += total
    if c == 1:
        total = 0.0
        for k in range(m):
            total += by_mean[k]
        y[n] = total
    else:
        y[n:] = by_mean


@fused
@no_type_check
def evaluate(surface: Surface, x: Floats, value: Floats, gradient: Floats) -> None:
    """Write the acquisition function at r points, and its derivatives where there is room for them.

    Shapes: r d, r, r d or 0 d.
    """
    models = len(surface.log_weight)
    if models == 1:
        member_values(surface, 0, x, value, gradient)
        return
    r = len(x)
    each, gradients = np.empty((models, r)), np.empty((models, *gradient.shape))
    for k in range(models):
        member_values(surface, k, x, each[k], gradients[k])
    shares = averaged(each, surface.log_weight, surface.is_log, value)
    gradient[:] = 0.0
    for k in range(models):
        for i in range(len(gradient)):
            for j in range(gradient.shape[1]):
                gradient[i, j] += shares[k, i] * gradients[k, i, j]


@fused
@no_type_check
def averaged(values: Floats, log_weight: Floats, is_log: bool, value: Floats) -> Floats:
    """Write the members' weighted mean; return what each adds to its derivative.

    Shapes: K r, K, r; K r. Where values are logarithms, ln Σ w e^v.
    """
    models, r = values.shape
    shares = np.empty((models, r))
    for i in range(r):
        top, total = -math.inf, 0.0
        for k in range(models):
            top = max(top, values[k, i] + log_weight[k])
        for k in range(models):
            weighed = values[k, i] + log_weight[k] - top
            shares[k, i] = exp(weighed) if is_log else exp(log_weight[k])
            total += shares[k, i] if is_log else shares[k, i] * values[k, i]
        value[i] = total
        if is_log:
            value[i] = top + math.log(total)
            for k in range(models):
                shares[k, i] /= total
    return shares


@fused
@no_type_check
def values(members: Members, x: Floats, value: Floats) -> None:
    """Write the acquisition function of each run at its own points. Shapes: b r d, b r."""
    none = np.empty((0, x.shape[2]))
    for i in range(len(x)):
        surface = surface_of(members, i)
        for j in range(0, x.shape[1], _ROWS):
            evaluate(surface, x[i, j : j + _ROWS], value[i, j : j + _ROWS], none)


@fused
@no_type_check
def slopes(members: Members, x: Floats, value: Floats, gradient: Floats) -> None:
    """Write the same with its derivatives. Shapes: b r d, b r, b r d."""
    for i in range(len(x)):
        surface = surface_of(members, i)
        for j in range(0, x.shape[1], _ROWS):
            rows = slice(j, j + _ROWS)
            evaluate(surface, x[i, rows], value[i, rows], gradient[i, rows])
