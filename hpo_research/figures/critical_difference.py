"""The critical-difference diagram: mean ranks over problems, and what a test does not separate."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from hpo_research.analysis.finals import finals
from hpo_research.analysis.over_problems import (
    LEAST_PROBLEMS,
    LEAST_STRATEGIES,
    OverProblems,
    over_problems,
)
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.figures.layout import Picture, numbers_across, sheet
from hpo_research.figures.style import DARK, LIGHT, MIDDLE, dressed, look, ruled, styled, verbatim

_LETTERS = 36  # of a name beside its row
_GAP = 0.04  # of the width: between the last rank and a bar, and between bars


def draw_critical_difference(axes: Axes, result: Result) -> None:
    """Draw mean ranks, a row a strategy, the best on top, with bars beside what is not separated.

    It is the diagram of Demšar (JMLR 2006, figure 1) with its axis of ranks below, so that names
    and bars have room: strategies that a bar joins differ by less than the critical difference,
    whose length stands in the lowest row. Whiskers reach from the best to the worst rank on a
    problem. Raises `StoreError` where too few strategies or problems can be compared.
    """
    compared = _compared(result)
    if compared is None:
        raise StoreError(
            f"draw_critical_difference: expected {LEAST_STRATEGIES} strategies or more that "
            f"differ, with finished runs on the same {LEAST_PROBLEMS} problems or more"
        )
    _draw(axes, compared, list(result.facts.strategies))


def _draw(axes: Axes, compared: OverProblems, everyone: Sequence[str]) -> None:
    test, k = compared.test, len(compared.strategies)
    groups = [compared.strategies[i] for i in test.order]
    with styled():
        dressed(axes)
        for row, i in enumerate(test.order):
            drawn, rank = look(everyone.index(groups[row][0])), float(test.mean_ranks[i])
            own = test.ranks[:, i]
            axes.plot([own.min(), own.max()], [row, row], color=LIGHT, linewidth=1, zorder=1)
            axes.plot(
                [rank],
                [row],
                color=drawn.color,
                marker=drawn.marker,
                markersize=1.2 * drawn.size,
                zorder=3,
            )
        _bars(axes, test.cliques(), k)
        middle = (1 + k) / 2
        ends = [middle - test.critical_difference / 2, middle + test.critical_difference / 2]
        axes.plot(ends, [k, k], color=MIDDLE, linewidth=1, marker="|", markersize=5)
        axes.set_xlim(0.8, k + 0.2)
        axes.axhline(k - 0.5, color=LIGHT, linewidth=0.6)  # what is below is no strategy
        axes.set_ylim(k + 0.6, -0.6)
        names = [verbatim(" = ".join(group), _LETTERS) for group in groups]
        axes.set_yticks(range(k + 1), [*names, "critical difference"])
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("rank (1 is best)")
        axes.set_xticks(range(1, k + 1, -(-(k - 1) // numbers_across(axes))))
        ruled(axes, "x")


def critical_difference_figure(result: Result) -> Picture | None:
    """Draw the strategies of a result over its problems; None where they are too few to be."""
    compared = _compared(result)
    if compared is None:
        return None
    with styled():
        figure, (axes,) = sheet(1, 0.75 + 0.19 * (len(compared.strategies) + 1), [])
        _draw(axes, compared, list(result.facts.strategies))
    caption = " ".join(
        [
            "Mean ranks; whiskers reach from the best to the worst rank on a problem, and bars "
            "on the right join what is not separated.",
            *compared.sentences(),
        ]
    )
    return Picture("critical-difference", "Ranks over problems", caption, figure)


def _compared(result: Result) -> OverProblems | None:
    present = {name.problem for name in result.runs}
    known = [finals(result, problem) for problem in result.facts.problems if problem in present]
    return over_problems(result, known)


def _bars(axes: Axes, cliques: Sequence[tuple[int, int]], k: int) -> None:
    """Draw a bar beside the rows of each clique, in as few columns as keep them apart."""
    columns: list[int] = []  # the last row of each
    for first, last in cliques:
        column = next((i for i, end in enumerate(columns) if end < first), len(columns))
        columns[column : column + 1] = [last]
        x = 1 + _GAP * (column + 1)
        axes.plot(
            [x, x],
            [first - 0.25, last + 0.25],
            transform=axes.get_yaxis_transform(),
            color=DARK,
            linewidth=2.2,
            solid_capstyle="butt",
            clip_on=False,
        )
