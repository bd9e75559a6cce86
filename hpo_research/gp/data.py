"""What a batch of GPs knows: padded rows with a mask."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

CENTRE = 0.5
"""Columns are shifted by this before they are scaled, so that distances lose fewer digits."""
FAR = 1e12
"""Rows that do not count stand so far off, and apart, that every kernel is exactly 0 there."""


@dataclass(frozen=True)
class Data:
    """Rows `x` of the unit cube and targets `y`, of which those in `mask` count.

    `lengthscale_of[j]` is the lengthscale that column j belongs to. Rows outside the mask change
    no bit of a result: `of` puts them where no kernel reaches.
    """

    x: Float[Tensor, "b n d"]
    y: Float[Tensor, "b n"]
    mask: Bool[Tensor, "b n"]
    lengthscale_of: tuple[int, ...]

    @classmethod
    def of(
        cls,
        x: Float[Tensor, "b n d"],
        y: Float[Tensor, "b n"],
        mask: Bool[Tensor, "b n"] | None = None,
        lengthscale_of: Sequence[int] | None = None,
    ) -> "Data":
        """Return the data, padded rows set far apart and to 0; by default there are none."""
        b, n, d = x.shape
        mask = torch.ones(b, n, dtype=torch.bool, device=x.device) if mask is None else mask
        x = torch.where(mask[..., None], x, far(n, like=x))
        y = torch.where(mask, y, torch.zeros_like(y))
        return cls(x, y, mask, tuple(range(d)) if lengthscale_of is None else tuple(lengthscale_of))

    def take(self, groups: Int[Tensor, " k"] | slice) -> "Data":
        """Return the data of some GPs only."""
        return Data(self.x[groups], self.y[groups], self.mask[groups], self.lengthscale_of)

    @property
    def parameters(self) -> int:
        """How many lengthscales there are."""
        return max(self.lengthscale_of) + 1

    @cached_property
    def index(self) -> Int[Tensor, " d"]:
        """The lengthscale of each column, as a tensor."""
        return _index(self.lengthscale_of, self.x.device)

    @cached_property
    def membership(self) -> Float[Tensor, "p d"]:
        """1 where a column belongs to a lengthscale."""
        rows = torch.arange(self.parameters, device=self.x.device, dtype=torch.int64)[:, None]
        return (rows == self.index[None]).to(self.x)

    @cached_property
    def count(self) -> Float[Tensor, " b"]:
        """How many rows count."""
        return self.mask.sum(dim=1).to(self.x)


@lru_cache(maxsize=64)
def _index(lengthscale_of: tuple[int, ...], device: torch.device) -> Tensor:
    """Return it once a device: what is copied there is waited for."""
    return torch.tensor(lengthscale_of, dtype=torch.int64, device=device)


def far(n: int, *, like: Tensor) -> Float[Tensor, "n 1"]:
    """Return one place far off for each of n rows."""
    return FAR * torch.arange(1, n + 1, dtype=like.dtype, device=like.device)[:, None]
