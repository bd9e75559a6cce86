"""Output transforms, fitted for all GPs of a batch at once."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

POWERS = (-3.0, 3.0)
"""The powers that are searched; 1 changes nothing."""
_GRID, _REFINEMENTS = 49, 40
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Transformed:
    """Targets with mean 0 and variance 1, and what led there.

    y = (ψ((t − centre)/spread) − location)/scale for targets t, ψ being the power transform
    (power 1: the identity).
    """

    y: Float[Tensor, "b n"]
    power: Float[Tensor, " b"]
    centre: Float[Tensor, " b"]
    spread: Float[Tensor, " b"]
    location: Float[Tensor, " b"]
    scale: Float[Tensor, " b"]

    def inverse(self, y: Float[Tensor, "b q"]) -> Float[Tensor, "b q"]:
        """Map values back to the targets' own units; beyond the range of ψ, ±infinity."""
        powered = self.location[:, None] + self.scale[:, None] * y
        target = _unpowered(powered, self.power)
        return self.centre[:, None] + self.spread[:, None] * target


def standardised(t: Float[Tensor, "b n"], mask: Bool[Tensor, "b n"]) -> Transformed:
    """Shift and scale the targets of each GP to mean 0 and variance 1; constant ones become 0."""
    one = torch.ones_like(t[:, 0])
    return _standard(t, mask, power=one, centre=one * 0, spread=one)


def yeo_johnson(t: Float[Tensor, "b n"], mask: Bool[Tensor, "b n"]) -> Transformed:
    """Make the targets of each GP as nearly normal as a power transform can, then standardise.

    Yeo and Johnson (Biometrika 2000), equation 2.1, of targets that are centred at their median
    and scaled by half their interquartile range, so that a few enormous values do not set the
    scale. The power maximises their profile likelihood (equation 3.1) within −3 to 3: the best of
    a grid, then golden sections beside it.
    """
    centre, spread = _robust(t, mask)
    scaled = torch.where(mask, (t - centre[:, None]) / spread[:, None], torch.zeros_like(t))
    grid = torch.linspace(*POWERS, _GRID, dtype=t.dtype, device=t.device)
    likelihoods = torch.stack([_likelihood(scaled, p.expand(len(t)), mask) for p in grid], dim=-1)
    best, width = grid[likelihoods.argmax(dim=-1)], grid[1] - grid[0]
    low, high = (best - width).clamp(min=POWERS[0]), (best + width).clamp(max=POWERS[1])
    for _ in range(_REFINEMENTS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        is_left = _likelihood(scaled, left, mask) >= _likelihood(scaled, right, mask)
        low, high = torch.where(is_left, low, left), torch.where(is_left, right, high)
    power = (low + high) / 2
    return _standard(_powered(scaled, power), mask, power=power, centre=centre, spread=spread)


def _standard(
    t: Tensor, mask: Tensor, *, power: Tensor, centre: Tensor, spread: Tensor
) -> Transformed:
    mean, variance = _moments(t, mask)
    scale = torch.where(variance > 0, variance, torch.ones_like(variance)).sqrt()
    y = torch.where(mask, (t - mean[:, None]) / scale[:, None], torch.zeros_like(t))
    return Transformed(y, power, centre, spread, mean, scale)


def _moments(y: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    count = mask.sum(dim=1).clamp(min=1)
    mean = torch.where(mask, y, torch.zeros_like(y)).sum(dim=1) / count
    centred = torch.where(mask, y - mean[:, None], torch.zeros_like(y))
    variance = (centred * centred).sum(dim=1) / count
    # What rounding leaves of equal values is no spread.
    return mean, torch.where(variance > 1e-28 * mean * mean, variance, torch.zeros_like(variance))


def _robust(y: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the median, and half the interquartile range or whatever spread there is."""
    ordered = torch.where(mask, y, torch.full_like(y, torch.inf)).sort(dim=1).values
    count = mask.sum(dim=1)
    low, middle, high = (_quantile(ordered, count, level) for level in (0.25, 0.5, 0.75))
    spread = (high - low) / 2
    _, variance = _moments(y, mask)
    spread = torch.where(spread > 0, spread, variance.sqrt())
    return middle, torch.where(spread > 0, spread, torch.ones_like(spread))


def _quantile(ordered: Tensor, count: Tensor, level: float) -> Tensor:
    at = level * (count - 1).clamp(min=0).to(ordered)
    below = at.floor().to(torch.int64)
    above = at.ceil().to(torch.int64)
    low, high = (ordered.gather(1, i[:, None])[:, 0] for i in (below, above))
    return low + (at - below) * (high - low)


def _powered(y: Tensor, power: Tensor) -> Tensor:
    """Return ((|y| + 1)^λ − 1)/λ with its sign, λ being the power above 0 and 2 − power below."""
    log = torch.log1p(y.abs())
    exponent = torch.where(y >= 0, power[:, None], 2 - power[:, None])
    is_log = exponent.abs() < 1e-9
    safe = torch.where(is_log, torch.ones_like(exponent), exponent)
    value = torch.where(is_log, log, torch.expm1(safe * log) / safe)
    return torch.where(y >= 0, value, -value)


def _unpowered(value: Tensor, power: Tensor) -> Tensor:
    exponent = torch.where(value >= 0, power[:, None], 2 - power[:, None])
    is_log = exponent.abs() < 1e-9
    safe = torch.where(is_log, torch.ones_like(exponent), exponent)
    size = value.abs()
    # Where safe·size ≤ −1 the transform never came so far: the logarithm is then infinite.
    log = torch.where(is_log, size, torch.log1p((safe * size).clamp(min=-1.0)) / safe)
    return value.sign() * torch.expm1(log)


def _likelihood(y: Tensor, power: Tensor, mask: Tensor) -> Tensor:
    _, variance = _moments(_powered(y, power), mask)
    stretch = torch.where(mask, y.sign() * torch.log1p(y.abs()), torch.zeros_like(y)).sum(dim=1)
    spread = variance.clamp(min=torch.finfo(y.dtype).tiny)
    return -0.5 * mask.sum(dim=1) * spread.log() + (power - 1) * stretch


TRANSFORMS: Mapping[str, Callable[[Tensor, Tensor], Transformed]] = {
    "yeo-johnson": yeo_johnson,
    "standardise": standardised,
}
