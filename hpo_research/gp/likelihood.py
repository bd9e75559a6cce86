"""The evidence of hyperparameters and its gradient, in closed form."""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hpo_research.compiled import by_loops
from hpo_research.gp import compiled_evidence
from hpo_research.gp.data import CENTRE, Data
from hpo_research.gp.kernels import LOG_2PI, Kernel
from hpo_research.linalg import attempted, factorised, inverse_of, product


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

    def table(
        self, parameters: int, device: torch.device
    ) -> tuple[Float[Tensor, " t"], Float[Tensor, " t"], Float[Tensor, " t"], float]:
        """Return location and scale of each hyperparameter, 0 for the mean, which is flat, else 1.

        And the logarithm of what the densities are divided by.
        """
        return _table(self, parameters, device)

    def log_density(
        self, theta: Float[Tensor, "b t"]
    ) -> tuple[Float[Tensor, " b"], Float[Tensor, "b t"]]:
        """Return the log density of (ℓ, σ²) and its gradient in (ln ℓ, ln σ², μ)."""
        location, scale, counts, constant = self.table(theta.shape[-1] - 2, theta.device)
        z = (theta - location) / scale
        terms = (theta + 0.5 * z * z) * counts
        return -terms.sum(dim=-1) - constant, (-1 - z / scale) * counts


@lru_cache(maxsize=64)
def _table(
    priors: Priors, parameters: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor, float]:
    """Return it once a device: what is copied there is waited for."""
    lengthscale = (priors.location(parameters), priors.lengthscale_scale, 1.0)
    rows = [lengthscale] * parameters
    rows += [(priors.noise_location, priors.noise_scale, 1.0), (0.0, 1.0, 0.0)]
    table = torch.tensor(rows, dtype=torch.float64).T.contiguous()
    constant = float((table[2] * (table[1].log() + 0.5 * LOG_2PI)).sum())
    location, scale, counts = table.to(device)
    return location, scale, counts, constant


def evidence(
    theta: Float[Tensor, "b t"], data: Data, kernel: Kernel, priors: Priors | None
) -> tuple[Float[Tensor, " b"], Float[Tensor, "b t"]]:
    """Return log p(y | θ) + log p(θ) and its gradient in θ = (ln ℓ, ln σ², μ).

    With K = k(X/ℓ) + σ²I = LL', α = K⁻¹(y − μ), W = αα' − K⁻¹ and M = W ∘ H
    (Rasmussen and Williams 2006, equations 2.30 and 5.9): ∂/∂ln ℓ_j = Σ_i (M1)_i x̃_ij² − x̃_j'Mx̃_j,
    ∂/∂ln σ² = ½ σ² tr W, ∂/∂μ = 1'α. Padded rows are rows of the identity with target μ, which
    add exactly 0 to each. `priors=None` leaves the second term out. NaN where K cannot be
    factorised, on a GPU without a jitter.
    """
    found = _compiled if by_loops(theta, data.x, data.y) else _computed
    value, gradient = found(theta, data, kernel)
    if priors is None:
        return value, gradient
    density, slope = priors.log_density(theta)
    return value + density, gradient + slope


def _computed(theta: Tensor, data: Data, kernel: Kernel) -> tuple[Tensor, Tensor]:
    """Return the first term and its gradient, by operations on all GPs."""
    hyper = Hyperparameters.of(theta)
    x = (data.x - CENTRE) / hyper.lengthscale[:, data.index][:, None, :]
    k, h = kernel.between(x, x)
    # To see that a factor failed is to wait for the device; a search refuses where there is none.
    factor = factorised if k.is_cpu else attempted
    cholesky = factor(k, hyper.noise, data.mask)
    inverse = inverse_of(cholesky)
    residual = (data.y - hyper.mean[:, None]) * data.mask
    alpha = product(inverse, residual[..., None].expand(-1, -1, 2))[..., 0]
    logdet = 2 * cholesky.diagonal(dim1=1, dim2=2).log().sum(dim=-1)
    value = -0.5 * ((residual * alpha).sum(dim=-1) + logdet + LOG_2PI * data.count)
    trace = ((alpha * alpha - inverse.diagonal(dim1=1, dim2=2)) * data.mask).sum(dim=-1)
    m = (alpha[:, :, None] * alpha[:, None, :]).sub_(inverse).mul_(h)
    m.diagonal(dim1=1, dim2=2).zero_()  # what it would add cancels
    moved = product(m, torch.cat([x, torch.ones_like(x[..., :1])], dim=-1))
    columns = ((moved[..., -1:] * x - moved[..., :-1]) * x).sum(dim=1)
    lengthscales = (columns[:, None, :] * data.membership).sum(dim=-1)
    ends = torch.stack([0.5 * hyper.noise * trace, alpha.sum(dim=-1)], dim=-1)
    return value, torch.cat([lengthscales, ends], dim=-1)


def _compiled(theta: Tensor, data: Data, kernel: Kernel) -> tuple[Tensor, Tensor]:
    """Do the same on the CPU."""
    coefficients = kernel.coefficients.expand(len(theta), -1)
    value, gradient = theta.new_empty(len(theta)), torch.empty_like(theta)
    known = (data.x, data.y, data.mask, data.index, coefficients)
    given = (*known, theta, value, gradient)
    compiled_evidence.evidence_each(*(tensor.contiguous().numpy() for tensor in given))
    return value, gradient
