"""What an architecture is: layers for a width, a forward pass and a hand-written gradient."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float32
from torch import Tensor

from hpo_research.training.activations import Rules
from hpo_research.training.layout import Affine, Weights

Masks = Sequence[Float32[Tensor, "b n _"]]
"""For each dropout layer, what multiplies its units: 0, or 1 over the rate kept."""


@runtime_checkable
class Architecture(Protocol):
    """A family of networks that differ in width."""

    def layers(self, width: int, classes: int) -> tuple[Affine, ...]:
        """Return the affine layers of a network, first to last."""
        ...

    def padded(self, width: int) -> int:
        """Return the width that a network is padded to; it depends on nothing else."""
        ...

    def dropped(self, width: int) -> tuple[int, ...]:
        """Return the number of units an image has at each dropout layer, for a padded width."""
        ...

    def inputs(self, images: Float32[Tensor, "n pixels"]) -> Float32[Tensor, "n k"]:
        """Return the images as the first layer wants them."""
        ...

    def logits(
        self, weights: Weights, x: Float32[Tensor, "b n k"], rules: Rules
    ) -> Float32[Tensor, "b n c"]:
        """Return the class scores of trained networks, without dropout."""
        ...

    def gradient(
        self,
        weights: Weights,
        x: Float32[Tensor, "b n k"],
        targets: Float32[Tensor, "b n c"],
        rules: Rules,
        masks: Masks,
    ) -> tuple[Weights, Float32[Tensor, "b n c"]]:
        """Return the gradient of each network's mean cross-entropy, and the class scores."""
        ...


def affine(
    x: Float32[Tensor, "b n k"], matrix: Float32[Tensor, "b k w"], bias: Float32[Tensor, "b w"]
) -> Float32[Tensor, "b n w"]:
    """Return x·W + b of every network."""
    return torch.baddbmm(bias.unsqueeze(1), x, matrix)


def affine_gradient(
    x: Float32[Tensor, "b n k"], dz: Float32[Tensor, "b n w"]
) -> tuple[Float32[Tensor, "b k w"], Float32[Tensor, "b w"]]:
    """Return the gradients of a layer's matrix and bias."""
    return torch.bmm(x.transpose(1, 2), dz), dz.sum(1)


def loss_gradient(
    logits: Float32[Tensor, "b n c"], targets: Float32[Tensor, "b n c"]
) -> Float32[Tensor, "b n c"]:
    """Return the gradient of the mean cross-entropy by the logits."""
    return torch.softmax(logits, -1).sub_(targets).mul_(1 / logits.shape[1])


def next_power_of_two(width: int, least: int) -> int:
    """Return the smallest power of two that is at least `width` and `least`."""
    return max(least, 1 << (width - 1).bit_length())
