"""What a GP over configuration and epoch foretells: trials that are known, and the function."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hpo_research.gp.curves import (
    CurveHyperparameters,
    Curves,
    Epochs,
    between,
    factorised,
    same,
    trend,
)
from hpo_research.gp.data import CENTRE, far
from hpo_research.gp.evidence import Hyperparameters
from hpo_research.gp.kernels import Kernel, squared_distances
from hpo_research.gp.posterior import LEAST_VARIANCE, Posterior
from hpo_research.products import inverse_of, product


@dataclass(frozen=True)
class CurvePosterior:
    """GPs conditioned on learning curves.

    `x` holds scaled rows, `root` the inverse of the lower Cholesky factor of the covariance
    without the shared trend, whose mean given the data is taken as known: what is unsure about it
    is the same for all configurations. `alpha` is K⁻¹y with the trend in K.
    """

    kernel: Kernel
    hyperparameters: CurveHyperparameters
    curves: Curves
    x: Float[Tensor, "b n d"]
    root: Float[Tensor, "b n n"]
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
        cross, _ = self._cross(x, trial, epoch)
        mean = product(cross, self._alpha)[..., 0] + self.level(epoch)
        half = product(cross, self.root.transpose(1, 2))
        variance = self._prior(epoch) - (half * half).sum(dim=-1)
        return mean, variance.clamp(min=LEAST_VARIANCE)

    def covariance(
        self,
        x: Float[Tensor, "b q d"],
        trial: Int[Tensor, "b q"],
        epoch: Float[Tensor, "b q"],
        other: Float[Tensor, "b q"],
    ) -> tuple[Float[Tensor, "b q"], Float[Tensor, "b q"]]:
        """Return each curve's covariance between two epochs, and its variance at the other."""
        hyper = self.hyperparameters
        halves = [
            product(self._cross(x, trial, t)[0], self.root.transpose(1, 2)) for t in (epoch, other)
        ]
        prior = (1 + hyper["own"][:, None]) * between(hyper, epoch, other)
        covariance = prior - (halves[0] * halves[1]).sum(dim=-1)
        variance = self._prior(other) - (halves[1] * halves[1]).sum(dim=-1)
        return covariance, variance.clamp(min=LEAST_VARIANCE)

    def _prior(self, epoch: Tensor) -> Tensor:
        hyper = self.hyperparameters
        return (1 + hyper["own"][:, None]) * between(hyper, epoch, epoch)

    def _cross(self, x: Tensor, trial: Tensor, epoch: Tensor) -> tuple[Tensor, Tensor]:
        data, hyper = self.curves.data, self.hyperparameters
        scaled = (x - CENTRE) / hyper.lengthscale[:, data.index][:, None, :]
        k, _ = self.kernel.profile(squared_distances(scaled, self.x))
        is_same = (trial[:, :, None] == self.curves.trial[:, None, :]) & data.mask[:, None, :]
        times = Epochs.of(hyper, epoch, self.curves.epoch)
        return (k + hyper["own"][:, None, None] * is_same) * times.value, scaled

    def at(self, epoch: Float[Tensor, " b"], *, places: int = 0) -> tuple[Posterior, Tensor]:
        """Return the posterior of f at one epoch as a GP of unit variance, and its unit.

        Predictions times the unit, √T(t, t), are in the units of the targets. A curve's own share
        is not part of f. `places` rows are kept free for pending points.
        """
        curves, hyper = self.curves, self.hyperparameters
        b, n, d = self.x.shape
        unit = between(hyper, epoch[:, None], epoch[:, None])[:, 0].sqrt()
        row = Epochs.of(hyper, epoch[:, None], curves.epoch).value[:, 0] / unit[:, None]
        row = row * curves.data.mask
        root = torch.eye(n + places, dtype=self.x.dtype, device=self.x.device).repeat(b, 1, 1)
        root[:, :n, :n] = self.root * row[:, None, :]
        weights = torch.zeros(b, n + places, 2, dtype=self.x.dtype, device=self.x.device)
        weights[:, :n] = (row * self.alpha)[..., None]
        free = far(places, like=self.x).expand(b, places, d)
        mask = torch.zeros(b, n + places, dtype=torch.bool, device=self.x.device)
        mask[:, :n] = curves.data.mask
        level = self.level(epoch[:, None].expand(-1, 2))[:, 0] / unit
        posterior = Posterior(
            self.kernel,
            Hyperparameters(hyper.lengthscale, hyper["noise"], level),
            hyper.lengthscale[:, curves.data.index],
            torch.cat([self.x, free], dim=1),
            mask,
            root,
            weights,
        )
        return posterior, unit


def condition_curves(
    curves: Curves, kernel: Kernel, hyperparameters: CurveHyperparameters
) -> CurvePosterior:
    """Condition GPs on their curves."""
    data, hyper = curves.data, hyperparameters
    x = (data.x - CENTRE) / hyper.lengthscale[:, data.index][:, None, :]
    kernel = kernel.expanded(len(x), like=x)
    k, _ = kernel.profile(squared_distances(x, x))
    times = Epochs.of(hyper, curves.epoch, curves.epoch).value
    covariance = (k + hyper["own"][:, None, None] * same(curves)) * times
    shared = trend(curves.epoch, curves.epoch)
    y = (data.y * data.mask)[..., None]
    whole = factorised(covariance + shared, curves, hyper["noise"])
    alpha = product(inverse_of(whole), y.expand(-1, -1, 2))[..., 0]
    factor = factorised(covariance, curves, hyper["noise"])
    eye = torch.eye(x.shape[1], dtype=x.dtype, device=x.device).expand(len(x), -1, -1)
    root = torch.linalg.solve_triangular(factor, eye, upper=False)
    return CurvePosterior(kernel, hyper, curves, x, root, alpha)
