"""The multilayer perceptron: equally wide hidden layers, dropout after each."""

import itertools
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float32
from torch import Tensor

from hpo_research.training.architecture import (
    Masks,
    Shape,
    Traits,
    affine,
    affine_gradient,
    cut,
    hidden,
    hidden_backward,
    hidden_layers,
    loss_gradient,
    stepped,
)
from hpo_research.training.layout import Affine, Weights

_LEAST = 16  # units
_MOST_STACKED = {"cpu": 16, "cuda": 256}


@dataclass(frozen=True)
class MLP:
    """Perceptrons on `pixels` inputs: affine, normalisation if any, activation, dropout; repeat."""

    pixels: int = 64

    def layers(self, shape: Shape, classes: int) -> tuple[Affine, ...]:
        """Return the affine layers of a network, first to last, each hidden one before its gain."""
        sizes = [self.pixels, *[shape.width] * shape.depth]
        inner = [hidden_layers(Affine(1, k, w), shape) for k, w in itertools.pairwise(sizes)]
        return (*itertools.chain(*inner), Affine(1, shape.width, classes))

    def padded(self, shape: Shape) -> Shape:
        """Return 16, 32, 48, 64, 96, 128, ... units: powers of two and halves between."""
        return replace(shape, width=stepped(shape.width, _LEAST))

    def dropped(self, shape: Shape) -> tuple[int, ...]:
        """Return the units of each hidden layer."""
        return (shape.width,) * shape.depth

    def stacked(self, shape: Shape, batch: int, device: torch.device) -> int:
        """Return 16 on the CPU, 256 on a GPU."""
        return _MOST_STACKED[device.type]

    def inputs(self, images: Float32[Tensor, "n pixels"]) -> Float32[Tensor, "n pixels"]:
        """Return the images as they are."""
        return images

    def logits(
        self, weights: Weights, x: Float32[Tensor, "b n k"], traits: Traits
    ) -> Float32[Tensor, "b n c"]:
        """Return the class scores of trained networks, without dropout."""
        inner, last = cut(weights, traits.groups is not None)
        h, images = x, x.shape[1]
        for linear, *gains in inner:
            h, _ = hidden(affine(h, *linear), gains, traits, images)
        return affine(h, *last[0])

    def gradient(
        self,
        weights: Weights,
        x: Float32[Tensor, "b n k"],
        targets: Float32[Tensor, "b n c"],
        traits: Traits,
        masks: Masks,
    ) -> tuple[Weights, Float32[Tensor, "b n c"]]:
        """Return the gradient of each network's mean cross-entropy, and the class scores."""
        inner, last = cut(weights, traits.groups is not None)
        h, images, inputs, passed = x, x.shape[1], [], []
        for (linear, *gains), mask in zip(inner, masks, strict=True):
            inputs.append(h)
            h, known = hidden(affine(h, *linear), gains, traits, images, mask)
            passed.append(known)
        logits = affine(h, *last[0])
        dz = loss_gradient(logits, targets)
        gradients, above = [[affine_gradient(h, dz)]], last[0][0]
        for i in reversed(range(len(inner))):
            dh = torch.bmm(dz, above.transpose(1, 2))
            dz, dgains = hidden_backward(dh, passed[i], traits, masks[i])
            gradients.append([affine_gradient(inputs[i], dz), *dgains])
            above = inner[i][0][0]
        return [pair for layer in reversed(gradients) for pair in layer], logits
