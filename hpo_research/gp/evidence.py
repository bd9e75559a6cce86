"""The evidence of hyperparameters and its gradient, in closed form."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hpo_research.gp.data import CENTRE, Data
from hpo_research.gp.factor import factorised
from hpo_research.gp.kernels import LOG_2PI, Kernel, squared_distances
from hpo_research.products import inverse_of, product


@dataclass(frozen=True)
class Hyperparameters:
    """Lengthscales, noise variance and constant mean of each GP; the kernel's variance is 1."""

    lengthscale: Float[Tensor, "b p"]
    noise: Float[Tensor, " b"]
    mean: Float[Tensor, " b"]

    @classmethod
    def of(cls, theta: Float[Tensor, "b t"]) -> "Hyperparameters":
        """Read (ln ℓ_1, ..., ln ℓ_p, ln σ², μ)."""
        positive = theta[..., :-1].exp()
        return cls(positive[..., :-1], positive[..., -1], theta[..., -1].clone())

    def take(self, groups: Int[Tensor, " k"] | slice) -> "Hyperparameters":
        """Return those of some GPs only."""
        return Hyperparameters(self.lengthscale[groups], self.noise[groups], self.mean[groups])

    @property
    def theta(self) -> Float[Tensor, "b t"]:
        """The same as (ln ℓ_1, ..., ln ℓ_p, ln σ², μ)."""
        return torch.cat(
            [self.lengthscale.log(), self.noise.log()[:, None], self.mean[:, None]], dim=-1
        )


@dataclass(frozen=True)
class Priors:
    """Log-normal priors of lengthscales and noise variance, and the bounds they are kept in.

    The defaults are BoTorch's: ln ℓ ~ N(√2 + ½ ln p, 3), scaled with the dimension (Hvarfner,
    Hellsten and Nardi, ICML 2024), ln σ² ~ N(−4, 1), ℓ ≥ 0.025, σ² ≥ 1e-4, all for standardised
    targets over the unit cube. The mean has a flat prior.
    """

    lengthscale_location: float = math.sqrt(2)
    lengthscale_scale: float = math.sqrt(3)
    noise_location: float = -4.0
    noise_scale: float = 1.0
    lengthscale_bounds: tuple[float, float] = (0.025, 1e4)
    noise_bounds: tuple[float, float] = (1e-4, 10.0)

    def location(self, parameters: int) -> float:
        """Return the location of ln ℓ where there are so many lengthscales."""
        return self.lengthscale_location + 0.5 * math.log(parameters)

    def log_density(
        self, theta: Float[Tensor, "b t"]
    ) -> tuple[Float[Tensor, " b"], Float[Tensor, "b t"]]:
        """Return the log density of (ℓ, σ²) and its gradient in (ln ℓ, ln σ², μ)."""
        p = theta.shape[-1] - 2
        ends = theta.new_zeros(1)
        locations = torch.cat(
            [
                theta.new_full((p,), self.location(p)),
                theta.new_full((1,), self.noise_location),
                ends,
            ]
        )
        scales = torch.cat(
            [
                theta.new_full((p,), self.lengthscale_scale),
                theta.new_full((1,), self.noise_scale),
                ends + 1,
            ]
        )
        counts = torch.cat([theta.new_ones(p + 1), ends])  # the mean is flat
        z = (theta - locations) / scales
        terms = -theta - scales.log() - 0.5 * LOG_2PI - 0.5 * z * z
        return (terms * counts).sum(dim=-1), (-1 - z / scales) * counts


def evidence(
    theta: Float[Tensor, "b t"], data: Data, kernel: Kernel, priors: Priors | None
) -> tuple[Float[Tensor, " b"], Float[Tensor, "b t"]]:
    """Return log p(y | θ) + log p(θ) and its gradient in θ = (ln ℓ, ln σ², μ).

    With K = k(X/ℓ) + σ²I = LL', α = K⁻¹(y − μ), W = αα' − K⁻¹ and M = W ∘ H
    (Rasmussen and Williams 2006, equations 2.30 and 5.9): ∂/∂ln ℓ_j = Σ_i (M1)_i x̃_ij² − x̃_j'Mx̃_j,
    ∂/∂ln σ² = ½ σ² tr W, ∂/∂μ = 1'α. Padded rows are rows of the identity with target μ, which
    add exactly 0 to each. `priors=None` leaves the second term out. NaN where K cannot be
    factorised.
    """
    hyper = Hyperparameters.of(theta)
    x = (data.x - CENTRE) / hyper.lengthscale[:, data.index][:, None, :]
    k, h = kernel.profile(squared_distances(x, x))
    root = factorised(k, hyper.noise, data.mask)
    inverse = inverse_of(root)
    residual = (data.y - hyper.mean[:, None]) * data.mask
    alpha = product(inverse, residual[..., None].expand(-1, -1, 2))[..., 0]
    logdet = 2 * root.diagonal(dim1=1, dim2=2).log().sum(dim=-1)
    value = -0.5 * ((residual * alpha).sum(dim=-1) + logdet + data.count * LOG_2PI)
    trace = ((alpha * alpha - inverse.diagonal(dim1=1, dim2=2)) * data.mask).sum(dim=-1)
    m = (alpha[:, :, None] * alpha[:, None, :]).sub_(inverse).mul_(h)
    m.diagonal(dim1=1, dim2=2).zero_()  # what it would add cancels
    moved = product(m, torch.cat([x, torch.ones_like(x[..., :1])], dim=-1))
    columns = ((moved[..., -1:] * x - moved[..., :-1]) * x).sum(dim=1)
    lengthscales = (columns[:, None, :] * data.membership).sum(dim=-1)
    ends = torch.stack([0.5 * hyper.noise * trace, (alpha * data.mask).sum(dim=-1)], dim=-1)
    gradient = torch.cat([lengthscales, ends], dim=-1)
    if priors is None:
        return value, gradient
    density, slope = priors.log_density(theta)
    return value + density, gradient + slope
