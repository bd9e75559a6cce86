"""What a further point is worth when earlier ones are known in samples, with derivatives.

With samples of what is pending (and of the points of the batch so far), the m-th sample makes f(x)
normal with its own mean and a variance that all samples share. The increment of q-EI by x is then
the mean over samples of an expected improvement, which is exact in x: only what is pending is
sampled.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hpo_research.acquisition import compiled
from hpo_research.acquisition.compiled import BOUND, FAR, LOG_QEI, QEI
from hpo_research.acquisition.improvement import log_tail, normal
from hpo_research.compiled import by_loops


class Score(NamedTuple):
    """Values of q points and their derivatives by the means and the variance of a prediction."""

    value: Float[Tensor, "b q"]
    by_mean: Float[Tensor, "b q m"]
    by_variance: Float[Tensor, "b q"]


Criterion = Callable[
    [Float[Tensor, "b q m"], Float[Tensor, "b q"], Float[Tensor, "b m"]],
    Score,
]
"""Means, variances, and the least value to improve on in each sample, to a score."""


def log_qei_increment(
    mean: Float[Tensor, "b q m"], variance: Float[Tensor, "b q"], best: Float[Tensor, "b m"]
) -> Score:
    """Return ln of the mean over samples of EI: the logarithm of what a point adds to q-EI.

    One point and no samples: LogEI (Ament et al., arXiv:2310.20708, equation 9). With
    h = φ + uΦ the value is ln Σ h(u) and its derivative by u is Φ(u)/Σ h, without a logarithm a
    sample; points where all samples are below −30 take the tail's logarithms.
    """
    if not by_loops(mean, variance, best):
        return _log_qei_increment(mean, variance, best)
    by_mean = torch.empty_like(mean, memory_format=torch.contiguous_format)
    value, by_variance = (torch.empty(mean.shape[:2], dtype=mean.dtype) for _ in range(2))
    given = [t.contiguous().numpy() for t in (mean, variance, best)]
    found = [t.numpy() for t in (value, by_mean, by_variance)]
    compiled.scores((LOG_QEI, 0.0), *given, *found)
    return Score(value, by_mean, by_variance)


def _log_qei_increment(mean: Tensor, variance: Tensor, best: Tensor) -> Score:
    """Do the same in tensors, for any u."""
    deviation = variance.sqrt()
    u = (best[:, None, :] - mean).div_(deviation[..., None])
    density, mass = normal(u)
    total, flat = (u * mass).add_(density).sum(dim=-1), density.sum(dim=-1)
    is_far = u.amax(dim=-1) < FAR
    share, kept = mass / total[..., None], flat / total
    value, share, kept = _with_tail(u, is_far, Score(total.log(), share, kept))
    value = value + (0.5 * variance.log() - math.log(mean.shape[-1]))
    return Score(value, share / -deviation[..., None], kept / (2 * variance))


def _with_tail(u: Tensor, is_far: Tensor, near: Score) -> Score:
    """Replace ln Σ h, Φ/Σ h and Σ φ/Σ h where all samples are far below 0."""
    tail = log_tail(torch.where(is_far[..., None], u, torch.full_like(u, FAR)))
    share = torch.softmax(tail.value, dim=-1) * tail.slope
    kept = 1 - (share * u).sum(dim=-1)
    return Score(
        torch.where(is_far, torch.logsumexp(tail.value, dim=-1), near.value),
        torch.where(is_far[..., None], share, near.by_mean),
        torch.where(is_far, kept, near.by_variance),
    )


def qei_increment(
    mean: Float[Tensor, "b q m"], variance: Float[Tensor, "b q"], best: Float[Tensor, "b m"]
) -> Score:
    """Return the mean over samples of EI: what a point adds to q-EI."""
    deviation = variance.sqrt()
    u = (best[:, None, :] - mean) / deviation[..., None]
    density, mass = normal(u)
    m = mean.shape[-1]
    improvement = (density + u * mass).clamp(min=0.0)
    value = deviation * improvement.mean(dim=-1)
    return Score(value, -mass / m, density.mean(dim=-1) / (2 * deviation))


@dataclass(frozen=True)
class ConfidenceBound:
    """−mean + √β deviation, the mean taken over samples.

    In a batch this is GP-BUCB (Desautels, Krause and Burdick, JMLR 2014): pending points shrink
    the deviation and, on average, leave the mean.
    """

    beta: float

    def __call__(
        self, mean: Float[Tensor, "b q m"], variance: Float[Tensor, "b q"], best: Tensor
    ) -> Score:
        """Return it with its derivatives; there is no value to improve on."""
        width, deviation = math.sqrt(self.beta), variance.sqrt()
        value = width * deviation - mean.mean(dim=-1)
        by_mean = torch.full_like(mean, -1 / mean.shape[-1])
        return Score(value, by_mean, width / (2 * deviation))


def confidence_bound(beta: float) -> Criterion:
    """Return the criterion −mean + √β deviation."""
    return ConfidenceBound(beta)


CRITERIA: Mapping[str, Criterion] = {
    "qlogei": log_qei_increment,
    "qei": qei_increment,
}


def in_loops(criterion: Criterion) -> tuple[int, float] | None:
    """Return what the compiled loops know a criterion by, None for one that they do not."""
    if isinstance(criterion, ConfidenceBound):
        return BOUND, math.sqrt(criterion.beta)
    known = {log_qei_increment: LOG_QEI, qei_increment: QEI}
    return (known[criterion], 0.0) if criterion in known else None
