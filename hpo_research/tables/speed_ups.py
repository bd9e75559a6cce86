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
        [count(i + 1), text(name), *(_share(float(found.share[i, j])) for j in k)]
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
        "get there on most of them. In its own column stands when a strategy stopped improving. "
        f"Budgets count {found.axis}. The CSV has on how many problems it gets there"
        + (", and 95% percentile bootstrap intervals over seeds." if has_band else ".")
    )
    head = ["", "Strategy", *(str(j + 1) for j in k)]
    return Table("speed-ups", "How soon one is where another ends", caption, data, head, rows)


def _share(value: float) -> Cell:
    return Cell(NONE if np.isinf(value) else f"{value:.0%}", is_number=True)
