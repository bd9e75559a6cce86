"""Final results of noisy problems without the noise: recommended and best observed trials apart."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from hpo_research.analysis.leaders import Leaders, explained
from hpo_research.analysis.noise_free import NoiseFree
from hpo_research.analysis.rebuild import answers_of
from hpo_research.analysis.result import Result
from hpo_research.records import Direction
from hpo_research.tables.marks import mark, with_tests
from hpo_research.tables.table import (
    Cell,
    Table,
    breaks,
    interval,
    number,
    share,
    text,
    unrepeated,
)
from hpo_research.tables.values import (
    TITLE,
    bounds,
    explanation,
    intervals,
    led_by_median,
    said,
    then,
)

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
    led = {
        "recommended": led_by_median(result, [own.recommended for own in known]),
        "best_observed": led_by_median(result, [own.observed for own in known]),
    }
    labels = {own.recommended.problem: said(own.recommended) for own in known}
    problems = [row.problem for row in data]
    rows = [
        [text(problem), text(labels.get(problem, "")), *_cells(row, led)]
        for problem, row in zip(unrepeated(problems), data, strict=True)
    ]
    caption = (
        f"{_CHOICES} {intervals([row.seeds_with_value for row in data])} {_own_methods(result)}"
        f"{explanation(result, [own.recommended for own in known])}{then(explained(_apart(led)))}"
    )
    between = "95% interval"
    choices = ["Recommended", between, "Best observed", between]
    head = ["Problem", "Value", "Strategy", *choices, "Seeds"]
    frame = pd.DataFrame(map(asdict, data))
    for choice, own in led.items():
        frame = with_tests(frame, own, choice)
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


def _apart(led: Mapping[str, Mapping[str, Leaders]]) -> dict[str, Leaders]:
    """Return the tests of both choices, which have the same seeds on a problem, as one mapping."""
    found: dict[str, Leaders] = {}
    for choice, own in led.items():
        found |= {f"{problem} ({choice.replace('_', ' ')})": test for problem, test in own.items()}
    return found


def _cells(row: Row, led: Mapping[str, Mapping[str, Leaders]]) -> list[Cell]:
    recommended, observed = (mark(own, row.problem, row.strategy) for own in led.values())
    return [
        text(row.strategy),
        number(row.recommended, recommended),
        interval(row.recommended_low, row.recommended_high),
        number(row.best_observed, observed),
        interval(row.best_observed_low, row.best_observed_high),
        share(row.seeds_with_value, row.seeds),
    ]
