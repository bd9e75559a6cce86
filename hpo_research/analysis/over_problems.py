"""Strategies compared over problems: ranks, and whether any differ beyond chance.

A problem is one observation, as in Demšar (JMLR 2006), whose tests these are: on each, a strategy
has the median over its seeds of what it found. Seeds of one problem are no independent
observations of another, so that they are not counted as such.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy import stats

from hpo_research.analysis.extremes import located
from hpo_research.analysis.finals import Finals
from hpo_research.analysis.result import Result
from hpo_research.analysis.significance import alike
from hpo_research.errors import StoreError
from hpo_research.options import Mistakes, number
from hpo_research.records import sign
from hpo_research.store import RunName

LEAST_STRATEGIES, LEAST_PROBLEMS = 3, 2
"""What Friedman's test needs; two strategies are compared by a signed-rank test."""
_NAMED = 8  # problems that a sentence can hold


@dataclass(frozen=True)
class Friedman:
    """Friedman's test of k strategies over n problems, and Nemenyi's of every pair after it.

    `ranks` holds a row a problem, 1 the best. `statistic` is Iman and Davenport's F, with k − 1 and
    (k − 1)(n − 1) degrees of freedom, and `p` its probability if all were the same.
    """

    ranks: Float[np.ndarray, "n k"]
    statistic: float
    p: float
    alpha: float

    @property
    def mean_ranks(self) -> Float[np.ndarray, " k"]:
        """The mean over problems."""
        means: np.ndarray = self.ranks.mean(axis=0)
        return means

    @property
    def order(self) -> list[int]:
        """The places of the strategies from the best mean rank to the worst."""
        return [int(i) for i in np.argsort(self.mean_ranks, kind="stable")]

    @cached_property
    def critical_difference(self) -> float:
        """How far mean ranks must be apart to differ at the level `alpha`."""
        quantile = stats.studentized_range.isf(self.alpha, self.ranks.shape[1], np.inf)
        return float(quantile * self._unit)

    @cached_property
    def nemenyi(self) -> Float[np.ndarray, "k k"]:
        """The p of every pair, corrected for all: of the studentised range.

        With infinitely many degrees of freedom (Nemenyi, 1963; Demšar, JMLR 2006, section 3.2.2).
        """
        k, means = self.ranks.shape[1], self.mean_ranks
        apart, where = np.unique(np.abs(means[:, None] - means), return_inverse=True)
        p: np.ndarray = stats.studentized_range.sf(apart / self._unit, k, np.inf)
        return p[where].reshape(k, k)

    def cliques(self) -> list[tuple[int, int]]:
        """Return the stretches of `order` that Nemenyi's test does not separate, as `stretches`."""
        return stretches(self.mean_ranks[self.order], self.critical_difference)

    @property
    def _unit(self) -> float:
        n, k = self.ranks.shape
        return float(np.sqrt(k * (k + 1) / (12 * n)))


def stretches(ascending: Float[np.ndarray, " k"], within: float) -> list[tuple[int, int]]:
    """Return the longest stretches of numbers whose ends are at most so far apart.

    Each is the first and the last place of two or more.
    """
    ends = [int(np.sum(ascending <= low + within)) - 1 for low in ascending]
    return [
        (first, last)
        for first, last in enumerate(ends)
        if last > first and (first == 0 or ends[first - 1] < last)
    ]


@dataclass(frozen=True)
class OverProblems:
    """The strategies of a result compared over its problems.

    `strategies` holds what is compared, in the order of the test: a strategy each, or several that
    came to the same on every seed.
    """

    strategies: tuple[tuple[str, ...], ...]
    problems: tuple[str, ...]
    test: Friedman

    @property
    def names(self) -> list[str]:
        """What is compared, as text; those that are one have a sign of equality between them."""
        return [" = ".join(group) for group in self.strategies]

    def sentences(self) -> list[str]:
        """Say what was tested, and what came of it."""
        test, n, k = self.test, len(self.problems), len(self.strategies)
        p = "< 0.001" if test.p < 0.001 else f"= {test.p:.3f}"
        named = f" ({', '.join(self.problems)})" if n <= _NAMED else ""
        same = [", ".join(group) for group in self.strategies if len(group) > 1]
        return [
            f"{n} problems{named} are one observation each: on it, "
            "strategies are ranked by the median of their final values over the seeds in which the "
            "runs of all are finished; 1 is the best, and equal medians share the mean of their "
            "ranks.",
            f"Friedman's test in Iman and Davenport's form: F = {test.statistic:.3g} with {k - 1} "
            f"and {(k - 1) * (n - 1)} degrees of freedom, p {p}.",
            *(
                [f"At {test.alpha:.0%} it does not tell them apart: no pair is to be claimed."]
                if test.p >= test.alpha
                else []
            ),
            f"Nemenyi's test, corrected for all pairs, separates at {test.alpha:.0%} what is more "
            f"than {test.critical_difference:.3g} apart.",
            "Ranks, and with them these tests, depend on who else is compared.",
            *(f"{group} came to the same on every seed and count once." for group in same),
        ]


def friedman(losses: Float[np.ndarray, "n k"], alpha: float = 0.05) -> Friedman:
    """Test whether k strategies differ over n problems, by their losses.

    Strategies are ranked on every problem, 1 the least loss, equal ones sharing the mean of their
    ranks. The statistic is Friedman's with ties (JASA 1937), which is too shy itself, in the form
    of Iman and Davenport (Communications in Statistics 1980).
    """
    n, k = losses.shape
    ranks = stats.rankdata(losses, axis=1)
    within = (ranks**2).sum() - n * k * (k + 1) ** 2 / 4  # 0 where all are tied everywhere
    between = n * ((ranks.mean(axis=0) - (k + 1) / 2) ** 2).sum()
    rest = within - between
    if within <= 0:
        return Friedman(ranks, 0.0, 1.0, alpha)
    f = float((n - 1) * between / rest) if rest > 1e-9 * within else float("inf")
    return Friedman(ranks, f, float(stats.f.sf(f, k - 1, (k - 1) * (n - 1))), alpha)


def over_problems(
    result: Result, finals: Sequence[Finals], alpha: float = 0.05
) -> OverProblems | None:
    """Compare the strategies of a result over its problems by their final values.

    On each problem counts the median over the seeds in which the runs of all are finished; a run
    without a value is the worst. Problems without such seeds, or without some strategy, are left
    out. None where fewer than `LEAST_STRATEGIES` differ or `LEAST_PROBLEMS` are left. Raises
    `StoreError` for an `alpha` that is no probability.
    """
    mistakes = Mistakes("over_problems")
    mistakes.check("alpha", alpha, number(above=0, below=1))
    mistakes.refuse(StoreError)
    strategies, tables = compared(result, finals)
    groups = grouped(strategies, tables)
    if len(groups) < LEAST_STRATEGIES or len(tables) < LEAST_PROBLEMS:
        return None
    rows = [strategies.index(group[0]) for group in groups]
    medians = np.stack([located(_medians, losses[rows]) for losses in tables.values()])
    return OverProblems(groups, tuple(tables), friedman(medians, alpha))


def compared(
    result: Result, finals: Sequence[Finals]
) -> tuple[list[str], dict[str, Float[np.ndarray, "k _"]]]:
    """Return the strategies of some finals, and the losses that they are to be compared by.

    By problem: those on which all have runs, and the seeds in which the runs of all are finished.
    """
    present = {name for own in finals for name in own.values}
    strategies = [name for name in result.facts.strategies if name in present]
    tables = {
        own.problem: paired(result, own, strategies) for own in finals if _has_all(own, present)
    }
    return strategies, {problem: own for problem, own in tables.items() if own.shape[1]}


def paired(
    result: Result, own: Finals, strategies: Sequence[str]
) -> Float[np.ndarray, "strategies n"]:
    """Return values as losses for the seeds in which every strategy's run is over.

    A run that found nothing has an infinite loss.
    """
    is_over = [
        all(RunName(own.problem, name, seed) in result.over for name in strategies)
        for seed in own.seeds
    ]
    values = np.stack([own.values[name] for name in strategies])[:, is_over]
    losses = sign(own.direction) * values
    return np.where(np.isnan(losses), np.inf, losses)


def _has_all(own: Finals, strategies: set[str]) -> bool:
    return strategies <= own.values.keys()


def grouped(
    strategies: Sequence[str], tables: Mapping[str, np.ndarray]
) -> tuple[tuple[str, ...], ...]:
    """Return the strategies, with those that came to the same everywhere as one group."""
    if not tables:
        return ()
    values = np.concatenate(list(tables.values()), axis=1)
    firsts = alike(dict(zip(strategies, values, strict=True)))
    found: dict[str, list[str]] = {}
    for name, first in firsts.items():
        found.setdefault(first, []).append(name)
    return tuple(map(tuple, found.values()))


def _medians(losses: np.ndarray) -> np.ndarray:
    medians: np.ndarray = np.median(losses, axis=1)
    return medians
