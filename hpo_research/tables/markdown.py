"""Tables as Markdown (pipe tables); a user's text is shown as it is.

What no document can hold, control characters say, are escapes.
"""

import re
from collections.abc import Sequence

from hpo_research.tables.table import Cell, Table
from hpo_research.text import visible

_MARKDOWN = re.compile(r"([\\`*_\]<>|~&$])")


def markdown(table: Table) -> str:
    """Return the table as GitHub-flavoured Markdown, with its title and caption."""
    first = table.rows[0] if table.rows else ()
    rules = ["---:" if cell.is_number else ":---" for cell in first] or [":---"] * len(table.head)
    lines = [
        f"**{escaped_markdown(table.title)}.** {escaped_markdown(table.caption)}",
        "",
        _piped([escaped_markdown(title) for title in table.head]),
        _piped(rules),
        *(_piped([_marked(cell) for cell in row]) for row in table.rows),
    ]
    return "\n".join(lines) + "\n"


def _piped(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _marked(cell: Cell) -> str:
    shown = cell.text if cell.is_number else escaped_markdown(cell.text)
    before, after = {"": ("", ""), "best": ("**", "**"), "tied": ("<u>", "</u>")}[cell.mark]
    return f"{before}{shown}{after}"


def escaped_markdown(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return _MARKDOWN.sub(r"\\\1", visible(" ".join(text.split())))
