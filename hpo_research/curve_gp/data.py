"""Learning curves as the rows of one GP over configuration and epoch: what is known."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from hpo_research.gp.data import Data
from hpo_research.linalg import lower_factor, product


@dataclass(frozen=True)
class Curves:
    """Observed points of learning curves: configurations and values, at which epoch, of whom.

    `data` has a row for every observation; `trial` numbers the curves, equal numbers being one
    curve. Rows outside the mask change no bit of a result. What depends on the curve alone, or on
    the epoch alone, is computed for the c curves and e epochs that differ and not for all n rows:
    `heads` and `times` say which.
    """

    data: Data
    epoch: Float[Tensor, "b n"]
    trial: Int[Tensor, "b n"]
    heads: "Distinct"
    times: "Distinct"

    @classmethod
    def of(
        cls,
        data: Data,
        epoch: Float[Tensor, "b n"],
        trial: Int[Tensor, "b n"],
        *,
        count: tuple[int, int],
    ) -> "Curves":
        """Return curves; `count` is to how many curves and epochs they are padded."""
        pairs = zip((trial, epoch), count, strict=True)
        heads, times = (Distinct.of(values, data.mask, most) for values, most in pairs)
        return cls(data, epoch, trial, heads, times)

    def take(self, groups: Int[Tensor, " k"] | slice) -> "Curves":
        """Return the curves of some GPs only."""
        return Curves(
            self.data.take(groups),
            self.epoch[groups],
            self.trial[groups],
            self.heads.take(groups),
            self.times.take(groups),
        )


@dataclass(frozen=True)
class Distinct:
    """The values that differ among n rows: a row of each, −1 where there are fewer than c.

    `of_row` is the place of each row's value among them; `mask` says which rows count.
    """

    row: Int[Tensor, "b c"]
    of_row: Int[Tensor, "b n"]
    mask: Bool[Tensor, "b n"]

    @classmethod
    def of(cls, values: Shaped[Tensor, "b n"], mask: Bool[Tensor, "b n"], count: int) -> "Distinct":
        """Find them, in ascending order."""
        order = torch.where(mask, values, values.amax(dim=1, keepdim=True) + 1).argsort(
            dim=1, stable=True
        )
        ordered, begins = values.gather(1, order), mask.gather(1, order)
        begins[:, 1:] &= ordered[:, 1:] != ordered[:, :-1]
        number = (begins.cumsum(dim=1) - 1).clamp(min=0, max=count - 1)
        of_row = torch.zeros_like(order).scatter(1, order, number)
        row = torch.full((len(order), count + 1), -1, dtype=torch.int64, device=order.device)
        row.scatter_(1, torch.where(begins, number, torch.full_like(number, count)), order)
        return cls(row[:, :count].contiguous(), of_row, mask)

    def take(self, groups: Int[Tensor, " k"] | slice) -> "Distinct":
        """Return those of some GPs only."""
        return Distinct(self.row[groups], self.of_row[groups], self.mask[groups])

    @property
    def is_there(self) -> Bool[Tensor, "b c"]:
        """Which of the places are taken."""
        return self.row >= 0

    def picked(self, rows: Shaped[Tensor, "b n *k"]) -> Shaped[Tensor, "b c *k"]:
        """Return what rows hold, one for each value; in a free place, what the first row does."""
        place = self.row.clamp(min=0).reshape(*self.row.shape, *[1] * (rows.ndim - 2))
        return rows.gather(1, place.expand(-1, -1, *rows.shape[2:]))

    def spread(self, columns: Float[Tensor, "b q c"]) -> Float[Tensor, "b q n"]:
        """Return each row's share of what is known by value, 0 where there is no row."""
        place = self.of_row[:, None, :].expand(-1, columns.shape[1], -1)
        return columns.gather(2, place) * self.mask[:, None, :]

    def both(self, values: Float[Tensor, "b c c"]) -> Float[Tensor, "b n n"]:
        """Return what every two rows share of what two values do."""
        place = self.of_row[:, :, None] * values.shape[1] + self.of_row[:, None, :]
        return values.flatten(1).gather(1, place.flatten(1)).reshape(place.shape)

    @cached_property
    def membership(self) -> Float[Tensor, "b n c"]:
        """1 where a row is of a value."""
        places = torch.arange(self.row.shape[1], device=self.row.device, dtype=torch.int64)
        rows = self.of_row[:, :, None] == places[None, None, :]
        return (rows & self.mask[:, :, None]).double()

    def summed(self, rows: Float[Tensor, "b n n"]) -> Float[Tensor, "b c c"]:
        """Return the sums over all rows of every two values."""
        half = product(self.membership.transpose(1, 2), rows)
        return product(half, self.membership)


def pairs(curves: Curves) -> Float[Tensor, "b n n"]:
    """Return 1 where both rows count."""
    mask = curves.data.mask.to(curves.data.y)
    return mask[:, :, None] * mask[:, None, :]


def factorised(k: Tensor, curves: Curves, noise: Tensor) -> Float[Tensor, "b n n"]:
    """Return the lower factor of K + σ²I on the rows that count, of the identity on the others."""
    mask = curves.data.mask.to(k)
    k = k * pairs(curves)
    diagonal = k.diagonal(dim1=1, dim2=2)
    size = diagonal.amax(dim=1)
    diagonal.add_(noise[:, None] * mask + (1 - mask))
    return lower_factor(k, size[:, None] * mask)
