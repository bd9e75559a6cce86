"""The evidence of a GP over configuration and epoch and its gradient, in closed form."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hpo_research.curve_gp.covariance import NAMES, CurveHyperparameters, Epochs, trend
from hpo_research.curve_gp.data import Curves, factorised
from hpo_research.gp.data import CENTRE
from hpo_research.gp.kernels import LOG_2PI, Kernel
from hpo_research.linalg import inverse_of, product


@dataclass(frozen=True)
class CurvePriors:
    """Normal priors of the entries of θ, as (location, scale, least, most), for targets of sd 1.

    The lengthscales' location is that of `Priors`, √2 + ½ ln p, less 1.
    """

    lengthscale: tuple[float, float, float, float] = (math.sqrt(2) - 1.0, 1.2, -3.7, 6.0)
    scale: tuple[float, float, float, float] = (-0.5, 1.5, -7.0, 4.0)
    early: tuple[float, float, float, float] = (0.5, 1.0, -2.0, 3.0)
    apart: tuple[float, float, float, float] = (-1.5, 1.5, -9.0, 4.0)
    power: tuple[float, float, float, float] = (0.0, 0.5, -1.5, 1.5)
    onset: tuple[float, float, float, float] = (0.0, 1.0, -4.0, 4.0)
    own: tuple[float, float, float, float] = (-5.0, 2.0, -14.0, 0.0)
    noise: tuple[float, float, float, float] = (-8.0, 2.5, -16.0, 1.0)

    def table(self, parameters: int, like: Tensor) -> Float[Tensor, "4 t"]:
        """Return locations, scales and bounds, a column an entry of θ."""
        location, *rest = self.lengthscale
        first = [(location + 0.5 * math.log(parameters), *rest)] * parameters
        rows = [*first, *(getattr(self, name) for name in NAMES)]
        return torch.tensor(rows, dtype=like.dtype, device=like.device).T

    def log_density(
        self, theta: Float[Tensor, "b t"]
    ) -> tuple[Float[Tensor, " b"], Float[Tensor, "b t"]]:
        """Return the log density of θ and its gradient."""
        location, scale = self.table(theta.shape[-1] - len(NAMES), theta)[:2]
        z = (theta - location) / scale
        return (-0.5 * z * z - scale.log() - 0.5 * LOG_2PI).sum(dim=-1), -z / scale


def curve_evidence(
    theta: Float[Tensor, "b t"], curves: Curves, kernel: Kernel, priors: CurvePriors | None
) -> tuple[Float[Tensor, " b"], Float[Tensor, "b t"]]:
    """Return log p(y | θ) + log p(θ), m integrated out, and its gradient in θ.

    With K the covariance of all observations, W = αα' − K⁻¹: ∂/∂θ = ½ Σ W ∘ ∂K/∂θ (Rasmussen and
    Williams 2006, equation 5.9), and ∂/∂ln ℓ as in `evidence`, with H ∘ T for H: W ∘ T is summed
    over the rows of every two curves first, and W ∘ (k + τ²) over those of every two epochs. Padded
    rows are rows of the identity and add exactly 0. `priors=None` leaves the second term out. NaN
    where K cannot be factorised.
    """
    data, hyper = curves.data, CurveHyperparameters(theta)
    x = curves.heads.picked(data.x)
    x = (x - CENTRE) / hyper.lengthscale[:, data.index][:, None, :]
    k, h = kernel.between(x, x)
    k.diagonal(dim1=1, dim2=2).add_(hyper["own"][:, None])
    epoch = curves.times.picked(curves.epoch)
    times = Epochs.of(hyper, epoch, epoch)
    c, t = curves.heads.both(k), curves.times.both(times.value)
    shared = curves.times.both(trend(epoch, epoch))
    cholesky = factorised(shared.addcmul_(c, t), curves, hyper["noise"])
    inverse = inverse_of(cholesky)
    y = data.y * data.mask
    alpha = product(inverse, y[..., None].expand(-1, -1, 2))[..., 0]
    logdet = 2 * cholesky.diagonal(dim1=1, dim2=2).log().sum(dim=-1)
    value = -0.5 * ((y * alpha).sum(dim=-1) + logdet + data.count * LOG_2PI)
    w = (alpha[:, :, None] * alpha[:, None, :]).sub_(inverse)
    noise = 0.5 * hyper["noise"] * (w.diagonal(dim1=1, dim2=2) * data.mask).sum(dim=-1)
    by_curve = curves.heads.summed(t.mul_(w))
    own = 0.5 * hyper["own"] * by_curve.diagonal(dim1=1, dim2=2).sum(dim=-1)
    ends = torch.stack([*_ends(curves.times.summed(c.mul_(w)), times, hyper), own, noise], dim=-1)
    m = by_curve.mul_(h)
    m.diagonal(dim1=1, dim2=2).zero_()  # what it would add cancels
    moved = product(m, torch.cat([x, torch.ones_like(x[..., :1])], dim=-1))
    columns = ((moved[..., -1:] * x - moved[..., :-1]) * x).sum(dim=1)
    lengthscales = (columns[:, None, :] * data.membership).sum(dim=-1)
    gradient = torch.cat([lengthscales, ends], dim=-1)
    if priors is None:
        return value, gradient
    density, slope = priors.log_density(theta)
    return value + density, gradient + slope


def _ends(
    wc: Float[Tensor, "b e e"], times: Epochs, hyper: CurveHyperparameters
) -> tuple[Tensor, ...]:
    """Return the derivatives by what T is made of, in the order of `NAMES`.

    `wc` holds W ∘ (k + τ²) summed over all rows of every two epochs.
    """
    scale, early, apart = (hyper[name] for name in ("scale", "early", "apart"))
    # By a change of a(t): ∂T = s (∂a a' + a ∂a').
    by_a = scale[:, None] * product(wc, times.a[..., None].expand(-1, -1, 2))[..., 0]
    extra = (early - 1)[:, None]
    by_d = 0.5 * scale * apart
    return (
        0.5 * _total(wc * times.value),
        (by_a * times.w.value).sum(dim=-1) * early,
        by_d * _total(wc * times.d.value),
        by_d * _total(wc * times.d.by_power) + (by_a * extra * times.w.by_power).sum(dim=-1),
        by_d * _total(wc * times.d.by_onset) + (by_a * extra * times.w.by_onset).sum(dim=-1),
    )


def _total(x: Float[Tensor, "b n m"]) -> Float[Tensor, " b"]:
    # Row by row, since the order in which one long sum is taken may depend on the batch.
    return x.sum(dim=-1).sum(dim=-1)
