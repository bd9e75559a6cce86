"""Shifted and mirrored training images of stacked networks, one draw a network and epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from hpo_research.rng import Stream
from hpo_research.training.recipe import Recipe


@dataclass(frozen=True)
class Moves:
    """How far each image of an epoch moves down and right, and whether it is mirrored first."""

    down: Int64[Tensor, "b n"]
    right: Int64[Tensor, "b n"]
    is_mirrored: Bool[Tensor, "b n"]

    def to(self, device: torch.device) -> "Moves":
        """Return the same moves on a device."""
        return Moves(*(x.to(device) for x in (self.down, self.right, self.is_mirrored)))


def moves_of(streams: Sequence[Stream], recipes: Sequence[Recipe], n: int) -> Moves:
    """Draw how the n images of an epoch move, for each network from its own stream."""
    shifts, mirrored = [], []
    for stream, recipe in zip(streams, recipes, strict=True):
        generator = stream.generator()
        most = recipe.shift
        shifts.append(torch.from_numpy(generator.integers(-most, most + 1, size=(2, n))))
        mirrored.append(torch.from_numpy(generator.random(n) < 0.5) & recipe.flip)
    down, right = torch.stack(shifts, 1).unbind()
    return Moves(down, right, torch.stack(mirrored))


def moved(
    images: Float32[Tensor, "n pixels"],
    shape: tuple[int, int, int],
    index: Int64[Tensor, " r"],
    moves: tuple[Int64[Tensor, " r"], Int64[Tensor, " r"], Bool[Tensor, " r"]],
    most: int,
) -> Float32[Tensor, "r pixels"]:
    """Gather images by index, moved by at most `most` pixels either way; zeros enter."""
    (channels, height, width), (down, right, is_mirrored) = shape, moves
    framed = torch.nn.functional.pad(images.view(-1, *shape), (most,) * 4)
    stride_image, stride_channel, stride_row, _ = framed.stride()
    x = torch.arange(width, device=images.device, dtype=torch.int64)
    columns = torch.where(
        is_mirrored[:, None], width - 1 - (x - right[:, None]), x - right[:, None]
    )
    rows = torch.arange(height, device=images.device, dtype=torch.int64) - down[:, None]
    places = (
        (index * stride_image)[:, None, None, None]
        + (torch.arange(channels, device=images.device, dtype=torch.int64) * stride_channel)[
            None, :, None, None
        ]
        + ((rows + most) * stride_row)[:, None, :, None]
        + (columns + most)[:, None, None, :]
    )
    return torch.take(framed, places).flatten(1)
