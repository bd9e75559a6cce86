"""What a further point is worth when earlier ones are known in samples, with derivatives.

With samples of what is pending (and of the points of the batch so far), the m-th sample makes f(x)
normal with its own mean and a variance that all samples share. The increment of q-EI by x is then
the mean over samples of an expected improvement, which is exact in x: only what is pending is
sampled.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hpo_research.acquisition.improvement import log_h
from hpo_research.gp.kernels import LOG_2PI


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

    One point and no samples: LogEI (Ament et al., arXiv:2310.20708, equation 9).
    """
    deviation = variance.sqrt()
    u = (best[:, None, :] - mean) / deviation[..., None]
    h = log_h(u)
    total = torch.logsumexp(h.value, dim=-1)
    share = torch.softmax(h.value, dim=-1) * h.slope
    value = total - math.log(mean.shape[-1]) + 0.5 * variance.log()
    by_variance = (1 - (share * u).sum(dim=-1)) / (2 * variance)
    return Score(value, -share / deviation[..., None], by_variance)


def qei_increment(
    mean: Float[Tensor, "b q m"], variance: Float[Tensor, "b q"], best: Float[Tensor, "b m"]
) -> Score:
    """Return the mean over samples of EI: what a point adds to q-EI."""
    deviation = variance.sqrt()
    u = (best[:, None, :] - mean) / deviation[..., None]
    h = log_h(u)
    density = torch.exp(-0.5 * u * u - 0.5 * LOG_2PI)
    m = mean.shape[-1]
    improvement = h.value.exp()
    value = deviation * improvement.mean(dim=-1)
    by_variance = density.mean(dim=-1) / (2 * deviation)
    return Score(value, -improvement * h.slope / m, by_variance)


def confidence_bound(beta: float) -> Criterion:
    """Return −mean + √β deviation, the mean taken over samples.

    In a batch this is GP-BUCB (Desautels, Krause and Burdick, JMLR 2014): pending points shrink
    the deviation and, on average, leave the mean.
    """
    root = math.sqrt(beta)

    def score(mean: Tensor, variance: Tensor, best: Tensor) -> Score:
        deviation = variance.sqrt()
        value = root * deviation - mean.mean(dim=-1)
        by_mean = torch.full_like(mean, -1 / mean.shape[-1])
        return Score(value, by_mean, root / (2 * deviation))

    return score


CRITERIA: Mapping[str, Criterion] = {
    "qlogei": log_qei_increment,
    "qei": qei_increment,
}
