"""What runs of noisy problems stood for as they went on: recommended beside best observed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from hpo_research.analysis.choices import Choices
from hpo_research.analysis.extremes import located
from hpo_research.analysis.incumbents import Curve, at
from hpo_research.analysis.leaders import Leaders, explained, leaders
from hpo_research.analysis.result import Result
from hpo_research.records import Direction, sign
from hpo_research.store import RunName
from hpo_research.tables.marks import mark
from hpo_research.tables.table import Cell, Table, breaks, number, text, unrepeated
from hpo_research.tables.values import then

QUARTERS = (0.25, 0.5, 0.75, 1.0)
TITLE = "Values without noise at each quarter"


@dataclass(frozen=True)
class Row:
    """One problem × strategy at one quarter; a row of the CSV."""

    problem: str
    metric: str
    is_regret: bool
    direction: Direction
    strategy: str
    quarter: float
    epochs: float
    recommended: float
    best_observed: float
    seeds: int


def choices_table(result: Result, known: Sequence[Choices]) -> Table:
    """Return medians over seeds after each quarter, by both choices: a row a problem × strategy."""
    data = [
        row for own in known for strategy in own.observed for row in _rows(result, own, strategy)
    ]
    pairs = list(dict.fromkeys((row.problem, row.strategy) for row in data))
    problems = [problem for problem, _ in pairs]
    led = _led(result, known, data)
    rows = [
        [text(shown), text(strategy), *_cells(data, led, problem, strategy)]
        for shown, (problem, strategy) in zip(unrepeated(problems), pairs, strict=True)
    ]
    regrets = [own.problem for own in known if own.is_regret]
    said = f" On {', '.join(regrets)}, it is the distance from the optimum." if regrets else ""
    caption = (
        "Medians over seeds of the value without noise of the trial that a run stood for when it "
        f"had spent so much of the epochs of the longest run.{said} Recommended: the trial that "
        "the strategy's own model held for the best then; the best observed one where it has none. "
        "Best observed: the trial with the best value as reported, with noise. A value is that at "
        f"the epoch that counted then.{then(explained(led))}"
    )
    later = [f"{quarter:.0%}" for quarter in QUARTERS[1:]]
    head = ["Problem", "Strategy", "Recommended, 25%", *later, "Best observed, 25%", *later]
    frame = pd.DataFrame(map(asdict, data))
    return Table("noise_free_quarters", TITLE, caption, frame, head, rows, breaks(problems))


def _rows(result: Result, own: Choices, strategy: str) -> list[Row]:
    recommended, observed = own.recommended[strategy], own.observed[strategy]
    cost = recommended.cost[-1] * np.array(QUARTERS)
    medians = zip(
        QUARTERS, cost, _medians(recommended, cost), _medians(observed, cost), strict=True
    )
    return [
        Row(
            own.problem,
            result.facts.problems[own.problem].metric,
            own.is_regret,
            observed.direction,
            strategy,
            quarter,
            float(np.ceil(epochs)),
            model,
            value,
            len(observed.seeds),
        )
        for quarter, epochs, model, value in medians
    ]


def _medians(curve: Curve, cost: np.ndarray) -> list[float]:
    """Return the median at each cost, NaN where a seed has no value."""
    values = at(curve, np.ceil(cost))
    return [
        float("nan") if np.isnan(own).any() else float(located(np.median, own)) for own in values.T
    ]


def _led(result: Result, known: Sequence[Choices], data: Sequence[Row]) -> dict[str, Leaders]:
    """Return who leads by problem, choice and quarter, over seeds in which all are finished."""
    found = {}
    for own in known:
        for choice, curves in _curves(own).items():
            for quarter in QUARTERS:
                losses = _losses(result, own.problem, curves, quarter)
                centers = {
                    row.strategy: sign(row.direction) * getattr(row, choice)
                    for row in data
                    if (row.problem, row.quarter) == (own.problem, quarter)
                }
                led = leaders(losses, centers)
                if led is not None:
                    found[_key(own.problem, choice, quarter)] = led
    return found


def _curves(own: Choices) -> dict[str, Mapping[str, Curve]]:
    return {"recommended": own.recommended, "best_observed": own.observed}


def _key(problem: str, choice: str, quarter: float) -> str:
    return f"{problem} ({choice.replace('_', ' ')}, {quarter:.0%})"


def _losses(
    result: Result, problem: str, curves: Mapping[str, Curve], quarter: float
) -> dict[str, np.ndarray]:
    """Return values as losses, infinite where there is none, over the seeds that all finished."""
    shared = set.intersection(*(set(own.seeds) for own in curves.values()))
    seeds = sorted(
        seed
        for seed in shared
        if all(RunName(problem, name, seed) in result.over for name in curves)
    )
    found = {}
    for name, own in curves.items():
        values = at(own, np.ceil(own.cost[-1:] * quarter))[:, 0]
        paired = values[[own.seeds.index(seed) for seed in seeds]]
        found[name] = np.where(np.isnan(paired), np.inf, sign(own.direction) * paired)
    return found


def _cells(
    data: Sequence[Row], led: Mapping[str, Leaders], problem: str, strategy: str
) -> list[Cell]:
    here = {row.quarter: row for row in data if (row.problem, row.strategy) == (problem, strategy)}
    return [
        number(
            getattr(here[quarter], choice),
            mark(led, _key(problem, choice, quarter), strategy),
        )
        for choice in ("recommended", "best_observed")
        for quarter in QUARTERS
    ]
