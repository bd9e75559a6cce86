"""Batched bounded L-BFGS: every row has its own history, step and end."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hpo_research.compiled import by_loops
from hpo_research.linalg import product
from hpo_research.optim import compiled
from hpo_research.optim.graphs import is_recorded, recorded

_SUFFICIENT = 1e-4  # of the decrease that the gradient promises (Armijo)
_SHRINK_LEAST, _SHRINK_MOST = 0.1, 0.5
_GROW = 4.0  # of the step, where the curvature says nothing
_HEAVY = 1e200
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
    taken from. `backtracks`: of one step, before the row gives it up. `prune`: after the first
    number of evaluations only so many rows of a group, those of the least values, go on; None: all.
    `is_recordable`: an evaluation neither waits for a GPU nor copies anything there, so that a step
    may become a CUDA graph.
    """

    evaluations: int = 200
    gradient: float = 1e-6
    decrease: float = 1e-10
    history: int = 8
    backtracks: int = 25
    prune: tuple[int, int] | None = None
    is_recordable: bool = False

    @property
    def limits(self) -> tuple[float, ...]:
        """What the compiled `judge` decides by."""
        fixed = (_SUFFICIENT, _SHRINK_LEAST, _SHRINK_MOST, _GROW, _FLAT)
        return (*fixed, self.decrease, self.gradient)


@dataclass(frozen=True)
class Minimum:
    """Where each row that was kept ended, after how many evaluations, and whether it converged.

    `row`: which row of its group it was. The value is NaN where even the start had none.
    """

    x: Float[Tensor, "b k p"]
    value: Float[Tensor, "b k"]
    evaluations: Int[Tensor, "b k"]
    has_converged: Bool[Tensor, "b k"]
    row: Int[Tensor, "b k"]


@dataclass(frozen=True)
class _State:
    """Of the groups that still run.

    `step` scales `direction`; `scale` is the initial inverse curvature; `pairs` holds the last
    differences of points (0) and of gradients (1), newest last, zeros where there are none.
    """

    group: Int[Tensor, " b"]
    row: Int[Tensor, "b s"]
    lower: Float[Tensor, "b s p"]
    upper: Float[Tensor, "b s p"]
    x: Float[Tensor, "b s p"]
    value: Float[Tensor, "b s"]
    gradient: Float[Tensor, "b s p"]
    direction: Float[Tensor, "b s p"]
    step: Float[Tensor, "b s"]
    scale: Float[Tensor, "b s"]
    pairs: Float[Tensor, "b s 2 h p"]
    backtracks: Int[Tensor, "b s"]
    evaluations: Int[Tensor, "b s"]
    is_done: Bool[Tensor, "b s"]
    has_converged: Bool[Tensor, "b s"]

    @property
    def tensors(self) -> list[Tensor]:
        """All of it, in the order of the fields."""
        return [getattr(self, f.name) for f in fields(self)]

    def take(self, groups: Int[Tensor, " k"]) -> "_State":
        return _State(*(tensor[groups] for tensor in self.tensors))

    @cached_property
    def arrays(self) -> list[np.ndarray]:
        """All from `lower` on as arrays over all rows, of the same memory; on the CPU."""
        return [t.view(-1, *t.shape[2:]).numpy() for t in self.tensors[2:]]

    def best(self, count: int) -> "_State":
        """Return only the rows of the least values of each group."""
        if count >= self.value.shape[1]:
            return self
        order = self.value.nan_to_num(nan=torch.inf).argsort(dim=1, stable=True)[:, :count]
        groups = torch.arange(len(order), device=order.device, dtype=torch.int64)[:, None]
        return _State(self.group, *(tensor[groups, order] for tensor in self.tensors[1:]))


def minimise(
    objective: Objective,
    x: Float[Tensor, "b s p"],
    lower: Float[Tensor, "b s p"],
    upper: Float[Tensor, "b s p"],
    options: Options | None = None,
    *,
    scale: Float[Tensor, "b 1 p"] | None = None,
) -> Minimum:
    """Minimise every row within its bounds; variables whose bounds are equal stay put.

    Limited-memory BFGS (Nocedal, Mathematics of Computation 1980; Algorithm 7.4 of Nocedal and
    Wright) on the variables that no bound holds, projected onto the bounds with an Armijo search
    along the projected step (Bertsekas, SIAM J. Control Optim. 1982). Each evaluation advances
    every row by one trial point, whether that row is searching or has accepted a step, so rows
    never wait for each other; a group is left out once all its rows have ended, on a GPU a few
    evaluations later. A row's path is
    the same whichever other groups are there. `scale` is what change of each variable matters as
    much: the search is made in units of it, gradients included.
    """
    if scale is not None:
        scaled = _Scaled(objective, scale)

        def search(start: Tensor, least: Tensor, most: Tensor) -> Minimum:
            return minimise(scaled, start, least, most, options)

        return in_units(search, x, (lower, upper), scale)
    options = options or Options()
    state = _begun(objective, x.clamp(lower, upper), lower, upper, options)
    after, kept = options.prune or (options.evaluations, x.shape[1])
    found = state.best(kept)
    every, share = _looks(x)
    step = None
    for turn in range(options.evaluations - 1):
        if turn + 1 == after:
            state, step = state.best(kept), None
        if turn % every == 0:
            ended = state.is_done.all(dim=1)
            if int(ended.sum()) >= max(1.0, share * len(ended)):
                found = _entered(found, state.take(ended.nonzero()[:, 0]).best(kept))
                going = (~ended).nonzero()[:, 0]
                state, objective, step = state.take(going), objective.take(going), None
                if going.numel() == 0:
                    break
        if options.is_recordable and is_recorded(x):
            step = step or _Recorded.of(objective, state, options)
            state = step.replayed()
        else:
            state = _advanced(objective, state, options)
    found = _entered(found, state.best(kept))
    return Minimum(found.x, found.value, found.evaluations, found.has_converged, found.row)


def _looks(x: Tensor) -> tuple[int, float]:
    """Return after how many turns to look which groups have ended, and what share to leave out.

    To look at numbers on a GPU is to wait for it, and to leave out groups is to record anew.
    """
    return (1, 0.0) if x.is_cpu else (8, 0.5)


def in_units(
    search: Callable[[Tensor, Tensor, Tensor], Minimum],
    x: Float[Tensor, "b s p"],
    bounds: tuple[Float[Tensor, "b s p"], Float[Tensor, "b s p"]],
    scale: Float[Tensor, "b 1 p"],
) -> Minimum:
    """Search in units of a scale; what ends at a bound is put there to the last bit."""
    lower, upper = (bound / scale for bound in bounds)
    found = search(x / scale, lower, upper)
    rows = found.row[..., None].expand_as(found.x)
    at_lower, at_upper = (found.x == bound.gather(1, rows) for bound in (lower, upper))
    own = torch.where(at_lower, bounds[0].gather(1, rows), found.x * scale)
    own = torch.where(at_upper, bounds[1].gather(1, rows), own)
    return replace(found, x=own.clamp(*(bound.gather(1, rows) for bound in bounds)))


@dataclass(frozen=True)
class _Scaled:
    """An objective whose variables are in units of a scale."""

    objective: Objective
    scale: Float[Tensor, "b 1 p"]

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = self.objective(x * self.scale)
        return value, gradient * self.scale

    def take(self, groups: Int[Tensor, " k"]) -> "_Scaled":
        return _Scaled(self.objective.take(groups), self.scale[groups])


def _begun(
    objective: Objective, x: Tensor, lower: Tensor, upper: Tensor, options: Options
) -> _State:
    value, gradient = objective(x)
    b, s, p = x.shape
    known = value.isfinite() & gradient.isfinite().all(dim=-1)
    gradient = torch.where(known[..., None], gradient, torch.zeros_like(gradient))
    scale = 1 / _dot(gradient, gradient).sqrt().clamp(min=1.0)
    projected = x - (x - gradient).clamp(lower, upper)
    is_flat = known & (projected.abs().amax(dim=-1) <= options.gradient)
    state = _State(
        group=torch.arange(b, device=x.device, dtype=torch.int64),
        row=torch.arange(s, device=x.device, dtype=torch.int64).expand(b, s),
        lower=lower,
        upper=upper,
        x=x,
        value=torch.where(known, value, torch.full_like(value, torch.nan)),
        gradient=gradient,
        direction=-scale[..., None] * gradient * (projected != 0),
        step=torch.ones_like(value),
        scale=scale,
        pairs=x.new_zeros(b, s, 2, options.history, p),
        backtracks=torch.zeros(b, s, dtype=torch.int64, device=x.device),
        evaluations=torch.ones(b, s, dtype=torch.int64, device=x.device),
        is_done=~known | is_flat,
        has_converged=is_flat,
    )
    return _State(*(tensor.contiguous() for tensor in state.tensors))


def _entered(found: _State, ended: _State) -> _State:
    """Write the groups that have ended into a copy of all."""
    changed = [tensor.clone() for tensor in found.tensors]
    for whole, part in zip(changed, ended.tensors, strict=True):
        whole[ended.group] = part
    return _State(*changed)


def _advanced(objective: Objective, state: _State, options: Options) -> _State:
    """Evaluate one trial point of every row, and accept it or shrink the step."""
    trial = (state.x + state.step[..., None] * state.direction).clamp(state.lower, state.upper)
    value, gradient = objective(trial)
    if not by_loops(trial, value):
        return _judged(state, trial, value, gradient, options)
    _judge(state, trial, value, gradient, options)
    return state


@dataclass(frozen=True)
class _Recorded:
    """A step as a CUDA graph: a replay advances `state` in place."""

    graph: torch.cuda.CUDAGraph
    state: _State

    @classmethod
    def of(cls, objective: Objective, state: _State, options: Options) -> "_Recorded":
        state = _State(*(tensor.clone() for tensor in state.tensors))
        graph = recorded(lambda: _advanced(objective, state, options).tensors, state.tensors)
        return cls(graph, state)

    def replayed(self) -> _State:
        self.graph.replay()
        return self.state


def _judge(state: _State, trial: Tensor, value: Tensor, gradient: Tensor, options: Options) -> None:
    """Do the same as `_judged` on the CPU, in place."""
    trials = [t.contiguous().flatten(0, 1).numpy() for t in (trial, value, gradient)]
    rows, points = compiled.Rows(*state.arrays), compiled.Trials(*trials)
    compiled.judge(rows, points, options.limits, options.backtracks)


def _judged(
    state: _State,
    trial: Tensor,
    value: Tensor,
    gradient: Tensor,
    options: Options,
) -> _State:
    """Accept the trial points or shrink the steps, by operations on all rows."""
    moved, turned = trial - state.x, gradient - state.gradient
    promised, fallen = _dot(state.gradient, moved), state.value - value
    total = value + gradient.sum(dim=-1)
    known = total - total == 0  # finite
    is_live = ~state.is_done
    accepted = is_live & known & (-fallen <= _SUFFICIENT * promised) & (promised < 0)
    refused = is_live & ~accepted
    curved, square = _dot(moved, turned), _dot(turned, turned)
    is_curved = accepted & (curved > _FLAT * (_dot(moved, moved) * square).sqrt())
    row = accepted[..., None]
    x = torch.where(row, trial, state.x)  # not x + moved, which may miss a bound by rounding
    slope = torch.where(row, gradient, state.gradient)
    scale = torch.where(accepted, state.scale * _GROW, state.scale)
    scale = torch.where(is_curved, curved / square, scale)
    newest = torch.stack([moved, turned], dim=2)[..., None, :]
    pairs = torch.cat([state.pairs[..., 1:, :], newest], dim=-2)
    pairs = torch.where(is_curved[..., None, None, None], pairs, state.pairs)
    # Variables that a bound holds are those that a step along the gradient would not move.
    projected = x - (x - slope).clamp(state.lower, state.upper)
    free = ((projected != 0) | (slope == 0)).to(x)
    slope_free = slope * free
    direction = _direction(pairs, slope_free, free, scale)
    # Beside a bound that does not yet hold a variable the projected step may point uphill: such a
    # row, and one that has shrunk long, begins anew along its gradient.
    backtracks = (state.backtracks + 1) * refused
    jammed = refused & ((promised >= 0) | (backtracks == options.backtracks // 2))
    direction = torch.where(row, direction, state.direction)
    direction = torch.where(jammed[..., None], -scale[..., None] * slope_free, direction)
    is_flat = fallen <= options.decrease * state.value.abs().clamp(min=1)
    is_level = projected.abs().amax(dim=-1) <= options.gradient
    converged = accepted & (is_flat | is_level)
    return _State(
        state.group,
        state.row,
        state.lower,
        state.upper,
        x,
        torch.where(accepted, value, state.value),
        slope,
        direction,
        torch.where(refused & ~jammed, state.step * _shrink(promised, fallen), 1.0),
        scale,
        pairs,
        backtracks,
        state.evaluations + is_live,
        state.is_done | converged | (refused & (backtracks > options.backtracks)),
        state.has_converged | converged,
    )


def _shrink(promised: Tensor, fallen: Tensor) -> Tensor:
    """Return by how much to shorten a refused step: to the minimum of a parabola, within limits.

    Where the value is not finite there is no parabola: by the most.
    """
    best = promised / (2 * (promised + fallen))
    return best.nan_to_num(nan=_SHRINK_LEAST).clamp(_SHRINK_LEAST, _SHRINK_MOST)


def _direction(pairs: Tensor, g: Tensor, free: Tensor, scale: Tensor) -> Tensor:
    """Return −H g on the free variables; downhill in any case. Shapes: b s 2 h p, b s p, b s.

    H in its compact form (Byrd, Nocedal and Schnabel, Mathematical Programming 1994, theorem 2.2):
    a few products of all pairs at once, where the two-loop recursion takes one pair after another.
    """
    b, s, _, h, p = pairs.shape
    both = (pairs * free[:, :, None, None, :]).reshape(b * s, 2 * h, p)
    g, gamma = g.reshape(b * s, p), scale.reshape(b * s, 1)
    gram = product(both, torch.cat([both, g[:, None], g[:, None]], dim=1).transpose(1, 2))
    squares = gram.diagonal(dim1=1, dim2=2)
    r = gram[:, :h, h : 2 * h].clone()
    curved = r.diagonal(dim1=1, dim2=2).clone()
    used = curved > _FLAT * (squares[:, :h] * squares[:, h:]).sqrt()
    # Pairs that are left out, zeros among them, weigh nothing.
    r.diagonal(dim1=1, dim2=2).copy_(torch.where(used, curved, _HEAVY))
    u = _solved(r, gram[:, :h, 2 * h], upper=True)
    turned = (gram[:, h:, h : 2 * h] * u[:, None, :]).sum(dim=-1) - gram[:, h:, 2 * h]
    v = _solved(r.transpose(1, 2), curved * u + gamma * turned, upper=False)
    weights = torch.cat([v, -gamma * u], dim=1)
    q = (gamma * g + (both * weights[..., None]).sum(dim=1)) * free.reshape(b * s, p)
    is_downhill = _dot(q, g) > 0
    return -torch.where(is_downhill[..., None], q, gamma * g).reshape(b, s, p)


def _solved(triangle: Tensor, right: Tensor, *, upper: bool) -> Tensor:
    solved: Tensor = torch.linalg.solve_triangular(triangle, right[..., None], upper=upper)
    return solved[..., 0]


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dim=-1)
