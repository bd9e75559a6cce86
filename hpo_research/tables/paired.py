"""Strategies compared seed by seed: mean ranks, and pairwise wins with a signed-rank test."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats

from hpo_research.analysis.extremes import difference, located
from hpo_research.analysis.finals import Finals
from hpo_research.analysis.result import Result
from hpo_research.records import sign
from hpo_research.store import RunName
from hpo_research.tables.table import (
    NONE,
    Cell,
    Table,
    best_of,
    breaks,
    count,
    number,
    text,
    unrepeated,
)
from hpo_research.tables.values import RULES

FEWEST = 6
"""Differing pairs below which no signed-rank test reaches 5% (its least p is 2 / 2^n)."""


def ranks_table(result: Result, compared: Sequence[Finals]) -> Table:
    """Return mean ranks over seeds: a row a strategy, a column a problem, and their mean."""
    columns, counts = _mean_ranks(result, compared)
    strategies = list(next(iter(columns.values())))
    best = {title: best_of(column, "minimize") for title, column in columns.items()}
    rows = [
        [
            text(name),
            *(number(own[name], is_best=name in best[title]) for title, own in columns.items()),
        ]
        for name in strategies
    ]
    data = pd.DataFrame(
        [
            {"problem": title, "strategy": name, "mean_rank": rank, "seeds": counts.get(title)}
            for title, column in columns.items()
            for name, rank in column.items()
        ]
    ).astype({"seeds": "Int64"})
    has_all = len(compared) > 1
    and_problems = "; in the last column, over problems, each weighted equally" if has_all else ""
    head = ["Strategy", *(f"{p} (n = {counts[p]})" if p in counts else p for p in columns)]
    caption = (
        "Strategies are ranked by their final values on a seed; 1 is the best, equal values share "
        "the mean of their ranks, and so do runs without a value, which come last. "
        f"{RULES[result.facts.final]} Means over the n seeds in which the run of every "
        f"strategy is finished{and_problems}. The figure of mean ranks follows another rule and "
        "may differ: it ranks the best values so far, at any epoch unless the budget counts "
        "trials, counts each pair of a problem and a seed equally, and leaves out pairs without "
        "any value."
    )
    return Table("ranks", "Mean ranks", caption, data, head, rows)


def _mean_ranks(
    result: Result, compared: Sequence[Finals]
) -> tuple[dict[str, dict[str, float]], dict[str, int]]:
    """Return the mean ranks by problem and strategy, NaN for none, and the seeds of each problem.

    Of several problems, the mean of theirs comes last.
    """
    present = {name for own in compared for name in own.values}
    strategies = [name for name in result.facts.strategies if name in present]
    columns, counts = {}, {}
    for own in compared:
        losses = _paired(result, own, list(own.values))
        counts[own.problem] = n = losses.shape[1]
        ranks = stats.rankdata(losses, axis=0).mean(axis=1) if n else np.full(len(losses), np.nan)
        known = dict(zip(own.values, map(float, ranks), strict=True))
        columns[own.problem] = {name: known.get(name, float("nan")) for name in strategies}
    if len(compared) > 1:
        columns["all problems"] = {
            name: float(np.mean([column[name] for column in columns.values()]))
            for name in strategies
        }
    return columns, counts


@dataclass(frozen=True)
class Comparison:
    """Two strategies on the seeds of a problem in which both are over; a row of the CSV.

    `wins`, `ties` and `losses` are those of `first`; `median_difference` is that of first − second.
    """

    problem: str
    first: str
    second: str
    seeds: int
    wins: int
    ties: int
    losses: int
    median_difference: float
    p: float
    p_holm: float = float("nan")


def comparisons_table(result: Result, compared: Sequence[Finals]) -> Table:
    """Return pairwise comparisons over paired seeds: a row a problem and pair of strategies."""
    data = [row for own in compared for row in _comparisons(result, own)]
    problems = [row.problem for row in data]
    rows = [
        [
            text(problem),
            text(row.first),
            text(row.second),
            *map(count, (row.seeds, row.wins, row.ties, row.losses)),
            number(row.median_difference),
            *(Cell(_p(p), is_number=True) for p in (row.p, row.p_holm)),
        ]
        for problem, row in zip(unrepeated(problems), data, strict=True)
    ]
    caption = (
        "Seeds are pairs: a seed gives both strategies the same initial weights, data order and "
        "noise, and the same initial design where they begin with the same kind. Wins, ties and "
        "losses are those of A; the difference is the median of A − B over seeds in which both "
        "have a value. n counts the seeds in which both runs are finished; a run without a value "
        "loses. p: two-sided Wilcoxon signed-rank test over the pairs that differ, given where at "
        f"least {FEWEST} do. Holm: corrected for all pairs of the problem."
    )
    head = ["Problem", "A", "B", "n", "Wins", "Ties", "Losses", "Difference", "p", "p (Holm)"]
    frame = pd.DataFrame(map(asdict, data))
    title = "Pairwise comparisons"
    return Table("comparisons", title, caption, frame, head, rows, breaks(problems))


def signed_rank(differences: Float[np.ndarray, " n"]) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test; NaN for too few that differ.

    Differences of 0 are dropped, as Wilcoxon (Biometrics Bulletin 1945) did. Exact, by all
    assignments of signs where differences are tied, as far as SciPy goes; normal beyond.
    """
    differing = differences[differences != 0]
    if len(differing) < FEWEST:
        return float("nan")
    # The test knows signed ranks only, so infinite differences are no obstacle.
    ranks = np.sign(differing) * stats.rankdata(np.abs(differing))
    return float(stats.wilcoxon(ranks).pvalue)


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


def _comparisons(result: Result, own: Finals) -> list[Comparison]:
    found = [_comparison(result, own, *pair) for pair in combinations(own.values, 2)]
    corrected = holm([row.p for row in found])
    return [replace(row, p_holm=p) for row, p in zip(found, corrected, strict=True)]


def _comparison(result: Result, own: Finals, first: str, second: str) -> Comparison:
    a, b = _paired(result, own, [first, second])
    has_both = np.isfinite(a) & np.isfinite(b)
    differences = np.zeros(len(a))
    apart = a != b  # two runs without a value are equal
    differences[apart] = difference(a[apart], b[apart])
    middle = float(located(np.median, differences[has_both])) if has_both.any() else float("nan")
    return Comparison(
        own.problem,
        first,
        second,
        seeds=len(a),
        wins=int((a < b).sum()),
        ties=int((a == b).sum()),
        losses=int((a > b).sum()),
        median_difference=sign(own.direction) * middle + 0.0,
        p=signed_rank(differences),
    )


def _paired(
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


def _p(value: float) -> str:
    if np.isnan(value):
        return NONE
    return "<0.001" if value < 0.001 else f"{value:.3f}"
