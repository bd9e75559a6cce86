"""Search time against the number of trials that a strategy knows."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from hpo_research.analysis.arguments import check_name
from hpo_research.analysis.bootstrap import Band
from hpo_research.analysis.result import Result
from hpo_research.analysis.search_times import SearchTimes, search_times
from hpo_research.errors import StoreError
from hpo_research.figures.labels import counted
from hpo_research.figures.layout import Picture, fit_labels, sheet
from hpo_research.figures.lines import cost_axis, draw_bands, key
from hpo_research.figures.scales import Scale, lay
from hpo_research.figures.style import dressed, look, styled, verbatim

_HEIGHT = 1.9
_LEAST = 1e-7  # seconds: clocks tell no less, and a log axis has no 0
_MOST_PANELS = 12


def draw_search_times(axes: Axes, result: Result, problem: str) -> None:
    """Draw the seconds of an ask by proposal against the trials begun before, on log axes.

    Raises `StoreError` for an unknown problem, and where no strategy was asked twice.
    """
    check_name("problem", problem, result.facts.problems)
    found = search_times(result).get(problem)
    if not found:
        raise StoreError("draw_search_times: expected a strategy that was asked more than once")
    with styled():
        _draw(axes, found, list(result.facts.strategies))


def search_times_figure(result: Result) -> Picture | None:
    """Draw the search times, a panel a problem; None where no strategy was asked twice."""
    every = search_times(result)
    if not every:
        return None
    shown = list(every)[:_MOST_PANELS]
    everyone = list(result.facts.strategies)
    with styled():
        names = [
            name for name in everyone if any(t.strategy == name for p in shown for t in every[p])
        ]
        figure, panels = sheet(
            len(shown), _HEIGHT, [key(everyone.index(name), name) for name in names]
        )
        for axes, problem in zip(panels, shown, strict=True):
            _draw(axes, every[problem], everyone)
            if len(shown) > 1:
                axes.set_title(verbatim(problem))
        fit_labels(panels)
    return Picture("search-times", "Search time over trials", _caption(every, shown), figure)


def _draw(axes: Axes, found: Sequence[SearchTimes], everyone: Sequence[str]) -> None:
    bands = {}
    for own in found:
        middle = np.maximum(own.seconds, _LEAST)
        low, high = np.maximum(own.low, _LEAST), np.maximum(own.high, _LEAST)
        bands[own.strategy] = Band(own.trials.astype(float), middle, low, high, middle[None])
    draw_bands(dressed(axes), bands, everyone, is_log=True)
    for own in found:
        if own.first is not None:
            drawn = look(everyone.index(own.strategy))
            axes.plot(
                max(own.first[0], 1),
                max(own.first[1], _LEAST),
                linestyle="none",
                marker=drawn.marker,
                markersize=drawn.size,
                color=drawn.color,
                markerfacecolor="white",
            )
    cost_axis(axes, "trials begun before", is_log=True)
    lay(Scale("log"), axes, "y")
    axes.set_ylabel("seconds of an ask\nby proposal")


def _caption(every: dict[str, list[SearchTimes]], shown: Sequence[str]) -> str:
    runs = [own.runs for problem in shown for own in every[problem]]
    few = f" Shown are {len(shown)} of {len(every)} problems." * (len(shown) < len(every))
    return (
        "The seconds that an ask took by proposal, against the trials that the run had begun "
        f"before: medians over {counted(runs, 'run')}, with quartiles. Seconds are a run's share "
        "where several runs were asked together, as it happened on this machine. The first ask of "
        "a run is left out, as it draws the initial design. Hollow marks apart from the lines are "
        "the first ask of a run that fitted a model: in a new process, that also loads and "
        f"compiles what fits need.{few}"
    )
