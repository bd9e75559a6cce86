"""Which strategies lead beyond chance: what a table may mark as best, and why it marks nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy import stats

from hpo_research.analysis.finals import Finals
from hpo_research.analysis.over_problems import paired
from hpo_research.analysis.power import least_seeds
from hpo_research.analysis.result import Result
from hpo_research.analysis.significance import (
    FEWEST,
    alike,
    gaps,
    holm,
    rank_biserial,
    signed_rank,
)

ALPHA = 0.05

Mark = Literal["", "best", "tied"]
"""Told apart from all others; one of several that are not told apart; neither."""

_TEST = "two-sided Wilcoxon signed-rank test"


@dataclass(frozen=True)
class Leaders:
    """The strategy with the best value, tested over `pairs` against each of the others.

    `best` is told apart from all others: one strategy, or several that came to the same. Otherwise
    `tied` is what has the best value and all that are not told apart from it, empty where nothing
    is. `p` is that of each other strategy against the best value's, by the signed-rank test with
    Holm's correction for `tests` of them, those that came to the same counted once.
    """

    best: frozenset[str]
    tied: frozenset[str]
    p: Mapping[str, float]
    pairs: int
    tests: int

    def mark(self, name: str) -> Mark:
        """Return how a strategy's value is to be marked."""
        return "best" if name in self.best else "tied" if name in self.tied else ""

    @property
    def least(self) -> int:
        """The fewest pairs with which any of the tests can come below `ALPHA`."""
        return max(FEWEST, least_seeds(self.tests, ALPHA))


def leaders(
    losses: Mapping[str, Float[np.ndarray, " n"]], centers: Mapping[str, float]
) -> Leaders | None:
    """Test the strategy with the least center against each other one, over pairs of losses.

    `centers` are what is shown of the losses (a median, a mean); of equal ones the one with the
    least mean rank counts. A pair without a value has the loss infinity. One that is better
    than the best by the test, though not by its center, is not told apart. None where fewer than
    two strategies differ.
    """
    first = alike(losses)
    groups: dict[str, list[str]] = {}
    for name, own in first.items():
        groups.setdefault(own, []).append(name)
    known = {g: min(centers[n] for n in names) for g, names in groups.items()}
    if len(groups) < 2 or all(np.isnan(list(known.values()))):
        return None
    ranks = stats.rankdata(np.stack([losses[g] for g in groups]), axis=0).sum(axis=1)
    order = {g: (np.nan_to_num(known[g], nan=np.inf), ranks[i]) for i, g in enumerate(groups)}
    leader = min(order, key=lambda g: order[g])
    others = [g for g in groups if g != leader]
    apart = [gaps(losses[g], losses[leader]) for g in others]
    p = dict(zip(others, holm([signed_rank(own) for own in apart]), strict=True))
    behind = {
        g for g, own in zip(others, apart, strict=True) if p[g] < ALPHA and rank_biserial(own) > 0
    }
    led = frozenset(n for g in groups if g not in behind for n in groups[g])
    is_alone = len(behind) == len(others)
    return Leaders(
        best=led if is_alone else frozenset(),
        tied=led if behind and not is_alone else frozenset(),
        p={name: p[g] for g in others for name in groups[g]},
        pairs=len(losses[leader]),
        tests=len(others),
    )


def leaders_of(
    result: Result, finals: Sequence[Finals], centers: Mapping[str, Mapping[str, float]]
) -> dict[str, Leaders]:
    """Test the finals of each problem, over the seeds in which the runs of all are finished.

    `centers` are what is shown, by problem and strategy, as losses. Problems with fewer than two
    strategies that differ are left out.
    """
    found = {}
    for own in finals:
        names = list(own.values)
        losses = dict(zip(names, paired(result, own, names), strict=True))
        led = leaders(losses, centers[own.problem])
        if led is not None:
            found[own.problem] = led
    return found


def explained(found: Mapping[str, Leaders], pairs: str = "seeds") -> str:
    """Say what is marked and by which test, or why nothing is; empty where nothing was tested.

    `found` is by problem, or whatever else was tested apart.
    """
    tested = {name: own for name, own in found.items() if own.pairs >= own.least}
    few: dict[tuple[int, int, int], list[str]] = {}
    for name, own in found.items():
        if name not in tested:
            few.setdefault((own.tests, own.least, own.pairs), []).append(name)
    sentences = []
    if tested:
        counts = sorted({own.pairs for own in tested.values()})
        n = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        sentences.append(
            f"Bold: told apart from every other strategy at {ALPHA:.0%} by the {_TEST} of the best "
            f"against each other one over paired {pairs} (n = {n}), with Holm's correction. "
            "Underlined: the best and those not told apart from it, where others are. Strategies "
            "that came to the same count once; a run without a value is the worst."
        )
        if not any(own.best or own.tied for own in tested.values()):
            sentences.append("None is told apart.")
    for (tests, least, n_pairs), names in few.items():
        where = "Nothing is marked" if len(few) == 1 and not tested else "Nothing is marked on"
        where += "" if len(few) == 1 and not tested else f" {', '.join(names)}"
        test = "" if tested or sentences else f" (the {_TEST} of the best against each other one)"
        needs = "1 test needs" if tests == 1 else f"Holm over {tests} tests needs"
        sentences.append(
            f"{where}: with {n_pairs} paired {pairs} no difference can be significant at "
            f"{ALPHA:.0%}{test}; {needs} {least}."
        )
    return " ".join(sentences)
