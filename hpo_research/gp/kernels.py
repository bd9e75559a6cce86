"""Stationary kernels of unit variance, as functions of the squared scaled distance r²."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hpo_research.products import product

LOG_2PI = math.log(2 * math.pi)

Profile = Callable[[Tensor], tuple[Tensor, Tensor]]
"""r² to (k, H), where H = −2 dk/d(r²): what every derivative of the kernel is made of."""


@dataclass(frozen=True)
class Kernel:
    """k(x, z) = profile(Σ_j ((x_j − z_j) / ℓ_j)²), with k(x, x) = 1."""

    name: str
    profile: Profile


def _rbf(r2: Tensor) -> tuple[Tensor, Tensor]:
    k = torch.exp(-0.5 * r2)
    return k, k


def _matern32(r2: Tensor) -> tuple[Tensor, Tensor]:
    r = (3 * r2).sqrt_()
    e = r.neg().exp_()
    return (1 + r) * e, 3 * e


def _matern52(r2: Tensor) -> tuple[Tensor, Tensor]:
    r = (5 * r2).sqrt_()
    e = r.neg().exp_()
    slope = (1 + r) * e
    return (r2 * e).mul_(5 / 3).add_(slope), (5 / 3) * slope


# Rasmussen and Williams (2006), section 4.2.1.
KERNELS: Mapping[str, Kernel] = {
    "matern52": Kernel("matern52", _matern52),
    "matern32": Kernel("matern32", _matern32),
    "rbf": Kernel("rbf", _rbf),
}


def squared_distances(
    x: Float[Tensor, "b n d"], z: Float[Tensor, "b q d"]
) -> Float[Tensor, "b n q"]:
    """Return |x_i − z_j|² of scaled rows, by one matrix product.

    The rows are of the unit cube; what cancels is of the size of their distance from its middle.
    """
    left, right = (x * x).sum(dim=-1, keepdim=True), (z * z).sum(dim=-1, keepdim=True)
    rows = torch.cat([-2 * x, left, torch.ones_like(left)], dim=-1)
    columns = torch.cat([z, torch.ones_like(right), right], dim=-1)
    return product(rows, columns.transpose(1, 2)).clamp_(min=0.0)
