"""How a table is printed on a page: its columns, lines and floats, chosen by what it measures."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from hpo_research.tables.table import Cell, Table
from hpo_research.tables.widths import broken, width, width_of_number, wrapped

COLUMN, TEXT = 24.5, 38.5
"""Widths in em: of a column of a two-column article, of the text of a one-column one, which a
two-column article's is wider than (both on A4 and letter paper, at 10 and 11 points)."""
LINES = 46.0
"""Lines of `footnotesize` that a float may have: those of a page, less some."""

_GAP = 0.75  # between columns
_CAPS = (14.0, 10.0, 7.0)  # of columns of text, the first that suffices
_HEAD = 7.0  # a word in a head is broken from here on
_NOTES = 1.25  # more signs stand on a line of notes, which are smaller
_DECIMAL = re.compile(r"-?(\d+)(\.\d+)?")
_MOST_DIGITS = 9


@dataclass(frozen=True)
class Printed:
    """A cell in print: its lines, and the digits that would follow for others' points to be above.

    `pad` is such as `.00`, invisible.
    """

    cell: Cell
    lines: tuple[str, ...]
    pad: str = ""

    @cached_property
    def width(self) -> float:
        """Its width in em."""
        if not self.cell.is_number:
            return max(map(width, self.lines))
        is_bold = self.cell.mark == "best"
        own = max(width_of_number(line, is_bold=is_bold) for line in self.lines)
        return own + width(self.pad)


@dataclass(frozen=True)
class Panel:
    """Columns that stand beside each other: heads, and rows, above some of which lines of text.

    `groups` are those lines by row; `rules` are the rows above which a rule stands.
    """

    heads: tuple[tuple[str, ...], ...]
    rows: tuple[tuple[Printed, ...], ...]
    rules: frozenset[int]
    groups: dict[int, tuple[str, ...]]

    @cached_property
    def widths(self) -> list[float]:
        """The widths of its columns in em."""
        return [
            max([*(width(line) for line in head), *(row[i].width for row in self.rows)])
            for i, head in enumerate(self.heads)
        ]

    @cached_property
    def width(self) -> float:
        """Its width in em, with the space between columns."""
        return sum(self.widths) + _GAP * (len(self.heads) - 1)

    @property
    def lines(self) -> float:
        """Its height in lines, its rules included."""
        rows = sum(max(len(cell.lines) for cell in row) for row in self.rows)
        groups = sum(map(len, self.groups.values()))
        return max(map(len, self.heads)) + rows + groups + 0.6 * (3 + len(self.rules))


@dataclass(frozen=True)
class Layout:
    """Panels below each other, in a float as wide as a column or the text, or over pages.

    `left_out` are the heads of columns for which there was no room.
    """

    panels: tuple[Panel, ...]
    is_wide: bool
    is_long: bool
    left_out: tuple[str, ...] = ()


def layout(table: Table) -> Layout:
    """Choose how a table is printed.

    As it is in a column, where it fits; with what its first columns repeat as lines above the rows;
    as wide as the text; with rows and columns exchanged where both are names; without the columns
    that it can spare; with intervals below what they belong to; or in panels.
    """
    for shape in _shapes(table):
        panel = _panel(shape, range(len(shape.table.head)), _Form(_CAPS[0]))
        if panel.width <= COLUMN:
            return _measured((panel,), table)
    fewer = _without_spare(table)
    tries = [(table, False), *([(fewer, False)] if fewer is not table else []), (fewer, True)]
    for own, is_stacked in tries:
        for shape in _shapes(own):
            for cap in _CAPS:
                panel = _panel(shape, range(len(shape.table.head)), _Form(cap, is_stacked))
                if panel.width <= TEXT:
                    return _measured((panel,), table, own)
    found = [_panels(shape, _Form(_CAPS[-1], is_stacked=True)) for shape in _shapes(fewer)]
    return _measured(min(found, key=lambda one: sum(panel.lines for panel in one)), table, fewer)


def _shapes(table: Table) -> list["_Shape"]:
    found = [_Shape(table), _grouped(table), _turned(table)]
    return [shape for shape in found if shape is not None]


def _without_spare(table: Table) -> Table:
    kept = [i for i, head in enumerate(table.head) if head not in table.spare]
    if len(kept) == len(table.head):
        return table
    rows = [[row[i] for i in kept] for row in table.rows]
    return replace(table, head=[table.head[i] for i in kept], rows=rows)


def _measured(panels: tuple[Panel, ...], table: Table, shown: Table | None = None) -> Layout:
    is_wide = max(panel.width for panel in panels) > COLUMN
    notes = width(table.caption) / _NOTES / (TEXT if is_wide else COLUMN) + 3
    lines = sum(panel.lines + 1 for panel in panels) + notes
    left_out = () if shown is None or shown is table else table.spare
    return Layout(panels, is_wide, lines > LINES, tuple(left_out))


@dataclass(frozen=True)
class _Form:
    """How wide columns of text may be, in em, and whether numbers stand above their intervals."""

    cap: float
    is_stacked: bool = False


@dataclass(frozen=True)
class _Shape:
    """A table as it may be printed; `groups` are lines above rows."""

    table: Table
    groups: tuple[tuple[int, str], ...] = ()

    @property
    def keys(self) -> int:
        """How many of the first columns name the rows: those of text."""
        first = self.table.rows[0] if self.table.rows else ()
        texts = [cell.is_number for cell in first]
        known = texts.index(True) if True in texts else len(texts)
        return min(max(known, 1), 3, max(len(texts) - 1, 1))


def _grouped(table: Table) -> _Shape | None:
    """Return a table in which the first columns, where they do not repeat, are lines above rows."""
    starts = sorted({0, *table.breaks}) if table.rows else []
    if len(starts) == len(table.rows):
        return None
    rest = [row for i, row in enumerate(table.rows) if i not in starts]
    own = 0
    while own < len(table.head) - 1 and all(row[own].text == "" for row in rest):
        own += 1
    if own == 0:
        return None

    def said(row: Sequence[Cell]) -> str:
        shown = [
            f"{head} = {cell.text}" if cell.is_number else cell.text
            for head, cell in zip(table.head[:own], row[:own], strict=True)
        ]
        return ", ".join(text for text in shown if text)

    rows = [row[own:] for row in table.rows]
    groups = tuple((i, said(table.rows[i])) for i in starts)
    return _Shape(replace(table, head=table.head[own:], rows=rows), groups)


def _turned(table: Table) -> _Shape | None:
    """Return a table with rows and columns exchanged, where its columns are what it says."""
    if not table.across or not table.rows or table.breaks:
        return None
    head = [table.across, *(row[0].text for row in table.rows)]
    columns = zip(*(row[1:] for row in table.rows), strict=True)
    rows = [[Cell(title), *own] for title, own in zip(table.head[1:], columns, strict=True)]
    return _Shape(replace(table, head=head, rows=rows))


def _panels(shape: _Shape, form: _Form) -> tuple[Panel, ...]:
    """Divide columns into panels as wide as the text, each with the columns that name the rows."""
    keys = range(shape.keys)
    rest = list(range(shape.keys, len(shape.table.head)))
    parts: list[list[int]] = []
    for column in rest:
        if parts and _panel(shape, [*keys, *parts[-1], column], form).width <= TEXT:
            parts[-1].append(column)
        else:
            parts.append([column])
    return tuple(_panel(shape, [*keys, *part], form) for part in parts)


def _panel(shape: _Shape, columns: Sequence[int], form: _Form) -> Panel:
    """Return some columns in print, as its form is."""
    table = shape.table
    printed = [list(_column(table, i, form)) for i in columns]
    heads = []
    for i, own in zip(columns, printed, strict=True):
        body = max((cell.width for cell in own), default=0.0)
        words = (piece for word in table.head[i].split() for piece in broken(word, _HEAD))
        heads.append(tuple(wrapped(table.head[i], max([body, *map(width, words)]))))
    rows = tuple(zip(*printed, strict=True))
    found = Panel(tuple(heads), rows, table.breaks, {})
    wide = max(found.width, COLUMN / 2)
    return replace(found, groups={i: tuple(wrapped(said, wide)) for i, said in shape.groups})


def _column(table: Table, column: int, form: _Form) -> Iterator[Printed]:
    cells = [row[column] for row in table.rows]
    edges = [0, *sorted(table.breaks), len(cells)]
    for start, end in pairwise(edges):
        block = cells[start:end]
        pads = _pads(block)
        for cell, pad in zip(block, pads, strict=True):
            yield Printed(cell, _lines(cell, form), pad)


def _lines(cell: Cell, form: _Form) -> tuple[str, ...]:
    if not cell.is_number:
        return tuple(wrapped(cell.text, form.cap))
    return tuple(cell.text.split()) if form.is_stacked and "[" in cell.text else (cell.text,)


def _pads(cells: Sequence[Cell]) -> list[str]:
    """Return what each number lacks behind its point, where not too many digits would stand."""
    found = [_DECIMAL.fullmatch(cell.text) if cell.is_number else None for cell in cells]
    fractions = [0 if own is None else len(own[2] or "") for own in found]
    longest = max(fractions, default=0)
    whole = max((len(own[1]) for own in found if own is not None), default=0)
    if not longest or whole + longest > _MOST_DIGITS:
        return [""] * len(cells)
    return [
        "" if own is None else (("." if not n else "") + "0" * (longest - max(n, 1)))
        for own, n in zip(found, fractions, strict=True)
    ]
