"""Strategies over problems: mean ranks, and Nemenyi's test of every pair."""

import pandas as pd

from hpo_research.analysis.over_problems import OverProblems
from hpo_research.tables.table import NONE, Cell, Table, count, number, p_value, text


def over_problems_table(compared: OverProblems) -> Table:
    """Return mean ranks with Nemenyi's p of every pair: a row a strategy, the best first."""
    test, order = compared.test, compared.test.order
    names = [compared.names[i] for i in order]
    rows = [
        [
            count(place),
            text(name),
            number(float(test.mean_ranks[i])),
            *(
                Cell(NONE, is_number=True) if i == j else p_value(float(test.nemenyi[i, j]))
                for j in order
            ),
        ]
        for place, (i, name) in enumerate(zip(order, names, strict=True), start=1)
    ]
    data = pd.DataFrame(
        [
            {
                "first": names[a],
                "second": names[b],
                "mean_rank_first": test.mean_ranks[i],
                "mean_rank_second": test.mean_ranks[j],
                "p_nemenyi": test.nemenyi[i, j],
                "critical_difference": test.critical_difference,
                "friedman_f": test.statistic,
                "friedman_p": test.p,
                "problems": len(compared.problems),
            }
            for a, i in enumerate(order)
            for b, j in enumerate(order)
            if a < b
        ]
    )
    numbers = [str(place + 1) for place in range(len(order))]
    caption = " ".join(["Columns by number: p of the pair.", *compared.sentences()])
    head = ["", "Strategy", "Mean rank", *numbers]
    return Table("over-problems", "Ranks over problems", caption, data, head, rows)
