"""The probability of improvement, and interquartile means, each with a stratified bootstrap.

Agarwal, Schwarzer, Castro, Courville and Bellemare, "Deep reinforcement learning at the edge of
the statistical precipice", NeurIPS 2021 (arXiv:2108.13264), sections 4.2 and 4.3.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from hpo_research.analysis.extremes import located
from hpo_research.analysis.finals import Finals
from hpo_research.analysis.over_problems import compared, grouped
from hpo_research.analysis.result import Result
from hpo_research.rng import Stream

LEAST_SEEDS = 10
"""Of a problem, below which there is no interval: of so few runs it covers too little."""

RESAMPLES, LEVEL = 2000, 0.95
_QUANTILES = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]


@dataclass(frozen=True)
class Improvement:
    """The probability that a run of one strategy ends better than one of another.

    `each[p, i, j]` is that of strategy i against j on a problem: over all pairs of a run of i and
    one of j, the share in which i is better, and half of those that are equal (the Mann-Whitney
    statistic). `mean` is over problems, each weighted equally. `low` and `high` are its 95 %
    percentile bootstrap: runs are resampled within problems, each strategy's by themselves; NaN
    where a problem has fewer than `LEAST_SEEDS` seeds. `strategies` holds one each, or several that
    came to the same on every seed, which count once.
    """

    strategies: tuple[tuple[str, ...], ...]
    problems: tuple[str, ...]
    seeds: tuple[int, ...]
    each: Float[np.ndarray, "p k k"]
    low: Float[np.ndarray, "k k"]
    high: Float[np.ndarray, "k k"]

    @property
    def mean(self) -> Float[np.ndarray, "k k"]:
        """The mean over problems."""
        means: np.ndarray = self.each.mean(axis=0)
        return means

    @property
    def names(self) -> list[str]:
        """What is compared, as text."""
        return [" = ".join(group) for group in self.strategies]

    @property
    def has_interval(self) -> bool:
        """Whether every problem has seeds enough."""
        return min(self.seeds) >= LEAST_SEEDS


def improvement(result: Result, finals: Sequence[Finals]) -> Improvement | None:
    """Compare the strategies by final values; None where fewer than two differ.

    Counted are the problems on which all have runs and the seeds in which these are finished; a
    run without a value is the worst.
    """
    strategies, tables = compared(result, finals)
    groups = grouped(strategies, tables)
    if len(groups) < 2:
        return None
    rows = [strategies.index(group[0]) for group in groups]
    strata = [losses[rows] for losses in tables.values()]
    each = np.stack([_wins(own).mean(axis=(2, 3)) for own in strata])
    low, high = _bounds(strata)
    seeds = tuple(own.shape[1] for own in strata)
    return Improvement(groups, tuple(tables), seeds, each, low, high)


def interquartile_mean(values: Float[np.ndarray, "... n"]) -> Float[np.ndarray, "..."]:
    """Return the mean of the middle half: the lowest and the highest quarter are left out.

    A quarter is rounded down, as SciPy's `trim_mean` does.
    """
    found: np.ndarray = located(lambda v: stats.trim_mean(v, 0.25, axis=-1), values)
    return found


def interquartile(strata: Sequence[Float[np.ndarray, " _"]]) -> tuple[float, float, float]:
    """Return the interquartile mean of all runs of some problems, and its 95 % interval.

    The values of several problems must be on one scale, such as scores. The percentile bootstrap
    resamples runs within problems; NaN below `LEAST_SEEDS` runs of one.
    """
    center = float(interquartile_mean(np.concatenate(list(strata))))
    if min(map(len, strata)) < LEAST_SEEDS:
        return center, float("nan"), float("nan")
    generator = Stream(0).at("bootstrap").generator()
    drawn = [own[generator.integers(len(own), size=(RESAMPLES, len(own)))] for own in strata]
    means = np.sort(interquartile_mean(np.concatenate(drawn, axis=1)))
    at_least, at_most = int(0.025 * RESAMPLES), int(np.ceil(0.975 * RESAMPLES)) - 1
    return center, float(means[at_least]), float(means[at_most])


def _wins(losses: Float[np.ndarray, "k n"]) -> Float[np.ndarray, "k k n n"]:
    """Return for each pair of runs 1 where that of the first strategy is better, ½ where equal."""
    first, second = losses[:, None, :, None], losses[None, :, None, :]
    found: np.ndarray = (first < second) + 0.5 * (first == second)
    return found


def _bounds(strata: Sequence[Float[np.ndarray, "k _"]]) -> Float[np.ndarray, "2 k k"]:
    k = len(strata[0])
    found = np.full((2, k, k), np.nan)
    if min(own.shape[1] for own in strata) < LEAST_SEEDS:
        return found
    total = np.zeros((RESAMPLES, k, k))
    generator = Stream(0).at("bootstrap").generator()
    for own in strata:
        n = own.shape[1]
        draws = generator.integers(n, size=(k, RESAMPLES, n)) + n * np.arange(RESAMPLES)[:, None]
        times = (
            np.stack(
                [
                    np.bincount(d.ravel(), minlength=n * RESAMPLES).reshape(RESAMPLES, n)
                    for d in draws
                ]
            )
            / n
        )
        wins = _wins(own)
        for i in range(k):
            for j in range(i + 1, k):
                total[:, i, j] += ((times[i] @ wins[i, j]) * times[j]).sum(axis=1)
    for i in range(k):
        for j in range(i + 1, k):
            low, high = np.quantile(total[:, i, j] / len(strata), _QUANTILES)
            found[:, i, j] = low, high
            found[:, j, i] = 1 - high, 1 - low
    return found
