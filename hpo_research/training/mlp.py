"""The multilayer perceptron: equally wide hidden layers, dropout after each."""

import itertools
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


@dataclass(frozen=True)
class MLP:
    """Perceptrons on `pixels` inputs with `depth` hidden layers of `width` units."""

    pixels: int = 64
    depth: int = 2

    def layers(self, width: int, classes: int) -> tuple[Affine, ...]:
        """Return the affine layers of a network, first to last."""
        sizes = [self.pixels, *[width] * self.depth, classes]
        return tuple(Affine(1, k, w) for k, w in itertools.pairwise(sizes))

    def padded(self, width: int) -> int:
        """Return 32, 64, 128, ...: the next power of two."""
        return next_power_of_two(width, least=32)

    def dropped(self, width: int) -> tuple[int, ...]:
        """Return the units of each hidden layer."""
        return (width,) * self.depth

    def inputs(self, images: Float32[Tensor, "n pixels"]) -> Float32[Tensor, "n pixels"]:
        """Return the images as they are."""
        return images

    def logits(
        self, weights: Weights, x: Float32[Tensor, "b n k"], rules: Rules
    ) -> Float32[Tensor, "b n c"]:
        """Return the class scores of trained networks, without dropout."""
        h = x
        for matrix, bias in weights[:-1]:
            h = activate(affine(h, matrix, bias), rules)
        return affine(h, *weights[-1])

    def gradient(
        self,
        weights: Weights,
        x: Float32[Tensor, "b n k"],
        targets: Float32[Tensor, "b n c"],
        rules: Rules,
        masks: Masks,
    ) -> tuple[Weights, Float32[Tensor, "b n c"]]:
        """Return the gradient of each network's mean cross-entropy, and the class scores."""
        h, inputs, scores = x, [], []
        for (matrix, bias), mask in zip(weights[:-1], masks, strict=True):
            z = affine(h, matrix, bias)
            inputs.append(h)
            scores.append(z)
            h = activate(z, rules, mask)
        logits = affine(h, *weights[-1])
        dz = loss_gradient(logits, targets)
        gradients = [affine_gradient(h, dz)]
        for i in reversed(range(len(scores))):
            dh = torch.bmm(dz, weights[i + 1][0].transpose(1, 2))
            dz = activate_backward(dh, scores[i], rules, masks[i])
            gradients.append(affine_gradient(inputs[i], dz))
        return gradients[::-1], logits
