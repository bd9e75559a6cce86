"""The final incumbents: a box a strategy, a point a seed, one panel a problem."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from hpo_research.analysis.extremes import located
from hpo_research.analysis.finals import Finals, finals
from hpo_research.analysis.result import Result
from hpo_research.figures.labels import (
    FINAL,
    counted,
    listed,
    noted,
    regret_where,
    unfinished,
    value_label,
)
from hpo_research.figures.layout import Picture, fit_labels, name_rows_once, numbers_across, sheet
from hpo_research.figures.lines import nothing
from hpo_research.figures.scales import Scale, lay, scale_for
from hpo_research.figures.style import DARK, Look, dressed, look, ruled, styled, verbatim

_BOX, _SPREAD = 0.62, 0.44  # heights of a box and of its points, in rows
_LETTERS = 36  # of a name beside its row; with more, nothing is left of a panel as wide as a column


def draw_finals(axes: Axes, shown: Finals, strategies: Sequence[str] | None = None) -> None:
    """Draw the final values of a problem, a row a strategy: box, median, whiskers, points.

    The box holds the middle half of the seeds (linear quartiles), the whiskers reach to the least
    and the greatest, and every seed is a point, from the top of the row to its bottom in the order
    of seeds. `strategies` are those of the experiment, which give rows and colours; those of
    `shown` if left out.
    """
    everyone = list(shown.values) if strategies is None else list(strategies)
    scale = _scale(shown)
    with styled():
        dressed(axes).use_sticky_edges = False
        for position, name in enumerate(everyone):
            values = scale.shown(shown.values.get(name, np.empty(0)))
            known = ~np.isnan(values)
            if known.sum() > 1:
                _box(axes, position, values[known], look(position))
            rows = position + _SPREAD * (np.arange(len(values)) + 0.5) / max(len(values), 1)
            _points(axes, rows[known] - _SPREAD / 2, values[known], look(position))
        axes.set_title(verbatim(shown.problem))
        axes.set_ylim(len(everyone) - 0.5, -0.5)
        axes.set_yticks(range(len(everyone)), [verbatim(name, _LETTERS) for name in everyone])
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(verbatim(_label(shown)))
        ruled(axes, "x")
        if not _known(shown).size:
            nothing(axes, "x")
            return
        axes.margins(x=0.04)
        axes.xaxis.set_major_locator(MaxNLocator(numbers_across(axes)))
        lay(scale, axes, "x")


def finals_figure(result: Result) -> Picture | None:
    """Draw the final value of every run, one panel a problem; None where no run has a value."""
    everyone = list(result.facts.strategies)
    present = {name.problem for name in result.runs}
    drawn = [finals(result, problem) for problem in result.facts.problems if problem in present]
    drawn = [own for own in drawn if _known(own).size]
    if not drawn:
        return None
    with styled():
        figure, places = sheet(len(drawn), 0.75 + 0.19 * len(everyone), [])
        for axes, own in zip(places, drawn, strict=True):
            draw_finals(axes, own, everyone)
        name_rows_once(places)
        fit_labels(places)
    return Picture("finals", "Final values", _caption(result, drawn), figure)


def _known(shown: Finals) -> Float[np.ndarray, " n"]:
    values = np.concatenate([[], *shown.values.values()])
    known: np.ndarray = values[~np.isnan(values)]
    return known


def _scale(shown: Finals) -> Scale:
    return scale_for(_known(shown), is_distance=shown.is_regret)


def _label(shown: Finals) -> str:
    return value_label(shown.metric, shown.direction, FINAL, is_regret=shown.is_regret)


def _box(axes: Axes, row: int, values: Float[np.ndarray, " n"], drawn: Look) -> None:
    low, first, middle, third, high = located(
        lambda own: np.quantile(own, [0, 0.25, 0.5, 0.75, 1]), values
    )
    axes.hlines(row, low, high, color=DARK, linewidth=0.6, zorder=2)
    axes.barh(
        row,
        third - first,
        left=first,
        height=_BOX,
        color="white",
        edgecolor=DARK,
        linewidth=0.6,
        zorder=3,
    )
    axes.barh(row, third - first, left=first, height=_BOX, color=drawn.color, alpha=0.2, zorder=3)
    axes.vlines(middle, row - _BOX / 2, row + _BOX / 2, color=DARK, linewidth=1.5, zorder=4)


def _points(
    axes: Axes, rows: Float[np.ndarray, " n"], values: Float[np.ndarray, " n"], drawn: Look
) -> None:
    axes.plot(
        values,
        rows,
        linestyle="none",
        marker=drawn.marker,
        markersize=3.2,
        markerfacecolor=drawn.color,
        markeredgecolor="white",
        markeredgewidth=0.3,
        zorder=5,
    )


def _caption(result: Result, drawn: Sequence[Finals]) -> str:
    problems = [own.problem for own in drawn]
    absent = [problem for problem in result.facts.problems if problem not in problems]
    seeds = counted([len(own.seeds) for own in drawn], "seed")
    return " ".join(
        [
            f"Final best value of each run on {listed(problems)}, over {seeds}.",
            *regret_where(problems, [own.problem for own in drawn if own.is_regret]),
            "Points: seeds. Boxes: the interquartile range over seeds, with the median; whiskers "
            "extend to the minimum and the maximum.",
            *noted({own.problem: _notes(result, own) for own in drawn}),
            *noted({problem: ["no run has a value"] for problem in absent}),
        ]
    )


def _notes(result: Result, own: Finals) -> list[str]:
    missing = {name: int(np.isnan(values).sum()) for name, values in own.values.items()}
    return [
        *(
            f"{name} has no value for {count} of {len(own.seeds)} seeds"
            for name, count in missing.items()
            if count
        ),
        *_scale(own).notes,
        *unfinished(result, own.problem, list(own.values)),
    ]
