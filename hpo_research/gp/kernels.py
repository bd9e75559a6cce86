"""Stationary kernels of unit variance, as functions of the squared scaled distance r²."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hpo_research.compiled import by_loops
from hpo_research.gp.compiled import apart, shaped
from hpo_research.linalg import product

LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Kernel:
    """k(x, z) = k(r) with r² = Σ_j ((x_j − z_j) / ℓ_j)² and k(0) = 1: of each GP, or one for all.

    k = E·(1 + a1·r + a2·r²) and H = −2 dk/d(r²) = E·(h0 + h1·r) with E = exp(w1·r + w2·r²): GPs
    with different kernels are computed in one batch. `coefficients` are w1, w2, a1, a2, h0, h1 and
    the degrees of freedom of the t distribution of the frequencies (0: they are normal).
    """

    coefficients: Float[Tensor, "k 7"]

    def expanded(self, b: int, *, like: Tensor) -> "Kernel":
        """Return one for each of b GPs, on the device of their data."""
        return Kernel(self.coefficients.to(like.device).expand(b, -1))

    def take(self, groups: Int[Tensor, " g"] | slice) -> "Kernel":
        """Return the kernels of some GPs only."""
        return Kernel(self.coefficients[groups])

    @property
    def degrees(self) -> Float[Tensor, " k"]:
        """The degrees of freedom of the t distribution of the frequencies; 0: they are normal."""
        return self.coefficients[:, -1]

    @cached_property
    def _columns(self) -> tuple[Tensor, ...]:
        return self.coefficients.T.contiguous().unbind()

    def profile(
        self, r2: Float[Tensor, "*rows"]
    ) -> tuple[Float[Tensor, "*rows"], Float[Tensor, "*rows"]]:
        """Return k and H, what every derivative of the kernel is made of, from r²."""
        ones = (1,) * (r2.ndim - 1)
        w1, w2, a1, a2, h0, h1, _ = (column.view(-1, *ones) for column in self._columns)
        r = r2.sqrt()
        e = (r * w1).add_(r2 * w2).exp_()
        k = (r * a1).add_(r2 * a2).add_(1).mul_(e)
        return k, (r * h1).add_(h0).mul_(e)

    def between(
        self, x: Float[Tensor, "b n d"], z: Float[Tensor, "b m d"]
    ) -> tuple[Float[Tensor, "b n m"], Float[Tensor, "b n m"]]:
        """Return `profile` between scaled rows, compiled on the CPU."""
        if not by_loops(x, z):
            return self.profile(squared_distances(x, z))
        r, e = (x.new_empty(len(x), x.shape[1], z.shape[1]) for _ in range(2))
        coefficients = self.coefficients.expand(len(x), -1).contiguous().numpy()
        apart(x.contiguous().numpy(), z.contiguous().numpy(), coefficients, r.numpy(), e.numpy())
        e.exp_()
        shaped(coefficients, r.numpy(), e.numpy())
        return r, e


def _kernel(*numbers: float) -> Kernel:
    return Kernel(torch.tensor([numbers], dtype=torch.float64))


_3, _5 = math.sqrt(3), math.sqrt(5)

# Rasmussen and Williams (2006), section 4.2.1.
KERNELS: Mapping[str, Kernel] = {
    "matern52": _kernel(-_5, 0, _5, 5 / 3, 5 / 3, 5 / 3 * _5, 5),
    "matern32": _kernel(-_3, 0, _3, 0, 3, 0, 3),
    "rbf": _kernel(0, -0.5, 0, 0, 1, 0, 0),
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
