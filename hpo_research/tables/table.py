"""A table: all digits for machines, and a few of them for people."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from hpo_research.records import Direction, best_value

DIGITS = 4
NONE = "–"
"""What is printed where there is no value."""


@dataclass(frozen=True)
class Cell:
    """A printed cell; numbers stand to the right, the best ones are bold."""

    text: str
    is_number: bool = False
    is_best: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a name for its files, a title, and a caption that explains its columns.

    `data` holds every digit and goes into the CSV; `head` and `rows` are what is printed. `breaks`
    are the rows above which a rule stands: a new problem begins there.
    """

    name: str
    title: str
    caption: str
    data: pd.DataFrame
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    breaks: frozenset[int] = frozenset()


def text(value: object) -> Cell:
    """Return a cell of text."""
    return Cell(str(value))


def count(value: int) -> Cell:
    """Return a cell with an integer."""
    return Cell(str(value), is_number=True)


def share(found: int, wanted: int) -> Cell:
    """Return a cell with how many there are, and of how many where some are missing."""
    return Cell(str(wanted) if found == wanted else f"{found}/{wanted}", is_number=True)


def number(value: float, *, is_best: bool = False) -> Cell:
    """Return a cell with four significant digits, or a dash for NaN."""
    return Cell(printed(value), is_number=True, is_best=is_best)


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


def best_of(values: Mapping[str, float], direction: Direction) -> frozenset[str]:
    """Return the names with the best value, with all that print the same; none without values."""
    known = {name: value for name, value in values.items() if not math.isnan(value)}
    if not known:
        return frozenset()
    best = best_value(known.values(), direction)
    return frozenset(name for name, value in known.items() if printed(value) == printed(best))


def unrepeated(names: Sequence[str]) -> list[str]:
    """Return the names, those that repeat the one before as empty texts."""
    return ["" if i and names[i - 1] == name else name for i, name in enumerate(names)]


def breaks(names: Sequence[str]) -> frozenset[int]:
    """Return where a name differs from the one before."""
    return frozenset(i for i in range(1, len(names)) if names[i] != names[i - 1])
