"""The evidence of a GP over configuration and epoch, in closed form, and where it is largest."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hpo_research.device import entries
from hpo_research.gp.curves import (
    NAMES,
    CurveHyperparameters,
    Curves,
    Epochs,
    factorised,
    trend,
)
from hpo_research.gp.data import CENTRE
from hpo_research.gp.kernels import LOG_2PI, Kernel
from hpo_research.optim import Options, minimise
from hpo_research.products import inverse_of, product

_ENDS = len(NAMES)
OPTIONS = Options(evaluations=60, gradient=1e-4, decrease=1e-5, heats=(8, 1))
_WARM = (4, 1)  # heats that begin from the last fit, which nearly always is the best of them
_ENTRIES = 3 * 2**15  # of the covariances of one block, so few that they stay in the cache


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
        location, scale = self.table(theta.shape[-1] - _ENDS, theta)[:2]
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
    root = factorised(shared.addcmul_(c, t), curves, hyper["noise"])
    inverse = inverse_of(root)
    y = data.y * data.mask
    alpha = product(inverse, y[..., None].expand(-1, -1, 2))[..., 0]
    logdet = 2 * root.diagonal(dim1=1, dim2=2).log().sum(dim=-1)
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


@dataclass(frozen=True)
class CurveFit:
    """The hyperparameters of most evidence, and its logarithm, priors included."""

    hyperparameters: CurveHyperparameters
    log_evidence: Float[Tensor, " b"]


def fit_curves(
    curves: Curves,
    kernel: Kernel,
    priors: CurvePriors | None = None,
    *,
    warm: CurveHyperparameters | None = None,
) -> CurveFit:
    """Maximise the evidence from a few starts, all rows of all GPs in one batch.

    The starts: the priors' locations; the same with shorter lengthscales and more noise; and, in
    the place of the latter where it is given, `warm`. A GP's fit does not depend on the others.
    """
    priors = priors or CurvePriors()
    table = priors.table(curves.data.parameters, curves.data.y)
    starts = _starts(table).expand(len(curves.epoch), -1, -1)
    if warm is not None:
        starts = torch.stack([warm.theta.to(table), starts[:, 0]], dim=1)
    x = starts.contiguous()
    lower, upper = (bound.expand_as(x) for bound in table[2:])
    objective = _Loss(curves, kernel.expanded(1, like=curves.data.x), priors)
    options = OPTIONS if warm is None else replace(OPTIONS, heats=_WARM)
    found = minimise(objective, x, lower, upper, options)
    loss = found.value[:, 0].nan_to_num(nan=math.inf)
    return CurveFit(CurveHyperparameters(found.x[:, 0]), -loss * _count(curves))


def _starts(table: Float[Tensor, "4 t"]) -> Float[Tensor, "s t"]:
    location, lower, upper = table[0], table[2], table[3]
    noisy = location.clone()
    noisy[:-_ENDS] -= 1.2
    noisy[-1] = -3.0
    return torch.stack([location, noisy]).clamp(lower, upper)


@dataclass(frozen=True)
class _Loss:
    """Minus the log evidence an observation, for every start of every GP."""

    curves: Curves
    kernel: Kernel
    priors: CurvePriors

    def __call__(
        self, x: Float[Tensor, "b s t"]
    ) -> tuple[Float[Tensor, "b s"], Float[Tensor, "b s t"]]:
        b, s, t = x.shape
        size = max(1, entries(x, cached=_ENTRIES) // (s * self.curves.epoch.shape[1] ** 2))
        parts = [self._block(x[i : i + size], i) for i in range(0, b, size)]
        value, gradient = (torch.cat(part) for part in zip(*parts, strict=True))
        scale = -1 / _count(self.curves)[:, None]
        return value.reshape(b, s) * scale, gradient.reshape(b, s, t) * scale[..., None]

    def _block(self, x: Tensor, first: int) -> tuple[Tensor, Tensor]:
        rows = torch.arange(first, first + len(x), device=x.device, dtype=torch.int64)
        curves = self.curves.take(rows.repeat_interleave(x.shape[1]))
        return curve_evidence(x.flatten(0, 1), curves, self.kernel, self.priors)

    def take(self, groups: Int[Tensor, " k"]) -> "_Loss":
        return _Loss(self.curves.take(groups), self.kernel, self.priors)


def _count(curves: Curves) -> Float[Tensor, " b"]:
    return curves.data.count.clamp(min=1.0)
