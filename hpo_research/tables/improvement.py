"""The probability of improvement, and interquartile means, as tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hpo_research.analysis.finals import Finals
from hpo_research.analysis.improvement import LEAST_SEEDS, Improvement, interquartile
from hpo_research.records import sign
from hpo_research.tables.table import (
    NONE,
    Cell,
    Table,
    breaks,
    count,
    interval,
    number,
    text,
    unrepeated,
)


def improvement_table(found: Improvement) -> Table:
    """Return probabilities of improvement: a row a strategy, a column each that it is against."""
    k = range(len(found.strategies))
    rows = [[count(i + 1), text(found.names[i]), *(_cell(found, i, j) for j in k)] for i in k]
    data = pd.DataFrame(
        [
            {
                "problem": "all problems" if p is None else found.problems[p],
                "strategy": found.names[i],
                "against": found.names[j],
                "probability": (found.mean if p is None else found.each[p])[i, j],
                "low": found.low[i, j] if p is None else np.nan,
                "high": found.high[i, j] if p is None else np.nan,
            }
            for p in [None, *range(len(found.problems))]
            for i in k
            for j in k
            if i != j
        ]
    )
    same = [", ".join(group) for group in found.strategies if len(group) > 1]
    band = (
        "In brackets 95% percentile bootstrap intervals, runs resampled within problems; they are "
        "not corrected for their number."
        if found.has_interval
        else f"There is no interval, as a problem has fewer than {LEAST_SEEDS} seeds."
    )
    caption = " ".join(
        [
            "The probability that a run of the strategy of the row ends better than one of the "
            "column's, by number (Agarwal et al. 2021): over all pairs of their runs, equal ones "
            f"counting half; the mean over {len(found.problems)} problem"
            f"{'s' * (len(found.problems) > 1)}, each weighted equally. Final values over the "
            "seeds that every strategy has finished; a run without a value is the worst.",
            band,
            *(f"{group} came to the same on every seed and count once." for group in same),
            "The CSV has each problem.",
        ]
    )
    head = ["", "Strategy", *(str(j + 1) for j in k)]
    return Table("improvement", "Probability of improvement", caption, data, head, rows)


def interquartile_table(compared: Sequence[Finals]) -> Table:
    """Return interquartile means of the final values: a row a problem and strategy."""
    data: list[dict[str, Any]] = []
    for own in compared:
        for name, values in own.values.items():
            known = np.where(np.isnan(values), sign(own.direction) * np.inf, values)
            center, low, high = interquartile([known])
            data.append(
                {
                    "problem": own.problem,
                    "strategy": name,
                    "seeds": len(known),
                    "interquartile_mean": center,
                    "low": low,
                    "high": high,
                }
            )
    problems = [row["problem"] for row in data]
    rows = [
        [
            text(problem),
            text(row["strategy"]),
            Cell(str(row["seeds"]), is_number=True),
            number(row["interquartile_mean"]),
            interval(row["low"], row["high"]),
        ]
        for problem, row in zip(unrepeated(problems), data, strict=True)
    ]
    caption = (
        "The interquartile mean of the final values: that of the middle half of the n runs. In "
        "brackets 95% percentile bootstrap intervals over runs (2,000 resamples); a dash: fewer "
        f"than {LEAST_SEEDS} runs, of which it would cover too little. A run without a value is "
        "the worst. Nothing is marked as best: no test stands behind these numbers."
    )
    head = ["Problem", "Strategy", "n", "Interquartile mean", "95%"]
    title = "Interquartile means"
    return Table("interquartile", title, caption, pd.DataFrame(data), head, rows, breaks(problems))


def _cell(found: Improvement, i: int, j: int) -> Cell:
    if i == j:
        return Cell(NONE, is_number=True)
    band = f" [{found.low[i, j]:.0%}, {found.high[i, j]:.0%}]" if found.has_interval else ""
    return Cell(f"{found.mean[i, j]:.0%}{band}", is_number=True)
