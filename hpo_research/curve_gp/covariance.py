"""The covariance of learning curves: of configurations, times that of epochs, and a trend."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

NAMES = ("scale", "early", "apart", "power", "onset", "own", "noise")
"""What follows the lengthscales in a vector θ, each as its logarithm."""
_TREND = 4.0  # variance of the level and of the fall that all curves share


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
