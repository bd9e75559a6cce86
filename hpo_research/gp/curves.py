"""Learning curves as one GP over configuration and epoch: what is known, and its covariance."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from hpo_research.gp.data import Data
from hpo_research.gp.factor import lower_factor
from hpo_research.products import product

NAMES = ("scale", "early", "apart", "power", "onset", "own", "noise")
"""What follows the lengthscales in a vector θ, each as its logarithm."""
_TREND = 4.0  # variance of the level and of the fall that all curves share


@dataclass(frozen=True)
class Curves:
    """Observed points of learning curves: configurations and values, at which epoch, of whom.

    `data` has a row for every observation; `trial` numbers the curves, equal numbers being one
    curve. Rows outside the mask change no bit of a result. What depends on the curve alone, or on
    the epoch alone, is computed for the c curves and e epochs that differ and not for all n rows:
    `heads` and `times` say which.
    """

    data: Data
    epoch: Float[Tensor, "b n"]
    trial: Int[Tensor, "b n"]
    heads: "Distinct"
    times: "Distinct"

    @classmethod
    def of(
        cls,
        data: Data,
        epoch: Float[Tensor, "b n"],
        trial: Int[Tensor, "b n"],
        *,
        count: tuple[int, int],
    ) -> "Curves":
        """Return curves; `count` is to how many curves and epochs they are padded."""
        pairs = zip((trial, epoch), count, strict=True)
        heads, times = (Distinct.of(values, data.mask, most) for values, most in pairs)
        return cls(data, epoch, trial, heads, times)

    def take(self, groups: Int[Tensor, " k"] | slice) -> "Curves":
        """Return the curves of some GPs only."""
        return Curves(
            self.data.take(groups),
            self.epoch[groups],
            self.trial[groups],
            self.heads.take(groups),
            self.times.take(groups),
        )


@dataclass(frozen=True)
class Distinct:
    """The values that differ among n rows: a row of each, −1 where there are fewer than c.

    `of_row` is the place of each row's value among them; `mask` says which rows count.
    """

    row: Int[Tensor, "b c"]
    of_row: Int[Tensor, "b n"]
    mask: Bool[Tensor, "b n"]

    @classmethod
    def of(cls, values: Shaped[Tensor, "b n"], mask: Bool[Tensor, "b n"], count: int) -> "Distinct":
        """Find them, in ascending order."""
        order = torch.where(mask, values, values.amax(dim=1, keepdim=True) + 1).argsort(
            dim=1, stable=True
        )
        ordered, begins = values.gather(1, order), mask.gather(1, order)
        begins[:, 1:] &= ordered[:, 1:] != ordered[:, :-1]
        number = (begins.cumsum(dim=1) - 1).clamp(min=0, max=count - 1)
        of_row = torch.zeros_like(order).scatter(1, order, number)
        row = torch.full((len(order), count + 1), -1, dtype=torch.int64, device=order.device)
        row.scatter_(1, torch.where(begins, number, torch.full_like(number, count)), order)
        return cls(row[:, :count].contiguous(), of_row, mask)

    def take(self, groups: Int[Tensor, " k"] | slice) -> "Distinct":
        """Return those of some GPs only."""
        return Distinct(self.row[groups], self.of_row[groups], self.mask[groups])

    @property
    def is_there(self) -> Bool[Tensor, "b c"]:
        """Which of the places are taken."""
        return self.row >= 0

    def picked(self, rows: Shaped[Tensor, "b n *k"]) -> Shaped[Tensor, "b c *k"]:
        """Return what rows hold, one for each value; in a free place, what the first row does."""
        place = self.row.clamp(min=0).reshape(*self.row.shape, *[1] * (rows.ndim - 2))
        return rows.gather(1, place.expand(-1, -1, *rows.shape[2:]))

    def spread(self, columns: Float[Tensor, "b q c"]) -> Float[Tensor, "b q n"]:
        """Return each row's share of what is known by value, 0 where there is no row."""
        place = self.of_row[:, None, :].expand(-1, columns.shape[1], -1)
        return columns.gather(2, place) * self.mask[:, None, :]

    def both(self, values: Float[Tensor, "b c c"]) -> Float[Tensor, "b n n"]:
        """Return what every two rows share of what two values do."""
        place = self.of_row[:, :, None] * values.shape[1] + self.of_row[:, None, :]
        return values.flatten(1).gather(1, place.flatten(1)).reshape(place.shape)

    @cached_property
    def membership(self) -> Float[Tensor, "b n c"]:
        """1 where a row is of a value."""
        places = torch.arange(self.row.shape[1], device=self.row.device, dtype=torch.int64)
        rows = self.of_row[:, :, None] == places[None, None, :]
        return (rows & self.mask[:, :, None]).double()

    def summed(self, rows: Float[Tensor, "b n n"]) -> Float[Tensor, "b c c"]:
        """Return the sums over all rows of every two values."""
        half = product(self.membership.transpose(1, 2), rows)
        return product(half, self.membership)


@dataclass(frozen=True)
class CurveHyperparameters:
    """What a GP over configuration x and epoch t is made of; a row of `theta` is one GP.

    A value is y = m(t) + f(x, t) + f_i(t) + ε. The covariance of f is the product k(x, x') T(t, t')
    and that of f_i, a curve's own share, τ² T(t, t'), with

        T(t, t') = s [a(t) a(t') + v D(t, t')],  a(t) = 1 + (e^ρ − 1) √D(t, t),
        D(t, t') = ((2 + β) / (t + t' + β))^α.

    D is a mixture of falling exponentials with gamma-distributed rates (Swersky, Snoek and Adams,
    arXiv:1406.3896, section 3), scaled to 1 at the first epoch: what it adds dies out, so T tends
    to that of an asymptote. a lets the asymptote's own share be wider at first (e^ρ: how many
    times), so that early differences may be larger than late ones and still foretell them. m is
    shared by all curves: a level and a fall like D's with α = β = 1. ε has variance σ².
    θ = (ln ℓ_1, ..., ln ℓ_p, ln s, ρ, ln v, ln α, ln β, ln τ², ln σ²).
    """

    theta: Float[Tensor, "b t"]

    @property
    def lengthscale(self) -> Float[Tensor, "b p"]:
        """ℓ_1, ..., ℓ_p."""
        return self.theta[:, : -len(NAMES)].exp()

    def __getitem__(self, name: str) -> Float[Tensor, " b"]:
        """Return the exponential of one of `NAMES`."""
        return self.theta[:, self.theta.shape[1] - len(NAMES) + NAMES.index(name)].exp()


class Fall(NamedTuple):
    """Values and their derivatives by ln α and ln β."""

    value: Tensor
    by_power: Tensor
    by_onset: Tensor


def fall(total: Tensor, power: Tensor, onset: Tensor) -> Fall:
    """Return ((2 + β)/(t + t' + β))^α where `total` is t + t'."""
    log = ((2 + onset) / (total + onset)).log()
    value = (power * log).exp()
    slope = power * onset * (1 / (2 + onset) - 1 / (total + onset))
    return Fall(value, value * power * log, value * slope)


@dataclass(frozen=True)
class Epochs:
    """The factors of T between epochs `t` and `u`, with s, ρ and v left out of D and w = √D(t, t).

    T = s [a(t) a(u)' + v D].
    """

    a: Float[Tensor, "b n"]
    c: Float[Tensor, "b q"]
    w: Fall
    d: Fall
    value: Float[Tensor, "b n q"]

    @classmethod
    def of(
        cls, hyper: CurveHyperparameters, t: Float[Tensor, "b n"], u: Float[Tensor, "b q"]
    ) -> "Epochs":
        """Compute T between two sets of epochs."""
        power, onset = hyper["power"][:, None], hyper["onset"][:, None]
        extra = hyper["early"][:, None] - 1
        w = fall(2 * t, power / 2, onset)
        a = 1 + extra * w.value
        c = 1 + extra * fall(2 * u, power / 2, onset).value
        d = fall(t[:, :, None] + u[:, None, :], power[..., None], onset[..., None])
        value = a[:, :, None] * c[:, None, :] + hyper["apart"][:, None, None] * d.value
        return cls(a, c, w, d, hyper["scale"][:, None, None] * value)


def between(
    hyper: CurveHyperparameters, t: Float[Tensor, "b n"], u: Float[Tensor, "b n"]
) -> Float[Tensor, "b n"]:
    """Return T(t, u), epoch by epoch."""
    power, onset = hyper["power"][:, None], hyper["onset"][:, None]
    extra = hyper["early"][:, None] - 1
    a, c = (1 + extra * fall(2 * time, power / 2, onset).value for time in (t, u))
    d = fall(t + u, power, onset).value
    return hyper["scale"][:, None] * (a * c + hyper["apart"][:, None] * d)


def trend(t: Float[Tensor, "b n"], u: Float[Tensor, "b q"]) -> Float[Tensor, "b n q"]:
    """Return the covariance of m: a level, and a fall."""
    return _TREND * (1 + 3 / (t[:, :, None] + u[:, None, :] + 1))


def pairs(curves: Curves) -> Float[Tensor, "b n n"]:
    """Return 1 where both rows count."""
    mask = curves.data.mask.to(curves.data.y)
    return mask[:, :, None] * mask[:, None, :]


def factorised(k: Tensor, curves: Curves, noise: Tensor) -> Float[Tensor, "b n n"]:
    """Return the lower factor of K + σ²I on the rows that count, of the identity on the others."""
    mask = curves.data.mask.to(k)
    k = k * pairs(curves)
    diagonal = k.diagonal(dim1=1, dim2=2)
    size = diagonal.amax(dim=1)
    diagonal.add_(noise[:, None] * mask + (1 - mask))
    return lower_factor(k, size[:, None] * mask)
