"""A sheet: the panels of a figure under one legend, as wide as a column or a page of a paper."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

from hpo_research.figures.labels import wrapped
from hpo_research.figures.style import BODY, COLUMN, PAGE, verbatim

_STACKED = 4  # panels above each other in a column; more are spread over the page
_ACROSS = 3  # panels in a row of a page
_LETTERS_AN_INCH = 15  # of a title


@dataclass(frozen=True)
class Picture:
    """A figure that is ready to be saved: its file name, a short title, and its caption.

    The caption is for the text below it, in full sentences, and stands nowhere in the figure.
    """

    name: str
    title: str
    caption: str
    figure: Figure = field(compare=False, repr=False)


def sheet(panels: int, height: float, legend: Sequence[Artist]) -> tuple[Figure, list[Axes]]:
    """Return a figure with its legend above, and axes for its panels.

    Up to four panels are stacked at the width of a column; more stand three in a row over the
    page. `height` is that of a panel, in inches.
    """
    columns = _columns(panels)
    width = COLUMN if columns == 1 else PAGE
    rows = -(-panels // columns)
    names = [str(entry.get_label()) for entry in legend]
    across = _names_across(names, width)
    tall = rows * height + 0.17 * -(-len(names) // across) + 0.06
    figure = Figure(figsize=(width, tall), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for unused in axes[panels:]:
        unused.set_axis_off()
    if names:
        figure.legend(
            handles=list(legend),
            loc="outside upper center",
            ncols=across,
            frameon=False,
            handlelength=3,
            columnspacing=1.2,
        )
    return figure, axes[:panels]


def fit_labels(axes: Sequence[Axes]) -> None:
    """Break titles and labels that are longer than a panel is wide, once all panels are drawn.

    A label is left out where the panel below has the same one.
    """
    for upper, lower in zip(axes, axes[_columns(len(axes)) :], strict=False):
        if upper.get_xlabel() == lower.get_xlabel():
            upper.set_xlabel("")
    for panel in axes:
        letters = max(12, int(inches(panel) * _LETTERS_AN_INCH))
        for text in (panel.title, panel.xaxis.label):
            text.set_text(verbatim(wrapped(text.get_text().replace(r"\$", "$"), letters)))


def name_rows_once(axes: Sequence[Axes]) -> None:
    """Leave out the names of rows where a panel beside on the left has them."""
    for i, panel in enumerate(axes):
        if i % _columns(len(axes)):
            panel.tick_params(axis="y", labelleft=False)


def inches(axes: Axes) -> float:
    """Return about how wide a panel is, before the layout is settled."""
    figure = axes.get_figure(root=True)
    return axes.get_position().width * (COLUMN if figure is None else float(figure.get_figwidth()))


def numbers_across(axes: Axes) -> int:
    """Return how many parts a panel can be divided into by numbers along its width."""
    return min(5, max(2, int(2 * inches(axes))))


def _columns(panels: int) -> int:
    return 1 if panels <= _STACKED else _ACROSS


def _names_across(names: Sequence[str], width: float) -> int:
    """Return how many names fit beside each other in a legend, in columns as wide as they need."""
    widths = [TextPath((0, 0), name, size=BODY).get_extents().width for name in names]
    for columns in range(len(names), 1, -1):
        rows = -(-len(names) // columns)
        if columns != -(-len(names) // rows):
            continue  # fewer columns have as many rows
        parts = [part for part in np.array_split(widths, columns) if part.size]
        if sum(part.max() + 5.2 * BODY for part in parts) <= width * 72:
            return columns
    return 1
