"""Where an acquisition function is largest: many starts, polished and flipped, for all runs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hpo_research.acquisition import arrays
from hpo_research.acquisition.arrays import Looped
from hpo_research.acquisition.domain import Continuous, Domain, Points, joined
from hpo_research.acquisition.protocol import AcquisitionFunction, CachedScores
from hpo_research.compiled import by_loops
from hpo_research.gp.quasi_random import uniform_set
from hpo_research.optim import Options, minimise
from hpo_research.rng import Stream

_POLISH = Options(evaluations=100, gradient=1e-6, decrease=1e-9)
_PRUNE = (8, 8)  # after so many evaluations so many of the starts go on, where there are no choices
_ROUNDS = 20
_GAIN = 1e-9  # a flip must gain more than this, in units of the acquisition function
GLOBAL, LOCAL = "global", "local"


@dataclass(frozen=True)
class Search:
    """How thoroughly to look: from how many starts, chosen among so many points each.

    How often 32 find what brute force does: `tests/acquisition/test_maximise.py`.
    """

    starts: int = 32

    @property
    def spread(self) -> int:
        """Points spread over the space."""
        return 16 * self.starts

    @property
    def near(self) -> int:
        """Points beside incumbents."""
        return 8 * self.starts


@dataclass(frozen=True)
class SearchResult:
    """The ends of the best starts, best first.

    `is_global` is 1 for a start that was spread over the space, 0 beside an incumbent.
    """

    points: Points
    value: Float[Tensor, "b s"]
    is_global: Int[Tensor, "b s"]

    def take(self, groups: Int[Tensor, " k"]) -> "SearchResult":
        """Return what was found for some runs only."""
        return SearchResult(self.points.take(groups), self.value[groups], self.is_global[groups])

    def to(self, device: str) -> "SearchResult":
        """Return the same on a device."""
        return SearchResult(
            self.points.to(device), self.value.to(device), self.is_global.to(device)
        )


def maximise(
    surface: AcquisitionFunction,
    domain: Domain,
    centres: Points,
    *,
    lengthscale: Float[Tensor, "b p"],
    streams: Sequence[Stream],
    search: Search,
) -> SearchResult:
    """Maximise each run's acquisition function over the domain: `candidates`, then `climb`."""
    raw = candidates(domain, centres, lengthscale=lengthscale, streams=streams, search=search)
    spans = domain.spans(lengthscale)
    cached = surface.cached(raw.x)
    return climb(cached, domain, raw, spans=spans, streams=streams, search=search)


def candidates(
    domain: Domain,
    centres: Points,
    *,
    lengthscale: Float[Tensor, "b p"],
    streams: Sequence[Stream],
    search: Search,
) -> Points:
    """Return the points that starts are chosen among: spread over the space, then beside `centres`.

    The latter are moved by a tenth of the lengthscale in all or in few hyperparameters. Draws come
    from the runs' own streams.
    """
    spread = domain.placed(_spread(search.spread, len(domain.order), streams, centres.x))
    near = _near(domain, centres, search.near, lengthscale=lengthscale, streams=streams)
    return joined([spread, near])


def climb(
    cached: CachedScores,
    domain: Domain,
    raw: Points,
    *,
    spans: Float[Tensor, "b 1 d"],
    streams: Sequence[Stream],
    search: Search,
) -> SearchResult:
    """Maximise each run's acquisition function, starting from the best of its candidates.

    Half the starts are the best, and others drawn by their rank, of points spread over the space;
    half of those beside the incumbents. Every start climbs by the batched optimiser in its
    continuous columns (in a continuum, only the best go on after a few steps); then all changes of
    one choice are scored in one batch, the best is taken, and the start climbs again, until
    nothing gains.
    """
    half = search.starts // 2
    scores = cached.values()
    parts = torch.split(scores, [search.spread, search.near], dim=1)
    rows = torch.cat(
        [
            _chosen(parts[0], half, [s.at(GLOBAL) for s in streams]),
            _chosen(parts[1], half, [s.at(LOCAL) for s in streams]) + search.spread,
        ],
        dim=1,
    )
    starts, value = raw.at(rows), scores.gather(1, rows)
    # A start in another category may be behind now and ahead after its flips.
    prune = None if domain.choices else _PRUNE
    hill = _Hill(cached.surface, domain, spans)
    points, value, row = _climbed(hill, starts, value, prune=prune)
    points, value = _flipped(hill, points, value)
    order = value.argsort(dim=1, descending=True, stable=True)
    is_global = (row.gather(1, order) < half).to(torch.int64)
    return SearchResult(points.at(order), value.gather(1, order), is_global)


def _spread(
    count: int, parameters: int, streams: Sequence[Stream], like: Tensor
) -> Float[Tensor, "b s p"]:
    """Return one scrambled Sobol set, shifted for each run by an offset of its own, modulo 1.

    The shift (Cranley and Patterson, SIAM J. Numerical Analysis 1976) costs a run one draw.
    """
    base = uniform_set(count, parameters, "starts").to(like)
    shifts = torch.stack([s.at("shift").uniform(parameters, like=like) for s in streams])
    return (base[None] + shifts[:, None, :]).remainder(1.0)


def _near(
    domain: Domain,
    centres: Points,
    count: int,
    *,
    lengthscale: Tensor,
    streams: Sequence[Stream],
) -> Points:
    """Return points beside the centres: all hyperparameters moved in half of them, few in others.

    Few: each with probability 1 / p, and one in any case (Regis and Shoemaker 2013, DYCORS).
    """
    like, p = centres.x, len(domain.order)
    b, c, _ = centres.x.shape
    rows = torch.arange(count, device=like.device, dtype=torch.int64) % c
    points = centres.at(rows[None].expand(b, -1))
    normal = torch.stack([s.at("near").normal(count, p, like=like) for s in streams])
    drawn = torch.stack([s.at("flip").uniform(2, count, p, like=like) for s in streams])
    few = drawn[:, 0] <= torch.maximum(
        drawn[:, 0].amin(dim=-1, keepdim=True), torch.full_like(drawn[:, 0, :, :1], 1 / p)
    )
    is_all = (torch.arange(count, device=like.device, dtype=torch.int64) < count // 2)[
        None, :, None
    ]
    x, index = points.x.clone(), points.index.clone()
    width = 0.1 * lengthscale.clamp(max=1.0)
    for i, kind in enumerate(domain.order):
        moved = (is_all | few)[..., i]
        step = width[:, None, i] * normal[..., i]
        if isinstance(kind, Continuous):
            own = x[..., kind.column]
            x[..., kind.column] = torch.where(moved, own + step, own).clamp(0.0, 1.0)
            continue
        choice = domain.choices[kind.choice]
        if choice.is_ordered:
            there = choice.points[index[..., kind.choice], 0] + step
            other = torch.searchsorted(choice.edges, there.contiguous())
        else:
            other = torch.searchsorted(choice.edges, drawn[:, 1, :, i].contiguous())
            moved = few[..., i]
        index[..., kind.choice] = torch.where(moved, other, index[..., kind.choice])
    return domain.assigned(x, index)


def _chosen(
    value: Float[Tensor, "b r"], count: int, streams: Sequence[Stream]
) -> Int[Tensor, "b k"]:
    """Return the best rows, and as many drawn without replacement with odds of 1 / rank."""
    uniform = torch.stack([s.at("odds").uniform(value.shape[1], like=value) for s in streams])
    if by_loops(value):
        return torch.from_numpy(_best_and_others(value.numpy(), uniform.numpy(), count))
    order = value.argsort(dim=1, descending=True, stable=True)
    rank = torch.arange(1, value.shape[1] + 1, device=value.device, dtype=torch.int64).to(value)
    gumbel = -(-(uniform + 2**-54).log()).log()
    key = gumbel - rank.log()
    key[:, : count // 2] = torch.inf
    kept = key.argsort(dim=1, descending=True, stable=True)[:, :count]
    return order.gather(1, kept)


def _best_and_others(value: np.ndarray, uniform: np.ndarray, count: int) -> np.ndarray:
    """Do the same in arrays, which cost less to call. Shapes: b r twice; b k."""
    order = np.argsort(-value, axis=1, kind="stable")
    key = np.log(np.arange(1, value.shape[1] + 1)) + np.log(-np.log(uniform + 2**-54))
    key[:, : count // 2] = -np.inf
    kept = np.argsort(key, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(order, kept, axis=1)


@dataclass(frozen=True)
class _Descent:
    """Minus a surface, as something to minimise."""

    surface: AcquisitionFunction

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = self.surface.value_and_gradient(x)
        return -value, -gradient

    def take(self, groups: Int[Tensor, " k"]) -> "_Descent":
        return _Descent(self.surface.take(groups))


@dataclass(frozen=True)
class _Hill:
    """What is climbed: a surface over a domain, whose columns change on the scale of `spans`."""

    surface: AcquisitionFunction
    domain: Domain
    spans: Float[Tensor, "b 1 d"]

    def take(self, groups: Int[Tensor, " k"]) -> "_Hill":
        return _Hill(self.surface.take(groups), self.domain, self.spans[groups])


def _climbed(
    hill: _Hill,
    points: Points,
    value: Float[Tensor, "b s"],
    *,
    prune: tuple[int, int] | None = None,
) -> tuple[Points, Tensor, Tensor]:
    """Move the continuous columns uphill, and snap; what is snapped may be worse than the start.

    Returns the rows that went on, their values, and which starts they were.
    """
    domain = hill.domain
    if not domain.relaxed:
        every = torch.arange(value.shape[1], device=value.device, dtype=torch.int64).expand_as(
            value
        )
        return points, value, every
    lower, upper = points.x.clone(), points.x.clone()
    lower[..., list(domain.relaxed)] = 0.0
    upper[..., list(domain.relaxed)] = 1.0
    # Saves three steps of ten in a continuum; of 200 mixed cases it lost one more.
    scale = torch.ones_like(hill.spans) if domain.choices else hill.spans
    x, reached, row = _ends(hill.surface, points.x, (lower, upper), scale, prune)
    points, value = points.at(row), value.gather(1, row)
    ends = domain.snapped(points, x)
    if domain.is_snapped:
        reached = hill.surface.value(ends.x)
    is_better = reached > value
    return ends.where(is_better, points), torch.where(is_better, reached, value), row


def _ends(
    surface: AcquisitionFunction,
    x: Float[Tensor, "b s d"],
    bounds: tuple[Float[Tensor, "b s d"], Float[Tensor, "b s d"]],
    scale: Float[Tensor, "b 1 d"],
    prune: tuple[int, int] | None,
) -> tuple[Float[Tensor, "b k d"], Float[Tensor, "b k"], Int[Tensor, "b k"]]:
    """Climb from each point: return where those end that went on, their values, which they were."""
    options = replace(_POLISH, prune=prune, is_recordable=surface.is_recordable)
    members = surface.arrays if isinstance(surface, Looped) and by_loops(x) else None
    if members is not None:
        found = arrays.climbed(members, x, bounds, scale, options)
    else:
        found = minimise(_Descent(surface), x, *bounds, options, scale=scale)
    return found.x, -found.value, found.row


def _flipped(hill: _Hill, points: Points, value: Tensor) -> tuple[Points, Tensor]:
    """Take the best change of one choice and climb again, until nothing gains."""
    domain = hill.domain
    if not any(choice.offsets for choice in domain.choices):
        return points, value
    x, index, value = points.x.clone(), points.index.clone(), value.clone()
    going = torch.arange(len(value), device=value.device, dtype=torch.int64)
    for _ in range(_ROUNDS):
        here, part, at = Points(x[going], index[going]), hill.take(going), value[going]
        flips = domain.flipped(here)
        b, s = at.shape
        scores = part.surface.value(flips.x).reshape(b, s, -1)
        best = scores.argmax(dim=-1)
        rows = best + torch.arange(s, device=best.device, dtype=torch.int64) * scores.shape[-1]
        best_score = scores.gather(2, best[..., None])[..., 0]
        gains = best_score > at + _GAIN
        moved = flips.at(rows).where(gains, here)
        ends, reached, _ = _climbed(part, moved, torch.where(gains, best_score, at))
        ends, reached = ends.where(gains, here), torch.where(gains, reached, at)
        x[going], index[going], value[going] = ends.x, ends.index, reached
        going = going[gains.any(dim=1)]
        if going.numel() == 0:
            break
    return Points(x, index), value


def best_allowed(
    value: Float[Tensor, "b r"], allowed: Bool[Tensor, "b r"]
) -> tuple[Int[Tensor, " b"], Float[Tensor, " b"]]:
    """Return the row of largest value of each run among those it may take, and the value."""
    best = torch.where(allowed, value, torch.full_like(value, -math.inf)).argmax(dim=1)
    return best, value.gather(1, best[:, None])[:, 0]
