"""Output transforms, fitted for all GPs of a batch at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hpo_research.compiled import by_loops
from hpo_research.gp.compiled_transform import likeliest

POWERS = (-3.0, 3.0)
"""The powers that are searched; 1 changes nothing."""
_GRID, _FINER, _REFINEMENTS = 49, 17, 6
_FAR = 1e100  # scaled targets are not larger


@runtime_checkable
class Transformed(Protocol):
    """Targets with mean 0 and variance 1, and the way back."""

    @property
    def y(self) -> Float[Tensor, "b n"]: ...  # noqa: D102
    @property
    def power(self) -> Float[Tensor, " b"]:
        """The power that was fitted, 1 where there is none."""
        ...

    def inverse(self, y: Float[Tensor, "b q"]) -> Float[Tensor, "b q"]:
        """Map values back to the targets' own units."""
        ...

    def forward(self, t: Float[Tensor, "b q"]) -> tuple[Float[Tensor, "b q"], Float[Tensor, "b q"]]:
        """Map further targets as these were, and return ln dy/dt; NaN where there is none."""
        ...


@dataclass(frozen=True)
class PowerTransformed:
    """Targets with mean 0 and variance 1, and what led there.

    y = (ψ((t − centre)/spread) − location)/scale for targets t, ψ being the power transform
    (power 1: the identity). `log_jacobian` is Σ ln dy/dt over the targets: with it the evidences of
    different transforms are densities of the same targets (Snelson, Rasmussen and Ghahramani,
    NIPS 2003, equation 4).
    """

    y: Float[Tensor, "b n"]
    power: Float[Tensor, " b"]
    centre: Float[Tensor, " b"]
    spread: Float[Tensor, " b"]
    location: Float[Tensor, " b"]
    scale: Float[Tensor, " b"]
    log_jacobian: Float[Tensor, " b"]

    def inverse(self, y: Float[Tensor, "b q"]) -> Float[Tensor, "b q"]:
        """Map values back to the targets' own units; beyond the range of ψ, ±infinity."""
        powered = self.location[:, None] + self.scale[:, None] * y
        target = _unpowered(powered, self.power)
        return self.centre[:, None] + self.spread[:, None] * target

    def forward(self, t: Float[Tensor, "b q"]) -> tuple[Float[Tensor, "b q"], Float[Tensor, "b q"]]:
        """Map further targets as these were, and return ln dy/dt beside them."""
        scaled = ((t - self.centre[:, None]) / self.spread[:, None]).clamp(-_FAR, _FAR)
        power = self.power[:, None]
        powered = torch.where(power == 1, scaled, _powered(scaled, self.power))
        slope = (power - 1) * scaled.sign() * torch.log1p(scaled.abs())
        slope = slope - (self.spread.log() + self.scale.log())[:, None]
        return (powered - self.location[:, None]) / self.scale[:, None], slope

    def where(self, condition: Bool[Tensor, " b"], other: "PowerTransformed") -> "PowerTransformed":
        """Return these targets where the condition holds, those of the other elsewhere."""
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return PowerTransformed(
            *(
                torch.where(condition.view(-1, *[1] * (own.ndim - 1)), own, its)
                for own, its in pairs
            )
        )


@dataclass(frozen=True)
class Ranked:
    """Normal scores of the targets' ranks, with mean 0 and variance 1.

    `targets` and `scores` are sorted, those that do not count last and equal to the greatest.
    """

    y: Float[Tensor, "b n"]
    targets: Float[Tensor, "b n"]
    scores: Float[Tensor, "b n"]

    @property
    def power(self) -> Float[Tensor, " b"]:
        """There is none: 1."""
        return torch.ones_like(self.y[:, 0])

    def inverse(self, y: Float[Tensor, "b q"]) -> Float[Tensor, "b q"]:
        """Map values back along lines between the targets; beyond these to the least or greatest.

        Ranks say nothing of what lies beyond.
        """
        return _between(y, self.scores, self.targets)

    def forward(self, t: Float[Tensor, "b q"]) -> tuple[Float[Tensor, "b q"], Float[Tensor, "b q"]]:
        """Map further targets along the same lines; ranks have no density."""
        return _between(t, self.targets, self.scores), torch.full_like(t, torch.nan)


def _between(
    at: Float[Tensor, "b q"], known: Float[Tensor, "b n"], values: Float[Tensor, "b n"]
) -> Float[Tensor, "b q"]:
    """Return values on the lines between sorted known ones, beyond them the least or greatest."""
    n = known.shape[1]
    right = torch.searchsorted(known, at.contiguous()).clamp(min(1, n - 1), n - 1)
    left = (right - 1).clamp(min=0)
    ends = ((own.gather(1, left), own.gather(1, right)) for own in (known, values))
    (x0, x1), (v0, v1) = ends
    share = ((at - x0) / torch.where(x1 > x0, x1 - x0, torch.ones_like(x0))).clamp(0.0, 1.0)
    return v0 + share * (v1 - v0)


def ranked(t: Float[Tensor, "b n"], mask: Bool[Tensor, "b n"]) -> Ranked:
    """Map the targets of each GP to the normal quantiles of their ranks, equal ones to one.

    Blom's scores without his correction: Φ⁻¹((r − ½)/n) of rank r among n, ranks of equal targets
    averaged. What is left is their order: robust against any outlier and blind to how much better
    the best is.
    """
    count = mask.sum(dim=1, keepdim=True).clamp(min=1)
    ordered = torch.where(mask, t, torch.full_like(t, torch.inf)).sort(dim=1).values
    below, upto = (
        torch.searchsorted(ordered, t.contiguous(), right=side) for side in (False, True)
    )
    middle = (below + upto.minimum(count)).to(t) / 2
    share = torch.where(mask, middle / count, torch.full_like(t, 0.5))
    scores = torch.special.ndtri(share)
    mean, variance = _moments(scores, mask)
    scale = torch.where(variance > 0, variance, torch.ones_like(variance)).sqrt()
    is_kept = mask & (variance > 0)[:, None]
    y = torch.where(is_kept, (scores - mean[:, None]) / scale[:, None], torch.zeros_like(t))
    greatest = [torch.where(mask, v, torch.full_like(v, -torch.inf)).amax(1, True) for v in (t, y)]
    filled = [
        torch.where(mask, v, g).sort(dim=1).values for v, g in zip((t, y), greatest, strict=True)
    ]
    return Ranked(y, *filled)


def standardised(t: Float[Tensor, "b n"], mask: Bool[Tensor, "b n"]) -> PowerTransformed:
    """Shift and scale the targets of each GP to mean 0 and variance 1; constant ones become 0."""
    one = torch.ones_like(t[:, 0])
    largest = torch.where(mask, t.abs(), torch.zeros_like(t)).amax(dim=1)
    # By powers of two, which change no digit, so that squares neither overflow nor vanish.
    spread = torch.where(largest > 0, torch.exp2(largest.log2().floor()), one)
    scaled = t / spread[:, None]
    return _standard(scaled, mask, power=one, centre=one * 0, spread=spread)


def yeo_johnson(t: Float[Tensor, "b n"], mask: Bool[Tensor, "b n"]) -> PowerTransformed:
    """Make the targets of each GP as nearly normal as a power transform can, then standardise.

    Yeo and Johnson (Biometrika 2000), equation 2.1, of targets that are centred at their median
    and scaled by half their interquartile range, so that a few enormous values do not set the
    scale. The power maximises their profile likelihood (equation 3.1) within −3 to 3: the best of
    a grid, then of finer ones beside it.
    """
    centre, spread = _robust(t, mask)
    scaled = ((t - centre[:, None]) / spread[:, None]).clamp(-_FAR, _FAR)
    scaled = torch.where(mask, scaled, torch.zeros_like(t))
    search = _compiled_power if by_loops(scaled) else _power
    _, variance = _moments(scaled, mask)
    best = search(scaled, mask)
    power = torch.where(variance > 0, best, torch.ones_like(best))
    return _standard(scaled, mask, power=power, centre=centre, spread=spread)


def _power(scaled: Tensor, mask: Tensor) -> Tensor:
    """Return the likeliest power of each GP."""
    grid = torch.linspace(*POWERS, _GRID, dtype=scaled.dtype, device=scaled.device)
    best = grid[_likelihood(scaled, grid.expand(len(scaled), -1), mask).argmax(dim=-1)]
    width = grid[1] - grid[0]
    low, high = (best - width).clamp(min=POWERS[0]), (best + width).clamp(max=POWERS[1])
    steps = torch.linspace(0, 1, _FINER, dtype=scaled.dtype, device=scaled.device)
    for _ in range(_REFINEMENTS):
        finer = low[:, None] + steps * (high - low)[:, None]
        place = _likelihood(scaled, finer, mask).argmax(dim=-1, keepdim=True)
        best = finer.gather(1, place)[:, 0]
        width = (high - low) / (_FINER - 1)
        low, high = torch.maximum(best - width, low), torch.minimum(best + width, high)
    return best


def _compiled_power(scaled: Tensor, mask: Tensor) -> Tensor:
    """Do the same on the CPU."""
    found = scaled.new_empty(len(scaled))
    given = (tensor.contiguous().numpy() for tensor in (scaled, mask, _stretch(scaled, mask)))
    likeliest(*given, POWERS, (_GRID, _FINER, _REFINEMENTS), found.numpy())
    return found


def _standard(
    scaled: Tensor, mask: Tensor, *, power: Tensor, centre: Tensor, spread: Tensor
) -> PowerTransformed:
    """Power the scaled targets, and standardise them."""
    t = torch.where(power[:, None] == 1, scaled, _powered(scaled, power))
    mean, variance = _moments(t, mask)
    scale = torch.where(variance > 0, variance, torch.ones_like(variance)).sqrt()
    is_kept = mask & (variance > 0)[:, None]
    y = torch.where(is_kept, (t - mean[:, None]) / scale[:, None], torch.zeros_like(t))
    slope = (power - 1) * _stretch(scaled, mask) - mask.sum(dim=1) * (spread.log() + scale.log())
    return PowerTransformed(y, power, centre, spread, mean, scale, slope)


def _stretch(y: Tensor, mask: Tensor) -> Tensor:
    """Return Σ sign(y) ln(1 + |y|): (λ − 1) times it is Σ ln ψ'."""
    return torch.where(mask, y.sign() * torch.log1p(y.abs()), torch.zeros_like(y)).sum(dim=1)


def _moments(y: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    count = mask.sum(dim=1).clamp(min=1)
    mean = torch.where(mask, y, torch.zeros_like(y)).sum(dim=1) / count
    centred = torch.where(mask, y - mean[:, None], torch.zeros_like(y))
    variance = (centred * centred).sum(dim=1) / count
    # What rounding leaves of equal values is no spread; what overflows is not equal.
    is_spread = ~(variance <= 1e-28 * mean * mean) & (variance > 0) | ~variance.isfinite()
    known = torch.where(variance.isfinite(), variance, torch.full_like(variance, torch.inf))
    return mean, torch.where(is_spread, known, torch.zeros_like(variance))


def _robust(y: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the median, and half the interquartile range or whatever spread there is."""
    ordered = torch.where(mask, y, torch.full_like(y, torch.inf)).sort(dim=1).values
    count = mask.sum(dim=1)
    low, middle, high = (_quantile(ordered, count, level) for level in (0.25, 0.5, 0.75))
    spread = high / 2 - low / 2
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


def _likelihood(y: Tensor, powers: Tensor, mask: Tensor) -> Tensor:
    """Return the profile likelihood of each of g powers. Shapes: b n, b g and b n to b g."""
    (b, n), g = y.shape, powers.shape[1]
    every = mask[:, None].expand(b, g, n).reshape(b * g, n)
    repeated = y[:, None].expand(b, g, n).reshape(b * g, n)
    _, variance = _moments(_powered(repeated, powers.reshape(b * g)), every)
    stretch = _stretch(y, mask)
    spread = variance.clamp(min=torch.finfo(y.dtype).tiny).reshape(b, g)
    count = mask.sum(dim=1)[:, None]
    return -0.5 * count * spread.log() + (powers - 1) * stretch[:, None]


TRANSFORMS: Mapping[str, Callable[[Tensor, Tensor], Transformed]] = {
    "yeo-johnson": yeo_johnson,
    "standardise": standardised,
    "rank": ranked,
}
