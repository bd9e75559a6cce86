"""The first convolution of small images, by blocks of 2×2 pixels, which are then pooled.

A block sees a window of 4×4 pixels, so its convolution is one small matrix (`toeplitz.py`). The
windows are gathered once for all epochs: they hold less than half the floats of all patches, and
a pixel's row comes beside those that it is pooled with.
"""

import torch
from jaxtyping import Float32
from torch import Tensor

from hpo_research.training.architecture import affine, affine_gradient
from hpo_research.training.toeplitz import TAPS, Sides, gathered, repeated, written_out

_SIDES = Sides(under=(4, 4), above=(2, 2), edge=0)
_WINDOW, _BLOCK = _SIDES.pixels
_MOST = 2048  # floats of an image's windows


def is_blocked(height: int, width: int, channels: int) -> bool:
    """Say whether images of this size are convolved by blocks: small ones, of even sides."""
    return height % 2 == width % 2 == 0 and 4 * height * width * channels <= _MOST


def windows(maps: Float32[Tensor, "n height width ch"]) -> Float32[Tensor, "n k"]:
    """Gather the window of every block, zeros around the edge."""
    n, height, width, channels = maps.shape
    framed = torch.nn.functional.pad(maps, (0, 0, 1, 1, 1, 1))
    image, row, pixel, channel = framed.stride()
    taps = framed.as_strided(
        (n, height // 2, width // 2, 4, 4, channels),
        (image, 2 * row, 2 * pixel, row, pixel, channel),
    )
    return taps.reshape(n, -1)


def convolved_blocks(
    x: Float32[Tensor, "b n k"], matrix: Float32[Tensor, "b taps w"], bias: Float32[Tensor, "b w"]
) -> tuple[Float32[Tensor, "b rows w"], Float32[Tensor, "b blocks columns"]]:
    """Return the convolution, a row a pixel, block by block; and what the backward pass needs."""
    columns = x.reshape(len(x), -1, _WINDOW * matrix.shape[1] // TAPS)
    out = affine(columns, written_out(matrix, _SIDES), repeated(bias, _SIDES))
    return out.view(len(x), -1, matrix.shape[2]), columns


def convolved_blocks_backward(
    dz: Float32[Tensor, "b rows w"], columns: Float32[Tensor, "b blocks columns"]
) -> tuple[Float32[Tensor, "b taps w"], Float32[Tensor, "b w"]]:
    """Return the gradients of matrix and bias."""
    dblocks = dz.reshape(*columns.shape[:2], -1)
    return gathered(affine_gradient(columns, dblocks)[0], _SIDES), dz.sum(1)


def pooled_blocks(rows: Float32[Tensor, "b rows w"]) -> Float32[Tensor, "b blocks w"]:
    """Average every block."""
    left_top, right_top, left_bottom, right_bottom = rows.view(
        len(rows), -1, _BLOCK, rows.shape[2]
    ).unbind(2)
    return (left_top + right_top).add_(left_bottom + right_bottom).mul_(0.25)


def pooled_blocks_backward(dmaps: Float32[Tensor, "b blocks w"]) -> Float32[Tensor, "b rows w"]:
    """Carry a gradient back through `pooled_blocks`."""
    b, blocks, w = dmaps.shape
    return (dmaps * 0.25).unsqueeze(2).expand(b, blocks, _BLOCK, w).reshape(b, -1, w)
