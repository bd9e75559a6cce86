"""3×3 convolutions of maps with few pixels, written out: one matrix from all pixels to all pixels.

The matrix (doubly block Toeplitz) holds every filter once for each pixel. At 2×2 pixels it takes
fewer products than the convolution, at 4×4 less than twice as many; neither gathers patches.
"""

from functools import cache

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

TAPS = 9
"""Pixels of a filter."""


@cache
def _taps(height: int, width: int, device: torch.device) -> Int64[Tensor, " pairs"]:
    """Return, for each pixel under and each above, the tap that joins them; 9 where none does."""
    rows, columns = torch.arange(height), torch.arange(width)
    down = rows[:, None, None, None] - rows[None, None, :, None] + 1
    right = columns[None, :, None, None] - columns[None, None, None, :] + 1
    is_joined = (down >= 0) & (down < 3) & (right >= 0) & (right < 3)
    return torch.where(is_joined, 3 * down + right, TAPS).flatten().to(device)


@cache
def _members(height: int, width: int, device: torch.device) -> Float32[Tensor, "1 taps pairs"]:
    """Return 1 where a pair of pixels is joined by a tap; a tenth has those that are not."""
    taps = torch.arange(TAPS + 1, device=device)
    return (taps[:, None] == _taps(height, width, device)).float().unsqueeze(0)


def written_out(
    matrix: Float32[Tensor, "b k w"], sides: tuple[int, int]
) -> Float32[Tensor, "b inputs outputs"]:
    """Return the matrix of a convolution of maps with these sides, pixels before channels."""
    (b, k, w), pixels = matrix.shape, sides[0] * sides[1]
    blocks = torch.nn.functional.pad(matrix.view(b, TAPS, k // TAPS, w), (0, 0, 0, 0, 0, 1))
    spread = blocks.index_select(1, _taps(*sides, matrix.device))
    spread = spread.view(b, pixels, pixels, k // TAPS, w).transpose(2, 3)
    return spread.reshape(b, pixels * k // TAPS, pixels * w)


def gathered(
    gradient: Float32[Tensor, "b inputs outputs"], sides: tuple[int, int]
) -> Float32[Tensor, "b k w"]:
    """Carry a gradient back through `written_out`: sum each tap over the pairs that it joins."""
    b, pixels = len(gradient), sides[0] * sides[1]
    channels, w = gradient.shape[1] // pixels, gradient.shape[2] // pixels
    pairs = gradient.view(b, pixels, channels, pixels, w).transpose(2, 3)
    members = _members(*sides, gradient.device).expand(b, -1, -1)
    taps = torch.bmm(members, pairs.reshape(b, pixels * pixels, channels * w))
    return taps[:, :TAPS].reshape(b, TAPS * channels, w)
