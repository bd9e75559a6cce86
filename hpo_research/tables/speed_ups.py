"""How soon one strategy is where another ends, as a table."""

import numpy as np
import pandas as pd

from hpo_research.analysis.bootstrap import LEAST_SEEDS
from hpo_research.analysis.speed_ups import SpeedUps
from hpo_research.tables.table import NONE, Cell, Table, count, text


def speed_ups_table(found: SpeedUps) -> Table:
    """Return shares of the budget: a row a strategy, a column each that it is compared with."""
    k = range(len(found.strategies))
    rows = [
        [count(i + 1), text(name), *(_cell(found, i, j) for j in k)]
        for i, name in enumerate(found.strategies)
    ]
    data = pd.DataFrame(
        [
            {
                "strategy": found.strategies[i],
                "where_ends": found.strategies[j],
                "share": found.share[i, j],
                "low": found.low[i, j],
                "high": found.high[i, j],
                "reached": found.reached[i, j],
                "problems": len(found.problems),
            }
            for i in k
            for j in k
        ]
    )
    has_band = found.seeds >= LEAST_SEEDS
    caption = (
        "The share of a run's budget that the strategy of the row takes to be where that of the "
        "column, by number, ends: the least share at which its median over the seeds that all have "
        "finished is as good as the other's with all of its budget; the median over "
        f"{len(found.problems)} problems (of two in the middle the greater). A dash: it does not "
        "get there on most of them. In parentheses, on how many it gets there at all, where not "
        "on all. In its own column stands when a strategy stopped improving. "
        f"Budgets count {found.axis}."
        + (
            " In brackets 95% percentile bootstrap intervals over seeds, with a dash for an end "
            "that the budget does not reach."
            if has_band
            else f" There is no interval for fewer than {LEAST_SEEDS} seeds."
        )
    )
    head = ["", "Strategy", *(str(j + 1) for j in k)]
    return Table("speed-ups", "How soon one is where another ends", caption, data, head, rows)


def _cell(found: SpeedUps, i: int, j: int) -> Cell:
    """Return a share, its interval, and on how many problems it is there where not on all."""
    share, reached = float(found.share[i, j]), int(found.reached[i, j])
    said = _share(share)
    if found.seeds >= LEAST_SEEDS and np.isfinite(share) and i != j:
        said += f" [{_share(float(found.low[i, j]))}, {_share(float(found.high[i, j]))}]"
    if reached < len(found.problems):
        said += f" ({reached}/{len(found.problems)})"
    return Cell(said, is_number=True)


def _share(value: float) -> str:
    return NONE if np.isinf(value) else f"{value:.0%}"
