"""`hpo describe`: what a tuning-job document asks for, as it would be run here."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from hpo_research import sagemaker
from hpo_research.cli import jobs
from hpo_research.cli.console import add_row, plain_table, say, screen, warn
from hpo_research.errors import DocumentWarning
from hpo_research.sagemaker.parents import DEFINITION, DOCUMENT
from hpo_research.space import Categorical, Float, Integer


@dataclass(frozen=True)
class Wanted:
    """The files, or a job's folder; where parents are looked for; whether warnings are errors."""

    document: Path
    definition: Path | None
    root: Path | None
    strict: bool


def show(wanted: Wanted) -> None:
    """Print the strategy, limits and ranges of a document, and what is not as in the service."""
    document, definition = wanted.document, wanted.definition
    folder = document if document.is_dir() else None
    if folder is not None:
        document, beside = folder / DOCUMENT, folder / DEFINITION
        definition = definition or (beside if beside.is_file() else None)
    with warnings.catch_warnings():  # they are printed below
        warnings.simplefilter("ignore", DocumentWarning)
        job = sagemaker.load(document, definition, root=wanted.root, strict=wanted.strict)
    console = screen()
    for line in _lines(job):
        say(console, line)
    for search in job.searches:
        console.print(_table(search))
    for line in (*job.notes, *(f"ignored: {path}" for path in job.ignored)):
        say(console, line)
    start = None
    if wanted.root is not None:
        start = sagemaker.warm_start.looked_up(job, wanted.root)
        for line in start.notes:
            say(console, line)
    for line in (*job.warnings, *(start.warnings if start is not None else ())):
        warn(line)
    for line in jobs.lines(folder, job.called) if folder is not None else ():
        say(console, line)


def _lines(job: "sagemaker.TuningJob") -> Iterator[str]:
    config = job.config
    stopping = ", early stopping" if config.TrainingJobEarlyStoppingType == "Auto" else ""
    yield f"{job.name or 'a tuning job'}: {config.Strategy}{stopping}, {_limits(job)}"
    for search in job.searches:
        one = search.definition
        of = f" of {one.DefinitionName}" if one and len(job.searches) > 1 else ""
        objective = search.objective
        if objective is not None:
            yield f"objective{of}: {objective.Type} {objective.MetricName}"


def _limits(job: "sagemaker.TuningJob") -> str:
    parts = [f"{job.jobs:,} jobs" if job.jobs is not None else "any number of jobs"]
    parts += [f"{job.parallel} at a time"]
    parts += [f"{job.seconds:,} seconds"] if job.seconds is not None else []
    parts += [f"seed {job.seed}"] if job.seed is not None else ["a seed to be drawn"]
    return ", ".join(parts)


def _table(search: "sagemaker.Search") -> Table:
    table = plain_table("hyperparameter", "kind", "values", "scale")
    searched = search.searched
    for name, one in searched.parameters.items():
        if isinstance(one, Categorical):
            add_row(table, name, "categorical", ", ".join(map(str, one.values)), "")
        elif isinstance(one, Float | Integer):
            bounds = f"{one.low!r} to {one.high!r}"
            add_row(table, name, searched.kinds[name], bounds, one.resolved.name)
    for name, value in searched.constants.items():
        add_row(table, name, "constant", str(value), "")
    for name, text in search.statics.items():
        add_row(table, name, "static", text, "")
    return table
