"""Where tables and lines go: the one place where text reaches the terminal.

A results folder may be somebody else's. Its names, values and reasons are shown and never obeyed:
control characters are escapes, and neither markup nor emoji codes are read.
"""

import sys
import traceback

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hpo_research.text import visible

_PLAIN_WIDTH = 200


def screen() -> Console:
    """Return the console: as wide as the terminal, or wide enough for scripts to read."""
    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    return Console(highlight=False, width=width)


def plain_table(*titles: str) -> Table:
    """Return an empty table with a rule below its titles."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        table.add_column(title)
    return table


def add_row(table: Table, *cells: str) -> None:
    """Add a row of texts to a table, as they are."""
    table.add_row(*(Text(visible(cell)) for cell in cells))


def say(console: Console, text: str) -> None:
    """Print a line as it is, whatever its length and signs."""
    console.print(visible(text), markup=False, emoji=False, highlight=False, soft_wrap=True)


def warn(text: str, kind: str = "warning") -> None:
    """Print a line on stderr that begins with its kind."""
    typer.echo(visible(f"{kind}: {text}"), err=True)


def trace(error: BaseException) -> None:
    """Print on stderr where in the code an error arose."""
    typer.echo(visible("".join(traceback.format_exception(error))), err=True, nl=False)
