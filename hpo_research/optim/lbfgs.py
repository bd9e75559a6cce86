"""Batched bounded L-BFGS: every row has its own history, step and end."""

from dataclasses import dataclass, fields, replace
from itertools import count
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_SUFFICIENT = 1e-4  # of the decrease that the gradient promises (Armijo)
_SHRINK_LEAST, _SHRINK_MOST = 0.1, 0.5
_GROW = 4.0  # of the step, where the curvature says nothing
_FLAT = 1e-10  # curvature pairs below this share of |s||y| are left out


@runtime_checkable
class Objective(Protocol):
    """Functions with gradients: rows of a group may share data, groups share nothing."""

    def __call__(
        self, x: Float[Tensor, "b s p"]
    ) -> tuple[Float[Tensor, "b s"], Float[Tensor, "b s p"]]:
        """Return values and gradients; a value that is not finite refuses the point."""
        ...

    def take(self, groups: Int[Tensor, " k"]) -> "Objective":
        """Return the functions of some groups only."""
        ...


@dataclass(frozen=True)
class Options:
    """When a row ends: after so many evaluations, or by its projected gradient or its decrease.

    `gradient`: largest component of x − P(x − g), P the projection onto the bounds. `decrease`:
    relative to max(|f|, 1), of an accepted step. `history`: how many steps the curvature is
    taken from. `shrinks`: of one step, before the row gives it up.
    """

    evaluations: int = 200
    gradient: float = 1e-6
    decrease: float = 1e-10
    history: int = 8
    shrinks: int = 25


@dataclass(frozen=True)
class Minimum:
    """Where each row ended, after how many evaluations, and whether by its gradient or decrease.

    The value is NaN where even the start had none.
    """

    x: Float[Tensor, "b s p"]
    value: Float[Tensor, "b s"]
    evaluations: Int[Tensor, "b s"]
    has_converged: Bool[Tensor, "b s"]


@dataclass(frozen=True)
class _State:
    """Of the groups that still run.

    `step` scales `direction`; `scale` is the initial inverse curvature; `steps` and `turns` hold
    the last differences of points and gradients, newest last, zeros where there are none.
    """

    group: Int[Tensor, " b"]
    lower: Float[Tensor, "b s p"]
    upper: Float[Tensor, "b s p"]
    x: Float[Tensor, "b s p"]
    value: Float[Tensor, "b s"]
    gradient: Float[Tensor, "b s p"]
    direction: Float[Tensor, "b s p"]
    step: Float[Tensor, "b s"]
    scale: Float[Tensor, "b s"]
    steps: Float[Tensor, "b s h p"]
    turns: Float[Tensor, "b s h p"]
    shrinks: Int[Tensor, "b s"]
    evaluations: Int[Tensor, "b s"]
    is_done: Bool[Tensor, "b s"]
    has_converged: Bool[Tensor, "b s"]

    def take(self, groups: Int[Tensor, " k"]) -> "_State":
        return _State(*(getattr(self, f.name)[groups] for f in fields(self)))


def minimise(
    objective: Objective,
    x: Float[Tensor, "b s p"],
    lower: Float[Tensor, "b s p"],
    upper: Float[Tensor, "b s p"],
    options: Options | None = None,
) -> Minimum:
    """Minimise every row within its bounds; variables whose bounds are equal stay put.

    Limited-memory BFGS (Nocedal, Mathematics of Computation 1980; Algorithm 7.4 of Nocedal and
    Wright) on the variables that no bound holds, projected onto the bounds with an Armijo search
    along the projected step (Bertsekas, SIAM J. Control Optim. 1982). Each evaluation advances
    every row by one trial point, whether that row is searching or has accepted a step, so rows
    never wait for each other; a group is left out once all its rows have ended. A row's path is
    the same whichever other groups are there.
    """
    options = options or Options()
    state = _begun(objective, x.clamp(lower, upper), lower, upper, options)
    found = state
    for turn in count():
        ended = state.is_done.all(dim=1)
        if ended.any():
            found = _entered(found, state.take(ended.nonzero()[:, 0]))
            going = (~ended).nonzero()[:, 0]
            state, objective = state.take(going), objective.take(going)
        if state.group.numel() == 0:
            break
        state = _advanced(objective, state, options, depth=min(turn, options.history))
    return Minimum(found.x, found.value, found.evaluations, found.has_converged)


def _begun(
    objective: Objective, x: Tensor, lower: Tensor, upper: Tensor, options: Options
) -> _State:
    value, gradient = objective(x)
    b, s, p = x.shape
    pairs = x.new_zeros(b, s, options.history, p)
    known = value.isfinite() & gradient.isfinite().all(dim=-1)
    gradient = torch.where(known[..., None], gradient, torch.zeros_like(gradient))
    once = torch.ones(b, s, dtype=torch.int64, device=x.device)
    state = _State(
        group=torch.arange(b, device=x.device),
        lower=lower,
        upper=upper,
        x=x,
        value=torch.where(known, value, torch.full_like(value, torch.nan)),
        gradient=gradient,
        direction=torch.zeros_like(x),
        step=torch.ones_like(value),
        scale=1 / _norm(gradient).clamp(min=1.0),
        steps=pairs,
        turns=pairs,
        shrinks=torch.zeros_like(once),
        evaluations=once,
        is_done=~known,
        has_converged=torch.zeros_like(known),
    )
    state = replace(state, direction=_direction(state, depth=0))
    is_flat = known & (_slope(state) <= options.gradient)
    is_done = state.is_done | is_flat | (options.evaluations <= 1)
    return replace(state, is_done=is_done, has_converged=is_flat)


def _entered(found: _State, ended: _State) -> _State:
    """Write the groups that have ended into a copy of all."""
    changed = {}
    for name in ("x", "value", "evaluations", "has_converged"):
        whole = getattr(found, name).clone()
        whole[ended.group] = getattr(ended, name)
        changed[name] = whole
    return replace(found, **changed)


def _advanced(objective: Objective, state: _State, options: Options, *, depth: int) -> _State:
    """Evaluate one trial point of every row, and accept it or shrink the step.

    `depth`: so many of the newest pairs may hold anything, the others are zeros.
    """
    trial = (state.x + state.step[..., None] * state.direction).clamp(state.lower, state.upper)
    value, gradient = objective(trial)
    moved = trial - state.x
    promised = _dot(state.gradient, moved)
    known = value.isfinite() & gradient.isfinite().all(dim=-1)
    enough = value <= state.value + _SUFFICIENT * promised
    is_live = ~state.is_done
    accepted = is_live & known & enough & (promised < 0)
    refused = is_live & ~accepted
    fallen = state.value - value
    before = state
    state = replace(
        state,
        evaluations=state.evaluations + is_live,
        step=torch.where(refused, state.step * _shrink(promised, fallen, known), state.step),
        shrinks=torch.where(refused, state.shrinks + 1, state.shrinks),
    )
    state = _accept(state, accepted, trial, gradient, value)
    direction = _direction(state, depth=min(depth + 1, options.history))
    # Beside a bound that does not yet hold a variable the projected step may point uphill: such a
    # row, and one that has shrunk long, begins anew along its gradient.
    jammed = refused & ((promised >= 0) | (state.shrinks == options.shrinks // 2))
    steep = -state.gradient * _free(state).to(state.x) * state.scale[..., None]
    direction = torch.where(accepted[..., None], direction, state.direction)
    state = replace(
        state,
        direction=torch.where(jammed[..., None], steep, direction),
        step=torch.where(jammed, torch.ones_like(state.step), state.step),
    )
    flat = fallen <= options.decrease * torch.maximum(before.value.abs(), value.abs()).clamp(min=1)
    converged = accepted & (flat | (_slope(state) <= options.gradient))
    ended = converged | (refused & (state.shrinks > options.shrinks))
    ended = ended | (state.evaluations >= options.evaluations)
    return replace(
        state,
        is_done=state.is_done | ended,
        has_converged=state.has_converged | converged,
    )


def _shrink(promised: Tensor, fallen: Tensor, known: Tensor) -> Tensor:
    """Return by how much to shorten a refused step: to the minimum of a parabola, within limits."""
    best = promised / (2 * (promised + fallen))
    best = torch.where(known & best.isfinite(), best, torch.full_like(best, _SHRINK_LEAST))
    return best.clamp(_SHRINK_LEAST, _SHRINK_MOST)


def _accept(
    state: _State, accepted: Tensor, trial: Tensor, gradient: Tensor, value: Tensor
) -> _State:
    row = accepted[..., None]
    moved = trial - state.x
    turned = gradient - state.gradient
    curved = _dot(moved, turned)
    is_curved = accepted & (curved > _FLAT * _norm(moved) * _norm(turned))
    pushed = is_curved[..., None, None]
    scale = torch.where(accepted, state.scale * _GROW, state.scale)
    square = _dot(turned, turned)
    scale = torch.where(is_curved, curved / square.where(is_curved, torch.ones_like(square)), scale)
    return replace(
        state,
        x=torch.where(row, trial, state.x),  # not x + moved, which may miss a bound by rounding
        value=torch.where(accepted, value, state.value),
        gradient=torch.where(row, gradient, state.gradient),
        steps=torch.where(pushed, _pushed(state.steps, moved), state.steps),
        turns=torch.where(pushed, _pushed(state.turns, turned), state.turns),
        scale=scale,
        step=torch.where(accepted, torch.ones_like(state.step), state.step),
        shrinks=torch.where(accepted, torch.zeros_like(state.shrinks), state.shrinks),
    )


def _pushed(pairs: Tensor, newest: Tensor) -> Tensor:
    return torch.cat([pairs[..., 1:, :], newest[..., None, :]], dim=-2)


def _free(state: _State) -> Tensor:
    """Return which variables may move: those that no bound holds against the descent."""
    at_lower = (state.x <= state.lower) & (state.gradient > 0)
    at_upper = (state.x >= state.upper) & (state.gradient < 0)
    return ~(at_lower | at_upper | (state.lower >= state.upper))


def _direction(state: _State, *, depth: int) -> Tensor:
    """Return −H g on the free variables; downhill in any case.

    H in its compact form (Byrd, Nocedal and Schnabel, Mathematical Programming 1994, theorem 2.2):
    a few products of all pairs at once, where the two-loop recursion takes one pair after another.
    """
    free = _free(state).to(state.x)
    g = state.gradient * free
    newest = state.steps.shape[2] - depth
    steps = state.steps[:, :, newest:] * free[..., None, :]
    turns = state.turns[:, :, newest:] * free[..., None, :]
    gamma = state.scale[..., None]
    curved = _dot(steps, turns)
    used = curved > _FLAT * _norm(steps) * _norm(turns)
    steps, turns = steps * used[..., None], turns * used[..., None]
    # Pairs that are left out are zeros, with a 1 on the diagonal of R: they add exactly nothing.
    r = _products(steps, turns).triu() + torch.diag_embed((~used).to(g))
    u = _solved(r, _dot(steps, g[..., None, :]), upper=True)
    inner = curved * used * u + gamma * (_products(turns, turns) * u[..., None, :]).sum(dim=-1)
    inner = inner - gamma * _dot(turns, g[..., None, :])
    v = _solved(r.transpose(-1, -2), inner, upper=False)
    along = (steps * v[..., None] - gamma[..., None] * turns * u[..., None]).sum(dim=-2)
    q = (gamma * g + along) * free
    is_uphill = ~(_dot(q, g) > 0)
    return -torch.where(is_uphill[..., None], gamma * g, q)


def _products(a: Tensor, b: Tensor) -> Tensor:
    return (a[..., :, None, :] * b[..., None, :, :]).sum(dim=-1)


def _solved(triangle: Tensor, right: Tensor, *, upper: bool) -> Tensor:
    solved: Tensor = torch.linalg.solve_triangular(triangle, right[..., None], upper=upper)
    return solved[..., 0]


def _slope(state: _State) -> Tensor:
    """Return the largest component of the projected gradient."""
    target = (state.x - state.gradient).clamp(state.lower, state.upper)
    return (state.x - target).abs().amax(dim=-1)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dim=-1)


def _norm(a: Tensor) -> Tensor:
    return _dot(a, a).sqrt()
