"""Dropout masks of stacked networks, one draw a network and epoch."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from hpo_research.rng import Stream

_LEVELS = 1 << 16  # a mask takes two random bytes a unit, so a rate is exact to 1/65,536


def dropout_masks(
    streams: Sequence[Stream], rates: Sequence[float], images: int, units: Sequence[int]
) -> list[Float32[Tensor, "b n h"]]:
    """Draw the masks of an epoch for every dropout layer: 0, or 1 over the rate kept."""
    masks = [np.empty((len(streams), images, h), dtype=np.float32) for h in units]
    for i, (stream, rate) in enumerate(zip(streams, rates, strict=True)):
        bits = stream.generator().bit_generator.random_raw(images * sum(units) // 4)
        draws = np.asarray(bits).view(np.uint16).reshape(-1)
        threshold = min(round(rate * _LEVELS), _LEVELS - 1)
        scale = np.float32(_LEVELS / (_LEVELS - threshold))
        begin = 0
        for mask, h in zip(masks, units, strict=True):
            kept = draws[begin : begin + images * h] >= threshold
            np.multiply(kept.reshape(images, h).view(np.uint8), scale, out=mask[i])
            begin += images * h
    return [torch.from_numpy(mask) for mask in masks]
