"""Pooled: a mean over seeds within problems and then over problems, with a stratified bootstrap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hpo_research.analysis.bootstrap import LEAST_SEEDS
from hpo_research.rng import Stream

RESAMPLES, LEVEL = 2000, 0.95

Stratum = Float[np.ndarray, "k _ m"]
"""What k strategies came to on the seeds of a problem, at m places."""


@dataclass(frozen=True)
class Pooled:
    """A mean over problems, each weighted equally, of means over their seeds; k m each.

    `low` and `high` are NaN where a problem has fewer than `LEAST_SEEDS` seeds.
    """

    center: Float[np.ndarray, "k m"]
    low: Float[np.ndarray, "k m"]
    high: Float[np.ndarray, "k m"]

    @property
    def has_interval(self) -> bool:
        """Whether there are seeds enough."""
        return not np.isnan(self.low).all()


def pooled(strata: Sequence[Stratum]) -> Pooled:
    """Return the mean of finite numbers, a stratum a problem, with its 95 % bootstrap interval.

    The percentile bootstrap resamples seeds within problems, the same ones for all strategies
    (stratified: Agarwal et al., NeurIPS 2021, section 4.1); problems stay as they are, so that the
    interval speaks of these problems alone.
    """
    center: np.ndarray = np.mean([own.mean(axis=1) for own in strata], axis=0)
    if min(own.shape[1] for own in strata) < LEAST_SEEDS:
        nothing = np.full(center.shape, np.nan)
        return Pooled(center, nothing, nothing)
    total = np.zeros((RESAMPLES, center.size))
    for own, times in zip(strata, weights([own.shape[1] for own in strata]), strict=True):
        total += times @ own.transpose(1, 0, 2).reshape(own.shape[1], -1)
    bounds = np.quantile(total / len(strata), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return Pooled(center, *bounds.reshape(2, *center.shape))


def weights(seeds: Sequence[int]) -> list[Float[np.ndarray, "resamples _"]]:
    """Return the weight of each seed in every resample, by problems with so many seeds."""
    generator = Stream(0).at("bootstrap").generator()
    found = []
    for n in seeds:
        draws = generator.integers(n, size=(RESAMPLES, n))
        places = draws + n * np.arange(RESAMPLES)[:, None]
        times = np.bincount(places.ravel(), minlength=n * RESAMPLES)
        found.append(times.reshape(RESAMPLES, n) / n)
    return found
