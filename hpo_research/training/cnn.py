"""The convolutional network: 3×3 convolutions with average pooling, then a linear layer."""

import itertools
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float32
from torch import Tensor

from hpo_research.errors import ProblemError
from hpo_research.training.architecture import (
    Masks,
    Passed,
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
from hpo_research.training.blocks import (
    convolved_blocks,
    convolved_blocks_backward,
    is_blocked,
    pooled_blocks,
    pooled_blocks_backward,
    windows,
)
from hpo_research.training.convolution import (
    convolved,
    convolved_backward,
    pooled,
    pooled_backward,
)
from hpo_research.training.layout import Affine, Weights
from hpo_research.training.toeplitz import TAPS

_LEAST = 8  # channels
_MOST_STACKED = {"cpu": 16, "cuda": 256}
_MOST_FLOATS = 1 << 20  # of a stack's first maps, on the CPU: beyond, they leave its cache


@dataclass(frozen=True)
class CNN:
    """Networks on images of `shape`, (channels, height, width), as wide in every convolution.

    convolution, normalisation if any, activation, 2×2 average pooling; so `depth` times; dropout; a
    linear layer. Raises `ProblemError` for more poolings than the image has room for.
    """

    shape: tuple[int, int, int] = (1, 8, 8)

    def layers(self, shape: Shape, classes: int) -> tuple[Affine, ...]:
        """Return the affine layers of a network, first to last, each hidden one before its gain."""
        channels = [self.shape[0], *[shape.width] * shape.depth]
        inner = [hidden_layers(Affine(TAPS, k, w), shape) for k, w in itertools.pairwise(channels)]
        return (*itertools.chain(*inner), Affine(self._positions(shape), shape.width, classes))

    def padded(self, shape: Shape) -> Shape:
        """Return 8, 16, 24, 32, 48, ... channels: powers of two and halves between."""
        return replace(shape, width=stepped(shape.width, _LEAST))

    def dropped(self, shape: Shape) -> tuple[int, ...]:
        """Return the features under the linear layer: what pooling left, `width` channels each."""
        return (self._positions(shape) * shape.width,)

    def stacked(self, shape: Shape, batch: int, device: torch.device) -> int:
        """Return 256 on a GPU; on the CPU up to 16 whose maps are small, 1 for larger images."""
        most = _MOST_STACKED[device.type]
        if device.type == "cuda":
            return most
        if not self._is_blocked:
            return 1
        _, height, width = self.shape
        return max(1, min(most, _MOST_FLOATS // (batch * height * width * shape.width)))

    def inputs(self, images: Float32[Tensor, "n pixels"]) -> Float32[Tensor, "n k"]:
        """Return images channels last; small ones as the windows of their blocks."""
        maps = images.view(-1, *self.shape).permute(0, 2, 3, 1)
        return windows(maps) if self._is_blocked else maps.reshape(len(images), -1)

    def logits(
        self, weights: Weights, x: Float32[Tensor, "b n k"], traits: Traits
    ) -> Float32[Tensor, "b n c"]:
        """Return the class scores of trained networks, without dropout."""
        inner, last = cut(weights, traits.groups is not None)
        features = self._forward(inner, x, traits)[0]
        return affine(features, *last[0])

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
        features, known, passed = self._forward(inner, x, traits)
        mask = masks[0]
        features = features if mask is None else features * mask
        logits = affine(features, *last[0])
        dlogits = loss_gradient(logits, targets)
        gradients = [[affine_gradient(features, dlogits)]]

        (b, n), sides = x.shape[:2], self._sides(len(inner))
        dfeatures = torch.bmm(dlogits, last[0][0].transpose(1, 2))
        dfeatures = dfeatures if mask is None else dfeatures.mul_(mask)
        dmaps = dfeatures.view(b, n, *sides[-1], -1)
        for i in reversed(range(len(inner))):
            matrix, _ = inner[i][0]
            if i == 0 and self._is_blocked:
                dh = pooled_blocks_backward(dmaps.reshape(b, -1, dmaps.shape[-1]))
                dz, dgains = hidden_backward(dh, passed[i], traits)
                gradients.append([convolved_blocks_backward(dz, known[i]), *dgains])
                break
            dh = pooled_backward(dmaps, (n, *sides[i]))
            dz, dgains = hidden_backward(dh, passed[i], traits)
            below = (n, *sides[i]) if i else None
            dlinear, under = convolved_backward(dz, known[i], matrix, below)
            gradients.append([dlinear, *dgains])
            if under is not None:
                dmaps = under
        return [pair for layer in reversed(gradients) for pair in layer], logits

    def _forward(
        self, inner: list[Weights], x: Float32[Tensor, "b n k"], traits: Traits
    ) -> tuple[Float32[Tensor, "b n features"], list[Tensor], list[Passed]]:
        """Return the features, and what the backward pass needs of each convolution."""
        (b, n), sides = x.shape[:2], self._sides(len(inner))
        known, passed, maps = [], [], x
        for i, ((matrix, bias), *gains) in enumerate(inner):
            is_blocked_layer = i == 0 and self._is_blocked
            if is_blocked_layer:
                z, kept = convolved_blocks(x, matrix, bias)
            else:
                z, kept = convolved(maps.reshape(b, n, *sides[i], -1), matrix, bias)
            h, units = hidden(z, gains, traits, n)
            maps = pooled_blocks(h) if is_blocked_layer else pooled(h.view(b, n, *sides[i], -1))
            known.append(kept)
            passed.append(units)
        return maps.reshape(b, n, -1), known, passed

    def _sides(self, depth: int) -> list[tuple[int, int]]:
        """Return the height and width of the maps before each pooling and after the last."""
        _, height, width = self.shape
        return [(height >> i, width >> i) for i in range(depth + 1)]

    @property
    def _is_blocked(self) -> bool:
        channels, height, width = self.shape
        return is_blocked(height, width, channels)

    def _positions(self, shape: Shape) -> int:
        height, width = self._sides(shape.depth)[-1]
        if height * width == 0:
            raise ProblemError(
                f"CNN(shape={self.shape}): a depth of {shape.depth} pools the image away; "
                "give a smaller depth"
            )
        return height * width
