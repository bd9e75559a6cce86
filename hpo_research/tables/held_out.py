"""The test accuracy of what the strategies found."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from hpo_research.analysis.finals import Finals
from hpo_research.analysis.leaders import explained, leaders_of
from hpo_research.analysis.result import Result
from hpo_research.tables.marks import mark, with_tests
from hpo_research.tables.table import (
    Table,
    breaks,
    interval,
    number,
    share,
    text,
    unrepeated,
)
from hpo_research.tables.values import bounds, intervals, then

_EPOCHS = {"last": "last epoch", "best": "best epoch by the same metric"}


@dataclass(frozen=True)
class Row:
    """The test accuracy of the incumbents of one problem × strategy; a row of the CSV."""

    problem: str
    chosen_by: str
    strategy: str
    mean: float
    mean_low: float
    mean_high: float
    seeds_with_value: int
    seeds: int


def tested_table(result: Result, known: Sequence[Finals]) -> Table:
    """Return the means over seeds and their intervals: a row a problem × strategy."""
    data = [_row(result, own, strategy) for own in known for strategy in own.values]
    means = {
        own.problem: {r.strategy: r.mean for r in data if r.problem == own.problem} for own in known
    }
    losses = {
        problem: {name: -mean for name, mean in own.items()} for problem, own in means.items()
    }
    led = leaders_of(result, known, losses)
    problems = [row.problem for row in data]
    rows = [
        [
            text(problem),
            text(row.chosen_by if problem else ""),
            text(row.strategy),
            number(row.mean, mark(led, row.problem, row.strategy)),
            interval(row.mean_low, row.mean_high),
            share(row.seeds_with_value, row.seeds),
        ]
        for problem, row in zip(unrepeated(problems), data, strict=True)
    ]
    epoch = _EPOCHS[result.facts.final]
    caption = (
        "Accuracy on the test images, which no strategy sees: of each run, the best trial by the "
        f"metric that it optimised on validation images, at its {epoch}. Means over seeds. "
        f"{intervals([row.seeds_with_value for row in data], 'mean')}{then(explained(led))}"
    )
    head = ["Problem", "Chosen by", "Strategy", "Test accuracy ↑", "95% interval", "Seeds"]
    frame = with_tests(pd.DataFrame(map(asdict, data)), led)
    title = "Test accuracy of the incumbents"
    return Table("tested", title, caption, frame, head, rows, breaks(problems))


def _row(result: Result, finals: Finals, strategy: str) -> Row:
    values = finals.values[strategy]
    return Row(
        finals.problem,
        result.facts.problems[finals.problem].metric,
        strategy,
        *bounds(finals, strategy, "mean"),
        int((~np.isnan(values)).sum()),
        len(values),
    )
