"""What an architecture is: layers for a shape, a forward pass and a hand-written gradient."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float32
from torch import Tensor

from hpo_research.training.activations import Rules, activate, activate_backward
from hpo_research.training.layout import Affine, Weights
from hpo_research.training.normalisation import (
    Groups,
    Normalised,
    normalise,
    normalise_backward,
)
from hpo_research.training.recipe import Recipe

Masks = Sequence[Float32[Tensor, "b n _"] | None]
"""For each dropout layer, what multiplies its units: 0, or 1 over the rate kept; None for 1."""


@dataclass(frozen=True)
class Shape:
    """What sets the sizes of a network's tensors."""

    width: int
    depth: int
    is_normalised: bool = False

    @staticmethod
    def of(recipe: Recipe) -> "Shape":
        """Return the shape of a network as it is, without padding."""
        return Shape(recipe.width, recipe.depth, recipe.normalisation != "none")


@dataclass(frozen=True)
class Traits:
    """What differs from network to network in a stack: activations, and groups of normalised units.

    `groups` is None where the stack is not normalised.
    """

    rules: Rules
    groups: Groups | None = None


@runtime_checkable
class Architecture(Protocol):
    """A family of networks that differ in shape."""

    def layers(self, shape: Shape, classes: int) -> tuple[Affine, ...]:
        """Return the affine layers of a network, first to last, each hidden one before its gain."""
        ...

    def padded(self, shape: Shape) -> Shape:
        """Return the shape that a network is padded to; it depends on nothing else."""
        ...

    def dropped(self, shape: Shape) -> tuple[int, ...]:
        """Return the number of units an image has at each dropout layer, for a padded shape."""
        ...

    def stacked(self, shape: Shape, batch: int, device: torch.device) -> int:
        """Return how many networks of a padded shape are best stacked: speed, never a number."""
        ...

    def inputs(self, images: Float32[Tensor, "n pixels"]) -> Float32[Tensor, "n k"]:
        """Return the images as the first layer wants them."""
        ...

    def logits(
        self, weights: Weights, x: Float32[Tensor, "b n k"], traits: Traits
    ) -> Float32[Tensor, "b n c"]:
        """Return the class scores of trained networks, without dropout."""
        ...

    def gradient(
        self,
        weights: Weights,
        x: Float32[Tensor, "b n k"],
        targets: Float32[Tensor, "b n c"],
        traits: Traits,
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


@dataclass(frozen=True)
class Passed:
    """What the backward pass of `hidden` needs."""

    scores: Float32[Tensor, "b rows w"]
    normalised: Normalised | None


def hidden(
    z: Float32[Tensor, "b rows w"],
    gains: Weights,
    traits: Traits,
    images: int,
    mask: Float32[Tensor, "b n w"] | None = None,
) -> tuple[Float32[Tensor, "b rows w"], Passed]:
    """Normalise where `gains` holds a gain and shift, activate, drop out."""
    normalised = None
    if traits.groups is not None:
        z, normalised = normalise(z, gains[0], traits.groups, images)
    return activate(z, traits.rules, mask), Passed(z, normalised)


def hidden_backward(
    dh: Float32[Tensor, "b rows w"],
    passed: Passed,
    traits: Traits,
    mask: Float32[Tensor, "b n w"] | None = None,
) -> tuple[Float32[Tensor, "b rows w"], Weights]:
    """Carry a gradient back through `hidden`; return it with those of the gain and shift."""
    dz = activate_backward(dh, passed.scores, traits.rules, mask)
    if traits.groups is None or passed.normalised is None:
        return dz, []
    dz, dgain = normalise_backward(dz, passed.normalised, traits.groups)
    return dz, [dgain]


def loss_gradient(
    logits: Float32[Tensor, "b n c"], targets: Float32[Tensor, "b n c"]
) -> Float32[Tensor, "b n c"]:
    """Return the gradient of the mean cross-entropy by the logits."""
    return torch.softmax(logits, -1).sub_(targets).mul_(1 / logits.shape[1])


def hidden_layers(layer: Affine, shape: Shape) -> tuple[Affine, ...]:
    """Return a hidden layer, with its gain and shift where the shape is normalised."""
    return (layer, Affine(1, 1, layer.outputs, is_gain=True)) if shape.is_normalised else (layer,)


def cut(weights: Weights, shape_is_normalised: bool) -> tuple[list[Weights], Weights]:
    """Cut weights into one list a hidden layer (its matrix, then its gain) and the last layer."""
    each = 2 if shape_is_normalised else 1
    ends = range(0, len(weights) - 1, each)
    return [weights[begin : begin + each] for begin in ends], weights[-1:]


def stepped(width: int, least: int) -> int:
    """Return the smallest power of two, or one and a half, that is at least `width` and `least`."""
    power = max(least, 1 << (width - 1).bit_length())
    between = 3 * power // 4
    return between if between >= max(width, 2 * least) else power
