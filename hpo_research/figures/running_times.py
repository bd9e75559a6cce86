"""The distribution of running times: how many evaluations it takes to reach targets."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from hpo_research.analysis.result import Result
from hpo_research.analysis.running_times import (
    Ecdf,
    RunningTimes,
    ecdf,
    running_times,
    targets_said,
)
from hpo_research.errors import StoreError
from hpo_research.figures.labels import counted
from hpo_research.figures.layout import Picture, fit_labels, sheet
from hpo_research.figures.lines import cost_axis, draw_bands, key
from hpo_research.figures.profiles import pooled_bands, pooled_bands_said
from hpo_research.figures.style import dressed, look, styled, verbatim

_HEIGHT = 2.0
_MOST_PANELS = 12  # problems get one each if there are fewer
_COST = "evaluations / hyperparameters"


def draw_running_times(axes: Axes, result: Result, problem: str | None = None) -> None:
    """Draw the share of targets that each strategy reached, over evaluations by hyperparameter.

    Over all problems, each weighted equally, or on one. What the targets are is said at
    `analysis.running_times.RunningTimes`. A cross stands where the median run of a strategy ends:
    beyond it, the line says only what was reached at least. Raises `StoreError` where nothing can
    be compared.
    """
    found = [own for own in running_times(result) if problem in (None, own.problem)]
    if not found:
        raise StoreError(
            "draw_running_times: expected a problem on which every strategy has a finished run on "
            "the same seed, and not all came to the same at once"
        )
    with styled():
        _draw(axes, ecdf(found), list(result.facts.strategies))


def running_times_figure(result: Result) -> Picture | None:
    """Draw the running times over all problems and on each; None where there is nothing to."""
    found = running_times(result)
    if not found:
        return None
    everyone = list(result.facts.strategies)
    groups = [found]
    if 1 < len(found) < _MOST_PANELS:
        groups += [[own] for own in found]
    with styled():
        legend = [key(everyone.index(name), name) for name in found[0].strategies]
        figure, panels = sheet(len(groups), _HEIGHT, legend)
        for axes, group in zip(panels, groups, strict=True):
            _draw(axes, ecdf(group), everyone)
            if len(groups) > 1:
                axes.set_title(verbatim(group[0].problem if len(group) == 1 else "all problems"))
        fit_labels(panels)
    return Picture("running-times", "Targets reached", running_times_caption(found), figure)


def running_times_caption(found: Sequence[RunningTimes]) -> str:
    """Say what is drawn, and what the targets are."""
    seeds = [len(own.seeds) for own in found]
    return " ".join(
        [
            "Empirical distribution of running times: the share of pairs of a run and a target "
            "that were reached within so many evaluations, divided by the number of "
            f"hyperparameters; over {counted(seeds, 'paired seed')} on "
            f"{counted([len(found)], 'problem')}, each weighted equally. An evaluation is a full "
            "training.",
            *targets_said(found),
            "Crosses: where the median run of a strategy ends; beyond, a line is a lower bound.",
            pooled_bands_said(len(found[0].strategies), seeds),
        ]
    )


def _draw(axes: Axes, shown: Ecdf, everyone: Sequence[str]) -> None:
    share = shown.share
    bands = pooled_bands(shown.strategies, shown.cost, share)
    draw_bands(dressed(axes), bands, everyone, is_log=True)
    for i, name in enumerate(shown.strategies):
        at = min(int(np.searchsorted(shown.cost, shown.ends[i])), len(shown.cost) - 1)
        axes.plot(
            [shown.cost[at]],
            [share.center[i, at]],
            color=look(everyone.index(name)).color,
            marker="x",
            markersize=5,
            zorder=20,
            clip_on=False,
        )
    cost_axis(axes, _COST, is_log=True)
    axes.set_ylabel("targets reached")
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
