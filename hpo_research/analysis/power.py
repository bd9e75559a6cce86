"""Power: how many seeds a claim needs, from the differences that a pilot has seen.

Seeds are drawn from those of the pilot with replacement, all strategies of a seed together, and
tested as `tables.paired` tests them: the signed-rank test of every pair, with Holm's correction.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from hpo_research.analysis.extremes import difference
from hpo_research.errors import StoreError
from hpo_research.options import Mistakes, foreign, number, whole
from hpo_research.rng import Stream

LEAST_PILOT = 10
"""Seeds of a pilot below which nothing is simulated: so few stand for nothing but themselves."""

SEEDS = (6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100)
"""The numbers of seeds that are tried."""

_EXACT = 50  # seeds up to which SciPy's test is exact


@dataclass(frozen=True)
class Power:
    """The power of the tests of some pairs of strategies, by the number of seeds.

    `power[i, s]` is how often pair i is separated at the level `alpha` with `seeds[s]` seeds, after
    Holm's correction for `family` tests; `low` and `high` are the 2.5 % and 97.5 % quantiles of it
    over pilots that are resamples of this one: what it leaves open. `least` are the fewest seeds
    with which any of so many tests can separate anything.
    """

    pairs: tuple[tuple[int, int], ...]
    seeds: tuple[int, ...]
    alpha: float
    family: int
    least: int
    power: Float[np.ndarray, "t s"]
    low: Float[np.ndarray, "t s"]
    high: Float[np.ndarray, "t s"]

    def needed(self, wanted: float = 0.8) -> list[int | None]:
        """Return the fewest seeds tried from which on each pair has this power; None for none."""
        found: list[int | None] = []
        for own in self.power:
            enough = own >= wanted
            from_there = np.logical_and.accumulate(enough[::-1])[::-1]
            found.append(self.seeds[int(from_there.argmax())] if from_there.any() else None)
        return found


def least_seeds(tests: int, alpha: float = 0.05) -> int:
    """Return the fewest seeds with which one of so many tests can be significant after Holm.

    The least p of the signed-rank test of n pairs is 2 / 2ⁿ, and Holm multiplies the least of m
    p-values by m.
    """
    mistakes = Mistakes("least_seeds")
    mistakes.check("tests", tests, foreign(whole(1)))
    mistakes.check("alpha", alpha, number(above=0, below=1))
    mistakes.refuse(StoreError)
    n = max(1, math.ceil(math.log2(2 * tests / alpha)) - 1)
    while tests * 2.0 ** (1 - n) > alpha:
        n += 1
    return n


def power(
    losses: Float[np.ndarray, "k n"],
    pairs: Sequence[tuple[int, int]] | None = None,
    *,
    seeds: Sequence[int] = SEEDS,
    alpha: float = 0.05,
    simulations: int = 400,
    pilots: int = 40,
) -> Power:
    """Simulate the tests of k strategies by the losses of a pilot of n seeds.

    All pairs, or some. Intervals are over `pilots` resampled pilots of a tenth of the `simulations`
    each. Raises `StoreError` for fewer than `LEAST_PILOT` seeds, fewer than two strategies, and
    options that are none.
    """
    mistakes = Mistakes("power")
    mistakes.check("alpha", alpha, number(above=0, below=1))
    mistakes.check("simulations", simulations, foreign(whole(10)))
    mistakes.check("pilots", pilots, foreign(whole(2)))
    for n in seeds:
        mistakes.check("seeds", n, foreign(whole(1)))
    mistakes.refuse(StoreError)
    k, known = losses.shape
    tested = tuple(combinations(range(k), 2)) if pairs is None else tuple(pairs)
    if known < LEAST_PILOT or not tested:
        raise StoreError(
            f"power: expected losses of two strategies or more on {LEAST_PILOT} seeds or more, got "
            f"{k} on {known}"
        )
    differences = np.stack([_difference(losses[i], losses[j]) for i, j in tested])
    generator = Stream(0).at("power").generator()
    each = np.arange(known)
    center = np.stack(
        [_separated(differences, generator, each, (simulations, n), alpha) for n in seeds], axis=1
    )
    drawn = []
    for _ in range(pilots):
        pilot = np.asarray(generator.integers(known, size=known))
        times = max(10, simulations // 10)
        drawn.append([_separated(differences, generator, pilot, (times, n), alpha) for n in seeds])
    low, high = np.quantile(np.array(drawn), [0.025, 0.975], axis=0)
    family = len(tested)
    return Power(
        tested, tuple(seeds), alpha, family, least_seeds(family, alpha), center, low.T, high.T
    )


def _difference(
    first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    found = np.zeros(len(first))
    apart = first != second  # two runs without a value are equal
    found[apart] = difference(first[apart], second[apart])
    return found


def _separated(
    differences: Float[np.ndarray, "t n"],
    generator: np.random.Generator,
    pilot: Int[np.ndarray, " n"],
    shape: tuple[int, int],
    alpha: float,
) -> Float[np.ndarray, " t"]:
    """Return how often each pair is separated in so many simulations of so many seeds."""
    n = len(pilot)
    rows = pilot[generator.integers(n, size=shape)] + n * np.arange(shape[0])[:, None]
    times = np.bincount(rows.ravel(), minlength=n * shape[0]).reshape(shape[0], n)
    p = np.stack([signed_ranks(own, times) for own in differences])
    found: np.ndarray = (_holm(p) <= alpha).mean(axis=1)
    return found


def signed_ranks(
    differences: Float[np.ndarray, " n"], times: Int[np.ndarray, "r n"]
) -> Float[np.ndarray, " r"]:
    """Return the two-sided p of the signed-rank test of samples with so many of each difference.

    1 where nothing differs. Differences of 0 are dropped and equal ones share the mean of their
    ranks, as in `significance.signed_rank`; the distribution is that without ties, exact up to 50
    differences and normal beyond: equal differences that one draws from a pilot twice have one
    sign, so that the sum of their ranks is what it would be if they were a little apart.
    """
    sizes, group = np.unique(np.abs(differences), return_inverse=True)
    of_group = np.eye(len(sizes))[group]
    counted = times @ of_group
    if sizes[0] == 0:
        counted[:, 0] = 0
    ranks = np.cumsum(counted, axis=1) - (counted - 1) / 2  # the mean of those of a group
    above = ((times * (differences > 0)) @ of_group * ranks).sum(axis=1)
    counts = counted.sum(axis=1)
    found = np.ones(len(times))
    for m in np.unique(counts[counts > 0]):
        rows = counts == m
        total = m * (m + 1) / 2
        least = np.minimum(above[rows], total - above[rows])
        found[rows] = _tail(int(m), least)
    return found


def _tail(m: int, least: Float[np.ndarray, " r"]) -> Float[np.ndarray, " r"]:
    if m > _EXACT:
        spread = np.sqrt(m * (m + 1) * (2 * m + 1) / 24)
        below = stats.norm.cdf((least - m * (m + 1) / 4) / spread)
    else:
        below = _distribution(m)[np.ceil(least).astype(int)]  # of shared ranks: the greater p
    found: np.ndarray = np.minimum(2 * below, 1.0)
    return found


@lru_cache(maxsize=_EXACT)
def _distribution(m: int) -> Float[np.ndarray, " s"]:
    """Return P(W <= w) of the sum of the ranks 1 to m with a fair sign each."""
    chances = np.zeros(m * (m + 1) // 2 + 1)
    chances[0] = 1.0
    for rank in range(1, m + 1):
        chances[rank:] = chances[rank:] / 2 + chances[:-rank] / 2
        chances[:rank] /= 2
    found: np.ndarray = np.cumsum(chances)
    return found


def _holm(p: Float[np.ndarray, "t r"]) -> Float[np.ndarray, "t r"]:
    """Return p-values corrected as `significance.holm`, column by column."""
    order = np.argsort(p, axis=0, kind="stable")
    times = np.arange(len(p), 0, -1)[:, None]
    corrected = np.maximum.accumulate(np.take_along_axis(p, order, axis=0) * times, axis=0)
    found = np.empty_like(p)
    np.put_along_axis(found, order, np.minimum(corrected, 1.0), axis=0)
    return found
