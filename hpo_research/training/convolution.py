"""3×3 convolutions of stacked networks, channels last, and 2×2 average pooling.

Three ways, chosen by the sizes of one network alone. On a GPU maps are unfolded: one batched
product with gathered patches (im2col); on the CPU each step would write nine times the map to
memory. There, maps with few pixels and channels are multiplied by the convolution written out as a
matrix (`toeplitz.py`), and all others go through torch's own convolution, one network after
another. Grouped convolutions are no fourth way: they would choose their algorithm by the number of
stacked networks. The first convolution of small images is in `blocks.py`.
"""

import torch
from jaxtyping import Float32
from torch import Tensor

from hpo_research.training.architecture import affine, affine_gradient
from hpo_research.training.toeplitz import TAPS, gathered, repeated, same, written_out

_MOST_WRITTEN_OUT = 128  # floats of a map, or as many pixels as a filter has

Maps = Float32[Tensor, "b n height width ch"]
Matrix = Float32[Tensor, "b k w"]
Gradients = tuple[Float32[Tensor, "b k w"], Float32[Tensor, "b w"]]


def is_written_out(height: int, width: int, channels: int) -> bool:
    """Say whether maps within a network have so few pixels and channels that a matrix is faster."""
    pixels = height * width
    return pixels <= TAPS or pixels * channels <= _MOST_WRITTEN_OUT


def convolved(
    maps: Maps, matrix: Matrix, bias: Float32[Tensor, "b w"]
) -> tuple[Float32[Tensor, "b rows w"], Tensor]:
    """Return the convolution, a row a pixel, and what `convolved_backward` needs beside it."""
    b, n, height, width, channels = maps.shape
    if maps.device.type == "cuda":
        return unfolded(maps, matrix, bias)
    if is_written_out(height, width, channels):
        sides = same(height, width)
        whole = affine(maps.reshape(b, n, -1), written_out(matrix, sides), repeated(bias, sides))
        return whole.view(b, -1, matrix.shape[2]), maps
    out = [
        torch.conv2d(_image(each), _filters(filters), offset, padding=1)
        for each, filters, offset in zip(maps, matrix, bias, strict=True)
    ]
    return _stacked([_rows(each) for each in out]), maps


def unfolded(
    maps: Maps, matrix: Matrix, bias: Float32[Tensor, "b w"]
) -> tuple[Float32[Tensor, "b rows w"], Float32[Tensor, "b rows columns"]]:
    """Return the convolution as one product, and the patches for `convolved_backward`."""
    columns = patches(maps)
    return affine(columns, matrix, bias), columns


def convolved_backward(
    dz: Float32[Tensor, "b rows w"],
    known: Tensor,
    matrix: Matrix,
    shape: tuple[int, int, int] | None,
) -> tuple[Gradients, Maps | None]:
    """Return the gradients of matrix and bias, and of the maps unless `shape` is None.

    `shape` is (n, height, width) of the maps.
    """
    if known.ndim == 3:
        gradients = affine_gradient(known, dz)
        if shape is None:
            return gradients, None
        return gradients, patches_backward(torch.bmm(dz, matrix.transpose(1, 2)), shape)
    if is_written_out(*known.shape[2:]):
        return _written_out_backward(dz, known, matrix, shape is not None)
    found = [
        torch.ops.aten.convolution_backward(
            _image(rows.view(*maps.shape[:3], -1)),
            _image(maps),
            _filters(filters),
            *(None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1),
            [shape is not None, True, False],
        )
        for rows, maps, filters in zip(dz, known, matrix, strict=True)
    ]
    dmatrix = _stacked([dw.permute(2, 3, 1, 0).reshape(matrix.shape[1:]) for _, dw, _ in found])
    dmaps = None
    if shape is not None:
        dmaps = _stacked([_rows(dx) for dx, _, _ in found]).view(known.shape)
    return (dmatrix, dz.sum(1)), dmaps


def _written_out_backward(
    dz: Float32[Tensor, "b rows w"], maps: Maps, matrix: Matrix, is_inner: bool
) -> tuple[Gradients, Maps | None]:
    b, n, height, width, _ = maps.shape
    sides, dflat = same(height, width), dz.reshape(b, n, -1)
    dwhole = torch.bmm(maps.reshape(b, n, -1).transpose(1, 2), dflat)
    gradients = gathered(dwhole, sides), dz.sum(1)
    if not is_inner:
        return gradients, None
    whole = written_out(matrix, sides)
    return gradients, torch.bmm(dflat, whole.transpose(1, 2)).view(maps.shape)


def _stacked(each: list[Tensor]) -> Tensor:
    return torch.stack(each) if len(each) > 1 else each[0].unsqueeze(0)


def _image(maps: Float32[Tensor, "n height width ch"]) -> Float32[Tensor, "n ch height width"]:
    return maps.permute(0, 3, 1, 2)


def _rows(images: Float32[Tensor, "n ch height width"]) -> Float32[Tensor, "rows ch"]:
    return images.permute(0, 2, 3, 1).flatten(0, 2)


def _filters(matrix: Float32[Tensor, "k w"]) -> Float32[Tensor, "w ch 3 3"]:
    return matrix.view(3, 3, -1, matrix.shape[1]).permute(3, 2, 0, 1)


def patches(maps: Maps) -> Float32[Tensor, "b rows columns"]:
    """Gather the 3×3 neighbourhood of every pixel, zeros around the edge; rows n·height·width."""
    b, n, height, width, channels = maps.shape
    framed = torch.nn.functional.pad(maps, (0, 0, 1, 1, 1, 1))
    step = framed.stride()
    taps = framed.as_strided(
        (b, n, height, width, 3, 3, channels), (*step[:4], step[2], step[3], step[4])
    )
    return taps.reshape(b, n * height * width, TAPS * channels)


def patches_backward(
    dcolumns: Float32[Tensor, "b rows columns"], shape: tuple[int, int, int]
) -> Maps:
    """Carry a gradient back through `patches`, tap by tap in a fixed order."""
    (n, height, width), (b, _, columns) = shape, dcolumns.shape
    taps = dcolumns.view(b, n, height, width, 3, 3, columns // TAPS)
    framed = dcolumns.new_zeros(b, n, height + 2, width + 2, columns // TAPS)
    for i in range(3):
        for j in range(3):
            framed[:, :, i : i + height, j : j + width] += taps[:, :, :, :, i, j]
    return framed[:, :, 1:-1, 1:-1]


def pooled(maps: Maps) -> Float32[Tensor, "b n half_height half_width ch"]:
    """Average every 2×2 block of pixels; a last odd row or column is left out."""
    height, width = maps.shape[2] // 2 * 2, maps.shape[3] // 2 * 2
    left, right = maps[:, :, :height, 0:width:2], maps[:, :, :height, 1:width:2]
    top = left[:, :, 0::2] + right[:, :, 0::2]
    bottom = left[:, :, 1::2] + right[:, :, 1::2]
    return top.add_(bottom).mul_(0.25)


def pooled_backward(dmaps: Maps, shape: tuple[int, int, int]) -> Float32[Tensor, "b rows ch"]:
    """Carry a gradient back through `pooled`: a quarter to every pixel of a block.

    `shape` is (n, height, width) of the maps that were pooled.
    """
    n, height, width = shape
    b, _, half_height, half_width, channels = dmaps.shape
    blocks = (dmaps * 0.25).view(b, n, half_height, 1, half_width, 1, channels)
    spread = blocks.expand(b, n, half_height, 2, half_width, 2, channels)
    if height % 2 == width % 2 == 0:
        return spread.reshape(b, n * height * width, channels)
    whole = spread.reshape(b, n, 2 * half_height, 2 * half_width, channels)
    edges = (0, 0, 0, width % 2, 0, height % 2)
    return torch.nn.functional.pad(whole, edges).view(b, n * height * width, channels)
