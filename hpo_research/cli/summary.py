"""A result in a few rows: one a problem and strategy, over all seeds."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from rich.table import Table

from hpo_research.analysis.extremes import located
from hpo_research.analysis.result import Result
from hpo_research.cli.console import add_row, plain_table
from hpo_research.experiment import Budget
from hpo_research.store import RunName
from hpo_research.text import count


@dataclass(frozen=True)
class Row:
    """One problem × strategy.

    `runs` of which `over` have come to their end; counts of `trials`; `epochs` spent; `best` is
    the median over seeds of each run's best value, None before any; `share` of the budget that is
    spent, 1 for a run that is over, None where there is no budget (a study).
    """

    problem: str
    strategy: str
    runs: int
    over: int
    trials: int
    running: int
    failed: int
    epochs: int
    best: float | None
    share: float | None


def rows(result: Result) -> list[Row]:
    """Return the rows, sorted by problem and strategy as the experiment lists them."""
    pairs = dict.fromkeys((name.problem, name.strategy) for name in result.runs)
    order = {name: i for i, name in enumerate(result.facts.problems)}
    return [_row(result, *pair) for pair in sorted(pairs, key=lambda pair: order[pair[0]])]


def _row(result: Result, problem: str, strategy: str) -> Row:
    names = list(result.select(problem, strategy))
    trials = [trial for name in names for trial in result.runs[name].trials]
    best = [trial.value for name in names if (trial := result.runs[name].best()) is not None]
    values = [value for value in best if value is not None]
    shares = [share for name in names if (share := _share(result, name)) is not None]
    return Row(
        problem,
        strategy,
        runs=len(names),
        over=sum(name in result.over for name in names),
        trials=len(trials),
        running=sum(trial.is_running for trial in trials),
        failed=sum(trial.status == "failed" for trial in trials),
        epochs=sum(result.histories[name].cost.epochs for name in names),
        best=float(located(np.median, values)) if values else None,
        share=sum(shares) / len(names) if shares else None,
    )


def _share(result: Result, name: RunName) -> float | None:
    budget = result.facts.budget
    if budget is None:
        return None
    if name in result.over:
        return 1.0
    limits = Budget(**asdict(budget)).limits(result.runs[name].max_epochs)
    cost = result.histories[name].cost
    is_timed_by_clock = result.facts.execution != "lock-step"
    elapsed = cost.clock if is_timed_by_clock else cost.seconds
    return limits.share(cost.epochs, len(result.runs[name].trials), elapsed)


def table(rows: Sequence[Row], *, is_final: bool = False) -> Table:
    """Lay the rows out; a final table leaves out what tells how far an experiment is."""
    drawn = plain_table("problem", "strategy")
    for title in ("seeds", "median best", "trials", "failed", "epochs"):
        drawn.add_column(title, justify="right")
    if not is_final:
        for title in ("running", "runs finished", "budget"):
            drawn.add_column(title, justify="right")
    for row in rows:
        cells = [
            row.problem,
            row.strategy,
            str(row.runs),
            "-" if row.best is None else f"{row.best:.5g}",
        ]
        cells += [str(row.trials), str(row.failed), str(row.epochs)]
        if not is_final:
            share = "-" if row.share is None else f"{row.share:.0%}"
            cells += [str(row.running), f"{row.over}/{row.runs}", share]
        add_row(drawn, *cells)
    return drawn


def rest(result: Result) -> str:
    """Say what is not over, to be put behind a line; nothing where all is."""
    left = len(result.runs) - len(result.over)
    return f"; not finished: {left} of {count(len(result.runs), 'run')}" if left else ""
