"""Where an acquisition function is largest: many starts, polished and flipped, for all runs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hpo_research.acquisition.domain import Domain, Points, joined
from hpo_research.acquisition.surface import Surface
from hpo_research.gp.quasi import uniform_set
from hpo_research.optim import Options, minimise
from hpo_research.rng import Stream

_POLISH = Options(evaluations=100, gradient=1e-7, decrease=1e-10)
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
        return 32 * self.starts

    @property
    def near(self) -> int:
        """Points beside incumbents."""
        return 16 * self.starts


@dataclass(frozen=True)
class Found:
    """The ends of all starts, best first.

    `is_global` is 1 for a start that was spread over the space, 0 beside an incumbent.
    """

    points: Points
    value: Float[Tensor, "b s"]
    is_global: Int[Tensor, "b s"]


def maximise(
    surface: Surface,
    domain: Domain,
    centres: Points,
    *,
    lengthscale: Float[Tensor, "b p"],
    streams: Sequence[Stream],
    search: Search,
) -> Found:
    """Maximise each run's acquisition function over the domain.

    Half the starts are the best, and others drawn by their rank, of points spread over the space;
    half of points beside the `centres`, moved by a tenth of the lengthscale in all or in few
    hyperparameters. Every start climbs by the batched optimiser in its continuous columns; then
    all changes of one choice of all starts are scored in one batch, the best is taken, and the
    start climbs again, until nothing gains. Draws come from the runs' own streams.
    """
    spread = domain.placed(_spread(search.spread, len(domain.order), streams, centres.x))
    near = _near(domain, centres, search.near, lengthscale=lengthscale, streams=streams)
    half = search.starts // 2
    starts = joined(
        [
            raw.at(_chosen(surface.value(raw.x), half, [s.at(kind) for s in streams]))
            for raw, kind in ((spread, GLOBAL), (near, LOCAL))
        ]
    )
    points, value = _climbed(surface, domain, starts)
    points, value = _flipped(surface, domain, points, value)
    order = value.argsort(dim=1, descending=True, stable=True)
    return Found(points.at(order), value.gather(1, order), (order < half).to(torch.int64))


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
    rows = torch.arange(count, device=like.device) % c
    points = centres.at(rows[None].expand(b, -1))
    normal = torch.stack([s.at("near").normal(count, p, like=like) for s in streams])
    drawn = torch.stack([s.at("flip").uniform(2, count, p, like=like) for s in streams])
    few = drawn[:, 0] <= torch.maximum(
        drawn[:, 0].amin(dim=-1, keepdim=True), torch.full_like(drawn[:, 0, :, :1], 1 / p)
    )
    is_all = (torch.arange(count, device=like.device) < count // 2)[None, :, None]
    x, index = points.x.clone(), points.index.clone()
    width = 0.1 * lengthscale.clamp(max=1.0)
    for i, kind in enumerate(domain.order):
        moved = (is_all | few)[..., i]
        step = width[:, None, i] * normal[..., i]
        if kind >= 0:
            x[..., kind] = torch.where(moved, x[..., kind] + step, x[..., kind]).clamp(0.0, 1.0)
            continue
        choice = domain.choices[-1 - kind]
        if choice.is_ordered:
            there = choice.points[index[..., -1 - kind], 0] + step
            other = torch.searchsorted(choice.edges, there.contiguous())
        else:
            other = torch.searchsorted(choice.edges, drawn[:, 1, :, i].contiguous())
            moved = few[..., i]
        index[..., -1 - kind] = torch.where(moved, other, index[..., -1 - kind])
    return domain.assigned(x, index)


def _chosen(
    value: Float[Tensor, "b r"], count: int, streams: Sequence[Stream]
) -> Int[Tensor, "b k"]:
    """Return the best rows, and as many drawn without replacement with odds of 1 / rank."""
    order = value.argsort(dim=1, descending=True, stable=True)
    rank = torch.arange(1, value.shape[1] + 1, device=value.device).to(value)
    uniform = torch.stack([s.at("odds").uniform(value.shape[1], like=value) for s in streams])
    gumbel = -(-(uniform + 2**-54).log()).log()
    key = gumbel - rank.log()
    key[:, : count // 2] = torch.inf
    kept = key.argsort(dim=1, descending=True, stable=True)[:, :count]
    return order.gather(1, kept)


@dataclass(frozen=True)
class _Descent:
    """Minus a surface, as something to minimise."""

    surface: Surface

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = self.surface.value_and_gradient(x)
        return -value, -gradient

    def take(self, groups: Int[Tensor, " k"]) -> "_Descent":
        return _Descent(self.surface.take(groups))


def _climbed(surface: Surface, domain: Domain, points: Points) -> tuple[Points, Tensor]:
    """Move the continuous columns uphill, and snap; what is snapped may be worse than the start."""
    value = surface.value(points.x)
    if not domain.relaxed:
        return points, value
    lower, upper = points.x.clone(), points.x.clone()
    lower[..., list(domain.relaxed)] = 0.0
    upper[..., list(domain.relaxed)] = 1.0
    found = minimise(_Descent(surface), points.x, lower, upper, _POLISH)
    ends = domain.snapped(points, found.x)
    reached = surface.value(ends.x)
    is_better = reached > value
    return ends.where(is_better, points), torch.where(is_better, reached, value)


def _flipped(
    surface: Surface, domain: Domain, points: Points, value: Tensor
) -> tuple[Points, Tensor]:
    """Take the best change of one choice and climb again, until nothing gains."""
    if not any(choice.offsets for choice in domain.choices):
        return points, value
    x, index, value = points.x.clone(), points.index.clone(), value.clone()
    going = torch.arange(len(value), device=value.device)
    for _ in range(_ROUNDS):
        here, part, at = Points(x[going], index[going]), surface.take(going), value[going]
        flips = domain.flipped(here)
        b, s = at.shape
        scores = part.value(flips.x).reshape(b, s, -1)
        best = scores.argmax(dim=-1)
        rows = best + torch.arange(s, device=best.device) * scores.shape[-1]
        gains = scores.gather(2, best[..., None])[..., 0] > at + _GAIN
        moved = flips.at(rows).where(gains, here)
        ends, reached = _climbed(part, domain, moved)
        ends, reached = ends.where(gains, here), torch.where(gains, reached, at)
        x[going], index[going], value[going] = ends.x, ends.index, reached
        going = going[gains.any(dim=1)]
        if going.numel() == 0:
            break
    return Points(x, index), value


def best_of_table(
    surface: Surface, table: Float[Tensor, "t d"], allowed: Tensor
) -> tuple[Int[Tensor, " b"], Float[Tensor, " b"]]:
    """Return the row of a table where each run's surface is largest among those it may take."""
    b = allowed.shape[0]
    value = surface.value(table[None].expand(b, -1, -1))
    value = torch.where(allowed, value, torch.full_like(value, -math.inf))
    best = value.argmax(dim=1)
    return best, value.gather(1, best[:, None])[:, 0]
