"""`hpo report`, `hpo status` and `hpo export`: readers of a results folder."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

import typer
from rich.console import Console
from rich.live import Live

from hpo_research import analysis, report
from hpo_research.analysis.result import Reading, Result
from hpo_research.cli import summary
from hpo_research.cli.answers import complain, readable
from hpo_research.cli.screen import say, screen, warn
from hpo_research.errors import ExperimentError
from hpo_research.store import requests
from hpo_research.text import storable

_PAUSE = 2.0  # seconds between two looks of a watch


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
    published = report.publish(result, folder)
    for message in [*result.messages(), *result.endings(), *result.changes()]:
        warn(message)
    name = result.facts.name
    say(screen(), f"the report of {name} is {published.page}{summary.rest(result)}")
    return complain(published.missing)


def status(folder: Path, as_json: bool) -> None:
    """Print how far the experiment in a folder is."""
    result = Result.read(folder)
    rows = summary.rows(result)
    if as_json:
        facts = {
            "experiment": result.facts.name,
            "is_finished": result.is_finished,
            "messages": [*result.messages(), *result.endings(), *result.changes()],
            "rows_without_digests": result.undigested,
            "rows": [asdict(row) for row in rows],
        }
        print(json.dumps(facts, indent=2))  # ASCII: what is hidden is escaped
        return
    console = screen()
    console.print(summary.table(rows))
    _end(result, console)


def watch(folder: Path) -> None:
    """Show how far the experiment in a folder is until every run is over, or Ctrl-C.

    At a terminal the table is drawn again as it changes; elsewhere a line is printed.
    """
    console, reading = screen(), Reading(folder)
    show = _lines(console)
    with ExitStack() as stack:
        stack.enter_context(suppress(KeyboardInterrupt))  # how a person ends it
        if console.is_terminal:
            live = stack.enter_context(Live(console=console, auto_refresh=False))
            show = partial(_redraw, live)
        while True:
            result = reading.look()
            show(result)
            if result.is_finished:
                break
            time.sleep(_PAUSE)
        stack.close()  # the table stands, and what is said goes below it
        _end(result, console)


def _redraw(live: Live, result: Result) -> None:
    live.update(summary.table(summary.rows(result)), refresh=True)


def _lines(console: Console) -> Callable[[Result], None]:
    """Return what prints a line for every result that is not as the one before."""
    last = ""

    def show(result: Result) -> None:
        nonlocal last
        rows = summary.rows(result)
        trials, epochs = sum(row.trials for row in rows), sum(row.epochs for row in rows)
        line = f"{_over(result)}, {trials:,} trials, {epochs:,} epochs"
        if line != last and not result.is_finished:
            say(console, line)
        last = line

    return show


def _end(result: Result, console: Console) -> None:
    for message in [*result.messages(), *result.endings(), *result.changes()]:
        warn(message)
    if result.undigested:
        say(console, f"{result.undigested:,} rows from before digests cannot be checked")
    say(console, _over(result))


def _over(result: Result) -> str:
    over = f"{len(result.over)} of {len(result.runs)} runs are over"
    return f"{result.facts.name}: {over}"


def stop(folder: Path, reason: str, only: Sequence[str], undo: bool) -> None:
    """Ask the loop of a folder, now or when it goes on, to end runs or to reopen them."""
    result = Result.read(folder)
    if result.facts.is_study:
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
    say(screen(), f"{result.facts.name}: {len(runs)} runs {what}")


def export(folder: Path, format: str) -> None:
    """Write the frames of a folder's store beside it."""
    result = Result.read(folder)
    paths = analysis.export.export(result, folder / "export", format)
    risky = [] if format != "csv" else analysis.files.formulas(result.frame())
    if risky:
        warn(
            "a spreadsheet takes text that begins with = + - @ for a formula; let it import as "
            f"text: {', '.join(risky)}"
        )
    say(screen(), f"wrote {' and '.join(map(str, paths))}")
