"""The convolutional network: two 3×3 convolutions with average pooling, then a linear layer.

Convolutions are matrix products on gathered patches (im2col), channels last: grouped convolutions
would choose their algorithm by the number of stacked networks.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor

from hpo_research.training.activations import Rules, activate, activate_backward
from hpo_research.training.architecture import (
    Masks,
    affine,
    affine_gradient,
    loss_gradient,
    next_power_of_two,
)
from hpo_research.training.layout import Affine, Weights

_SIDE = 8  # of an image
_HALF = _SIDE // 2
_TAPS = 9  # pixels of a filter


@dataclass(frozen=True)
class CNN:
    """Networks on 8×8 images with `width` channels in both convolutions.

    convolution, activation, 2×2 average pooling; the same again; dropout; a linear layer.
    """

    def layers(self, width: int, classes: int) -> tuple[Affine, ...]:
        """Return the affine layers of a network, first to last."""
        return (Affine(_TAPS, 1, width), Affine(_TAPS, width, width), Affine(4, width, classes))

    def padded(self, width: int) -> int:
        """Return 8, 16, 32, ...: the next power of two."""
        return next_power_of_two(width, least=8)

    def dropped(self, width: int) -> tuple[int, ...]:
        """Return the features under the linear layer: 2×2 positions of `width` channels."""
        return (4 * width,)

    def inputs(self, images: Float32[Tensor, "n pixels"]) -> Float32[Tensor, "n k"]:
        """Return the 3×3 patches of every image, gathered once for all epochs."""
        return patches(images.view(1, -1, _SIDE, _SIDE, 1)).view(len(images), -1)

    def logits(
        self, weights: Weights, x: Float32[Tensor, "b n k"], rules: Rules
    ) -> Float32[Tensor, "b n c"]:
        """Return the class scores of trained networks, without dropout."""
        b, n = x.shape[:2]
        h = activate(affine(x.reshape(b, -1, _TAPS), *weights[0]), rules)
        h = activate(affine(patches(pooled(h, n, _SIDE)), *weights[1]), rules)
        return affine(pooled(h, n, _HALF).view(b, n, -1), *weights[2])

    def gradient(
        self,
        weights: Weights,
        x: Float32[Tensor, "b n k"],
        targets: Float32[Tensor, "b n c"],
        rules: Rules,
        masks: Masks,
    ) -> tuple[Weights, Float32[Tensor, "b n c"]]:
        """Return the gradient of each network's mean cross-entropy, and the class scores."""
        (b, n), mask = x.shape[:2], masks[0]
        x = x.view(b, -1, _TAPS)
        z1 = affine(x, *weights[0])
        columns = patches(pooled(activate(z1, rules), n, _SIDE))
        z2 = affine(columns, *weights[1])
        features = pooled(activate(z2, rules), n, _HALF).view(b, n, -1) * mask
        logits = affine(features, *weights[2])
        dlogits = loss_gradient(logits, targets)

        dfeatures = torch.bmm(dlogits, weights[2][0].transpose(1, 2)).mul_(mask)
        dz2 = activate_backward(pooled_backward(dfeatures, _HALF), z2, rules)
        dcolumns = torch.bmm(dz2, weights[1][0].transpose(1, 2))
        dz1 = activate_backward(pooled_backward(patches_backward(dcolumns, n), _SIDE), z1, rules)
        gradients = [
            affine_gradient(x, dz1),
            affine_gradient(columns, dz2),
            affine_gradient(features, dlogits),
        ]
        return gradients, logits


def patches(maps: Float32[Tensor, "b n side side ch"]) -> Float32[Tensor, "b rows columns"]:
    """Gather the 3×3 neighbourhood of every pixel, zeros around the edge. Shape: b n·side² 9·ch."""
    b, n, side, _, channels = maps.shape
    framed = torch.nn.functional.pad(maps, (0, 0, 1, 1, 1, 1))
    step = framed.stride()
    taps = framed.as_strided(
        (b, n, side, side, 3, 3, channels), (*step[:4], step[2], step[3], step[4])
    )
    return taps.reshape(b, n * side * side, _TAPS * channels)


def patches_backward(
    dcolumns: Float32[Tensor, "b rows columns"], n: int
) -> Float32[Tensor, "b n half half ch"]:
    """Carry a gradient back through `patches` of half-size maps, tap by tap in a fixed order."""
    b, channels = dcolumns.shape[0], dcolumns.shape[2] // _TAPS
    taps = dcolumns.view(b, n, _HALF, _HALF, 3, 3, channels)
    framed = dcolumns.new_zeros(b, n, _HALF + 2, _HALF + 2, channels)
    for i in range(3):
        for j in range(3):
            framed[:, :, i : i + _HALF, j : j + _HALF] += taps[:, :, :, :, i, j]
    return framed[:, :, 1:-1, 1:-1]


def pooled(
    h: Float32[Tensor, "b rows ch"], n: int, side: int
) -> Float32[Tensor, "b n half half ch"]:
    """Average every 2×2 block of pixels."""
    b, half = h.shape[0], side // 2
    blocks = h.view(b, n, half, 2, half, 2, -1)
    top = blocks[:, :, :, 0, :, 0] + blocks[:, :, :, 0, :, 1]
    bottom = blocks[:, :, :, 1, :, 0] + blocks[:, :, :, 1, :, 1]
    return top.add_(bottom).mul_(0.25)


def pooled_backward(dmaps: Float32[Tensor, "b n ..."], side: int) -> Float32[Tensor, "b rows ch"]:
    """Carry a gradient back through `pooled`: a quarter to every pixel of a block."""
    b, n, half = dmaps.shape[0], dmaps.shape[1], side // 2
    blocks = (dmaps * 0.25).view(b, n, half, 1, half, 1, -1)
    spread = blocks.expand(b, n, half, 2, half, 2, blocks.shape[-1])
    return spread.reshape(b, n * side * side, -1)
