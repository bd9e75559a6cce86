"""`hpo status`: how far an experiment is, once or until it is over."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.live import Live

from hpo_research.analysis import earlier, machines
from hpo_research.analysis.result import Reading, Result
from hpo_research.cli import summary
from hpo_research.cli.console import say, screen, warn
from hpo_research.cluster.standing import has_shards_alone, standing
from hpo_research.text import count

_PAUSE = 2.0  # seconds between two looks of a watch


@dataclass(frozen=True)
class _Look:
    """What a folder holds, its own store's or that of its shards, and how many runs there are."""

    result: Result
    runs: int
    is_finished: bool
    shards: list[str]


def _look(folder: Path, reading: Reading) -> _Look:
    if has_shards_alone(folder):
        found = standing(folder)
        return _Look(found.result, found.runs, found.is_finished, found.lines())
    result = reading.look()
    return _Look(result, len(result.runs), result.is_finished, [])


def status(folder: Path, as_json: bool) -> None:
    """Print how far the experiment in a folder is, or that of which it holds shards."""
    look = _look(folder, Reading(folder))
    result = look.result
    rows = summary.rows(result)
    if as_json:
        facts = {
            "experiment": result.facts.name,
            "is_finished": look.is_finished,
            "shards": look.shards,
            "machines": machines.lines(result),
            "earlier": list(earlier.lines(result)),
            "messages": [*result.messages(), *result.endings(), *result.changes()],
            "rows_without_digests": result.undigested,
            "rows": [asdict(row) for row in rows],
        }
        print(json.dumps(facts, indent=2))  # ASCII: what is hidden is escaped
        return
    console = screen()
    console.print(summary.table(rows))
    _end(look, console)


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
            look = _look(folder, reading)
            show(look)
            if look.is_finished:
                break
            time.sleep(_PAUSE)
        stack.close()  # the table stands, and what is said goes below it
        _end(look, console)


def _redraw(live: Live, look: _Look) -> None:
    live.update(summary.table(summary.rows(look.result)), refresh=True)


def _lines(console: Console) -> Callable[[_Look], None]:
    """Return what prints a line for every result that is not as the one before."""
    last = ""

    def show(look: _Look) -> None:
        nonlocal last
        rows = summary.rows(look.result)
        trials, epochs = sum(row.trials for row in rows), sum(row.epochs for row in rows)
        line = f"{_over(look)}, {count(trials, 'trial')}, {count(epochs, 'epoch')}"
        if line != last and not look.is_finished:
            say(console, line)
        last = line

    return show


def _end(look: _Look, console: Console) -> None:
    result = look.result
    for message in [*result.messages(), *result.endings(), *result.changes()]:
        warn(message)
    for line in earlier.lines(result):
        say(console, line)
    if result.undigested:
        rows = count(result.undigested, "row")
        say(console, f"without digests, so that they cannot be checked: {rows}")
    for line in [*machines.lines(result), *look.shards]:
        say(console, line)
    say(console, _over(look))


def _over(look: _Look) -> str:
    over = f"{len(look.result.over)} of {count(look.runs, 'run')} finished"
    return f"{look.result.facts.name}: {over}"
