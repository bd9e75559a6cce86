"""3×3 convolutions of few pixels, written out: one matrix from all pixels under to all above.

The matrix (doubly block Toeplitz) holds every filter once for each pixel above. Between maps of
2×2 pixels it takes fewer products than the convolution, between those of 4×4 less than twice as
many, and no patches are gathered.
"""

from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

TAPS = 9
"""Pixels of a filter."""


@dataclass(frozen=True)
class Sides:
    """Height and width of the pixels under a convolution and of those above.

    `edge` is 1 where zeros surround the pixels under, 0 where they hold a frame themselves.
    """

    under: tuple[int, int]
    above: tuple[int, int]
    edge: int

    @property
    def pixels(self) -> tuple[int, int]:
        """How many pixels are under, and above."""
        return self.under[0] * self.under[1], self.above[0] * self.above[1]


def same(height: int, width: int) -> Sides:
    """Return the sides of a convolution that keeps the size of its maps."""
    return Sides((height, width), (height, width), 1)


@cache
def _taps(sides: Sides, device: torch.device) -> Int64[Tensor, " pairs"]:
    """Return, for each pixel under and each above, the tap that joins them; 9 where none does."""
    (rows, columns), (rows_above, columns_above) = (
        tuple(torch.arange(side, dtype=torch.int64) for side in each)
        for each in (sides.under, sides.above)
    )
    down = rows[:, None, None, None] - rows_above[None, None, :, None] + sides.edge
    right = columns[None, :, None, None] - columns_above[None, None, None, :] + sides.edge
    is_joined = (down >= 0) & (down < 3) & (right >= 0) & (right < 3)
    return torch.where(is_joined, 3 * down + right, TAPS).flatten().to(device)


@cache
def _members(sides: Sides, device: torch.device) -> Float32[Tensor, "1 taps pairs"]:
    """Return 1 where a pair of pixels is joined by a tap; the tenth has those that are not."""
    taps = torch.arange(TAPS + 1, device=device, dtype=torch.int64)
    return (taps[:, None] == _taps(sides, device)).float().unsqueeze(0)


def written_out(
    matrix: Float32[Tensor, "b k w"], sides: Sides
) -> Float32[Tensor, "b inputs outputs"]:
    """Return a convolution's matrix; on either side of it, pixels come before channels."""
    (b, k, w), (under, above) = matrix.shape, sides.pixels
    blocks = torch.nn.functional.pad(matrix.view(b, TAPS, k // TAPS, w), (0, 0, 0, 0, 0, 1))
    spread = blocks.index_select(1, _taps(sides, matrix.device))
    spread = spread.view(b, under, above, k // TAPS, w).transpose(2, 3)
    return spread.reshape(b, under * k // TAPS, above * w)


def gathered(
    gradient: Float32[Tensor, "b inputs outputs"], sides: Sides
) -> Float32[Tensor, "b k w"]:
    """Carry a gradient back through `written_out`: sum each tap over the pairs that it joins."""
    b, (under, above) = len(gradient), sides.pixels
    channels, w = gradient.shape[1] // under, gradient.shape[2] // above
    pairs = gradient.view(b, under, channels, above, w).transpose(2, 3)
    members = _members(sides, gradient.device).expand(b, -1, -1)
    taps = torch.bmm(members, pairs.reshape(b, under * above, channels * w))
    return taps[:, :TAPS].reshape(b, TAPS * channels, w)


def repeated(bias: Float32[Tensor, "b w"], sides: Sides) -> Float32[Tensor, "b outputs"]:
    """Return the bias of every pixel above."""
    b, w = bias.shape
    return bias.unsqueeze(1).expand(b, sides.pixels[1], w).reshape(b, -1)
