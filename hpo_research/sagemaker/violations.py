"""What is wrong with a document, a line each: JSON path, value, rule, way out."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hpo_research.options import is_boolean
from hpo_research.text import quoted

Path = tuple[str | int, ...]
"""Where in a document: names of fields and places in lists, from the outside in."""

ABSENT = object()
"""The value of a field that is not there."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_LITERALS = {True: "true", False: "false", None: "null"}


@dataclass(frozen=True)
class Told:
    """A value that is told, not shown: `31 metrics`."""

    text: str

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Violation:
    """A value that breaks a rule: where it stands, what must be, and what to do.

    `covers` are other places that the same mistake leaves without a value, so that one mistake is
    one line.
    """

    path: Path
    value: object
    rule: str
    way_out: str
    covers: tuple[Path, ...] = ()

    def __str__(self) -> str:
        what = " is absent" if self.value is ABSENT else f" = {shown(self.value)}"
        return f"{dotted(self.path)}{what}: {self.rule}; {self.way_out}"


def dotted(path: Path) -> str:
    """Return a path as it is written: `ParameterRanges.IntegerParameterRanges[0].Name`."""
    text = ""
    for step in path:
        if isinstance(step, str) and _PLAIN.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{quoted(step)}]"
    return text or "the document"


def shown(value: object) -> str:
    """Return a value as JSON would have it where that is another word than Python's."""
    if value is None or is_boolean(value):
        return _LITERALS[value]
    return quoted(value)


def is_within(path: Path, outer: Path) -> bool:
    """Whether a path leads to a place in another, or to that itself."""
    return path[: len(outer)] == outer


def is_touched(path: Path, broken: Iterable[Path]) -> bool:
    """Whether something at a place, in it or around it is broken."""
    return any(is_within(path, one) or is_within(one, path) for one in broken)
