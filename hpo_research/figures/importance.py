"""Which hyperparameters made trials good: bars by problem, the largest on top."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from hpo_research.analysis.importance import TITLE, Importance, by_problem, explained
from hpo_research.analysis.result import Result
from hpo_research.figures.layout import Picture, fit_labels, sheet
from hpo_research.figures.lines import nothing
from hpo_research.figures.style import BODY, DARK, dressed, look, ruled, styled, verbatim

_BAR, _AROUND = 0.155, 0.55  # inches of a bar, and of what stands around them
_LETTERS = 24


def draw_importance(axes: Axes, shown: Sequence[Importance]) -> None:
    """Draw the importance of a problem's hyperparameters as bars, with their shares beside them."""
    with styled():
        dressed(axes)
        if not shown:
            nothing(axes, "x", "y")
            return
        places = range(len(shown))
        axes.barh(places, [own.share for own in shown], height=0.7, color=look(0).color)
        for place, own in zip(places, shown, strict=True):
            axes.annotate(
                f"{own.share:.2f}",
                (own.share, place),
                xytext=(2, 0),
                textcoords="offset points",
                va="center",
                fontsize=BODY - 1,
                color=DARK,
            )
        axes.set_yticks(list(places), [verbatim(own.parameter, _LETTERS) for own in shown])
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.set_xlim(0, 1.12 * max(own.share for own in shown))
        axes.set_xlabel("importance")
        ruled(axes, "x")


def importance_figure(result: Result) -> Picture | None:
    """Draw the importance of hyperparameters, one panel a problem that has enough trials.

    None where no problem has two hyperparameters, and trials enough.
    """
    found = by_problem(result)
    if not found:
        return None
    with styled():
        most = max(map(len, found.values()))
        figure, places = sheet(len(found), _BAR * most + _AROUND, [])
        for axes, (problem, shown) in zip(places, found.items(), strict=True):
            draw_importance(axes, shown)
            axes.set_title(verbatim(problem))
        fit_labels(places)
    return Picture("importance", TITLE, explained(found), figure)
