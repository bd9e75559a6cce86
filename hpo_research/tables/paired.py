"""Strategies compared seed by seed: mean ranks, and pairwise wins with a signed-rank test."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from hpo_research.analysis.extremes import located
from hpo_research.analysis.finals import Finals
from hpo_research.analysis.leaders import Leaders, explained, leaders, leaders_of
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
from hpo_research.records import sign
from hpo_research.tables.marks import mark, with_tests
from hpo_research.tables.table import (
    NONE,
    Cell,
    Table,
    breaks,
    count,
    number,
    p_value,
    text,
    unrepeated,
)
from hpo_research.tables.values import RULES, then

ALL = "all problems"


def ranks_table(result: Result, compared: Sequence[Finals]) -> Table:
    """Return mean ranks over seeds: a row a strategy, a column a problem, and their mean."""
    columns, counts = _mean_ranks(result, compared)
    strategies = list(next(iter(columns.values())))
    led, over = leaders_of(result, compared, columns), _led_over(columns)
    rows = [
        [
            text(name),
            *(number(own[name], mark(led | over, title, name)) for title, own in columns.items()),
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
    data = with_tests(data, led | over)
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
        f"any value.{then(explained(led))}{then(_over_said(over, led))}"
    )
    return Table("ranks", "Mean ranks", caption, data, head, rows, across="Problem")


def _led_over(columns: Mapping[str, Mapping[str, float]]) -> dict[str, Leaders]:
    """Return who leads over problems: mean ranks on them are the pairs."""
    centers = {name: own for name, own in columns.get(ALL, {}).items() if not np.isnan(own)}
    losses = {
        name: np.array([own[name] for title, own in columns.items() if title != ALL])
        for name in centers
    }
    led = leaders(losses, centers)
    return {} if led is None else {ALL: led}


def _over_said(over: Mapping[str, Leaders], led: Mapping[str, Leaders]) -> str:
    """Say what is marked over problems, shortly where the same test was told of before."""
    own = over.get(ALL)
    is_told = any(known.pairs >= known.least for known in led.values())
    if own is None or own.pairs < own.least or not is_told:
        return explained(over, "problems")
    return f"In the last column, problems are the pairs (n = {own.pairs}), by their mean ranks."


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
        losses = paired(result, own, list(own.values))
        counts[own.problem] = n = losses.shape[1]
        ranks = stats.rankdata(losses, axis=0).mean(axis=1) if n else np.full(len(losses), np.nan)
        known = dict(zip(own.values, map(float, ranks), strict=True))
        columns[own.problem] = {name: known.get(name, float("nan")) for name in strategies}
    if len(compared) > 1:
        columns[ALL] = {
            name: float(np.mean([column[name] for column in columns.values()]))
            for name in strategies
        }
    return columns, counts


@dataclass(frozen=True)
class Comparison:
    """Two strategies on the seeds of a problem in which both are over; a row of the CSV.

    `wins`, `ties`, `losses` and `effect` are those of `first`; `median_difference` is that of
    first − second. `tests` are those that Holm's correction counts.
    """

    problem: str
    first: str
    second: str
    seeds: int
    wins: int
    ties: int
    losses: int
    median_difference: float
    effect: float
    p: float
    p_holm: float = float("nan")
    tests: int = 1


def comparisons_table(
    result: Result, compared: Sequence[Finals], control: str | None = None
) -> Table:
    """Return comparisons over paired seeds: a row a problem and pair of strategies.

    With a `control`, only the pairs that it is part of, as their first. Holm's correction counts
    the tests that are shown, and once those that strategies which came to the same share.
    """
    data = [row for own in compared for row in _comparisons(result, own, control)]
    problems = [row.problem for row in data]
    rows = [
        [
            text(problem),
            text(row.first),
            text(row.second),
            *map(count, (row.seeds, row.wins, row.ties, row.losses)),
            number(row.median_difference),
            Cell(NONE if np.isnan(row.effect) else f"{row.effect:+.2f}", is_number=True),
            *(p_value(p) for p in (row.p, row.p_holm)),
        ]
        for problem, row in zip(unrepeated(problems), data, strict=True)
    ]
    of = "pairs of the problem" if control is None else f"comparisons with {control} on the problem"
    caption = (
        "Seeds are pairs: a seed gives both strategies the same initial weights, data order and "
        "noise, and the same initial design where they begin with the same kind. Wins, ties and "
        "losses are those of A; the difference is the median of A − B over seeds in which both "
        "have a value. n counts the seeds in which both runs are finished; a run without a value "
        "loses. Effect: the matched-pairs rank-biserial correlation, 1 where A is better in every "
        "pair that differs, −1 where B is. p: two-sided Wilcoxon signed-rank test over the pairs "
        f"that differ, given where at least {FEWEST} do. Holm: corrected for all {of}, those of "
        "strategies that came to the same values counted once."
        + "".join(f" {sentence}" for sentence in _too_few(data))
    )
    pair = ["A", "B", "n", "Wins", "Ties", "Losses", "Difference", "Effect", "p", "p (Holm)"]
    frame = pd.DataFrame(map(asdict, data))
    title = "Pairwise comparisons" if control is None else f"Comparisons with {control}"
    head = ["Problem", *pair]
    cut = breaks(problems)
    return Table("comparisons", title, caption, frame, head, rows, cut, spare=("p", "Ties", "n"))


def _too_few(rows: Sequence[Comparison]) -> list[str]:
    """Say on which problems no comparison can be significant, however large the difference."""
    few: dict[tuple[int, int], list[str]] = {}
    for problem in dict.fromkeys(row.problem for row in rows):
        own = [row for row in rows if row.problem == problem]
        tests = max(row.tests for row in own)
        if max(row.seeds for row in own) < (least := least_seeds(tests)):
            few.setdefault((tests, least), []).append(problem)
    return [
        f"On {', '.join(problems)}, no comparison can reach 5% with so few seeds, however large "
        f"the difference: {'one test needs' if tests == 1 else f'Holm over {tests} tests needs'} "
        f"at least {least} seeds."
        for (tests, least), problems in few.items()
    ]


def _comparisons(result: Result, own: Finals, control: str | None) -> list[Comparison]:
    """Compare the pairs of a problem; those of the control alone, where there is one."""
    if control is None:
        pairs = list(combinations(own.values, 2))
    else:
        others = [name for name in own.values if name != control]
        pairs = [(control, name) for name in others] if control in own.values else []
    found = [_comparison(result, own, *pair) for pair in pairs]
    first = alike(own.values)
    tests = {frozenset((first[row.first], first[row.second])): row.p for row in found}
    corrected = dict(zip(tests, holm(list(tests.values())), strict=True))
    return [
        replace(
            row,
            p_holm=corrected[frozenset((first[row.first], first[row.second]))],
            tests=len([test for test in tests if len(test) > 1]) or 1,
        )
        for row in found
    ]


def _comparison(result: Result, own: Finals, first: str, second: str) -> Comparison:
    a, b = paired(result, own, [first, second])
    has_both = np.isfinite(a) & np.isfinite(b)
    differences = gaps(a, b)
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
        effect=rank_biserial(-differences) + 0.0,
        p=signed_rank(differences),
    )
