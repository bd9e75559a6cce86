"""How the parameters of a network lie in one flat row, so that an optimiser is plain arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float32
from torch import Tensor

from hpo_research.rng import Stream

CLASSES = 16
"""What the classes are padded to."""

_BLOCK = 64  # floats; keeps every matrix of every network on a cache line of its own

Weights = list[tuple[Float32[Tensor, "b k w"], Float32[Tensor, "b w"]]]
"""For each layer, the matrix and the bias of every network."""


@dataclass(frozen=True)
class Affine:
    """A layer x·W + b. Its inputs are `taps` groups (the pixels of a filter) of `inputs` each."""

    taps: int
    inputs: int
    outputs: int


@dataclass(frozen=True)
class Layout:
    """The places of all matrices and biases in a row, for padded layers."""

    layers: tuple[Affine, ...]

    @cached_property
    def places(self) -> tuple[tuple[int, int, int, int], ...]:
        """For each layer: rows and columns of its matrix, where it begins, where the bias does."""
        places, end = [], 0
        for layer in self.layers:
            rows = layer.taps * layer.inputs
            bias = _rounded(end + rows * layer.outputs)
            places.append((rows, layer.outputs, end, bias))
            end = _rounded(bias + layer.outputs)
        return tuple(places)

    @cached_property
    def length(self) -> int:
        """How many floats a row has, a multiple of 64."""
        _, columns, _, bias = self.places[-1]
        return _rounded(bias + columns)

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
        """Join matrices and biases into rows; the gaps between them are 0."""
        pieces: list[Tensor] = []
        for matrix, bias in weights:
            for piece in (matrix.flatten(1), bias):
                pieces.append(piece)
                gap = -piece.shape[1] % _BLOCK
                if gap:
                    pieces.append(piece.new_zeros(piece.shape[0], gap))
        return torch.cat(pieces, 1)

    def initial(self, real: Sequence[Affine], stream: Stream) -> Float32[Tensor, " p"]:
        """Draw a network with these layers: He-normal matrices (arXiv:1502.01852), the rest 0."""
        row = torch.zeros(1, self.length)
        places = zip(self.layers, real, self.weights(row), strict=True)
        for i, (padded, layer, (matrix, _)) in enumerate(places):
            scale = (2 / (layer.taps * layer.inputs)) ** 0.5
            draw = stream.at(i).normal(layer.taps, layer.inputs, layer.outputs, like=row)
            blocks = matrix.view(padded.taps, padded.inputs, padded.outputs)
            blocks[:, : layer.inputs, : layer.outputs] = scale * draw
        return row[0]


def _rounded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
