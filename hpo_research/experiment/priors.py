"""Trials of earlier runs, wherever they are kept, as a run of another space takes them."""

import csv
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast

from hpo_research import heavy
from hpo_research.analysis.result import Result
from hpo_research.errors import HpoError, SpaceError
from hpo_research.ledger import RunInfo
from hpo_research.lists import items
from hpo_research.options import as_float, is_real, one_of
from hpo_research.paths import place
from hpo_research.records import OPEN, PRIOR, Fixed, Status, Task, Trial, with_fields
from hpo_research.scalars import plain
from hpo_research.space import Categorical, SearchSpace
from hpo_research.space.outside import extended
from hpo_research.store import Store
from hpo_research.text import is_one_of, quoted

Earlier = object
"""What `prior=` may be: see `earlier`."""
TASKS = ("same", "related")
VALUE = "value"
_SHOWN = 20  # mistakes that are said one by one


@dataclass(frozen=True)
class Reading:
    """How earlier trials become those of a run: names, what is filled in, whose task it was.

    `rename` leads from an earlier name to a hyperparameter, or to None where it is dropped; `fill`
    holds the values of hyperparameters that there were none of. `error` is what mistakes raise.
    """

    error: type[HpoError]
    task: Task
    rename: Mapping[str, str | None]
    fill: Mapping[str, object]

    @property
    def given(self) -> list[str]:
        """The names of what says how, where it says anything."""
        return [name for name in ("rename", "fill") if getattr(self, name)]


@dataclass(frozen=True)
class _Row:
    """An earlier trial as it was found: `where` names it in a message."""

    where: str
    config: object
    value: float
    trial: Trial | None = None


def reading(
    error: type[HpoError],
    task: Task,
    rename: Mapping[str, str | None] | None,
    fill: Mapping[str, object] | None,
) -> Reading:
    """Return how to read, from arguments that may be left out."""
    return Reading(error, task, {} if rename is None else rename, {} if fill is None else fill)


def earlier(source: Earlier, info: RunInfo, problem: str, how: Reading) -> tuple[Trial, ...]:
    """Return the trials of earlier runs for a run of a problem, numbered from 0.

    `source` is a results folder, a `Store` or a `Result` (the problem of the same name, or the only
    one); a data frame, or a path that ends in `.csv`, with a column a hyperparameter (or
    `config.NAME`, as exported) and the column `value` or that of the metric; a list of
    (configuration, value) or of trials. Learning curves are kept where trials had as many epochs;
    elsewhere trials that reached their last one count as at the run's, and others are left out.
    What is not finite, or missing, is a failure. Raises `how.error` with all mistakes.
    """
    mistakes = _reading_mistakes(info.space, how)
    if source is None:
        mistakes += [f"{name}=: there is no prior to read" for name in how.given]
    elif not mistakes:
        found: list[Trial] = []
        for row in _rows(source, info, problem, how):
            try:
                found.append(_trial(row, len(found), info, how))
            except SpaceError as error:
                mistakes += str(error).split("\n")
        if not mistakes:
            return tuple(found)
    if not mistakes:
        return ()
    more = [f"... and {len(mistakes) - _SHOWN} more"] if len(mistakes) > _SHOWN else []
    raise how.error("\n".join([*mistakes[:_SHOWN], *more]))


def document(trials: Sequence[Trial], task: Task) -> Mapping[str, Any]:
    """Return earlier trials as plain JSON: stored with a problem, `facts.trials_of` reads them.

    `digest` and `count` stand for the trials where two documents are compared.
    """
    rows = [
        {
            **{"config": dict(t.config), "status": t.status, "until": t.until},
            **{"epochs": list(t.epochs), "values": list(t.values), "value": t.value},
        }
        for t in trials
    ]
    digest = blake2b(json.dumps(rows, sort_keys=True).encode(), digest_size=8).hexdigest()
    return {"task": task, "count": len(rows), "digest": digest, "trials": rows}


def _reading_mistakes(space: SearchSpace, how: Reading) -> list[str]:
    if not is_one_of(how.task, TASKS):
        return [f"prior_task must be {one_of(TASKS)(how.task)}, got {quoted(how.task)}"]
    for name in ("rename", "fill"):
        if not isinstance(given := getattr(how, name), Mapping):
            return [f"{name} must be a dict by name, got {quoted(given)}"]
    wrong = [("rename", to) for to in how.rename.values() if to is not None]
    wrong += [("fill", name) for name in how.fill]
    return [
        f"{what}: {quoted(name)} is not a hyperparameter of this space; it has "
        + ", ".join(space.names)
        for what, name in wrong
        if name not in space.parameters and not (what == "rename" and name == VALUE)
    ]


# -- sources


def _rows(source: Earlier, info: RunInfo, problem: str, how: Reading) -> Iterable[_Row]:
    """Return what a source holds. Raises `how.error` for what is none, or does not suit."""
    if isinstance(source, str | os.PathLike):
        path = place(source, PRIOR, how.error)
        if path.suffix.lower() == ".csv":
            return _of_csv(path, info, how)
        return _of_result(Result.read(path.parent if path.is_file() else path), info, problem, how)
    if isinstance(source, Store):
        return _of_result(Result.of(source), info, problem, how)
    if isinstance(source, Result):
        return _of_result(source, info, problem, how)
    if heavy.is_frame(source):
        columns = [str(name) for name in source.columns]
        cells = [[plain(cell) for cell in row] for row in source.itertuples(index=False)]
        return _of_table(columns, cells, info, how, "prior: row")
    return _of_list(items(source, PRIOR, how.error), how)


def _of_list(trials: Sequence[object], how: Reading) -> Iterator[_Row]:
    for i, one in enumerate(trials):
        where = f"prior[{i}]"
        if isinstance(one, Trial):
            if not one.is_running:
                value = math.nan if one.value is None else one.value
                yield _Row(where, _named(one.config, how), value, one)
            continue
        is_pair = isinstance(one, list | tuple) and len(one) == 2
        if not is_pair:
            raise how.error(
                f"{where}: expected (configuration, value) or a trial, got {quoted(one)}; a "
                "folder, a data frame or a CSV is given as it is"
            )
        config, given = cast(Sequence[object], one)
        number = math.nan if given is None else plain(given)
        if not is_real(number):
            raise how.error(f"{where}: expected a number, NaN for a failure, got {quoted(given)}")
        yield _Row(where, _named(config, how), number)


def _of_result(result: Result, info: RunInfo, problem: str, how: Reading) -> Iterator[_Row]:
    problems = result.facts.problems
    name = problem if problem in problems else next(iter(problems), problem)
    if name not in problems or (name != problem and len(problems) > 1):
        raise how.error(
            f"prior: {result!r} has no problem {problem!r}, it has {', '.join(sorted(problems))}; "
            "select its trials and give them as a list"
        )
    facts = problems[name]
    if facts.direction != info.direction:
        raise how.error(
            f"prior: {name} has direction {facts.direction!r}, {problem} {info.direction!r}"
        )
    named = {facts.metric, info.metric} - {VALUE}  # what a study calls its metric says nothing
    if how.task == "same" and len(named) > 1:
        raise how.error(
            f"prior: {name} reports {facts.metric!r}, {problem} {info.metric!r}; where both are "
            "comparable give its trials as a list, else say prior_task='related'"
        )
    length = OPEN if facts.max_epochs is None else facts.max_epochs
    for run, history in result.select(name).items():
        for trial in history.run.trials:
            if trial.is_running:
                continue
            if length != info.max_epochs and trial.status not in ("finished", "failed"):
                continue
            where = f"prior: {run.strategy}, seed {run.seed}, trial {trial.id}"
            known = trial if length == info.max_epochs else None
            value = math.nan if trial.value is None else trial.value
            yield _Row(where, _named(trial.config, how), value, known)


def _of_csv(path: Path, info: RunInfo, how: Reading) -> Iterator[_Row]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise how.error(f"prior: {path}: cannot be read ({error})") from error
    if not lines:
        raise how.error(f"prior: {path}: is empty; expected a line of names and a line a trial")
    columns, *cells = lines
    for i, row in enumerate(cells):
        if len(row) != len(columns):
            raise how.error(
                f"prior: {path}: line {i + 2} has {len(row)} cells, expected {len(columns)}"
            )
    return _of_table(columns, cells, info, how, f"prior: {path.name}: row")


def _of_table(
    columns: Sequence[str],
    cells: Sequence[Sequence[Any]],
    info: RunInfo,
    how: Reading,
    where: str,
) -> Iterator[_Row]:
    """Yield the rows of a table; columns that are no hyperparameter and no value say nothing."""
    names = [how.rename.get(name, name) for name in columns]
    unknown = [name for name in how.rename if name not in columns]
    own = {name: _column(names, name) for name in info.space.names}
    missing = [name for name, at in own.items() if at is None and name not in how.fill]
    value = next((names.index(n) for n in (VALUE, info.metric) if n in names), None)
    wrong = [f"rename: there is no column {quoted(name)}" for name in unknown]
    wrong += [f"there is no column {name!r}; name one by rename=, or fill=" for name in missing]
    wrong += [] if value is not None else [f"there is no column {VALUE!r} or {info.metric!r}"]
    if wrong or value is None:
        listed = f"it has {', '.join(map(quoted, columns))}"
        raise how.error("\n".join(f"prior: {mistake}; {listed}" for mistake in wrong))
    # A frame of ours says how its trials ended; anybody else's `status` may say anything.
    is_ours = any(name is not None and name.startswith("config.") for name in names)
    status = names.index("status") if is_ours and "status" in names else None
    for i, row in enumerate(cells):
        if status is not None and row[status] not in ("finished", "failed"):
            continue
        config = {
            name: _cell(info.space, name, row[at]) for name, at in own.items() if at is not None
        }
        number = _number(row[value])
        if number is None:
            raise how.error(f"{where} {i}: expected a number as value, got {quoted(row[value])}")
        yield _Row(f"{where} {i}", config, number)


def _column(names: Sequence[str | None], name: str) -> int | None:
    return next((names.index(n) for n in (name, f"config.{name}") if n in names), None)


def _cell(space: SearchSpace, name: str, cell: object) -> object:
    """Return what a cell holds: a text that is no category as the value that is written so."""
    parameter = space.parameters[name]
    if not isinstance(parameter, Categorical):
        number = _number(cell)
        return cell if number is None else number
    if isinstance(cell, float) and math.isnan(cell) and None in parameter.values:
        return None
    if not isinstance(cell, str) or cell in parameter.values:
        return cell
    meant = [own for own in parameter.values if cell == ("" if own is None else str(own))]
    return meant[0] if len(meant) == 1 else cell


def _number(cell: object) -> float | None:
    """Return the number in a cell, NaN where it is empty, None where it holds something else."""
    if cell is None or cell == "":
        return math.nan
    if not isinstance(cell, str):
        return cell if is_real(cell) else None
    try:
        return float(cell)
    except ValueError:
        return None


# -- trials


def _trial(row: _Row, number: int, info: RunInfo, how: Reading) -> Trial:
    given = {**how.fill, **row.config} if isinstance(row.config, Mapping) else row.config
    config, known = extended(info.space, cast(Any, given), row.where), row.trial
    if known is not None and _is_kept(known, info.max_epochs):
        made = {"id": number, "config": Fixed(config), "origin": PRIOR, "attempt": 0, "reason": ""}
        return with_fields(known, {**made, "seconds": 0.0, "arrivals": (), "place": None})
    if known is not None and known.status not in ("finished", "failed"):
        raise SpaceError(
            f"{row.where}: was to reach epoch {known.until}, the run's last is {info.max_epochs}; "
            "give (configuration, value)"
        )
    value, until = as_float(row.value), 1 if info.max_epochs == OPEN else info.max_epochs
    status: Status = "finished" if math.isfinite(value) else "failed"
    if status == "failed":
        return Trial(number, config, status, until, origin=PRIOR)
    return Trial(number, config, status, until, (until,), (value,), value, origin=PRIOR)


def _is_kept(trial: Trial, last: int) -> bool:
    """Whether a trial's curve is one of the run's, whose last epoch is given."""
    if trial.status == "finished" and last != OPEN:
        return trial.until == last
    return trial.until <= last


def _named(config: object, how: Reading) -> object:
    """Return a configuration under its new names, without what is dropped."""
    if not isinstance(config, Mapping):
        return config
    named = ((how.rename.get(name, name), value) for name, value in config.items())
    return {name: value for name, value in named if name is not None}
