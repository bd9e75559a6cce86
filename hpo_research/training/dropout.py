"""Dropout masks of stacked networks, one draw a network and epoch."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from hpo_research.rng import Stream

_LEVELS = 1 << 16  # a mask takes two random bytes a unit, so a rate is exact to 1/65,536


def dropout_masks(
    streams: Sequence[Stream],
    rates: Sequence[float],
    shape: tuple[int, int],
    units: Sequence[int],
) -> list[Float32[Tensor, "s b n _"]]:
    """Draw the masks of an epoch for every dropout layer: 0, or 1 over the rate kept.

    `shape` is (steps, batch size), `units` the size of each dropout layer.
    """
    steps, n = shape
    masks = [np.empty((steps, len(streams), n, h), dtype=np.float32) for h in units]
    for i, (stream, rate) in enumerate(zip(streams, rates, strict=True)):
        bits = stream.generator().bit_generator.random_raw(steps * n * sum(units) // 4)
        draws = np.asarray(bits).view(np.uint16)
        threshold = min(round(rate * _LEVELS), _LEVELS - 1)
        scale = np.float32(_LEVELS / (_LEVELS - threshold))
        begin = 0
        for mask, h in zip(masks, units, strict=True):
            end = begin + steps * n * h
            kept = draws[begin:end].reshape(steps, n, h) >= threshold
            np.multiply(kept.view(np.uint8), scale, out=mask[:, i])
            begin = end
    return [torch.from_numpy(mask) for mask in masks]
