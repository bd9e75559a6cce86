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
_COLUMNS = 16  # what groups are padded to: products with fewer columns take twice as long


@dataclass(frozen=True)
class Groups:
    """Which units of each network are normalised together.

    `spread` is 1 where a unit is in a group; `gather` is 1 over the group's size there.
    """

    gather: Float32[Tensor, "b w g"]
    spread: Float32[Tensor, "b g w"]


@dataclass(frozen=True)
class Normalised:
    """What the backward pass needs: the units less their mean, 1 over the deviation, and scales.

    A scale is the inverse deviation times the gain.
    """

    centred: Float32[Tensor, "b n u w"]
    inverse: Float32[Tensor, "b n w"]
    scale: Float32[Tensor, "b n w"]


def group_count(recipe: Recipe) -> int:
    """Return the number of groups of a network: 1 for layer norm, else 4, 2 or 1 by its width."""
    return 1 if recipe.normalisation == "layer" else gcd(recipe.width, _GROUPS)


def groups_of(recipes: Sequence[Recipe], width: int, device: torch.device) -> Groups:
    """Lay out the groups of stacked networks that are padded to `width`."""
    gather = torch.zeros(len(recipes), width, _COLUMNS, dtype=torch.float32)
    for row, recipe in enumerate(recipes):
        size = recipe.width // group_count(recipe)
        units = torch.arange(recipe.width, dtype=torch.int64)
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
    positions = blocks.shape[2]
    means = _means(_summed(blocks), groups, positions)
    centred = blocks - torch.bmm(means, groups.spread).unsqueeze(2)
    variances = _means(_summed(centred * centred), groups, positions)
    inverse = torch.bmm(variances.add_(_EPSILON).rsqrt_(), groups.spread)
    scale = inverse * gain
    y = torch.addcmul(shift[:, None, None], centred, scale.unsqueeze(2))
    return y.view_as(z), Normalised(centred, inverse, scale)


def normalise_backward(
    dy: Float32[Tensor, "b rows w"],
    normalised: Normalised,
    groups: Groups,
) -> tuple[Float32[Tensor, "b rows w"], tuple[Float32[Tensor, "b 1 w"], Float32[Tensor, "b w"]]]:
    """Carry a gradient back to z; return it with the gradients of gain and shift.

    With x the normalised units and d the gradient times scale, dz = d − mean(d) − x · mean(d · x),
    for the inverse deviation is the same in a whole group. Sums over an image's positions come
    first, so that only four passes go over the maps.
    """
    centred, inverse, scale = normalised.centred, normalised.inverse, normalised.scale
    dblocks, positions = dy.reshape(centred.shape), centred.shape[2]
    shifts = _summed(dblocks)
    gains = _summed(dblocks * centred) * inverse
    mean = torch.bmm(_means(shifts * scale, groups, -positions), groups.spread)
    along = torch.bmm(_means(gains * scale, groups, -positions), groups.spread).mul_(inverse)
    dz = torch.addcmul(mean.unsqueeze(2), centred, along.unsqueeze(2))
    dz.addcmul_(dblocks, scale.unsqueeze(2))
    return dz.view(dy.shape), (gains.sum(1, keepdim=True), shifts.sum(1))


def _summed(blocks: Float32[Tensor, "b n u w"]) -> Float32[Tensor, "b n w"]:
    """Return the sum over the positions of an image."""
    return blocks.sum(2) if blocks.shape[2] > 1 else blocks.squeeze(2)


def _means(
    sums: Float32[Tensor, "b n w"], groups: Groups, positions: int
) -> Float32[Tensor, "b n g"]:
    """Return the mean of every group over an image, from its units' sums over positions.

    Its negative, where the number of positions is given as a negative one.
    """
    means = torch.bmm(sums, groups.gather)
    return means if positions == 1 else means.mul_(1 / positions)
