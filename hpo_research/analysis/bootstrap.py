"""Bands over the seeds of an incumbent curve: of the median by order statistics, of the mean."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from hpo_research.analysis.extremes import located
from hpo_research.analysis.incumbents import Curve
from hpo_research.rng import Stream

Statistic = Literal["median", "mean"]

LEAST_SEEDS = 5
"""Seeds below which a mean has no band: a 95 % bootstrap interval over fewer would not be one."""

LEAST_FOR_MEDIAN = 6
"""Seeds below which a median has no 95 % interval: their range covers it with 1 − 2^(1−n)."""


_BYTES = 2**20  # of one block of resampled values: a cache holds it


@dataclass(frozen=True)
class Band:
    """A statistic over seeds at each cost of a curve, with a confidence band.

    `seeds` counts the seeds it is taken over: those with any value, whose `values` it holds.
    `center` is NaN where one of them has none yet; `low` and `high` are NaN there too, and
    everywhere where the seeds are too few.
    """

    cost: Float[np.ndarray, " p"]
    center: Float[np.ndarray, " p"]
    low: Float[np.ndarray, " p"]
    high: Float[np.ndarray, " p"]
    values: Float[np.ndarray, "seeds p"]

    @property
    def seeds(self) -> int:
        """How many seeds have any value."""
        return len(self.values)

    @property
    def has_interval(self) -> bool:
        """Whether there are seeds enough for a band anywhere."""
        return not np.isnan(self.low).all()

    def extent(self) -> Float[np.ndarray, " n"]:
        """Return all numbers that a figure shows: the seeds' own where there is no interval."""
        own = [self.low, self.high] if self.has_interval else [self.values.ravel()]
        return np.concatenate([self.center, *own])

    def mapped(self, function: Callable[[np.ndarray], np.ndarray]) -> "Band":
        """Return the band with an increasing function of all of its values."""
        own = (self.center, self.low, self.high, self.values)
        return Band(self.cost, *map(function, own))


def band(
    curve: Curve,
    statistic: Statistic = "median",
    *,
    level: float = 0.95,
    resamples: int = 2000,
    stream: Stream | None = None,
) -> Band:
    """Return the median or mean over seeds with a band that covers it, at each cost by itself.

    That of the median lies between order statistics (`between`): it covers the median of whatever
    distribution the seeds are from with at least `level`; none below 6 seeds at 95 %.

    That of the mean is the percentile bootstrap (Efron, Annals of Statistics 1979): the seeds are
    resampled with replacement, whole curves at a time, and it lies between the (1 ± level) / 2
    quantiles of the means. The resamples are the same for all curves with as many seeds, and for
    every call, unless another `stream` is given. None below `LEAST_SEEDS` seeds.
    """
    stream = Stream(0).at("bootstrap") if stream is None else stream
    known = curve.values[curve.has_value]
    n, p = known.shape
    nothing = np.full(p, np.nan)
    if n == 0:
        return Band(curve.cost, nothing, nothing, nothing, known)
    whole = ~np.isnan(known).any(axis=0)
    center = np.where(whole, _statistic(known, statistic, axis=0), np.nan)
    low, high = nothing.copy(), nothing.copy()
    if statistic == "median":
        ends = between(n, level)
        if ends is not None:
            low[whole], high[whole] = np.sort(known[:, whole], axis=0)[list(ends)]
        return Band(curve.cost, center, low, high, known)
    if n < LEAST_SEEDS:
        return Band(curve.cost, center, low, high, known)
    # Incumbents seldom change: one column stands for all that equal it.
    changes = np.ones(p, dtype=bool)
    changes[1:] = (known[:, 1:] != known[:, :-1]).any(axis=0)
    draws = stream.generator().integers(n, size=(resamples, n))
    bounds = _quantiles(known[:, changes & whole], draws, statistic=statistic, level=level)
    column = np.cumsum(changes & whole) - 1
    low[whole], high[whole] = bounds[:, column[whole]]
    return Band(curve.cost, center, low, high, known)


def between(n: int, level: float) -> tuple[int, int] | None:
    """Return the places, of n values in order, between which the median lies at this level.

    They are the innermost two, as far from either end, that cover the median of any distribution
    with at least `level`: with 1 − 2 P(B < k), B of n fair coins, for the k-th from either end
    (Thompson, Annals of Mathematical Statistics 1936). None where even the ends do not.
    """
    tail = stats.binom.cdf(np.arange(n // 2), n, 0.5)  # below the (i + 1)-th value
    enough = np.flatnonzero(1 - 2 * tail >= level)
    return (int(enough[-1]), n - 1 - int(enough[-1])) if enough.size else None


def _quantiles(
    values: Float[np.ndarray, "seeds p"],
    draws: Int[np.ndarray, "resamples seeds"],
    *,
    statistic: Statistic,
    level: float,
) -> Float[np.ndarray, "2 p"]:
    at = [(1 - level) / 2, (1 + level) / 2]
    width = max(1, _BYTES // (8 * draws.size))
    blocks = [
        located(
            lambda own: np.quantile(own, at, axis=0),
            _statistic(values[:, i : i + width][draws], statistic, axis=1),
        )
        for i in range(0, values.shape[1], width)
    ]
    return np.concatenate(blocks, axis=1) if blocks else np.empty((2, 0))


def _statistic(values: np.ndarray, statistic: Statistic, axis: int) -> np.ndarray:
    reduce = np.median if statistic == "median" else np.mean
    return located(lambda own: np.asarray(reduce(own, axis=axis)), values)
