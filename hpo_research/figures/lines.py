"""Lines over a cost with their bands, as every figure draws them."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from hpo_research.analysis.bootstrap import Band
from hpo_research.figures.layout import numbers_across
from hpo_research.figures.style import Look, look, ruled, verbatim

_MARKERS = 5  # on a line
_TAIL = 0.02  # of the greatest cost: what is drawn beyond a line's last step, or it were not seen


def draw_bands(axes: Axes, bands: Mapping[str, Band], strategies: Sequence[str]) -> None:
    """Draw each band and its line; a strategy looks as its position in `strategies` says.

    The lines are labelled, so that `axes.legend()` names them.
    """
    tail = _TAIL * max((float(band.cost[-1]) for band in bands.values()), default=0.0)
    for position, name in enumerate(strategies):
        if name in bands:
            offset = (position + 0.5) / len(strategies)
            shown = _seen_to_the_end(bands[name], tail)
            _band(axes, shown, look(position))
            _line(axes, shown, key(position, name), offset=offset)


def key(position: int, name: str) -> Line2D:
    """Return the line that stands for a strategy in a legend."""
    drawn = look(position)
    return Line2D(
        [],
        [],
        color=drawn.color,
        linestyle=drawn.dash,
        linewidth=1.3,
        marker=drawn.marker,
        markersize=4.2,
        markeredgecolor="white",
        markeredgewidth=0.4,
        label=verbatim(name),
        zorder=3 + position,
    )


def cost_axis(axes: Axes, label: str) -> None:
    """Name the cost axis; it begins at 0 with whole numbers as ticks where it can."""
    axes.set_xlabel(label)
    axes.set_xlim(left=0)
    locator = MaxNLocator(numbers_across(axes), integer=True, steps=[1, 2, 2.5, 5, 10])
    axes.xaxis.set_major_locator(locator)
    ruled(axes, "y")


def nothing(axes: Axes, *sides: Literal["x", "y"]) -> None:
    """Say that there is nothing to show, and number none of these sides."""
    axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", va="center")
    for side in sides:
        (axes.set_xticks if side == "x" else axes.set_yticks)([])


def _seen_to_the_end(band: Band, tail: float) -> Band:
    """Return a band whose last step is as wide as `tail`."""
    center, low, high = (np.append(v, v[-1:]) for v in (band.center, band.low, band.high))
    return Band(np.append(band.cost, band.cost[-1:] + tail), center, low, high, band.seeds)


def _band(axes: Axes, band: Band, drawn: Look) -> None:
    if not np.isnan(band.low).all():
        axes.fill_between(
            band.cost,
            band.low,
            band.high,
            step="post",
            color=drawn.color,
            alpha=0.14,
            linewidth=0,
            zorder=2,
        )
        for edge in (band.low, band.high):  # in grey, bands that overlap are told apart by these
            axes.plot(
                band.cost,
                edge,
                drawstyle="steps-post",
                color=drawn.color,
                linestyle=drawn.dash,
                linewidth=0.5,
                alpha=0.8,
                zorder=2.5,
            )


def _line(axes: Axes, band: Band, line: Line2D, *, offset: float) -> None:
    """Draw a line; markers stand at even costs, beside those of the others."""
    known = np.flatnonzero(~np.isnan(band.center))
    if not known.size:
        return
    cost = band.cost
    wanted = cost[known[0]] + (np.arange(_MARKERS) + offset) / _MARKERS * np.ptp(cost[known])
    marked = np.unique(np.clip(np.searchsorted(cost, wanted), known[0], known[-1]))
    line.set_data(cost, band.center)
    line.set_drawstyle("steps-post")
    line.set_markevery([int(i) for i in marked])
    axes.add_line(line)
    axes.autoscale_view()
