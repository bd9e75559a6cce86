"""Where tables and lines go."""

import sys

from rich import box
from rich.console import Console
from rich.table import Table

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
