"""Climbing our own acquisition functions in one compiled call: the same search as `lbfgs.minimise`.

Only rows that still climb are evaluated, which `minimise` does in tensors for all rows of a run.
"""

from typing import NamedTuple, no_type_check

import numpy as np

from hpo_research.acquisition.loops import Members, evaluate
from hpo_research.compiled import Bools, Floats, Ints, fused, nested
from hpo_research.optim.compiled import Rows, Trials, begun, best, first, judge


class Ends(NamedTuple):
    """Where the rows that were kept ended: what `Minimum` holds, for k rows of each run."""

    x: Floats  # b k d
    value: Floats  # b k
    evaluations: Ints  # b k
    has_converged: Bools  # b k
    row: Ints  # b k


@fused
@no_type_check
def climb(
    members: Members,
    starts: Floats,
    bounds: tuple[Floats, Floats],
    spans: Floats,
    limits: tuple[float, ...],
    counts: tuple[int, ...],
    ends: Ends,
) -> None:
    """Minimise minus each run's acquisition function from its starts, in units of its spans.

    `limits` are those of `judge`; `counts`: evaluations, history, backtracks, and after how many
    evaluations the best go on. Shapes: b s d thrice, b d.
    """
    (b, s, d), (evaluations, history, backtracks, after) = starts.shape, counts
    trial, value, gradient = np.empty((s, d)), np.empty(s), np.empty((s, d))
    own_value, own_gradient = np.empty(s), np.empty((s, d))
    for i in range(b):
        x, live, kept = starts[i].copy(), first(s), ends.row.shape[1]
        order = live
        evaluate(members, i, x, spans[i], own_value, own_gradient)
        _turned(live, x, own_value, own_gradient, trial, value, gradient)
        sides = bounds[0][i], bounds[1][i]
        rows = begun(x, sides, value.copy(), gradient.copy(), history, limits[6])
        for turn in range(1, evaluations):
            if turn == after and kept < s:
                order = best(rows.value, kept)
                _end_others(rows, order)
            live, x = _trials(rows)
            r = len(live)
            if r == 0:
                break
            evaluate(members, i, x, spans[i], own_value[:r], own_gradient[:r])
            _turned(live, x, own_value, own_gradient, trial, value, gradient)
            judge(rows, Trials(trial, value, gradient), limits, backtracks)
        _end(rows, order if len(order) == kept else best(rows.value, kept), i, ends)


@nested
@no_type_check
def _turned(
    live: Ints,
    x: Floats,
    value: Floats,
    gradient: Floats,
    trial: Floats,
    trial_value: Floats,
    trial_gradient: Floats,
) -> None:
    """Write points of live rows, and minus what was found there. Shapes: r, r d, r, r d; s each."""
    for k in range(len(live)):
        i = live[k]
        trial_value[i] = -value[k]
        for j in range(x.shape[1]):
            trial[i, j], trial_gradient[i, j] = x[k, j], -gradient[k, j]


@nested
@no_type_check
def _trials(rows: Rows) -> tuple[Ints, Floats]:
    """Return the rows that go on, and the next trial point of each; see `lbfgs._advanced`."""
    s, d = rows.x.shape
    live, x, r = np.empty(s, np.int64), np.empty((s, d)), 0
    for i in range(s):
        if not rows.is_done[i]:
            live[r] = i
            for j in range(d):
                moved = rows.x[i, j] + rows.step[i] * rows.direction[i, j]
                x[r, j] = min(max(moved, rows.lower[i, j]), rows.upper[i, j])
            r += 1
    return live[:r], x[:r]


@nested
@no_type_check
def _end_others(rows: Rows, order: Ints) -> None:
    """End the rows that are not kept."""
    for i in range(len(rows.value)):
        is_kept = False
        for k in range(len(order)):
            is_kept |= order[k] == i
        rows.is_done[i] |= not is_kept


@nested
@no_type_check
def _end(rows: Rows, order: Ints, run: int, ends: Ends) -> None:
    """Write where the rows that were kept are."""
    for k in range(len(order)):
        i = order[k]
        ends.row[run, k], ends.value[run, k] = i, rows.value[i]
        ends.evaluations[run, k] = rows.evaluations[i]
        ends.has_converged[run, k] = rows.has_converged[i]
        for j in range(rows.x.shape[1]):
            ends.x[run, k, j] = rows.x[i, j]
