"""Rows and records: what a table holds of a report, an outcome, an ask, and back.

A row is plain int, float, str, bytes or None, exactly as SQLite gives it back: its digest is taken
of that. What is read raises `ValueError` where it is none of ours, whoever wrote it.
"""

import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple, cast

from hpo_research.entries import AskRow, EndedBy, Granted, Restart
from hpo_research.records import Outcome, Report, Resume, Start, Stop
from hpo_research.store.digests import Row
from hpo_research.store.schema import COLUMNS

_TYPES = {table: tuple(columns.values()) for table, columns in COLUMNS.items()}
ENDED: Mapping[EndedBy, str] = {
    "request": "ended: ",
    "rule": "ended by a rule: ",
    "strategy": "ended by its strategy: ",
}
REOPENED = "reopened"
"""How `ask.exhausted`, which names the limits of a budget, says that it was something else."""

# As `json.dumps` writes with these options, which makes an encoder each time.
_PLAIN, _SORTED = json.JSONEncoder().encode, json.JSONEncoder(sort_keys=True).encode
_FINITE = json.JSONEncoder(allow_nan=False).encode
_STATUSES = ("finished", "paused", "stopped", "failed")


class RunName(NamedTuple):
    """What names a run in an experiment."""

    problem: str
    strategy: str
    seed: int


def report_row(report: Report, turn: int, spent: int) -> Row:
    """Return the row of a report; `spent` counts its run's epochs up to and with it."""
    metrics = _written(report.metrics)
    return (
        *(int(report.run), int(report.trial), int(report.epoch), turn, metrics, int(spent)),
        *(_real(report.clock), _real(report.seconds or 0.0), int(report.attempt)),
    )


def _written(metrics: Mapping[str, float]) -> str:
    """Return metrics as `json.dumps(..., sort_keys=True)` writes them, in less of its time.

    A NaN is a status, never a number: a side metric that is not finite is left out.
    """
    values = metrics.values()
    if set(map(type, values)) == {float} and all(map(math.isfinite, values)):
        form, names = _form(tuple(metrics))
        return form % tuple([metrics[name] for name in names])
    finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
    return json.dumps(finite, sort_keys=True, allow_nan=False)


@lru_cache(1024)
def _form(names: tuple[str, ...]) -> tuple[str, list[str]]:
    """Return the JSON of floats by name, with a place for each, and the names in its order."""
    order = sorted(names)
    places = [f"{json.dumps(name).replace('%', '%%')}: %r" for name in order]
    return f"{{{', '.join(places)}}}", order


def outcome_row(outcome: Outcome, turn: int, number: int) -> Row:
    """Return the row of an outcome, the `number`-th of its trial from 0 on."""
    return (
        *(int(outcome.run), int(outcome.trial), number, turn, str(outcome.status)),
        *(int(outcome.epoch), str(outcome.reason), _real(outcome.clock), _real(outcome.seconds)),
    )


def ask_row(row: AskRow, number: int, turn: int) -> Row:
    """Return the row of an ask without its grants."""
    notes = _SORTED(dict(row.notes)) if row.notes else "{}"
    parts = _PLAIN(dict(row.parts)) if row.parts else "{}"
    clock, seconds = _real(row.clock), _real(row.seconds)
    exhausted = str(row.exhausted)
    if row.ended is not None:
        exhausted = f"{ENDED[row.ended_by]}{row.ended}" if row.ended else REOPENED
    return (number, int(row.run), turn, exhausted, notes, clock, seconds, parts)


def proposal_row(ask: int, position: int, grant: Granted) -> Row:
    """Return the row of what an ask granted."""
    assert grant.trial is not None  # a ledger granted it
    config = None if grant.config is None else _FINITE(grant.config)
    return (
        *(ask, position, str(grant.kind), int(grant.trial), int(grant.attempt)),
        *(int(grant.start), int(grant.until), config, str(grant.origin)),
    )


def _real(value: float) -> float:
    return float(value) + 0.0  # SQLite stores -0.0 as 0.0


def check_types(table: str, row: Row) -> bool:
    """Return True, or raise `ValueError` where a column holds another type than it must."""
    if tuple(map(type, row)) == _TYPES[table]:
        return True
    for (name, kind), value in zip(COLUMNS[table].items(), row, strict=True):
        if type(value) is not kind and not (name == "config" and value is None):
            raise ValueError(f"{name} is {value!r:.80}, expected {kind.__name__}")
    return True


def report_of(row: Row) -> tuple[Report, int]:
    """Return a report and the epochs its run had spent with it."""
    run, trial, epoch, _, text, spent, clock, seconds, attempt = row
    metrics = _numbers("metrics", text)
    return Report(run, trial, epoch, metrics, seconds, clock, attempt), spent


def outcome_of(row: Row) -> Outcome:
    """Return an outcome."""
    run, trial, _, _, status, epoch, reason, clock, seconds = row
    if status not in _STATUSES:
        raise ValueError(f"status is {status!r}, expected one of {', '.join(_STATUSES)}")
    return Outcome(run, trial, status, epoch, reason, clock, seconds)


def ask_of(row: Row, grants: Sequence[Granted]) -> AskRow:
    """Return an ask with what it granted."""
    _, run, _, exhausted, notes, clock, seconds, parts = row
    why, took = _mapping("notes", notes), _numbers("parts", parts)
    if (ending := ending_of(exhausted)) is None:
        return AskRow(run, tuple(grants), why, exhausted, clock, seconds, took)
    return AskRow(run, tuple(grants), why, "", clock, seconds, took, *ending)


def ending_of(exhausted: str) -> tuple[str, EndedBy] | None:
    """Return why `ask.exhausted` says that a run was ended, and by whom; None for limits.

    An empty string says that it was reopened.
    """
    if exhausted == REOPENED:
        return "", "request"
    for who, begin in ENDED.items():
        if exhausted.startswith(begin):
            return exhausted.removeprefix(begin), who
    return None


def grant_of(row: Row) -> Granted:
    """Return what an ask granted."""
    _, _, kind, trial, attempt, start, until, text, origin = row
    if kind not in ("start", "resume", "stop", "restart"):
        raise ValueError(f"kind is {kind!r}, expected start, resume, stop or restart")
    config = None if text is None else _mapping("config", text)
    if (config is None) == (kind == "start"):
        raise ValueError(f"a {kind} has config {text!r:.80}")
    if kind == "start" and (attempt, start) != (0, 0):
        raise ValueError(f"a start has attempt {attempt} after epoch {start}, expected 0 and 0")
    if config is not None:
        return Start(config, until, origin, trial)
    if kind == "restart":
        return Restart(trial, until, attempt)
    return Stop(trial) if kind == "stop" else Resume(trial, until, start, attempt)


def are_typed(table: str, rows: Sequence[Row]) -> bool:
    """Return whether all rows, each with its digest behind it, hold the types of their columns.

    A None is left to `check_types`.
    """
    columns = zip(*rows, strict=True)
    return all(set(map(type, own)) == {kind} for own, kind in zip(columns, _TYPES[table]))  # noqa: B905


def metrics_of(rows: Sequence[Row]) -> list[dict[str, float]] | None:
    """Return the metrics of rows of `report`; None where one row has none that can be read."""
    joined = "],[".join([row[4] for row in rows])
    # All texts in one: where each bracket is one of ours, no text can reach into the next one.
    if joined.count("[") != len(rows) - 1:
        return None
    try:
        lists = json.loads(f"[[{joined}]]")
    except (ValueError, RecursionError):
        return None
    if set(map(len, lists)) != {1} or len(lists) != len(rows):
        return None
    found = [metrics for (metrics,) in lists]
    if set(map(type, found)) != {dict}:
        return None
    kinds = set(map(type, chain.from_iterable(map(dict.values, found))))
    return found if kinds <= {float, int} else None


def parsed(name: str, text: str) -> Any:
    """Return what a JSON text says; `name` is that of its column or key."""
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{name} is not JSON ({error}): {text!r:.80}") from error


def _mapping(name: str, text: str) -> dict[str, Any]:
    found = parsed(name, text)
    if not isinstance(found, dict):
        raise ValueError(f"{name} is {text!r:.80}, expected a JSON object")
    return found


def _numbers(name: str, text: str) -> Mapping[str, float]:
    found = _mapping(name, text)
    for key, value in found.items():
        if type(value) is not float and type(value) is not int:
            raise ValueError(f"{name}[{key!r}] is {value!r:.80}, expected a number")
    return cast(Mapping[str, float], found)
