"""Tests on pairs, as any two strategies are compared: what the seeds or problems say of them."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from scipy import stats

from hpo_research.analysis.extremes import difference

FEWEST = 6
"""Differing pairs below which no signed-rank test reaches 5% (its least p is 2 / 2^n)."""


def gaps(
    first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Return first − second of paired losses: 0 for equal ones, infinite ones among them."""
    found = np.zeros(len(first))
    apart = first != second
    found[apart] = difference(first[apart], second[apart])
    return found


def signed_rank(differences: Float[np.ndarray, " n"]) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test; NaN for too few that differ.

    Differences of 0 are dropped, as Wilcoxon (Biometrics Bulletin 1945) did. Exact, by all
    assignments of signs where differences are tied, as far as SciPy goes; normal beyond.
    """
    ranks = _signed_ranks(differences)
    if len(ranks) < FEWEST:
        return float("nan")
    n = len(ranks)
    if np.array_equal(np.sort(np.abs(ranks)), np.arange(1, n + 1)):
        return _untied(n, int(ranks[ranks > 0].sum()))
    return float(stats.wilcoxon(ranks).pvalue)


@lru_cache(maxsize=4096)
def _untied(n: int, above: int) -> float:
    """Return the p of n differences without ties, the ranks of those above 0 having this sum.

    It depends on nothing else, and SciPy takes a millisecond for it.
    """
    signs = np.full(n, -1.0)
    for rank in range(n, 0, -1):  # some ranks that have the sum: the largest that fit
        if rank <= above:
            signs[rank - 1] = 1.0
            above -= rank
    return float(stats.wilcoxon(signs * np.arange(1, n + 1)).pvalue)


def rank_biserial(differences: Float[np.ndarray, " n"]) -> float:
    """Return the effect that belongs to the signed-rank test: from −1 to 1, NaN where it has no p.

    It is the share of the ranks of differences above 0 minus that of those below (the
    matched-pairs rank-biserial correlation; Kerby, Comprehensive Psychology 2014, equation 8): 1
    where all are above 0, 0 where both sides weigh the same.
    """
    ranks = _signed_ranks(differences)
    return float(ranks.sum() / np.abs(ranks).sum()) if len(ranks) >= FEWEST else float("nan")


def _signed_ranks(differences: Float[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
    """Return the ranks of what differs, with its signs: infinite differences are no obstacle."""
    differing = differences[differences != 0]
    ranks: np.ndarray = np.sign(differing) * stats.rankdata(np.abs(differing))
    return ranks


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number (Holm, Scandinavian J. Statistics 1979).

    NaN stays, and counts for no test.
    """
    known = sorted((value, i) for i, value in enumerate(p) if not np.isnan(value))
    corrected = [float("nan")] * len(p)
    least = 0.0
    for position, (value, i) in enumerate(known):
        least = max(least, min(1.0, (len(known) - position) * value))
        corrected[i] = least
    return corrected


def alike(values: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Return for each strategy the first that has the same values: itself where none before has.

    Those that coincide are one hypothesis, and a correction counts it once.
    """
    found: dict[str, str] = {}
    for name, own in values.items():
        firsts = (
            other for other in found.values() if np.array_equal(values[other], own, equal_nan=True)
        )
        found[name] = next(firsts, name)
    return found
