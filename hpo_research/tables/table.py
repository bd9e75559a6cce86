"""A table: all digits for machines, and a few of them for people."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from hpo_research.analysis.leaders import Mark

DIGITS = 4
NONE = "–"
"""What is printed where there is no value."""


@dataclass(frozen=True)
class Cell:
    """A printed cell; numbers stand to the right, those that lead are marked (`leaders`)."""

    text: str
    is_number: bool = False
    mark: Mark = ""


@dataclass(frozen=True)
class Table:
    """A table with a name for its files, a title, and a caption that explains its columns.

    `data` holds every digit and goes into the CSV; `head` and `rows` are what is printed. `breaks`
    are the rows above which a rule stands: a new problem begins there. `across` is what the columns
    after the first are, "Problem" say, of a table whose rows and columns may be exchanged; `spare`
    are the heads of columns that print leaves out where there is no room for all.
    """

    name: str
    title: str
    caption: str
    data: pd.DataFrame
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    breaks: frozenset[int] = frozenset()
    across: str = ""
    spare: Sequence[str] = ()


def text(value: object) -> Cell:
    """Return a cell of text."""
    return Cell(str(value))


def count(value: int) -> Cell:
    """Return a cell with an integer."""
    return Cell(str(value), is_number=True)


def share(found: int, wanted: int) -> Cell:
    """Return a cell with how many there are, and of how many where some are missing."""
    return Cell(str(wanted) if found == wanted else f"{found}/{wanted}", is_number=True)


def number(value: float, mark: Mark = "") -> Cell:
    """Return a cell with four significant digits, or a dash for NaN."""
    return Cell(printed(value), is_number=True, mark=mark)


def interval(low: float, high: float) -> Cell:
    """Return a cell with a range, or a dash where there is none."""
    has_none = math.isnan(low) or math.isnan(high)
    return Cell(NONE if has_none else f"[{printed(low)}, {printed(high)}]", is_number=True)


def p_value(value: float) -> Cell:
    """Return a cell with a probability of a test, or a dash where there was none."""
    if math.isnan(value):
        return Cell(NONE, is_number=True)
    return Cell("<0.001" if value < 0.001 else f"{value:.3f}", is_number=True)


def printed(value: float) -> str:
    """Write a number with four significant digits, or as a whole one of at most six."""
    if math.isnan(value):
        return NONE
    if value == 0:
        return "0"
    return f"{value:.0f}" if 1e4 <= abs(value) < 999999.5 else f"{value:#.{DIGITS}g}".rstrip(".")


def unrepeated(names: Sequence[str]) -> list[str]:
    """Return the names, those that repeat the one before as empty texts."""
    return ["" if i and names[i - 1] == name else name for i, name in enumerate(names)]


def breaks(names: Sequence[str]) -> frozenset[int]:
    """Return where a name differs from the one before."""
    return frozenset(i for i in range(1, len(names)) if names[i] != names[i - 1])
