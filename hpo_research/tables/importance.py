"""Which hyperparameters made trials good, as a table."""

from dataclasses import asdict

import pandas as pd

from hpo_research.analysis.importance import TITLE, by_problem, explained
from hpo_research.analysis.result import Result
from hpo_research.tables.table import Table, breaks, number, share, text, unrepeated


def importance_table(result: Result) -> Table | None:
    """Return the importance of each hyperparameter by problem; None where there is none to tell."""
    found = by_problem(result)
    rows = [row for own in found.values() for row in own]
    if not rows:
        return None
    problems = [row.problem for row in rows]
    cells = [
        [text(name), text(row.parameter), number(row.share), share(row.best, row.trials)]
        for name, row in zip(unrepeated(problems), rows, strict=True)
    ]
    head = ["Problem", "Hyperparameter", "Importance", "Best trials"]
    frame = pd.DataFrame([asdict(row) for row in rows])
    return Table("importance", TITLE, explained(found), frame, head, cells, breaks(problems))
