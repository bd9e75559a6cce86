"""What a GP over configuration and epoch foretells: trials that are known, and the function."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hpo_research.curve_gp.covariance import CurveHyperparameters, Epochs, between, trend
from hpo_research.curve_gp.data import Curves, factorised
from hpo_research.gp.data import CENTRE, far
from hpo_research.gp.kernels import Kernel
from hpo_research.gp.likelihood import Hyperparameters
from hpo_research.gp.posterior import LEAST_VARIANCE, Posterior
from hpo_research.linalg import inverse_of, product


class JointPrediction(NamedTuple):
    """Curves without noise at two epochs: mean, variance, covariance, variance at the other."""

    mean: Float[Tensor, "b q"]
    variance: Float[Tensor, "b q"]
    covariance: Float[Tensor, "b q"]
    other: Float[Tensor, "b q"]


@dataclass(frozen=True)
class CurvePosterior:
    """GPs conditioned on learning curves.

    `x` holds the scaled configurations of the curves, `whitening` the inverse of the lower Cholesky
    factor of the observations' covariance without the shared trend, whose mean given the data is
    taken as known: what is unsure about it is the same for all configurations. `alpha` is K⁻¹y with
    the trend in K.
    """

    kernel: Kernel
    hyperparameters: CurveHyperparameters
    curves: Curves
    x: Float[Tensor, "b c d"]
    whitening: Float[Tensor, "b n n"]
    alpha: Float[Tensor, "b n"]

    def level(self, epoch: Float[Tensor, "b q"]) -> Float[Tensor, "b q"]:
        """Return the posterior mean of the trend."""
        cross = trend(epoch, self.curves.epoch)
        return product(cross, self._alpha)[..., 0]

    @property
    def _alpha(self) -> Float[Tensor, "b n 2"]:
        return (self.alpha * self.curves.data.mask)[..., None].expand(-1, -1, 2)

    def predict(
        self,
        x: Float[Tensor, "b q d"],
        trial: Int[Tensor, "b q"],
        epoch: Float[Tensor, "b q"],
    ) -> tuple[Float[Tensor, "b q"], Float[Tensor, "b q"]]:
        """Return mean and variance of curves without noise, at rows of the unit cube and epochs.

        A trial that no observation has is a new one.
        """
        cross = self._cross(self._alike(x, trial), epoch)
        mean = product(cross, self._alpha)[..., 0] + self.level(epoch)
        return mean, self._variance(self._half(cross), epoch)

    def ends(self, epoch: Float[Tensor, " b"]) -> Float[Tensor, "b c"]:
        """Return the mean of each known curve at one epoch, infinite where there is none."""
        return self.known(epoch[:, None].expand_as(self.curves.heads.row))

    def known(self, at: Float[Tensor, "b c"]) -> Float[Tensor, "b c"]:
        """Return the mean of each known curve at an epoch of its own, infinite where none is."""
        curves = self.curves
        x, trial = curves.heads.picked(curves.data.x), curves.heads.picked(curves.trial)
        cross = self._cross(self._alike(x, trial), at)
        mean = product(cross, self._alpha)[..., 0] + self.level(at)
        return torch.where(curves.heads.is_there, mean, torch.full_like(mean, torch.inf))

    def foretell(
        self,
        x: Float[Tensor, "b q d"],
        trial: Int[Tensor, "b q"],
        epoch: Float[Tensor, "b q"],
        other: Float[Tensor, "b q"],
    ) -> JointPrediction:
        """Return what `predict` does of one epoch, and its covariance with another."""
        hyper = self.hyperparameters
        alike = self._alike(x, trial)
        crosses = [self._cross(alike, t) for t in (epoch, other)]
        mean = product(crosses[0], self._alpha)[..., 0] + self.level(epoch)
        halves = [self._half(cross) for cross in crosses]
        prior = (1 + hyper["own"][:, None]) * between(hyper, epoch, other)
        covariance = prior - (halves[0] * halves[1]).sum(dim=-1)
        first, second = self._variance(halves[0], epoch), self._variance(halves[1], other)
        return JointPrediction(mean, first, covariance, second)

    def _variance(self, whitened: Tensor, epoch: Tensor) -> Tensor:
        hyper = self.hyperparameters
        prior = (1 + hyper["own"][:, None]) * between(hyper, epoch, epoch)
        return (prior - (whitened * whitened).sum(dim=-1)).clamp(min=LEAST_VARIANCE)

    def _half(self, cross: Tensor) -> Tensor:
        return product(cross, self.whitening.transpose(1, 2))

    def _alike(self, x: Tensor, trial: Tensor) -> Tensor:
        """Return k(x, x') + τ² of each observation, the latter where it is of the same trial."""
        curves, hyper = self.curves, self.hyperparameters
        scaled = (x - CENTRE) / hyper.lengthscale[:, curves.data.index][:, None, :]
        k = self.kernel.between(scaled, self.x)[0]
        is_same = trial[:, :, None] == curves.heads.picked(curves.trial)[:, None, :]
        return curves.heads.spread(k + hyper["own"][:, None, None] * is_same)

    def _cross(self, alike: Tensor, epoch: Tensor) -> Tensor:
        return alike * Epochs.of(self.hyperparameters, epoch, self.curves.epoch).value

    def at(self, epoch: Float[Tensor, " b"], *, free_rows: int = 0) -> tuple[Posterior, Tensor]:
        """Return the posterior of f at one epoch as a GP of unit variance, and its unit.

        Predictions times the unit, √T(t, t), are in the units of the targets. A curve's own share
        is not part of f. `free_rows` are kept for pending points. Observations of one curve
        tell of f through the same covariance k(x, x'): with E that adds those of a curve up, the
        root of E'K⁻¹E, from the QR of the root of K⁻¹ times E, is all that f needs.
        """
        curves, hyper = self.curves, self.hyperparameters
        b, c, d = self.x.shape
        unit = between(hyper, epoch[:, None], epoch[:, None])[:, 0].sqrt()
        row = Epochs.of(hyper, epoch[:, None], curves.epoch).value[:, 0] / unit[:, None]
        row = row * curves.data.mask
        summed = product(self.whitening * row[:, None, :], curves.heads.membership)
        triangle = torch.linalg.qr(summed, mode="r").R
        whitening = torch.eye(c + free_rows, dtype=self.x.dtype, device=self.x.device).repeat(
            b, 1, 1
        )
        whitening[:, :c, :c] = 0.0
        whitening[:, : triangle.shape[1], :c] = triangle
        weights = torch.zeros(b, c + free_rows, 2, dtype=self.x.dtype, device=self.x.device)
        shares = (row * self.alpha)[:, None, :].expand(-1, 2, -1)
        weights[:, :c] = product(shares, curves.heads.membership).transpose(1, 2)
        free = far(free_rows, like=self.x).expand(b, free_rows, d)
        mask = torch.zeros(b, c + free_rows, dtype=torch.bool, device=self.x.device)
        mask[:, :c] = curves.heads.is_there
        level = self.level(epoch[:, None].expand(-1, 2))[:, 0] / unit
        posterior = Posterior(
            self.kernel,
            Hyperparameters(hyper.lengthscale, hyper["noise"], level),
            hyper.lengthscale[:, curves.data.index],
            torch.cat([self.x, free], dim=1),
            mask,
            whitening,
            weights,
        )
        return posterior, unit


def condition_curves(
    curves: Curves, kernel: Kernel, hyperparameters: CurveHyperparameters
) -> CurvePosterior:
    """Condition GPs on their curves."""
    hyper = hyperparameters
    kernel = kernel.expanded(len(curves.epoch), like=curves.epoch)
    x = curves.heads.picked(curves.data.x)
    x = (x - CENTRE) / hyper.lengthscale[:, curves.data.index][:, None, :]
    k = kernel.between(x, x)[0]
    k.diagonal(dim1=1, dim2=2).add_(hyper["own"][:, None])
    epoch = curves.times.picked(curves.epoch)
    covariance = curves.heads.both(k) * curves.times.both(Epochs.of(hyper, epoch, epoch).value)
    shared = curves.times.both(trend(epoch, epoch))
    y = (curves.data.y * curves.data.mask)[..., None]
    whole = factorised(covariance + shared, curves, hyper["noise"])
    alpha = product(inverse_of(whole), y.expand(-1, -1, 2))[..., 0]
    factor = factorised(covariance, curves, hyper["noise"])
    n = curves.epoch.shape[1]
    eye = torch.eye(n, dtype=x.dtype, device=x.device).expand(len(x), -1, -1)
    whitening = torch.linalg.solve_triangular(factor, eye, upper=False)
    return CurvePosterior(kernel, hyper, curves, x, whitening, alpha)
