"""What the strategies spent: trials, failures, epochs; and, in a table of its own, seconds."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from hpo_research.analysis.result import Result
from hpo_research.analysis.spending import spending
from hpo_research.records import OPEN, Run, Trial
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
    on_finished: int
    on_stopped: int
    on_paused: int
    on_running: int
    on_failed: int
    unreported: int
    continued: int
    evaluations_per_run: float


@dataclass(frozen=True)
class Seconds:
    """The seconds of one problem × strategy, over all seeds; a row of the CSV."""

    problem: str
    strategy: str
    runs: int
    search_seconds: float
    training_seconds: float
    waiting_seconds: float
    search_seconds_per_run: float
    training_seconds_per_run: float


def spent_table(result: Result) -> Table:
    """Return trials, failures and epochs: a row a problem × strategy, over all seeds."""
    data = [_spent(result, *pair) for pair in _pairs(result)]
    problems = [row.problem for row in data]
    counts = [_counts(row) for row in data]
    rows = [
        [text(problem), text(row.strategy), *map(count, own), number(row.evaluations_per_run)]
        for problem, row, own in zip(unrepeated(problems), data, counts, strict=True)
    ]
    caption = (
        "Sums over all runs. One evaluation is as many epochs as a full training of the problem; "
        "the epochs of trials that were stopped or failed count. “On stopped” and “On paused” are "
        "the epochs spent on trials that were stopped and on trials that are paused; “Continued” "
        "are those trained after a pause. The CSV file has the rest of the ledger."
    )
    head = ["Problem", "Strategy", "Runs", "Finished", "Trials", "Failed", "Epochs"]
    head += ["On stopped", "On paused", "Continued", "Evaluations per run"]
    frame = pd.DataFrame(map(asdict, data))
    spare = ("Finished", "Continued", "On paused")
    title = "What was spent"
    return Table("spent", title, caption, frame, head, rows, breaks(problems), spare=spare)


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
            number(row.waiting_seconds),
            number(row.search_seconds_per_run),
            number(row.training_seconds_per_run),
        ]
        for problem, row in zip(unrepeated(problems), data, strict=True)
    ]
    caption = (
        "Search is the time spent on asks. Runs are asked and trained in batches: a run's "
        "seconds are its share of the wall time of its batches. Problems that replay recorded "
        "trainings count the recorded seconds. Waiting is the time that slots were "
        "idle by the runs' clocks; in lock-step there is none."
    )
    head = ["Problem", "Strategy", "Search (s)", "Training (s)", "Waiting (s)"]
    head += ["Search per run (s)", "Training per run (s)"]
    frame = pd.DataFrame(map(asdict, data))
    return Table("seconds", "Seconds", caption, frame, head, rows, breaks(problems))


def _pairs(result: Result) -> Iterator[tuple[str, str, Sequence[RunName]]]:
    """Yield each problem and strategy in the experiment's order, with its runs by seed."""
    for problem in result.facts.problems:
        for strategy in result.facts.strategies:
            names = list(result.select(problem, strategy))
            if names:
                yield problem, strategy, names


def _counts(row: Spent) -> tuple[int, ...]:
    own = (row.on_stopped, row.on_paused, row.continued)
    return (row.runs, row.runs_over, row.trials, row.failed, row.epochs, *own)


def _spent(result: Result, problem: str, strategy: str, names: Sequence[RunName]) -> Spent:
    trials = [trial for name in names for trial in result.runs[name].trials]
    own = [spending(result, name) for name in names]
    epochs = sum(run.epochs for run in own)
    return Spent(
        problem,
        strategy,
        runs=len(names),
        runs_over=sum(name in result.over for name in names),
        trials=len(trials),
        failed=sum(trial.status == "failed" for trial in trials),
        epochs=epochs,
        on_finished=sum(run.finished for run in own),
        on_stopped=sum(run.stopped for run in own),
        on_paused=sum(run.paused for run in own),
        on_running=sum(run.running for run in own),
        on_failed=sum(run.failed for run in own),
        unreported=sum(run.unreported for run in own),
        continued=sum(run.continued for run in own),
        evaluations_per_run=_evaluations(result.runs[names[0]], epochs, trials) / len(names),
    )


def _evaluations(run: Run, epochs: int, trials: Sequence[Trial]) -> float:
    """Return what epochs come to in evaluations: ended trials, where their length is open."""
    if run.max_epochs == OPEN:
        return sum(trial.place is not None for trial in trials)
    return epochs / run.max_epochs


def _seconds(result: Result, problem: str, strategy: str, names: Sequence[RunName]) -> Seconds:
    own = [spending(result, name) for name in names]
    search = sum(run.search_seconds for run in own)
    training = sum(run.training_seconds for run in own)
    waiting = sum(run.waiting_seconds for run in own)
    n = len(names)
    return Seconds(problem, strategy, n, search, training, waiting, search / n, training / n)
