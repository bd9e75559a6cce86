"""What a step of the batched L-BFGS does to each row, compiled for the CPU.

A few variables a row are too few for tensors: a step is a hundred operations on them, each of which
costs more to call than to do. `judge` does what `lbfgs._judged` does, row after row, in place;
`tests/optim/test_compiled.py` holds one against the other.
"""

import math
from typing import NamedTuple, no_type_check

import numpy as np

from hpo_research.compiled import Bools, Floats, Ints, compiled, nested


class Rows(NamedTuple):
    """The rows of a search: what `lbfgs._State` holds from `lower` on, one row after another."""

    lower: Floats  # s p
    upper: Floats  # s p
    x: Floats  # s p
    value: Floats  # s
    gradient: Floats  # s p
    direction: Floats  # s p
    step: Floats  # s
    scale: Floats  # s
    pairs: Floats  # s 2 h p
    backtracks: Ints  # s
    evaluations: Ints  # s
    is_done: Bools  # s
    has_converged: Bools  # s


class Trials(NamedTuple):
    """The next point of each row, and what was found there."""

    x: Floats  # s p
    value: Floats  # s
    gradient: Floats  # s p


@nested
@no_type_check
def begun(
    x: Floats,
    bounds: tuple[Floats, Floats],
    value: Floats,
    gradient: Floats,
    history: int,
    level: float,
) -> Rows:
    """Return rows at their starts, which lie within the bounds: see `lbfgs._begun`.

    Shapes: s p, s p twice, s, s p. Values and gradients are taken over, not copied.
    """
    (s, p), (lower, upper) = x.shape, bounds
    direction, scale = np.zeros((s, p)), np.ones(s)
    is_done, is_flat, free = np.zeros(s, np.bool_), np.zeros(s, np.bool_), np.empty(p)
    for i in range(s):
        total, square = value[i], 0.0
        for j in range(p):
            total += gradient[i, j]
            square += gradient[i, j] * gradient[i, j]
        if not math.isfinite(total):
            value[i], is_done[i] = math.nan, True
            for j in range(p):
                gradient[i, j] = 0.0
            continue
        scale[i] = 1.0 / max(math.sqrt(square), 1.0)
        is_flat[i] = _held(x[i], gradient[i], lower[i], upper[i], free) <= level
        is_done[i] = is_flat[i]
        _descend(direction[i], gradient[i], free, scale[i])
    return Rows(
        lower,
        upper,
        x,
        value,
        gradient,
        direction,
        np.ones(s),
        scale,
        np.zeros((s, 2, history, p)),
        np.zeros(s, np.int64),
        np.ones(s, np.int64),
        is_done,
        is_flat,
    )


@nested
@no_type_check
def first(count: int) -> Ints:
    """Return the first so many rows: `arange` takes long to compile."""
    rows = np.empty(count, np.int64)
    for i in range(count):
        rows[i] = i
    return rows


@nested
@no_type_check
def best(value: Floats, count: int) -> Ints:
    """Return the rows of the least values, the least first; NaN comes last, ties stay in order."""
    order = first(len(value))
    for i in range(1, len(value)):
        row, k = order[i], i
        while k > 0 and (
            value[row] < value[order[k - 1]]
            or (math.isnan(value[order[k - 1]]) and not math.isnan(value[row]))
        ):
            order[k] = order[k - 1]
            k -= 1
        order[k] = row
    return order[:count]


@compiled
@no_type_check
def judge(rows: Rows, trials: Trials, limits: tuple[float, ...], most_backtracks: int) -> None:
    """Accept the trial point of each row or shrink its step; rows that have ended stay."""
    lower, upper, x, value, gradient, direction, step, scale, pairs = rows[:9]
    backtracks, evaluations, is_done, has_converged = rows[9:]
    trial, trial_value, trial_gradient = trials
    sufficient, shrink_least, shrink_most, grow, flat, decrease, level = limits
    p = x.shape[1]
    moved, turned, free = np.empty(p), np.empty(p), np.empty(p)
    for i in range(len(x)):
        if is_done[i]:
            continue
        evaluations[i] += 1
        promised, curved, square, long, total = _compared(
            x[i], gradient[i], trial[i], trial_gradient[i], moved, turned
        )
        fallen = value[i] - trial_value[i]
        if (
            math.isfinite(total + trial_value[i])
            and -fallen <= sufficient * promised
            and promised < 0
        ):
            if curved > flat * math.sqrt(long * square):
                scale[i] = curved / square
                _push(pairs[i], moved, turned)
            else:
                scale[i] *= grow
            ends = fallen <= decrease * max(abs(value[i]), 1.0)
            value[i], step[i], backtracks[i] = trial_value[i], 1.0, 0
            for j in range(p):
                x[i, j], gradient[i, j] = trial[i, j], trial_gradient[i, j]
            if _held(x[i], gradient[i], lower[i], upper[i], free) <= level or ends:
                is_done[i] = has_converged[i] = True
            else:
                _turn(direction[i], pairs[i], gradient[i], free, scale[i], flat)
            continue
        backtracks[i] += 1
        step[i] *= _shortened(promised, fallen, shrink_least, shrink_most)
        # Beside a bound that does not yet hold a variable the projected step may point uphill:
        # such a row, and one that has shrunk long, begins anew along its gradient.
        if promised >= 0 or backtracks[i] == most_backtracks // 2:
            _held(x[i], gradient[i], lower[i], upper[i], free)
            step[i] = _descend(direction[i], gradient[i], free, scale[i])
        if backtracks[i] > most_backtracks:
            is_done[i] = True


@nested
@no_type_check
def _compared(
    x: Floats,
    gradient: Floats,
    trial: Floats,
    trial_gradient: Floats,
    moved: Floats,
    turned: Floats,
) -> tuple[float, float, float, float, float]:
    """Write the differences of points and gradients, and return what decides about the trial.

    That is the promised change, s'y, y'y, s's and the sum of the trial's gradient.
    """
    promised, curved, square, long, total = 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(len(x)):
        moved[j] = trial[j] - x[j]
        turned[j] = trial_gradient[j] - gradient[j]
        promised += gradient[j] * moved[j]
        curved += moved[j] * turned[j]
        square += turned[j] * turned[j]
        long += moved[j] * moved[j]
        total += trial_gradient[j]
    return promised, curved, square, long, total


@nested
@no_type_check
def _shortened(promised: float, fallen: float, least: float, most: float) -> float:
    """Return by how much to shorten a refused step: see `lbfgs._shrink`."""
    best = promised / (2 * (promised + fallen))
    return min(best, most) if best > least else least  # which NaN is not


@nested
@no_type_check
def _push(pairs: Floats, moved: Floats, turned: Floats) -> None:
    """Append the differences of points (0) and gradients (1), and forget the oldest."""
    last, p = pairs.shape[1] - 1, pairs.shape[2]
    for part in range(2):
        for k in range(last):
            for j in range(p):
                pairs[part, k, j] = pairs[part, k + 1, j]
    for j in range(p):
        pairs[0, last, j], pairs[1, last, j] = moved[j], turned[j]


@nested
@no_type_check
def _held(x: Floats, gradient: Floats, lower: Floats, upper: Floats, free: Floats) -> float:
    """Write 1 where no bound holds a variable, and return the largest projected gradient."""
    most = 0.0
    for j in range(len(x)):
        projected = x[j] - min(max(x[j] - gradient[j], lower[j]), upper[j])
        free[j] = 1.0 if projected != 0 or gradient[j] == 0 else 0.0
        most = max(most, abs(projected))
    return most


@nested
@no_type_check
def _descend(direction: Floats, gradient: Floats, free: Floats, scale: float) -> float:
    """Write the way down the gradient on the free variables, and return the first step, 1."""
    for j in range(len(gradient)):
        direction[j] = -scale * gradient[j] * free[j]
    return 1.0


@nested
@no_type_check
def _turn(
    direction: Floats, pairs: Floats, gradient: Floats, free: Floats, scale: float, flat: float
) -> None:
    """Write −H g on the free variables: the two-loop recursion (Nocedal 1980)."""
    h, p = pairs.shape[1:]
    weights, curvatures, q = np.empty(h), np.empty(h), np.empty(p)
    for j in range(p):
        q[j] = gradient[j] * free[j]
    for k in range(h - 1, -1, -1):
        moved, turned = pairs[0, k], pairs[1, k]
        curved, long, square, along = 0.0, 0.0, 0.0, 0.0
        for j in range(p):
            curved += moved[j] * turned[j] * free[j]
            long += moved[j] * moved[j] * free[j]
            square += turned[j] * turned[j] * free[j]
            along += moved[j] * q[j]
        curvatures[k] = curved if curved > flat * math.sqrt(long * square) else 0.0
        if curvatures[k] > 0:
            weights[k] = along / curved
            for j in range(p):
                q[j] -= weights[k] * turned[j] * free[j]
    for j in range(p):
        q[j] *= scale
    for k in range(h):
        if curvatures[k] > 0:
            along = 0.0
            for j in range(p):
                along += pairs[1, k, j] * q[j]
            for j in range(p):
                q[j] += (weights[k] - along / curvatures[k]) * pairs[0, k, j] * free[j]
    slope = 0.0
    for j in range(p):
        slope += q[j] * gradient[j] * free[j]
    for j in range(p):
        direction[j] = -q[j] if slope > 0 else -scale * gradient[j] * free[j]


@compiled
@no_type_check
def resume(rows: Rows, i: int, pairs: Floats, scale: float, limits: tuple[float, ...]) -> None:
    """Let a row that begins look along the curvature that another search has seen.

    `pairs` and `scale` are as in `Rows`, of one row; `limits` those of `judge`. Shape: 2 h p.
    """
    p = pairs.shape[2]
    for part in range(2):
        for k in range(pairs.shape[1]):
            for j in range(p):
                rows.pairs[i, part, k, j] = pairs[part, k, j]
    free = np.empty(p)
    _held(rows.x[i], rows.gradient[i], rows.lower[i], rows.upper[i], free)
    rows.scale[i] = scale
    _turn(rows.direction[i], rows.pairs[i], rows.gradient[i], free, scale, limits[4])
