"""Acquisition functions of our own models as compiled loops: their values and derivatives.

The tensors of `GPAcquisition` and `MixtureAcquisition` say the same; tests hold one against the
other. Loops take one run after another, so that a run's bits do not depend on others.
"""

import math
from typing import NamedTuple, no_type_check

import numpy as np

from hpo_research.acquisition.compiled import scored
from hpo_research.compiled import Floats, fused, nested
from hpo_research.elementary import exp
from hpo_research.gp.compiled_rows import covaried, dot, pulled, scaled
from hpo_research.gp.posterior import LEAST_VARIANCE

_ROWS = 64  # of one block: few enough that what is computed of them stays in the cache


class Members(NamedTuple):
    """The GPs of b runs, K of each: GP k of run i is row k · b + i. `Posterior` explains them.

    The first `known` of n rows are no pending points; p are. Each of m samples has weights of its
    own, or all have the first of them. The members' values, of the `criterion` that `scored` takes,
    are averaged by weights whose logarithms are given, as logarithms if `is_log`.
    """

    x: Floats  # Kb n d, scaled
    columns: Floats  # Kb d n, the same
    whitening: Floats  # Kb n n
    turned: Floats  # Kb n n, L⁻ᵀ
    weights: Floats  # Kb n c
    across: Floats  # Kb c n, the same
    coefficients: Floats  # Kb 7
    scale: Floats  # Kb d
    mean: Floats  # Kb
    best: Floats  # Kb m
    deviations: Floats  # Kb p m
    log_weight: Floats  # b K
    criterion: tuple[int, float]
    is_log: bool
    known: int


@nested
@no_type_check
def means(base: Floats, pending: Floats, deviations: Floats, mean: float, found: Floats) -> None:
    """Write a row's means under each sample. Shapes: c, p, p m, (), m.

    The pending points add to what the weights give their entries of L⁻¹k times their deviations.
    """
    is_sampled = len(base) == len(found)
    for k in range(len(found)):
        found[k] = mean + (base[k] if is_sampled else base[0])
    for j in range(len(pending)):
        entry, deviation = pending[j], deviations[j]
        for k in range(len(found)):
            found[k] += entry * deviation[k]


@nested
@no_type_check
def turned(
    by_mean: Floats, by_variance: float, deviations: Floats, known: int, y: Floats, base: Floats
) -> None:
    """Replace L⁻¹k and what the weights gave of a row by the derivatives by them.

    Shapes: m, (), p m, (); n, c.
    """
    for k in range(len(y)):
        y[k] *= -2.0 * by_variance
    for j in range(len(deviations)):
        y[known + j] += dot(by_mean, deviations[j])
    is_sampled, total = len(base) == len(by_mean), 0.0
    for k in range(len(by_mean)):
        total += by_mean[k]
    for k in range(len(base)):
        base[k] = by_mean[k] if is_sampled else 0.0
    if not is_sampled:
        base[0] = total


@nested
@no_type_check
def evaluate(
    members: Members, run: int, x: Floats, span: Floats, value: Floats, gradient: Floats
) -> None:
    """Write a run's acquisition function at r points, and, where there is room, its derivatives.

    Points and derivatives are in units of the spans. Shapes: r d, d, r, r d or 0 d.
    """
    (b, models), r, is_sloped = members.log_weight.shape, len(x), len(gradient) > 0
    n, (p, m) = members.whitening.shape[1], members.deviations.shape[1:]
    each, slopes = np.empty((models, r)), np.empty((models, len(gradient), x.shape[1]))
    k, h = np.empty((r, n)), np.empty((r, n))
    u, density, mass, by_mean = np.empty(m), np.empty(m), np.empty(m), np.empty(m)
    for model in range(models):
        g = model * b + run
        deviations, rows, known = (
            members.deviations[g],
            scaled(x, span, members.scale[g]),
            members.known,
        )
        covaried(rows, members.columns[g], members.coefficients[g], k, h)
        y, base = np.dot(k, members.turned[g]), np.dot(k, members.weights[g])
        for i in range(r):
            own = y[i]
            means(base[i], own[known : known + p], deviations, members.mean[g], by_mean)
            each[model, i], by_variance = scored(
                members.criterion,
                by_mean,
                max(1.0 - dot(own, own), LEAST_VARIANCE),
                members.best[g],
                u,
                density,
                mass,
            )
            if is_sloped:
                turned(by_mean, by_variance, deviations, known, own, base[i])
        if is_sloped:
            w, other = np.dot(y, members.whitening[g]), np.dot(base, members.across[g])
            for i in range(r):
                for z in range(n):
                    w[i, z] = (w[i, z] + other[i, z]) * h[i, z]
            pulled(w, rows, members.x[g], members.scale[g], slopes[model])
    shares = averaged(each, members.log_weight[run], members.is_log, value)
    for i in range(len(gradient)):
        for j in range(gradient.shape[1]):
            total = 0.0
            for model in range(models):
                total += shares[model, i] * slopes[model, i, j]
            gradient[i, j] = total * span[j]


@nested
@no_type_check
def averaged(values: Floats, log_weight: Floats, is_log: bool, value: Floats) -> Floats:
    """Write the members' weighted mean; return what each adds to its derivative.

    Shapes: K r, K, r; K r. Where values are logarithms, ln Σ w e^v.
    """
    models, r = values.shape
    shares = np.ones((models, r))
    for i in range(r):
        if models == 1:
            value[i] = values[0, i]
            continue
        top, total = -math.inf, 0.0
        for k in range(models):
            top = max(top, values[k, i] + log_weight[k])
        for k in range(models):
            weighed = values[k, i] + log_weight[k] - top
            shares[k, i] = exp(weighed if is_log else log_weight[k])
            total += shares[k, i] if is_log else shares[k, i] * values[k, i]
        value[i] = top + math.log(total) if is_log else total
        for k in range(models):
            shares[k, i] /= total if is_log else 1.0
    return shares


@fused
@no_type_check
def values(members: Members, x: Floats, value: Floats, gradient: Floats) -> None:
    """Write the acquisition functions of runs at their own points, and perhaps derivatives.

    Shapes: b r d, b r, b r d or b 0 d.
    """
    units = np.ones(x.shape[2])
    for i in range(len(x)):
        for j in range(0, x.shape[1], _ROWS):
            rows = slice(j, j + _ROWS)
            evaluate(members, i, x[i, rows], units, value[i, rows], gradient[i, rows])
