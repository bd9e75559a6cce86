"""The first picture: best value so far against what it cost, one panel a problem."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from hpo_research.analysis.curves import Axis, Band
from hpo_research.analysis.result import Result
from hpo_research.figures.panel import Panel, caption, panel
from hpo_research.figures.style import BODY, COLUMN, PAGE, SMALL, Look, look, styled, verbatim

_LABELS = {
    "epochs": "epochs trained in a run",
    "evaluations": "trials ended in a run",
    "seconds": "seconds of a run",
}
_MARKERS = 5  # on a line
_ACROSS = 3  # panels in a row
_FEW = 300.0  # the ratio up to which a log axis gets numbers between powers of ten
_LETTERS_AN_INCH = 19  # of the caption


def incumbent_figure(result: Result, axis: Axis = "epochs") -> Figure:
    """Draw the median over seeds of the best value so far, with bootstrap bands over seeds.

    One panel a problem, one line a strategy. Where the optimum is known the panel shows the
    distance from it. What the lines and bands are, how many seeds there are, and what to know
    about single lines stands below the panels.
    """
    panels = [panel(result, problem, axis) for problem in result.description["problems"]]
    strategies = list(result.description["strategies"])
    with styled():
        columns = min(len(panels), _ACROSS)
        rows = -(-len(panels) // columns)
        width = COLUMN if columns == 1 else PAGE
        text = textwrap.fill(caption(panels), int(width * _LETTERS_AN_INCH))
        legend_rows = -(-len(strategies) // _legend_columns(strategies, width))
        height = rows * (2.3 if columns == 1 else 2.05)
        height += 0.17 * legend_rows + 0.11 * (text.count("\n") + 1)
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for place, shown in zip(axes, panels, strict=False):
            _draw(place, shown, strategies)
            place.set_xlabel(_LABELS[axis])
        for place in axes[len(panels) :]:
            place.set_axis_off()
        _legend(figure, strategies, width)
        figure.supxlabel(verbatim(text), fontsize=SMALL, color="#444444")
    return figure


def _draw(axes: Axes, shown: Panel, strategies: Sequence[str]) -> None:
    for position, name in enumerate(strategies):
        if name in shown.bands:
            offset = (position + 0.5) / len(strategies)
            _line(axes, shown.bands[name], look(position), offset=offset, order=3 + position)
    if shown.optimum is not None:
        axes.axhline(shown.optimum, color="#666666", linewidth=0.6, zorder=1)
        axes.annotate(
            "optimum",
            (1, shown.optimum),
            xycoords=("axes fraction", "data"),
            xytext=(0, 1.5),
            textcoords="offset points",
            fontsize=SMALL,
            color="#666666",
            horizontalalignment="right",
        )
    axes.set_title(verbatim(shown.problem))
    axes.set_ylabel(verbatim(shown.label))
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(axis="y")
    if shown.is_log:
        _log(axes)
    if not shown.bands:
        axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", va="center")
        axes.set_yticks([])


def _log(axes: Axes) -> None:
    """Make the axis logarithmic; within a few decades, powers of ten alone would not be read."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high / low < _FEW:
        subs = (1, 2, 5) if high / low > 10 else range(1, 10)
        axes.yaxis.set_major_locator(LogLocator(subs=subs))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())


def _line(axes: Axes, band: Band, drawn: Look, *, offset: float, order: int) -> None:
    """Draw a line and its band; markers stand at even costs, beside those of the others."""
    known = np.flatnonzero(~np.isnan(band.center))
    cost = band.cost
    wanted = cost[known[0]] + (np.arange(_MARKERS) + offset) / _MARKERS * np.ptp(cost[known])
    marked = np.unique(np.clip(np.searchsorted(cost, wanted), known[0], known[-1]))
    if not np.isnan(band.low).all():
        axes.fill_between(
            cost,
            band.low,
            band.high,
            step="post",
            color=drawn.color,
            alpha=0.16,
            linewidth=0,
            zorder=2,
        )
    axes.plot(
        cost,
        band.center,
        drawstyle="steps-post",
        color=drawn.color,
        linestyle=drawn.dash,
        linewidth=1.3,
        marker=drawn.marker,
        markersize=3.5,
        markeredgecolor="white",
        markeredgewidth=0.4,
        markevery=[int(i) for i in marked],
        zorder=order,
    )


def _legend_columns(names: Sequence[str], width: float) -> int:
    """Return how many names fit beside each other, in rows of nearly the same length."""
    widest = (5 + 0.65 * max(map(len, names))) * BODY / 72
    rows = -(-len(names) // max(1, int(width / widest)))
    return -(-len(names) // rows)


def _legend(figure: Figure, strategies: Sequence[str], width: float) -> None:
    handles = []
    for position, name in enumerate(strategies):
        drawn = look(position)
        handles.append(
            Line2D(
                [],
                [],
                color=drawn.color,
                linestyle=drawn.dash,
                linewidth=1.3,
                marker=drawn.marker,
                markersize=3.5,
                markeredgecolor="white",
                markeredgewidth=0.4,
                label=verbatim(name),
            )
        )
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=_legend_columns(strategies, width),
        frameon=False,
        handlelength=3,
    )
