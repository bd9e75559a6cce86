"""Climbing our own acquisition functions in one compiled call: the same search as `lbfgs.minimise`.

Only rows that still climb are evaluated, which `minimise` does in tensors for all rows of a run.
"""

from typing import no_type_check

import numpy as np

from hpo_research.acquisition.loops import Members, Surface, evaluate, surface_of
from hpo_research.compiled import Floats, Ints, fused
from hpo_research.optim.compiled import Rows, begun, best, judge


@fused
@no_type_check
def climb(
    members: Members,
    starts: Floats,
    bounds: tuple[Floats, Floats],
    spans: Floats,
    limits: tuple[float, ...],
    counts: tuple[int, ...],
    x: Floats,
    value: Floats,
    row: Ints,
) -> None:
    """Write where the starts of each run end, searching in units of its spans, and the values.

    `limits` are those of `judge`; `counts`: evaluations, history, backtracks, after how many
    evaluations the best go on, and how many. Shapes: b s d thrice, b d; b k d, b k, b k.
    """
    lower, upper = bounds
    for i in range(len(starts)):
        rows, order = _climbed(
            surface_of(members, i),
            starts[i] / spans[i],
            (lower[i] / spans[i], upper[i] / spans[i]),
            spans[i],
            limits,
            counts,
        )
        for k in range(len(order)):
            own = order[k]
            row[i, k], value[i, k] = own, -rows.value[own]
            _unscaled(rows, own, lower[i, own], upper[i, own], spans[i], x[i, k])


@fused
@no_type_check
def _climbed(
    surface: Surface,
    starts: Floats,
    bounds: tuple[Floats, Floats],
    span: Floats,
    limits: tuple[float, ...],
    counts: tuple[int, ...],
) -> tuple[Rows, Ints]:
    """Return the rows of one run's search at its end, and which of them were kept.

    Shapes: s d, s d twice, d; k.
    """
    evaluations, history, backtracks, after, kept = counts
    (s, d), (lower, upper), level = starts.shape, bounds, limits[6]
    x = np.minimum(np.maximum(starts, lower), upper)
    value, gradient = np.empty(s), np.empty((s, d))
    _descent(surface, x, span, value, gradient)
    rows = begun(x, bounds, value, gradient, history, level)
    trial, trial_value, trial_gradient = np.empty((s, d)), np.empty(s), np.empty((s, d))
    order, is_pruned = np.arange(s), kept >= s
    for turn in range(evaluations - 1):
        if turn + 1 == after and not is_pruned:
            order, is_pruned = best(rows.value, kept), True
            _end_others(rows, order)
        live = np.nonzero(~rows.is_done)[0]
        if len(live) == 0:
            break
        _try(surface, rows, live, span, trial, trial_value, trial_gradient)
        judge(
            rows.lower,
            rows.upper,
            rows.x,
            rows.value,
            rows.gradient,
            rows.direction,
            rows.step,
            rows.scale,
            rows.pairs,
            rows.backtracks,
            rows.evaluations,
            rows.is_done,
            rows.has_converged,
            trial,
            trial_value,
            trial_gradient,
            limits,
            backtracks,
        )
    return rows, order if is_pruned else best(rows.value, kept)


@fused
@no_type_check
def _end_others(rows: Rows, order: Ints) -> None:
    """End the rows that are not kept."""
    is_kept = np.zeros(len(rows.value), np.bool_)
    is_kept[order] = True
    for i in range(len(is_kept)):
        rows.is_done[i] |= not is_kept[i]


@fused
@no_type_check
def _try(
    surface: Surface,
    rows: Rows,
    live: Ints,
    span: Floats,
    trial: Floats,
    trial_value: Floats,
    trial_gradient: Floats,
) -> None:
    """Write the next trial point of each live row and what it is worth; see `lbfgs._advanced`."""
    r, d = len(live), len(span)
    x, value, gradient = np.empty((r, d)), np.empty(r), np.empty((r, d))
    for k in range(r):
        i = live[k]
        for j in range(d):
            moved = rows.x[i, j] + rows.step[i] * rows.direction[i, j]
            x[k, j] = min(max(moved, rows.lower[i, j]), rows.upper[i, j])
    _descent(surface, x, span, value, gradient)
    trial[live], trial_value[live], trial_gradient[live] = x, value, gradient


@fused
@no_type_check
def _descent(surface: Surface, x: Floats, span: Floats, value: Floats, gradient: Floats) -> None:
    """Write minus the surface at points in units of the spans, and its derivatives by them."""
    evaluate(surface, x * span, value, gradient)
    for i in range(len(value)):
        value[i] = -value[i]
        for j in range(len(span)):
            gradient[i, j] *= -span[j]


@fused
@no_type_check
def _unscaled(rows: Rows, i: int, lower: Floats, upper: Floats, span: Floats, x: Floats) -> None:
    """Write where a row ended; what is at a bound is put there to the last bit. Shapes: d each."""
    for j in range(len(span)):
        own = rows.x[i, j]
        x[j] = min(max(own * span[j], lower[j]), upper[j])
        if own == rows.lower[i, j]:
            x[j] = lower[j]
        if own == rows.upper[i, j]:
            x[j] = upper[j]
