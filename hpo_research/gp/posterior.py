"""The posterior of a batch of GPs, ready to predict, and to be conditioned on further points."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hpo_research.gp.data import CENTRE, Data, far
from hpo_research.gp.evidence import Hyperparameters
from hpo_research.gp.factor import factorised
from hpo_research.gp.kernels import Kernel, squared_distances
from hpo_research.products import product

LEAST_VARIANCE = 1e-10
"""Variances are not less than this: what rounding leaves of zero, in units of the kernel's."""


@dataclass(frozen=True)
class Prediction:
    """Means under each of m samples of what is pending, and the variance they share."""

    mean: Float[Tensor, "b q m"]
    variance: Float[Tensor, "b q"]


@dataclass(frozen=True)
class Posterior:
    """GPs conditioned on data, and on sampled values at points that are still pending.

    `x` holds scaled rows, `root` the inverse of the lower Cholesky factor, `weights` the vectors
    K⁻¹(y − μ), one for each of the m samples (two equal ones while nothing is pending, since
    products of one column take another path). Rows outside `mask` are free places, far off.
    """

    kernel: Kernel
    hyperparameters: Hyperparameters
    scale: Float[Tensor, "b d"]
    x: Float[Tensor, "b n d"]
    mask: Bool[Tensor, "b n"]
    root: Float[Tensor, "b n n"]
    weights: Float[Tensor, "b n m"]

    def take(self, groups: Int[Tensor, " k"] | slice) -> "Posterior":
        """Return the posterior of some GPs only."""
        hyper = self.hyperparameters
        return Posterior(
            self.kernel,
            Hyperparameters(hyper.lengthscale[groups], hyper.noise[groups], hyper.mean[groups]),
            self.scale[groups],
            self.x[groups],
            self.mask[groups],
            self.root[groups],
            self.weights[groups],
        )

    def predict(self, x: Float[Tensor, "b q d"]) -> Prediction:
        """Predict the function, without noise, at rows of the unit cube."""
        return self._forward(x)[0]

    def project(
        self, x: Float[Tensor, "b q d"]
    ) -> tuple[Prediction, Float[Tensor, "b q d"], Float[Tensor, "b q n"]]:
        """Predict, and return the scaled rows and L⁻¹k of each: what further points subtract."""
        prediction, scaled, _, half = self._forward(x)
        return prediction, scaled, half

    def predict_with_pullback(self, x: Float[Tensor, "b q d"]) -> tuple[Prediction, "Pullback"]:
        """Predict, and return what turns derivatives by the prediction into derivatives by x."""
        prediction, scaled, h, kept = self._forward(x)
        return prediction, Pullback(self, scaled, h, kept)

    def _forward(self, x: Tensor) -> tuple[Prediction, Tensor, Tensor, Tensor]:
        scaled = (x - CENTRE) / self.scale[:, None, :]
        k, h = self.kernel.profile(squared_distances(scaled, self.x))
        mean = product(k, self.weights).add_(self.hyperparameters.mean[:, None, None])
        half = product(k, self.root.transpose(1, 2))
        variance = (1 - (half * half).sum(dim=-1)).clamp(min=LEAST_VARIANCE)
        return Prediction(mean, variance), scaled, h, half

    def extended(self, x: Float[Tensor, "b d"], z: Float[Tensor, "b m"], place: int) -> "Posterior":
        """Condition on the value at one more point: its mean plus z deviations, in each sample.

        The point takes row `place`, which must be free. Adds one row to the factor: with
        l = L⁻¹k and δ² = 1 − l'l the row of the inverse is (−l'L⁻¹, 1)/δ, and the weights gain
        that row times z, since L'⁻¹(y' − μ) gains exactly z. Values are those of the function:
        pending points are conditioned on without noise.
        """
        prediction, scaled, _, half = self._forward(x[:, None, :].expand(-1, 2, -1))
        deviation = prediction.variance[:, 0].sqrt()
        row = -product(half, self.root)[:, 0] / deviation[:, None]
        row[:, place] = 1 / deviation
        root, points, mask = self.root.clone(), self.x.clone(), self.mask.clone()
        root[:, place], points[:, place], mask[:, place] = row, scaled[:, 0], True
        is_sampled = self.weights.shape[-1] == z.shape[-1]
        weights = self.weights if is_sampled else self.weights[..., :1]
        weights = weights + row[:, :, None] * z[:, None, :]
        return Posterior(self.kernel, self.hyperparameters, self.scale, points, mask, root, weights)


@dataclass(frozen=True)
class Pullback:
    """Derivatives by means and variances turned into derivatives by the points asked."""

    posterior: Posterior
    x: Float[Tensor, "b q d"]
    h: Float[Tensor, "b q n"]
    half: Float[Tensor, "b q n"]

    def __call__(
        self, by_mean: Float[Tensor, "b q m"], by_variance: Float[Tensor, "b q"]
    ) -> Float[Tensor, "b q d"]:
        """Return ∂/∂x = [(wX̃) − (w1)x̃]/ℓ with w = c ∘ H, c = ∂f/∂k."""
        posterior = self.posterior
        c = product(by_mean, posterior.weights.transpose(1, 2))
        c = c - 2 * by_variance[..., None] * product(self.half, posterior.root)
        w = c * self.h
        moved = product(w, posterior.x) - w.sum(dim=-1)[..., None] * self.x
        return moved / posterior.scale[:, None, :]


def condition(
    data: Data,
    kernel: Kernel,
    hyperparameters: Hyperparameters,
    *,
    places: int = 0,
) -> Posterior:
    """Condition GPs on their data; `places` rows are kept free for pending points."""
    b, n, d = data.x.shape
    scale = hyperparameters.lengthscale[:, data.index]
    x = (data.x - CENTRE) / scale[:, None, :]
    k, _ = kernel.profile(squared_distances(x, x))
    factor = factorised(k, hyperparameters.noise, data.mask)
    eye = torch.eye(n, dtype=x.dtype, device=x.device).expand(b, n, n)
    inverse = torch.linalg.solve_triangular(factor, eye, upper=False)
    root = torch.eye(n + places, dtype=x.dtype, device=x.device).repeat(b, 1, 1)
    root[:, :n, :n] = inverse
    residual = (data.y - hyperparameters.mean[:, None]) * data.mask
    half = (inverse * residual[:, None, :]).sum(dim=-1)
    weights = torch.zeros(b, n + places, 2, dtype=x.dtype, device=x.device)
    weights[:, :n] = (inverse * half[:, :, None]).sum(dim=1)[..., None]
    free = far(places, like=x).expand(b, places, d)
    places_mask = torch.zeros(b, places, dtype=torch.bool, device=x.device)
    return Posterior(
        kernel,
        hyperparameters,
        scale,
        torch.cat([x, free], dim=1),
        torch.cat([data.mask, places_mask], dim=1),
        root,
        weights,
    )
