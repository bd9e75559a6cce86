"""Lines over a cost with their bands, as every figure draws them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from hpo_research.analysis.bootstrap import LEAST_FOR_MEDIAN, LEAST_SEEDS, Band, Statistic
from hpo_research.figures.layout import numbers_across
from hpo_research.figures.scales import Scale, lay
from hpo_research.figures.style import Look, halo, look, ruled, small, verbatim

LEVEL, RESAMPLES = 0.95, 2000
"""Of every band: its level, and of how many resamples it is where it is a bootstrap."""

MOST_BANDS = 5
"""Lines on some axes up to which each has a filled band; more would pile into grey."""

_SAID: Mapping[Statistic, tuple[int, str]] = {
    "median": (
        LEAST_FOR_MEDIAN,
        f"pointwise, between order statistics that hold the median with at least {LEVEL:.0%}",
    ),
    "mean": (
        LEAST_SEEDS,
        f"pointwise {LEVEL:.0%} percentile bootstrap over seeds ({RESAMPLES:,} resamples)",
    ),
}
"""From how many seeds on there is a band, and what it is."""

_MARKERS = 5  # on a line
_MOST_BARS = 24  # on some axes: more would be a fence
_APART = 0.2  # of the greatest cost, or of its logarithm: nearer, the word stands once
_TAIL = 0.02  # of the greatest cost: what is drawn beyond a line's last step, or it were not seen


def draw_bands(
    axes: Axes,
    bands: Mapping[str, Band],
    strategies: Sequence[str],
    *,
    is_log: bool = False,
    ended: Collection[str] = (),
) -> None:
    """Draw each band and its line; a strategy looks as its position in `strategies` says.

    Of more than `MOST_BANDS` lines, bands are bars at some of the marks, which stand apart. Where
    the seeds are too few for a band, each is a thin line. The lines are labelled, so that
    `axes.legend()` names them. `is_log` says that costs will be on a log axis. The lines of
    `ended` end early, and say so.
    """
    reach = max((float(band.cost[-1]) for band in bands.values()), default=0.0)
    tail, said = _TAIL * reach, list[float]()
    for position, name in enumerate(strategies):
        if name in bands:
            offset = (position + 0.5) / len(strategies)
            own = tail if not is_log else 3 * _TAIL * float(bands[name].cost[-1])
            shown, drawn = _seen_to_the_end(bands[name], own), look(position)
            marked = _marked(shown, offset, is_log=is_log)
            if len(bands) > MOST_BANDS:
                _bars(axes, shown, _few(marked, _MOST_BARS // len(bands)), drawn)
            elif shown.has_interval:
                _band(axes, shown, drawn)
            else:
                _seeds(axes, shown, drawn)
            _line(axes, shown, key(position, name), marked)
            if name in ended and marked:
                place = float(shown.cost[-1])
                apart = [abs(np.log(place / x)) if is_log else abs(place - x) / reach for x in said]
                _end(axes, shown, drawn, is_named=min(apart, default=1.0) > _APART)
                said.append(place)


def bands_said(lines: Collection[int], seeds: Collection[int], statistic: Statistic) -> str:
    """Say what the bands of axes with so many lines are, and where there is none.

    `seeds` are the numbers of seeds that a line is over.
    """
    least, what = _SAID[statistic]
    each = "; thin lines are single seeds" if max(seeds) > 1 and min(lines) <= MOST_BANDS else ""
    if max(seeds) < least:
        return f"No band is drawn for fewer than {least} seeds{each}."
    shape = "Bands" if min(lines) <= MOST_BANDS else "Bars at some of the marks"
    if min(lines) <= MOST_BANDS < max(lines):
        shape += f" (bars at some of the marks where there are more than {MOST_BANDS} lines)"
    few = f"; none for fewer than {least} seeds{each}" if min(seeds) < least else ""
    return f"{shape}: {what}{few}."


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
        markersize=drawn.size,
        markeredgecolor="white",
        markeredgewidth=0.4,
        label=verbatim(name),
        zorder=3 + position,
    )


def cost_axis(axes: Axes, label: str, *, is_log: bool = False) -> None:
    """Name the cost axis; it begins at 0 with whole numbers as ticks where it can, or is a log."""
    axes.set_xlabel(label)
    if is_log:
        lay(Scale("log"), axes, "x")
        ruled(axes, "y")
        return
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
    own = (band.center, band.low, band.high, band.values)
    longer = [np.concatenate([values, values[..., -1:]], axis=-1) for values in own]
    return Band(np.append(band.cost, band.cost[-1:] + tail), *longer)


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


def _seeds(axes: Axes, band: Band, drawn: Look) -> None:
    if band.seeds > 1:
        for values in band.values:
            axes.plot(
                band.cost,
                values,
                drawstyle="steps-post",
                color=drawn.color,
                linewidth=0.5,
                alpha=0.6,
                zorder=2,
            )


def _marked(band: Band, offset: float, *, is_log: bool) -> list[int]:
    """Return where a line has its marks: at even costs, beside those of the others."""
    known = np.flatnonzero(~np.isnan(band.center))
    if not known.size:
        return []
    cost = np.log(band.cost) if is_log else band.cost
    wanted = cost[known[0]] + (np.arange(_MARKERS) + offset) / _MARKERS * np.ptp(cost[known])
    marked = np.clip(np.searchsorted(cost, wanted), known[0], known[-1])
    return [int(i) for i in np.unique(marked)]


def _few(marked: Sequence[int], most: int) -> list[int]:
    """Return at most so many marks of a line, and at least its last."""
    few = np.linspace(len(marked) - 1, 0, max(most, 1) + 1)[:-1]
    return sorted({marked[round(place)] for place in few.tolist()}) if marked else []


def _bars(axes: Axes, band: Band, marked: Sequence[int], drawn: Look) -> None:
    own = [i for i in marked if not np.isnan(band.low[i])]
    axes.vlines(
        band.cost[own], band.low[own], band.high[own], color=drawn.color, linewidth=0.8, zorder=2
    )


def _end(axes: Axes, band: Band, drawn: Look, *, is_named: bool) -> None:
    """Close a line that ends early with a stroke, and the word beside it where it has room."""
    place = (band.cost[-1], band.center[-1])
    axes.plot(*place, marker="|", markersize=8, markeredgewidth=1.4, color=drawn.color, zorder=4)
    if not is_named:
        return
    axes.annotate(
        "ends",
        place,
        xytext=(3, 0),
        textcoords="offset points",
        fontsize=small(),
        color=drawn.color,
        verticalalignment="center",
        path_effects=halo(),
        zorder=20,
    )


def _line(axes: Axes, band: Band, line: Line2D, marked: Sequence[int]) -> None:
    """Draw a line with its marks."""
    if not marked:
        return
    line.set_data(band.cost, band.center)
    line.set_drawstyle("steps-post")
    line.set_markevery(list(marked))
    axes.add_line(line)
    axes.autoscale_view()
