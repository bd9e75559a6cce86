"""A sheet: the panels of a figure under one legend, as wide as a column or a page of a paper."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib import rcParams
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from hpo_research.figures.labels import wrapped
from hpo_research.figures.style import BODY, body, current, verbatim

_STACKED = 4  # panels above each other in a column; more are spread over the page
_ACROSS = 3  # panels in a row of a page
_NARROW = 4.5  # inches: a wider column has room for panels beside each other
_TALLER = 1.25  # times, where there are so many names: their lines need room
_MOST_ROWS = 4  # of names above a column; with more the figure is as wide as a page
_LETTERS_AN_INCH = 15  # of a title
# Between lines, of fonts that are made with much room of their own.
_SPACING = {"STIXGeneral": 0.75}


@dataclass(frozen=True)
class Picture:
    """A figure that is ready to be saved: its file name, a short title, and its caption.

    The caption is for the text below it, in full sentences, and stands nowhere in the figure.
    """

    name: str
    title: str
    caption: str
    figure: Figure = field(compare=False, repr=False)


def sheet(
    panels: int, height: float, legend: Sequence[Artist], *, columns: int | None = None
) -> tuple[Figure, list[Axes]]:
    """Return a figure with its legend above, and axes for its panels.

    Up to four panels are stacked at the width of a column; more stand over the page, three in a
    row or in so many `columns`, and so do two or more where a column is as wide as a page, or where
    the names would stand in many rows above a column; beside a single panel they stand on its
    right then. `height` is that of a panel in inches where letters have the plain style's size.
    """
    style, larger = current(), body() / BODY
    names = [str(entry.get_label()) for entry in legend]
    line = 0.17 * larger
    is_many = -(-len(names) // _names_across(names, style.column)) > _MOST_ROWS if names else False
    columns = _columns(panels, is_many=is_many) if columns is None else columns
    width = style.column if columns == 1 and not is_many else style.page
    is_beside = is_many and columns == 1
    across = 1 if is_beside else _names_across(names, width)
    rows = -(-panels // columns)
    tall = rows * height * larger * (_TALLER if is_many else 1.0)
    above = line * -(-len(names) // across)
    tall = (max(tall, above) if is_beside else tall + above) + 0.06
    figure = Figure(figsize=(width, tall), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for unused in axes[panels:]:
        unused.set_axis_off()
    if names:
        figure.legend(
            handles=list(legend),
            loc="outside right upper" if is_beside else "outside upper center",
            ncols=across,
            frameon=False,
            handlelength=3,
            columnspacing=1.2,
        )
    return figure, axes[:panels]


def fit_labels(axes: Sequence[Axes]) -> None:
    """Break titles and labels that are longer than a panel is wide, once all panels are drawn.

    A label is left out where the panel below has the same one, and the same numbers; the label of
    values where the panel on the left has the same.
    """
    for i, panel in reversed(list(enumerate(axes))):
        if i % _across(axes) and panel.get_ylabel() == axes[i - 1].get_ylabel():
            panel.set_ylabel("")
    for upper, lower in zip(axes, axes[_across(axes) :], strict=False):
        if upper.get_xlabel() == lower.get_xlabel() and _is_numbered_alike(upper, lower):
            upper.set_xlabel("")
    for panel in axes:
        letters = max(12, int(inches(panel) * _LETTERS_AN_INCH * BODY / body()))
        for text in (panel.title, panel.xaxis.label):
            text.set_text(verbatim(wrapped(text.get_text().replace(r"\$", "$"), letters)))
        for text in (panel.title, panel.xaxis.label, panel.yaxis.label):
            text.set_linespacing(_SPACING.get(rcParams["font.family"][0], 1.2))


def _is_numbered_alike(one: Axes, other: Axes) -> bool:
    """Whether the axes below two panels are the same, to less than a step that can be seen."""
    if one.get_xscale() != other.get_xscale():
        return False
    (low, high), (first, last) = one.get_xlim(), other.get_xlim()
    return bool(np.allclose([low, high], [first, last], rtol=0, atol=0.01 * abs(high - low)))


def name_rows_once(axes: Sequence[Axes]) -> None:
    """Leave out the names of rows where a panel beside on the left has them."""
    for i, panel in enumerate(axes):
        if i % _across(axes):
            panel.tick_params(axis="y", labelleft=False)


def inches(axes: Axes) -> float:
    """Return about how wide a panel is, before the layout is settled."""
    figure = axes.get_figure(root=True)
    width = current().column if figure is None else float(figure.get_figwidth())
    return axes.get_position().width * width


def numbers_across(axes: Axes) -> int:
    """Return how many parts a panel can be divided into by numbers along its width."""
    return min(5, max(2, int(2 * inches(axes))))


def _columns(panels: int, *, is_many: bool) -> int:
    """Return how many panels stand beside each other, in rows that are as full as they can be."""
    is_narrow = current().column < _NARROW
    if panels == 1 or (is_narrow and panels <= _STACKED and not is_many):
        return 1
    rows = -(-panels // _ACROSS)
    return _ACROSS if is_narrow and panels > _STACKED else -(-panels // rows)


def _across(axes: Sequence[Axes]) -> int:
    """Return how many of some panels stand in a row."""
    place = axes[0].get_subplotspec() if axes else None
    return 1 if place is None else int(place.get_gridspec().ncols)


def _names_across(names: Sequence[str], width: float) -> int:
    """Return how many names fit beside each other in a legend, in columns as wide as they need."""
    font = FontProperties(family=rcParams["font.family"], size=rcParams["legend.fontsize"])
    size = font.get_size_in_points()
    widths = [TextPath((0, 0), name, prop=font).get_extents().width for name in names]
    for columns in range(len(names), 1, -1):
        rows = -(-len(names) // columns)
        if columns != -(-len(names) // rows):
            continue  # fewer columns have as many rows
        parts = [part for part in np.array_split(widths, columns) if part.size]
        if sum(part.max() + 5.2 * size for part in parts) <= width * 72:
            return columns
    return 1
