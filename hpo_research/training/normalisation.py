"""Layer and group normalisation of stacked networks, and their hand-written backward pass.

A unit of a padded network belongs to no group, so it stays 0 and no group counts it. `u` is the
number of positions that an image has in a layer: 1 in a perceptron, pixels in a convolution.
Layer norm (arXiv:1607.06450) is group norm (arXiv:1803.08494) with a single group.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

import torch
from jaxtyping import Float32
from torch import Tensor

from hpo_research.training.recipe import Recipe

_EPSILON = 1e-5  # as in torch.nn.GroupNorm
_GROUPS = 4


@dataclass(frozen=True)
class Groups:
    """Which units of each network are normalised together.

    `spread` is 1 where a unit is in a group; `gather` is 1 over the group's size there.
    """

    gather: Float32[Tensor, "b w g"]
    spread: Float32[Tensor, "b g w"]


@dataclass(frozen=True)
class Normalised:
    """What the backward pass needs: the normalised units and 1 over the deviation of each."""

    units: Float32[Tensor, "b n u w"]
    inverse: Float32[Tensor, "b n 1 w"]


def group_count(recipe: Recipe) -> int:
    """Return the number of groups of a network: 1 for layer norm, else 4, 2 or 1 by its width."""
    return 1 if recipe.normalisation == "layer" else gcd(recipe.width, _GROUPS)


def groups_of(recipes: Sequence[Recipe], width: int, device: torch.device) -> Groups:
    """Lay out the groups of stacked networks that are padded to `width`."""
    gather = torch.zeros(len(recipes), width, _GROUPS)
    for row, recipe in enumerate(recipes):
        size = recipe.width // group_count(recipe)
        units = torch.arange(recipe.width)
        gather[row, units, units // size] = 1 / size
    spread = (gather > 0).float().transpose(1, 2).contiguous()
    return Groups(gather.to(device), spread.to(device))


def normalise(
    z: Float32[Tensor, "b rows w"],
    weights: tuple[Float32[Tensor, "b 1 w"], Float32[Tensor, "b w"]],
    groups: Groups,
    images: int,
) -> tuple[Float32[Tensor, "b rows w"], Normalised]:
    """Return (z − mean) / √(variance + ε) · gain + shift, over an image's units of a group."""
    gain, shift = weights
    blocks = z.view(len(z), images, -1, z.shape[2])
    centred = blocks - _mean(blocks, groups)
    inverse = _mean(centred * centred, groups).add_(_EPSILON).rsqrt_()
    units = centred.mul_(inverse)
    y = torch.addcmul(shift[:, None, None], units, gain.unsqueeze(1))
    return y.view_as(z), Normalised(units, inverse)


def normalise_backward(
    dy: Float32[Tensor, "b rows w"],
    normalised: Normalised,
    gain: Float32[Tensor, "b 1 w"],
    groups: Groups,
) -> tuple[Float32[Tensor, "b rows w"], tuple[Float32[Tensor, "b 1 w"], Float32[Tensor, "b w"]]]:
    """Carry a gradient back to z; return it with the gradients of gain and shift."""
    units = normalised.units
    dblocks = dy.reshape(units.shape)
    dgain = (dblocks * units).flatten(1, 2).sum(1, keepdim=True)
    dunits = dblocks * gain.unsqueeze(1)
    along = _mean(dunits * units, groups)
    dz = (dunits - _mean(dunits, groups)).sub_(units * along).mul_(normalised.inverse)
    return dz.view(dy.shape), (dgain, dy.sum(1))


def _mean(blocks: Float32[Tensor, "b n u w"], groups: Groups) -> Float32[Tensor, "b n 1 w"]:
    """Return, for every unit, the mean of its group over an image."""
    positions = blocks.shape[2]
    sums = blocks.sum(2) if positions > 1 else blocks.squeeze(2)
    means = torch.bmm(torch.bmm(sums, groups.gather), groups.spread)
    return means.mul_(1 / positions).unsqueeze(2)
