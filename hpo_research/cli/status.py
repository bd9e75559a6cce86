"""`hpo status`: how far an experiment is, once or until it is over."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.live import Live

from hpo_research.analysis import earlier
from hpo_research.analysis.result import Reading, Result
from hpo_research.cli import summary
from hpo_research.cli.console import say, screen, warn
from hpo_research.text import count

_PAUSE = 2.0  # seconds between two looks of a watch


def status(folder: Path, as_json: bool) -> None:
    """Print how far the experiment in a folder is."""
    result = Result.read(folder)
    rows = summary.rows(result)
    if as_json:
        facts = {
            "experiment": result.facts.name,
            "is_finished": result.is_finished,
            "earlier": list(earlier.lines(result)),
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
        line = f"{_over(result)}, {count(trials, 'trial')}, {count(epochs, 'epoch')}"
        if line != last and not result.is_finished:
            say(console, line)
        last = line

    return show


def _end(result: Result, console: Console) -> None:
    for message in [*result.messages(), *result.endings(), *result.changes()]:
        warn(message)
    for line in earlier.lines(result):
        say(console, line)
    if result.undigested:
        rows = count(result.undigested, "row")
        say(console, f"without digests, so that they cannot be checked: {rows}")
    say(console, _over(result))


def _over(result: Result) -> str:
    over = f"{len(result.over)} of {count(len(result.runs), 'run')} finished"
    return f"{result.facts.name}: {over}"
