"""The encoded space that is searched: continuous columns, choices, or a table of all points."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

WIDE = 32
"""Ordered choices of more values than this are searched as if continuous, then snapped."""


@dataclass(frozen=True)
class Choice:
    """A hyperparameter of k values: the columns it fills, and what each value puts there.

    `edges` cut [0, 1] into the k values' shares. `is_ordered`: it fills one column, ascending.
    """

    columns: tuple[int, ...]
    points: Float[Tensor, "k c"]
    edges: Float[Tensor, " e"]
    is_ordered: bool

    @property
    def size(self) -> int:
        """How many values there are."""
        return len(self.points)

    @property
    def is_wide(self) -> bool:
        """Whether it is relaxed while it is searched."""
        return self.is_ordered and self.size > WIDE

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """By how much an index is moved in one flip: to every other value, or by powers of two."""
        if not self.is_wide:
            return tuple(range(1, self.size))
        powers = [2**i for i in range((self.size - 1).bit_length())]
        return tuple(sign * power for power in powers for sign in (1, -1))

    def moved(self, index: Int[Tensor, "..."], offset: int) -> Int[Tensor, "..."]:
        """Return the index of another value: round the corner, or held at the ends if wide."""
        moved = index + offset
        return moved.clamp(0, self.size - 1) if self.is_wide else moved % self.size


@dataclass(frozen=True)
class Points:
    """Points of a domain: their columns, and the index of the value of each choice."""

    x: Float[Tensor, "b s d"]
    index: Int[Tensor, "b s c"]

    def at(self, rows: Int[Tensor, "b k"]) -> "Points":
        """Return some rows of each run."""
        return Points(_rows(self.x, rows), _rows(self.index, rows))

    def take(self, groups: Int[Tensor, " k"] | slice) -> "Points":
        """Return the points of some runs only."""
        return Points(self.x[groups], self.index[groups])

    def to(self, device: str) -> "Points":
        """Return the same points on a device."""
        return Points(self.x.to(device), self.index.to(device))

    def where(self, rows: Bool[Tensor, "b s"], other: "Points") -> "Points":
        """Return these points where `rows`, the others elsewhere."""
        pick = rows[..., None]
        return Points(
            torch.where(pick, self.x, other.x), torch.where(pick, self.index, other.index)
        )


def joined(parts: Sequence[Points]) -> Points:
    """Return the points of all parts, in their order."""
    return Points(
        torch.cat([part.x for part in parts], dim=1),
        torch.cat([part.index for part in parts], dim=1),
    )


@dataclass(frozen=True)
class Continuous:
    """A hyperparameter that is a column of its own."""

    column: int


@dataclass(frozen=True)
class Discrete:
    """A hyperparameter that is one of the domain's choices, by its number."""

    choice: int


@dataclass(frozen=True)
class Domain:
    """Where an acquisition function is maximised.

    `order[i]` says what hyperparameter i is. `table` holds every point of a finite space that is
    small enough to be scored whole.
    """

    dimension: int
    order: tuple[Continuous | Discrete, ...]
    choices: tuple[Choice, ...] = ()
    table: Float[Tensor, "t d"] | None = None

    @cached_property
    def relaxed(self) -> tuple[int, ...]:
        """The columns that an optimiser may move: continuous ones and those of wide choices."""
        wide = [choice.columns[0] for choice in self.choices if choice.is_wide]
        own = [kind.column for kind in self.order if isinstance(kind, Continuous)]
        return tuple(sorted(own + wide))

    @property
    def is_snapped(self) -> bool:
        """Whether a relaxed column belongs to a choice, whose values are snapped to."""
        return any(choice.is_wide for choice in self.choices)

    def spans(self, lengthscale: Float[Tensor, "b p"]) -> Float[Tensor, "b 1 d"]:
        """Return the lengthscale of each column, 1 at most: the cube is no wider."""
        owners = [0] * self.dimension
        for i, kind in enumerate(self.order):
            if isinstance(kind, Continuous):
                owners[kind.column] = i
                continue
            for column in self.choices[kind.choice].columns:
                owners[column] = i
        return lengthscale[:, None, owners].clamp(max=1.0)

    def placed(self, cube: Float[Tensor, "b s p"]) -> Points:
        """Map points of the unit cube, one column a hyperparameter, to points of the domain."""
        b, s, _ = cube.shape
        x = cube.new_zeros(b, s, self.dimension)
        index = torch.zeros(b, s, len(self.choices), dtype=torch.int64, device=cube.device)
        for i, kind in enumerate(self.order):
            if isinstance(kind, Continuous):
                x[..., kind.column] = cube[..., i]
            else:
                edges = self.choices[kind.choice].edges
                index[..., kind.choice] = torch.searchsorted(edges, cube[..., i].contiguous())
        return self.assigned(x, index)

    def assigned(self, x: Float[Tensor, "b s d"], index: Int[Tensor, "b s c"]) -> Points:
        """Return the points with the columns of every choice set by its index."""
        x = x.clone()
        for c, choice in enumerate(self.choices):
            x[..., list(choice.columns)] = choice.points[index[..., c]]
        return Points(x, index)

    def snapped(self, points: Points, x: Float[Tensor, "b s d"]) -> Points:
        """Return what an optimiser found, with wide choices moved to the value beside it."""
        index = points.index.clone()
        for c, choice in enumerate(self.choices):
            if choice.is_wide:
                column = x[..., choice.columns[0]].contiguous()
                index[..., c] = torch.searchsorted(choice.edges, column)
        return self.assigned(x, index)

    def flipped(self, points: Points) -> Points:
        """Return all points that differ from each in one choice: row s F + f is flip f of row s."""
        moves = [(c, offset) for c, choice in enumerate(self.choices) for offset in choice.offsets]
        flips = []
        for c, offset in moves:
            index = points.index.clone()
            index[..., c] = self.choices[c].moved(index[..., c], offset)
            flips.append(self.assigned(points.x, index))
        b, s, _ = points.x.shape
        x = torch.stack([flip.x for flip in flips], dim=2)
        index = torch.stack([flip.index for flip in flips], dim=2)
        return Points(x.reshape(b, s * len(moves), -1), index.reshape(b, s * len(moves), -1))


def _rows(values: Tensor, rows: Tensor) -> Tensor:
    return values.gather(1, rows[..., None].expand(-1, -1, values.shape[-1]))
