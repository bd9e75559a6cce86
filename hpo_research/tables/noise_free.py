"""Final results of noisy problems without the noise: recommended and best observed trials apart."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from hpo_research.analysis.noise_free import NoiseFree
from hpo_research.analysis.rebuild import answers_of
from hpo_research.analysis.result import Result
from hpo_research.records import Direction
from hpo_research.tables.table import (
    Cell,
    Table,
    best_of,
    breaks,
    interval,
    number,
    share,
    text,
    unrepeated,
)
from hpo_research.tables.values import TITLE, bounds, explanation, intervals, medians_of, said

_CHOICES = (
    "Medians over seeds of values without noise. Recommended: the trial of each run with the best "
    "posterior mean under the strategy's own model; the best observed one where it has none. Best "
    "observed: the trial with the best value as reported, with noise."
)


@dataclass(frozen=True)
class Row:
    """One problem × strategy without noise; a row of the CSV."""

    problem: str
    metric: str
    is_regret: bool
    direction: Direction
    strategy: str
    recommended: float
    recommended_low: float
    recommended_high: float
    best_observed: float
    best_observed_low: float
    best_observed_high: float
    seeds_with_value: int
    seeds: int


def noise_free_table(result: Result, known: Sequence[NoiseFree]) -> Table:
    """Return medians and their intervals by either choice of a trial: a row a problem × strategy.

    The intervals are those of `finals_table`.
    """
    data = [_row(own, strategy) for own in known for strategy in own.recommended.values]
    best = {
        own.recommended.problem: [
            best_of(medians_of(choice), choice.direction)
            for choice in (own.recommended, own.observed)
        ]
        for own in known
    }
    labels = {own.recommended.problem: said(own.recommended) for own in known}
    problems = [row.problem for row in data]
    rows = [
        [text(problem), text(labels.get(problem, "")), *_cells(row, best[row.problem])]
        for problem, row in zip(unrepeated(problems), data, strict=True)
    ]
    caption = (
        f"{_CHOICES} {intervals([row.seeds_with_value for row in data])} The best medians of each "
        f"problem are bold. {_own_methods(result)}"
        f"{explanation(result, [own.recommended for own in known])}"
    )
    between = "95% interval"
    choices = ["Recommended", between, "Best observed", between]
    head = ["Problem", "Value", "Strategy", *choices, "Seeds"]
    frame = pd.DataFrame(map(asdict, data))
    return Table("noise_free", TITLE, caption, frame, head, rows, breaks(problems))


def _own_methods(result: Result) -> str:
    """Say which strategies recommend by a method of the user's, which a reader does not run."""
    names = [
        name
        for name in result.facts.strategies
        if "recommend" in answers_of(result.facts, name).own
    ]
    if not names:
        return ""
    return (
        f"Of {', '.join(names)}, which recommends by a method of its own, the best observed trial "
        "appears in both columns: tables are made from the store, without the user's code. "
    )


def _row(own: NoiseFree, strategy: str) -> Row:
    shown, values = own.recommended, own.recommended.values[strategy]
    return Row(
        shown.problem,
        shown.metric,
        shown.is_regret,
        shown.direction,
        strategy,
        *bounds(shown, strategy, "median"),
        *bounds(own.observed, strategy, "median"),
        int((~np.isnan(values)).sum()),
        len(values),
    )


def _cells(row: Row, best: Sequence[Collection[str]]) -> list[Cell]:
    recommended, observed = (row.strategy in names for names in best)
    return [
        text(row.strategy),
        number(row.recommended, is_best=recommended),
        interval(row.recommended_low, row.recommended_high),
        number(row.best_observed, is_best=observed),
        interval(row.best_observed_low, row.best_observed_high),
        share(row.seeds_with_value, row.seeds),
    ]
