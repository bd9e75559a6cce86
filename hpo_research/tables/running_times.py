"""Expected running times at targets, as a table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hpo_research.analysis.running_times import RunningTimes, targets_said
from hpo_research.tables.table import NONE, Cell, Table, breaks, printed, text, unrepeated

_PRINTED = {"COCO": (5, 10, 15, 25, 35, 45), "between": (10, 20, 30, 40, 50)}
"""Places of the targets that are printed: of COCO's, 10, 1, 0.1, 10⁻³, 10⁻⁵ and 10⁻⁷."""


def running_times_table(found: Sequence[RunningTimes]) -> Table:
    """Return expected running times: a row a problem and target, a column a strategy."""
    problems = [own.problem for own in found for _ in _PRINTED[own.rule]]
    rows = [
        [text(problem), Cell(f"{own.targets[t]:.2g}", is_number=True), *_cells(own, t)]
        for problem, (own, t) in zip(
            unrepeated(problems),
            [(own, t) for own in found for t in _PRINTED[own.rule]],
            strict=True,
        )
    ]
    data = pd.DataFrame([row for own in found for row in _data(own)])
    caption = " ".join(
        [
            "Expected running time (ERT) in evaluations, full trainings, until a distance from "
            "the best value is reached: what all runs had spent when they reached it or ended, by "
            "the number of those that reached it. Behind a slash, the runs that did, of those on "
            "the seeds that every strategy has finished; a dash: none did.",
            *targets_said(found),
            "The CSV has all targets, and 95% percentile bootstrap intervals over seeds. Nothing "
            "is marked as best: no test stands behind these numbers.",
        ]
    )
    head = ["Problem", "Distance", *found[0].strategies]
    title = "Expected running times"
    return Table("running-times", title, caption, data, head, rows, breaks(problems))


def _cells(own: RunningTimes, target: int) -> list[Cell]:
    reached = np.isfinite(own.times[:, :, target]).sum(axis=1)
    return [
        Cell(
            NONE if not count else f"{printed(float(expected))} / {count}",
            is_number=True,
        )
        for expected, count in zip(own.expected[:, target], reached, strict=True)
    ]


def _data(own: RunningTimes) -> list[dict[str, object]]:
    low, high = own.interval
    reached = np.isfinite(own.times).sum(axis=1)
    return [
        {
            "problem": own.problem,
            "strategy": name,
            "targets": own.rule,
            "distance": own.targets[t],
            "ert": own.expected[i, t],
            "low": low[i, t],
            "high": high[i, t],
            "reached": reached[i, t],
            "seeds": len(own.seeds),
        }
        for i, name in enumerate(own.strategies)
        for t in range(len(own.targets))
    ]
