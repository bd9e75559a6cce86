"""Where trials of earlier runs are kept: folders, stores, tables, lists, read row by row."""

import csv
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hpo_research import heavy
from hpo_research.analysis.result import Result
from hpo_research.errors import HpoError
from hpo_research.ledger import RunInfo
from hpo_research.lists import items
from hpo_research.options import is_real
from hpo_research.paths import place
from hpo_research.records import OPEN, PRIOR, Task, Trial
from hpo_research.scalars import plain
from hpo_research.space import Categorical, SearchSpace
from hpo_research.store import Store
from hpo_research.text import quoted

VALUE = "value"


@dataclass(frozen=True)
class Reading:
    """How earlier trials become those of a run: names, what is filled in, whose task it was.

    `rename` leads from an earlier name to a hyperparameter, or to None where it is dropped; `fill`
    holds the values of hyperparameters that there were none of. `error` is what mistakes raise.
    `what` is what the caller calls it.
    """

    error: type[HpoError]
    task: Task
    rename: Mapping[str, str | None]
    fill: Mapping[str, object]
    what: str = PRIOR

    @property
    def given(self) -> list[str]:
        """The names of what says how, where it says anything."""
        return [name for name in ("rename", "fill") if getattr(self, name)]


@dataclass(frozen=True)
class Row:
    """An earlier trial as it was found: `where` names it in a message."""

    where: str
    config: object
    value: float
    trial: Trial | None = None


def is_place(source: object) -> bool:
    """Whether a source is a whole one in a list of several: no trial and no pair."""
    return isinstance(source, str | os.PathLike | Store | Result) or heavy.is_frame(source)


def name_of(source: object) -> str:
    """Return the name of a folder, file, store or result; empty of anything else, and in memory."""
    if isinstance(source, str | os.PathLike):
        return Path(os.fspath(source)).expanduser().resolve().name
    folder = source.folder if isinstance(source, Store | Result) else None
    return "" if folder is None else folder.resolve().name


def rows(source: object, info: RunInfo, problem: str, how: Reading) -> Iterable[Row]:
    """Return what a source holds. Raises `how.error` for what is none, or does not suit."""
    if isinstance(source, str | os.PathLike):
        path = place(source, how.what, how.error)
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
        return _of_table(columns, cells, info, how, f"{how.what}: row")
    return _of_list(items(source, how.what, how.error), how)


def _of_list(trials: Sequence[object], how: Reading) -> Iterator[Row]:
    for i, one in enumerate(trials):
        where = f"{how.what}[{i}]"
        if isinstance(one, Trial):
            if not one.is_running:
                value = math.nan if one.value is None else one.value
                yield Row(where, _named(one.config, how), value, one)
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
        yield Row(where, _named(config, how), number)


def _of_result(result: Result, info: RunInfo, problem: str, how: Reading) -> Iterator[Row]:
    problems = result.facts.problems
    name = problem if problem in problems else next(iter(problems), problem)
    if name not in problems or (name != problem and len(problems) > 1):
        raise how.error(
            f"{how.what}: {result!r} has no problem {problem!r}, it has "
            f"{', '.join(sorted(problems))}; select its trials and give them as a list"
        )
    facts = problems[name]
    if facts.direction != info.direction:
        raise how.error(
            f"{how.what}: {name} has direction {facts.direction!r}, {problem} {info.direction!r}"
        )
    named = {facts.metric, info.metric} - {VALUE}  # what a study calls its metric says nothing
    if how.task == "same" and len(named) > 1:
        raise how.error(
            f"{how.what}: {name} reports {facts.metric!r}, {problem} {info.metric!r}; where both "
            "are comparable give its trials as a list, else say prior_task='related'"
        )
    length = OPEN if facts.max_epochs is None else facts.max_epochs
    for run, history in result.select(name).items():
        for trial in history.run.trials:
            if trial.is_running:
                continue
            if length != info.max_epochs and trial.status not in ("finished", "failed"):
                continue
            where = f"{how.what}: {run.strategy}, seed {run.seed}, trial {trial.id}"
            known = trial if length == info.max_epochs else None
            value = math.nan if trial.value is None else trial.value
            yield Row(where, _named(trial.config, how), value, known)


def _of_csv(path: Path, info: RunInfo, how: Reading) -> Iterator[Row]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise how.error(f"{how.what}: {path}: cannot be read ({error})") from error
    if not lines:
        raise how.error(
            f"{how.what}: {path}: is empty; expected a line of names and a line a trial"
        )
    columns, *cells = lines
    for i, row in enumerate(cells):
        if len(row) != len(columns):
            raise how.error(
                f"{how.what}: {path}: line {i + 2} has {len(row)} cells, expected {len(columns)}"
            )
    return _of_table(columns, cells, info, how, f"{how.what}: {path.name}: row")


def _of_table(
    columns: Sequence[str],
    cells: Sequence[Sequence[Any]],
    info: RunInfo,
    how: Reading,
    where: str,
) -> Iterator[Row]:
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
        raise how.error("\n".join(f"{how.what}: {mistake}; {listed}" for mistake in wrong))
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
        yield Row(f"{where} {i}", config, number)


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


def _named(config: object, how: Reading) -> object:
    """Return a configuration under its new names, without what is dropped."""
    if not isinstance(config, Mapping):
        return config
    named = ((how.rename.get(name, name), value) for name, value in config.items())
    return {name: value for name, value in named if name is not None}
