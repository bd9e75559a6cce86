"""Speed-up bars: what share of its budget a strategy takes to be where another ends."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from hpo_research.analysis import early_ends
from hpo_research.analysis.arguments import check_name
from hpo_research.analysis.bootstrap import LEAST_SEEDS
from hpo_research.analysis.result import Result
from hpo_research.analysis.speed_ups import SpeedUps, speed_ups
from hpo_research.errors import StoreError
from hpo_research.figures.labels import counted
from hpo_research.figures.layout import Picture, fit_labels, sheet
from hpo_research.figures.style import DARK, LIGHT, dressed, look, ruled, small, styled, verbatim

_LETTERS = 24  # of a name beside its row
_MOST_PANELS = 4

TITLE = "How soon one is where another ends"


def draw_speed_ups(axes: Axes, result: Result, against: str) -> None:
    """Draw how soon each strategy is where the one it is `against` ends, a bar each.

    Bars are shares of the budget, with 95 % intervals from 5 seeds on; a hollow bar over the whole
    budget is a strategy that is not there on most problems. Raises `StoreError` for an unknown
    strategy, and where nothing can be compared.
    """
    check_name("against", against, result.facts.strategies)
    found = speed_ups(result)
    if found is None or against not in found.strategies:
        raise StoreError(
            "draw_speed_ups: expected a budget and two strategies or more with finished runs on "
            "the same seeds"
        )
    with styled():
        _draw(axes, found, found.strategies.index(against), list(result.facts.strategies))


def speed_ups_figure(result: Result) -> Picture | None:
    """Draw the speed-ups, a panel a strategy that they are against; None without any."""
    found = speed_ups(result)
    if found is None:
        return None
    k = len(found.strategies)
    # Those that are the easiest to reach are what speed is measured against.
    shown = sorted(range(k), key=lambda j: float(-found.reached[:, j].sum()))[:_MOST_PANELS]
    with styled():
        figure, panels = sheet(len(shown), 0.65 + 0.2 * (k - 1), [])
        for axes, j in zip(panels, shown, strict=True):
            _draw(axes, found, j, list(result.facts.strategies))
            axes.set_title(verbatim(f"to be where {found.strategies[j]} ends"))
        fit_labels(panels)
    few = f" Shown are the {len(shown)} that most others reach; the table has all." * (
        len(shown) < k
    )
    ends = early_ends.said(result, found.problems)
    return Picture("speed-ups", TITLE, " ".join([_caption(found) + few, *ends]), figure)


def _draw(axes: Axes, found: SpeedUps, against: int, everyone: Sequence[str]) -> None:
    dressed(axes)
    others = [i for i in range(len(found.strategies)) if i != against]
    for row, i in enumerate(others):
        share, color = (
            float(found.share[i, against]),
            look(everyone.index(found.strategies[i])).color,
        )
        is_there = bool(np.isfinite(share))
        axes.barh(
            row,
            share if is_there else 1.0,
            height=0.62,
            color=color if is_there else "white",
            edgecolor=color if is_there else LIGHT,
            linestyle="-" if is_there else "--",
            linewidth=0.6,
            alpha=0.75,
        )
        low, high = float(found.low[i, against]), float(found.high[i, against])
        if np.isfinite(low):
            axes.plot([low, min(high, 1.0)], [row, row], color=DARK, linewidth=1.2)
            if np.isinf(high):  # the interval goes on: beyond the budget it is not known where
                axes.plot([1.0], [row], color=DARK, marker=">", markersize=4, clip_on=False)
        axes.text(
            1.05,
            row,
            _said(share, int(found.reached[i, against]), len(found.problems)),
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=small(),
        )
    axes.set_yticks(range(len(others)), [verbatim(found.strategies[i], _LETTERS) for i in others])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(others) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel(f"share of the budget of {found.axis}")
    ruled(axes, "x")


def _said(share: float, reached: int, problems: int) -> str:
    speed = f"{1 / share:.1f}×" if np.isfinite(share) else "–"
    return speed if reached == problems else f"{speed} ({reached} of {problems})"


def _caption(found: SpeedUps) -> str:
    band = (
        "Lines: 95% percentile bootstrap intervals over seeds, resampled within problems; an arrow "
        "where they go beyond the budget."
        if found.seeds >= LEAST_SEEDS
        else f"There is no interval for fewer than {LEAST_SEEDS} seeds."
    )
    return (
        "The share of a run's budget that a strategy takes until its median over "
        f"{counted([found.seeds], 'paired seed')} is as good as that of another with all of its "
        f"budget; the median over {counted([len(found.problems)], 'problem')}, of two in the "
        "middle the greater. Beside it the speed-up, its inverse, and in parentheses on how many "
        "problems the strategy gets there at all, where not on all; a dash and a hollow bar: it "
        f"does not on most. {band}"
    )
