"""Data frames of a result: one row a trial, one row a report; sorted, without ids of machines."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from hpo_research.entries import EarlierTask
from hpo_research.records import OPEN, Report, Run, Trial
from hpo_research.store import RunName
from hpo_research.text import visible

_TRIAL = ["problem", "strategy", "seed", "trial"]


def trials(runs: Mapping[RunName, Run]) -> pd.DataFrame:
    """Return one row a trial, sorted by problem, strategy, seed and trial.

    Columns: `problem`, `strategy`, `seed`, `trial` (counted from 0); `status` (running, paused,
    finished, stopped, failed); `value` (the objective in the user's metric, by the experiment's
    rule; missing where there is none); `epochs` (the last epoch reported); `until` (the epoch it
    was to reach, missing where its length was open and it did not finish); `origin` (why it was
    proposed); `reason` (why it failed); `cost_seconds` (its share of the time its epochs took);
    then one column `config.NAME` a hyperparameter (missing for problems that have no such one).
    """
    rows = [
        {**name._asdict(), **_trial(trial)}
        for name, run in sorted(runs.items())
        for trial in run.trials
    ]
    fixed = [*_TRIAL, *_trial(Trial(0, {}, "running", 0))]
    fixed = list(dict.fromkeys(fixed))
    settings = list(dict.fromkeys(key for row in rows for key in row if key not in fixed))
    # A column of texts takes only UTF-8, and categories may be names of files: see `_column`.
    frame = pd.DataFrame([[row[key] for key in fixed] for row in rows], columns=fixed)
    columns = {key: _column([row.get(key) for row in rows]) for key in settings}
    if frame["until"].isna().any():
        columns["until"] = _column([row["until"] for row in rows])
    return frame.assign(**columns)


def earlier(tasks: Mapping[str, Sequence[EarlierTask]]) -> pd.DataFrame:
    """Return one row for each trial of earlier runs that a problem's runs began with.

    Columns: `problem`, `source` (its name, which may be empty), `task` (same, related), then those
    of `trials` that say what the trial was; `origin` is `prior`.
    """
    rows = [
        {"problem": problem, "source": visible(own.name), "task": own.task, **_trial(trial)}
        for problem, found in sorted(tasks.items())
        for own in found
        for trial in own.trials
    ]
    told = ("trial", "status", "value", "epochs", "origin")
    fixed = ["problem", "source", "task", *told]
    settings = dict.fromkeys(key for row in rows for key in row if key.startswith("config."))
    frame = pd.DataFrame([[row[key] for key in fixed] for row in rows], columns=fixed)
    return frame.assign(**{key: _column([row.get(key) for row in rows]) for key in settings})


def _column(values: Sequence[object]) -> "pd.Series[Any]":
    """Return numbers as numbers where no type is lost, and native objects otherwise.

    An integer column with gaps would turn into floats, so it stays a column of objects.
    """
    types = {type(value) for value in values}
    if int in types and any(map(is_beyond, values)):
        return pd.Series(values, dtype=object)
    if float in types and types <= {float, type(None)}:
        return pd.Series(values, dtype=float)
    return pd.Series(values, dtype="int64" if types == {int} else object)


def is_beyond(value: object) -> bool:
    """Whether a value is an integer that no column of 64 bits holds; older stores may have some."""
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def _trial(trial: Trial) -> dict[str, object]:
    return {
        "trial": trial.id,
        "status": trial.status,
        "value": float("nan") if trial.value is None else trial.value,
        "epochs": trial.reached,
        "until": None if trial.until == OPEN else trial.until,
        "origin": trial.origin,
        "reason": trial.reason,
        "cost_seconds": trial.seconds,
        **{f"config.{visible(name)}": value for name, value in trial.config.items()},
    }


def reports(history: Mapping[RunName, Sequence[tuple[Report, int, int]]]) -> pd.DataFrame:
    """Return one row a report, sorted by problem, strategy, seed, trial and epoch.

    Columns: `problem`, `strategy`, `seed`, `trial`, `epoch`; `run_epochs` (epochs that the whole
    run had trained with this report, in its own order); `epoch_seconds` (the report's share of
    its batch's time, or the recorded time); `clock_seconds` (since the run began, or of
    its simulated clock); then one column `metric.NAME` a metric.
    """
    rows = [
        {
            **name._asdict(),
            "trial": report.trial,
            "epoch": report.epoch,
            "run_epochs": spent,
            "epoch_seconds": report.seconds,
            "clock_seconds": report.clock,
            **{f"metric.{visible(key)}": value for key, value in report.metrics.items()},
        }
        for name, entries in sorted(history.items())
        for report, spent, _ in entries
    ]
    fixed = [*_TRIAL, "epoch", "run_epochs", "epoch_seconds", "clock_seconds"]
    metrics = sorted({key for row in rows for key in row if key not in fixed})
    return pd.DataFrame(rows, columns=[*fixed, *metrics])
