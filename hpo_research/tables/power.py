"""How many seeds a claim needs, as a table."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from hpo_research.analysis.finals import Finals
from hpo_research.analysis.over_problems import grouped, paired
from hpo_research.analysis.power import LEAST_PILOT, SEEDS, Power, power
from hpo_research.analysis.result import Result
from hpo_research.tables.table import Cell, Table, breaks, count, text, unrepeated

_WANTED = 0.8
_SIMULATIONS, _PILOTS = 200, 20
_MOST_TESTS = 600
"""Pairs on all problems together that are simulated; of more, it would take minutes."""


def power_table(
    result: Result, compared: Sequence[Finals], control: str | None = None
) -> Table | None:
    """Return the power of the comparisons: a row a problem and pair.

    None where no problem has `LEAST_PILOT` paired seeds and two strategies that differ, and for
    more than `_MOST_TESTS` pairs: `analysis.power.power` simulates those of a problem.
    """
    known = _all_known(result, compared, control)
    if not known or _pairs_of(known) > _MOST_TESTS:
        return None
    rows, data = [], []
    for own, names, losses, pairs in known:
        n = losses.shape[1]
        seeds = tuple(sorted({*SEEDS, n}))
        found = power(losses, pairs, seeds=seeds, simulations=_SIMULATIONS, pilots=_PILOTS)
        rows += _rows(own.problem, names, found, n)
        data += _data(own.problem, names, found, n)
    problems = [own.problem for own, _, _, pairs in known for _ in pairs]
    printed = [
        [text(problem), *row] for problem, row in zip(unrepeated(problems), rows, strict=True)
    ]
    which = "all pairs" if control is None else f"comparisons with {control}"
    caption = (
        "How often the comparison of A and B would be significant at 5%, by the signed-rank test "
        f"with Holm's correction for {which} of the problem (strategies that came to the same "
        f"counted once): {_SIMULATIONS} experiments are drawn, with replacement, from the n seeds "
        "of this one, all strategies of a seed together. In brackets what these seeds leave open: "
        f"95% of the same over {_PILOTS} resampled pilots. Needed: the fewest seeds tried (up to "
        f"{SEEDS[-1]}) from which on the power is {_WANTED:.0%}; least: those below which no "
        "difference at all can be significant. It speaks of new seeds on this problem. Power at "
        "the n of the pilot itself says no more than its p-value; it is there to plan the next "
        f"experiment. Problems with fewer than {LEAST_PILOT} such seeds are left out; the CSV has "
        "every number of seeds."
    )
    head = ["Problem", "A", "B", "n", "Power at n", "Needed", "Least"]
    title = "Seeds that a claim needs"
    return Table("power", title, caption, pd.DataFrame(data), head, printed, breaks(problems))


def too_many(result: Result, compared: Sequence[Finals], control: str | None = None) -> str:
    """Say that there is no table for the number of pairs; empty where that is not why."""
    pairs = _pairs_of(_all_known(result, compared, control))
    if pairs <= _MOST_TESTS:
        return ""
    return (
        f"How many seeds these claims need is not simulated for {pairs:,} pairs, more than "
        f"{_MOST_TESTS}: a report with --control NAME or --only NAME has fewer, and "
        "analysis.power.power takes those of a problem."
    )


Known = tuple[Finals, list[str], np.ndarray, list[tuple[int, int]]]
"""A problem's finals; the names, losses and pairs of the strategies that differ."""


def _all_known(result: Result, compared: Sequence[Finals], control: str | None) -> list[Known]:
    found = [_known(result, own, control) for own in compared]
    return [own for own in found if own is not None]


def _pairs_of(known: Sequence[Known]) -> int:
    return sum(len(pairs) for *_, pairs in known)


def _known(result: Result, own: Finals, control: str | None) -> Known | None:
    strategies = list(own.values)
    losses = paired(result, own, strategies)
    if losses.shape[1] < LEAST_PILOT:
        return None
    groups = grouped(strategies, {own.problem: losses})
    pairs = list(combinations(range(len(groups)), 2))
    if control is not None:
        at = next((i for i, group in enumerate(groups) if control in group), None)
        pairs = [] if at is None else [(at, i) for i in range(len(groups)) if i != at]
    if not pairs:
        return None
    rows = [strategies.index(group[0]) for group in groups]
    return own, [" = ".join(group) for group in groups], losses[rows], pairs


def _rows(problem: str, names: Sequence[str], found: Power, n: int) -> list[list[Cell]]:
    at = found.seeds.index(n)
    return [
        [
            text(names[a]),
            text(names[b]),
            count(n),
            Cell(
                f"{found.power[i, at]:.0%} [{found.low[i, at]:.0%}, {found.high[i, at]:.0%}]",
                is_number=True,
            ),
            Cell(f"> {found.seeds[-1]}" if needed is None else str(needed), is_number=True),
            count(found.least),
        ]
        for i, ((a, b), needed) in enumerate(zip(found.pairs, found.needed(_WANTED), strict=True))
    ]


def _data(problem: str, names: Sequence[str], found: Power, n: int) -> list[dict[str, object]]:
    return [
        {
            "problem": problem,
            "first": names[a],
            "second": names[b],
            "pilot": n,
            "tests": found.family,
            "seeds": seeds,
            "power": found.power[i, s],
            "low": found.low[i, s],
            "high": found.high[i, s],
        }
        for i, (a, b) in enumerate(found.pairs)
        for s, seeds in enumerate(found.seeds)
    ]
