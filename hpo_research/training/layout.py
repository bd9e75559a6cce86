"""How the parameters of a network lie in one flat row, so that an optimiser is plain arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import torch
from jaxtyping import Float32
from torch import Tensor

from hpo_research.rng import Stream

CLASSES = 16
"""What the classes are padded to."""

_BLOCK = 64  # floats: the vectorised kernels never reach from one row into the next

Weights = list[tuple[Float32[Tensor, "b _ _"], Float32[Tensor, "b _"]]]
"""For each layer, the matrix and the bias of every network."""


@dataclass(frozen=True)
class Affine:
    """A layer x·W + b. Its inputs are `taps` groups (the pixels of a filter) of `inputs` each.

    A `is_gain` layer multiplies instead, unit by unit: it has one input and begins as 1.
    """

    taps: int
    inputs: int
    outputs: int
    is_gain: bool = False


@dataclass(frozen=True)
class Layout:
    """The places of all matrices and biases in a row, for padded layers."""

    layers: tuple[Affine, ...]

    @cached_property
    def places(self) -> tuple[tuple[int, int, int, int], ...]:
        """For each layer: rows and columns of its matrix, where that begins, and the bias.

        Matrices come first, then biases, then zeros up to a multiple of 64.
        """
        shapes = [(layer.taps * layer.inputs, layer.outputs) for layer in self.layers]
        matrices = list(accumulate((k * w for k, w in shapes), initial=0))
        biases = accumulate((w for _, w in shapes), initial=matrices[-1])
        return tuple(
            (k, w, matrix, bias)
            for (k, w), matrix, bias in zip(shapes, matrices, biases, strict=False)
        )

    @cached_property
    def length(self) -> int:
        """How many floats a row has, a multiple of 64."""
        _, w, _, bias = self.places[-1]
        return -(-(bias + w) // _BLOCK) * _BLOCK

    def weights(self, parameters: Float32[Tensor, "b p"]) -> Weights:
        """Return views of every layer's matrices and biases."""
        b, stride = parameters.shape[0], parameters.stride(0)
        return [
            (
                parameters.as_strided((b, k, w), (stride, w, 1), matrix),
                parameters.as_strided((b, w), (stride, 1), bias),
            )
            for k, w, matrix, bias in self.places
        ]

    def rows(self, weights: Weights) -> Float32[Tensor, "b p"]:
        """Join matrices and biases into rows."""
        matrices = [matrix.flatten(1) for matrix, _ in weights]
        biases = [bias for _, bias in weights]
        _, w, _, bias = self.places[-1]
        rest = biases[0].new_zeros(len(biases[0]), self.length - bias - w)
        return torch.cat([*matrices, *biases, rest], 1)

    def initial(self, real: Sequence[Affine], stream: Stream) -> Float32[Tensor, " p"]:
        """Draw a network: He-normal matrices (arXiv:1502.01852), gains 1, the rest 0."""
        row = torch.zeros(1, self.length, dtype=torch.float32)
        places = zip(self.layers, real, self.weights(row), strict=True)
        for i, (padded, layer, (matrix, _)) in enumerate(places):
            blocks = matrix.view(padded.taps, padded.inputs, padded.outputs)
            blocks[:, : layer.inputs, : layer.outputs] = _drawn(layer, stream.at(i), row)
        return row[0]


def _drawn(layer: Affine, stream: Stream, like: Tensor) -> Tensor:
    if layer.is_gain:
        return torch.ones(1, 1, layer.outputs, dtype=like.dtype, device=like.device)
    scale: float = (2 / (layer.taps * layer.inputs)) ** 0.5
    return scale * stream.normal(layer.taps, layer.inputs, layer.outputs, like=like)
