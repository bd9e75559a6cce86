"""`hpo report`, `hpo status` and `hpo export`: readers of a results folder."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer

from hpo_research.analysis.export import export as write
from hpo_research.analysis.files import formulas
from hpo_research.analysis.result import Result
from hpo_research.cli import summary
from hpo_research.cli.answers import complain, readable
from hpo_research.cli.screen import say, screen, warn
from hpo_research.errors import ExperimentError
from hpo_research.report import publish
from hpo_research.store import requests
from hpo_research.text import storable


def reports(folders: Sequence[Path], show_traceback: bool = False) -> int:
    """Write the report of each folder; an error in one does not stop the others."""
    code = 0
    for folder in folders:
        try:
            with readable(show_traceback):
                code = _report(folder) or code
        except typer.Exit as error:
            code = error.exit_code
    return code


def _report(folder: Path) -> int:
    result = Result.read(folder)
    published = publish(result, folder)
    for message in [*result.messages(), *result.endings(), *result.changes()]:
        warn(message)
    name = result.description["name"]
    say(screen(), f"the report of {name} is {published.page}{summary.rest(result)}")
    return complain(published.missing)


def status(folder: Path, as_json: bool) -> None:
    """Print how far the experiment in a folder is."""
    result = Result.read(folder)
    rows = summary.rows(result)
    if as_json:
        facts = {
            "experiment": result.description["name"],
            "is_finished": result.is_finished,
            "messages": [*result.messages(), *result.endings(), *result.changes()],
            "rows_without_digests": result.undigested,
            "rows": [asdict(row) for row in rows],
        }
        print(json.dumps(facts, indent=2))  # ASCII: what is hidden is escaped
        return
    console = screen()
    console.print(summary.table(rows))
    for message in [*result.messages(), *result.endings(), *result.changes()]:
        warn(message)
    if result.undigested:
        say(console, f"{result.undigested:,} rows from before digests cannot be checked")
    over = f"{len(result.over)} of {len(result.runs)} runs are over"
    say(console, f"{result.description['name']}: {over}")


def stop(folder: Path, reason: str, only: Sequence[str], undo: bool) -> None:
    """Ask the loop of a folder, now or when it goes on, to end runs or to reopen them."""
    result = Result.read(folder)
    if result.description["execution"] == "study":
        raise ExperimentError(f"{folder}: holds a study; end it with study.stop(reason)")
    if not reason:
        raise ExperimentError("--reason: say why the runs end")
    known = {name for run in result.runs for name in run[:2]}
    if strange := sorted(set(only) - known):
        raise ExperimentError(f"--only {strange[0]}: expected one of {', '.join(sorted(known))}")
    problems = {run.problem for run in result.runs} & set(only)
    strategies = {run.strategy for run in result.runs} & set(only)
    runs = [
        run
        for run in result.runs
        if (not problems or run.problem in problems)
        and (not strategies or run.strategy in strategies)
        and (run in result.ended) == undo
    ]
    requests.write(folder, requests.Request(tuple(runs), storable(reason), undo))
    what = "go on at the next `hpo run`" if undo else "end at the next turn of `hpo run`"
    say(screen(), f"{result.description['name']}: {len(runs)} runs {what}")


def export(folder: Path, format: str) -> None:
    """Write the frames of a folder's store beside it."""
    result = Result.read(folder)
    paths = write(result, folder / "export", format)
    risky = [] if format != "csv" else formulas(result.frame())
    if risky:
        warn(
            "a spreadsheet takes text that begins with = + - @ for a formula; let it import as "
            f"text: {', '.join(risky)}"
        )
    say(screen(), f"wrote {' and '.join(map(str, paths))}")
