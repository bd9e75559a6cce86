"""What the strategies spent: trials, failures, epochs; and, in a table of its own, seconds."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from hpo_research.analysis.result import Result
from hpo_research.store import RunName
from hpo_research.tables.table import Table, breaks, count, number, text, unrepeated


@dataclass(frozen=True)
class Spent:
    """What one problem × strategy cost, over all seeds; a row of the CSV."""

    problem: str
    strategy: str
    runs: int
    runs_over: int
    trials: int
    failed: int
    epochs: int
    evaluations_per_run: float


@dataclass(frozen=True)
class Seconds:
    """The seconds of one problem × strategy, over all seeds; a row of the CSV."""

    problem: str
    strategy: str
    runs: int
    search_seconds: float
    training_seconds: float
    search_seconds_per_run: float
    training_seconds_per_run: float


def spent_table(result: Result) -> Table:
    """Return trials, failures and epochs: a row a problem × strategy, over all seeds."""
    data = [_spent(result, *pair) for pair in _pairs(result)]
    problems = [row.problem for row in data]
    counts = [(row.runs, row.runs_over, row.trials, row.failed, row.epochs) for row in data]
    rows = [
        [text(problem), text(row.strategy), *map(count, own), number(row.evaluations_per_run)]
        for problem, row, own in zip(unrepeated(problems), data, counts, strict=True)
    ]
    caption = (
        "Sums over all runs. An evaluation is as many epochs as a whole training of the problem "
        "has; the epochs of trials that were stopped or failed count."
    )
    head = ["Problem", "Strategy", "Runs", "Over", "Trials", "Failed", "Epochs"]
    head += ["Evaluations a run"]
    frame = pd.DataFrame(map(asdict, data))
    return Table("spent", "What was spent", caption, frame, head, rows, breaks(problems))


def seconds_table(result: Result) -> Table:
    """Return the seconds of search and of training: a row a problem × strategy."""
    data = [_seconds(result, *pair) for pair in _pairs(result)]
    problems = [row.problem for row in data]
    rows = [
        [
            text(problem),
            text(row.strategy),
            number(row.search_seconds),
            number(row.training_seconds),
            number(row.search_seconds_per_run),
            number(row.training_seconds_per_run),
        ]
        for problem, row in zip(unrepeated(problems), data, strict=True)
    ]
    caption = (
        "Search is the time that asking took. Runs are asked and trained in batches: a run's "
        "seconds are its share of the wall time of its batches. Problems that replay recorded "
        "trainings count the recorded seconds."
    )
    head = ["Problem", "Strategy", "Search (s)", "Training (s)"]
    head += ["Search a run (s)", "Training a run (s)"]
    frame = pd.DataFrame(map(asdict, data))
    return Table("seconds", "Seconds", caption, frame, head, rows, breaks(problems))


def _pairs(result: Result) -> Iterator[tuple[str, str, Sequence[RunName]]]:
    """Yield each problem and strategy in the experiment's order, with its runs by seed."""
    for problem in result.description["problems"]:
        for strategy in result.description["strategies"]:
            names = sorted(name for name in result.runs if name[:2] == (problem, strategy))
            if names:
                yield problem, strategy, names


def _spent(result: Result, problem: str, strategy: str, names: Sequence[RunName]) -> Spent:
    trials = [trial for name in names for trial in result.runs[name].trials]
    epochs = sum(result.costs[name].epochs for name in names)
    return Spent(
        problem,
        strategy,
        runs=len(names),
        runs_over=sum(name in result.over for name in names),
        trials=len(trials),
        failed=sum(trial.status == "failed" for trial in trials),
        epochs=epochs,
        evaluations_per_run=epochs / result.runs[names[0]].max_epochs / len(names),
    )


def _seconds(result: Result, problem: str, strategy: str, names: Sequence[RunName]) -> Seconds:
    whole = sum(result.costs[name].seconds for name in names)
    training = sum(trial.seconds for name in names for trial in result.runs[name].trials)
    search = max(whole - training, 0.0)
    n = len(names)
    return Seconds(problem, strategy, n, search, training, search / n, training / n)
