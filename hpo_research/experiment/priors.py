"""What earlier runs found, of a run's own task and of related ones, as its space takes it."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, cast

from hpo_research.entries import EarlierTask
from hpo_research.errors import HpoError, SpaceError
from hpo_research.experiment.prior_sources import VALUE, Reading, Row, is_place, name_of, rows
from hpo_research.ledger import RunInfo
from hpo_research.options import as_float, one_of
from hpo_research.records import OPEN, PRIOR, Fixed, Status, Task, Trial, with_fields
from hpo_research.space import SearchSpace
from hpo_research.space.outside import extended
from hpo_research.text import is_one_of, name_mistake, quoted

Earlier = object
"""What `prior=` may be: see `earlier`."""
TASKS = ("same", "related")
_SHOWN = 20  # mistakes that are said one by one


@dataclass(frozen=True)
class Prior:
    """One source of earlier results among several, `prior=[Prior(...), Prior(...)]`.

    `source` is anything that `prior=` takes. What is left out is that of the whole: `task` is
    `"same"` or `"related"`, `rename` and `fill` fit it to the space. `name` is what reports call
    it, by default that of its folder or file.
    """

    source: object
    task: Task | None = None
    name: str | None = None
    rename: Mapping[str, str | None] | None = None
    fill: Mapping[str, object] | None = None


def reading(
    error: type[HpoError],
    task: Task,
    rename: Mapping[str, str | None] | None,
    fill: Mapping[str, object] | None,
) -> Reading:
    """Return how to read, from arguments that may be left out."""
    return Reading(error, task, {} if rename is None else rename, {} if fill is None else fill)


def earlier(source: Earlier, info: RunInfo, problem: str, how: Reading) -> tuple[EarlierTask, ...]:
    """Return what earlier runs found for a run of a problem, each source's trials from 0.

    `source` is a results folder, a `Store` or a `Result` (the problem of the same name, or the only
    one); a data frame, or a path that ends in `.csv`, with a column a hyperparameter (or
    `config.NAME`, as exported) and the column `value` or that of the metric; a list of
    (configuration, value) or of trials; a `Prior`; or a list of several of these, each a `Prior`
    where it is a list itself. Learning curves are kept where trials had as many epochs;
    elsewhere trials that reached their last one count as at the run's, and others are left out.
    What is not finite, or missing, is a failure. Raises `how.error` with all mistakes.
    """
    if isinstance(source, EarlierTask):
        return (source,)
    found: list[EarlierTask] = []
    mistakes: list[str] = []
    for own, what in _several(source):
        try:
            task = _earlier(own, info, problem, replace(how, what=what))
        except how.error as error:
            mistakes += str(error).split("\n")
        else:
            found += [task] if task.trials else []
    if mistakes:
        more = [f"... and {len(mistakes) - _SHOWN} more"] if len(mistakes) > _SHOWN else []
        raise how.error("\n".join([*mistakes[:_SHOWN], *more]))
    return tuple(found)


def _several(source: Earlier) -> list[tuple[Prior, str]]:
    """Return the sources of what is given, and what each is called."""
    listed = source if isinstance(source, list | tuple) else ()
    if any(isinstance(own, Prior | EarlierTask) or is_place(own) for own in listed):
        return [(_one(own), f"{PRIOR}[{i}]") for i, own in enumerate(listed)]
    return [(_one(source), PRIOR)]


def _one(source: object) -> Prior:
    return source if isinstance(source, Prior) else Prior(source)


def _earlier(own: Prior, info: RunInfo, problem: str, how: Reading) -> EarlierTask:
    """Read one source. Raises `how.error` with all mistakes."""
    if isinstance(own.source, EarlierTask):
        return own.source
    how = replace(
        how,
        task=how.task if own.task is None else own.task,
        rename=how.rename if own.rename is None else own.rename,
        fill=how.fill if own.fill is None else own.fill,
    )
    mistakes = _reading_mistakes(info.space, how)
    if own.name is not None and (wrong := name_mistake(own.name)):
        mistakes.append(f"{how.what}: name {wrong}")
    found: list[Trial] = []
    if own.source is None:
        mistakes += [f"{name}=: there is no prior to read" for name in how.given]
    elif not mistakes:
        for row in rows(own.source, info, problem, how):
            try:
                found.append(_trial(row, len(found), info, how))
            except SpaceError as error:
                mistakes += str(error).split("\n")
    if mistakes:
        raise how.error("\n".join(mistakes))
    return EarlierTask(tuple(found), how.task, own.name or name_of(own.source))


def document(earlier: Sequence[EarlierTask]) -> list[Mapping[str, Any]]:
    """Return earlier results as plain JSON: stored with a problem, `facts.earlier_of` reads them.

    `digest` and `count` stand for the trials where two documents are compared.
    """
    return [
        {**({"name": own.name} if own.name else {}), "task": own.task, **_document(own.trials)}
        for own in earlier
    ]


def _document(trials: Sequence[Trial]) -> Mapping[str, Any]:
    rows = [
        {
            **{"config": dict(t.config), "status": t.status, "until": t.until},
            **{"epochs": list(t.epochs), "values": list(t.values), "value": t.value},
        }
        for t in trials
    ]
    digest = blake2b(json.dumps(rows, sort_keys=True).encode(), digest_size=8).hexdigest()
    return {"count": len(rows), "digest": digest, "trials": rows}


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


def _trial(row: Row, number: int, info: RunInfo, how: Reading) -> Trial:
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
