"""Sobol indices of a run's model with their intervals, beside PED-ANOVA of its trials."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from hpo_research.analysis.importance import Importance, most_important
from hpo_research.analysis.modelled import modelled, run_of
from hpo_research.analysis.result import Result
from hpo_research.analysis.sobol import TITLE, SobolIndex, sobol_indices
from hpo_research.figures.importance import draw_importance
from hpo_research.figures.layout import Picture, sheet
from hpo_research.figures.lines import nothing
from hpo_research.figures.style import dressed, look, ruled, styled, verbatim
from hpo_research.store import RunName

_ROW, _AROUND = 0.17, 0.6  # inches of a hyperparameter, and of what stands around them
_LETTERS = 24
_APART = 0.17  # of a row, from its middle to each of its two marks


def draw_sobol(axes: Axes, shown: Sequence[SobolIndex]) -> None:
    """Draw the indices of hyperparameters with their intervals, the first on top.

    Filled dots are total indices, hollow squares first-order ones (`analysis.sobol`).
    """
    with styled():
        dressed(axes)
        if not shown:
            nothing(axes, "x", "y")
            return
        rows = np.arange(len(shown))
        for move, looks, parts in (
            (-_APART, _total(), [(i.total, i.total_low, i.total_high) for i in shown]),
            (_APART, _first(), [(i.first, i.first_low, i.first_high) for i in shown]),
        ):
            middle, low, high = np.array(parts).T
            away = np.stack([middle - low, high - middle]).clip(min=0)
            axes.errorbar(middle, rows + move, xerr=away, elinewidth=0.9, **looks)
        axes.set_yticks(rows, [verbatim(one.parameter, _LETTERS) for one in shown])
        axes.set_ylim(len(shown) - 0.4, -0.6)
        left = min(0.0, *(one.first_low for one in shown))
        axes.set_xlim(left - 0.02, max(1.02 * max(one.total_high for one in shown), 0.1))
        axes.set_xlabel("share of variance")
        ruled(axes, "x")


def _total() -> dict[str, Any]:
    return {"fmt": "o", "ms": 3.2, "color": look(0).color, "label": "total"}


def _first() -> dict[str, Any]:
    return {"fmt": "s", "ms": 3.0, "mfc": "white", "color": look(1).color, "label": "first order"}


def sobol_figure(result: Result, name: RunName | None = None) -> Picture | None:
    """Draw the Sobol indices of a run's model, and beside them PED-ANOVA, in the same order.

    By default of the only run of a result; None where the indices are not defined (fewer than two
    hyperparameters, a list of configurations, a constant) or there is no model. Raises `StoreError`
    where there is no such run.
    """
    name = run_of(result, name)
    model = modelled(result, name)
    found = None if model is None else sobol_indices(model)
    if found is None:
        return None
    _, shares, _ = most_important(result, name, len(found.indices))
    with styled():
        marks = [
            Line2D([], [], ls="none", marker="o", ms=3.5, color=look(0).color, label="total"),
            Line2D(
                [],
                [],
                ls="none",
                marker="s",
                ms=3.3,
                mfc="white",
                mec=look(1).color,
                label="first order",
            ),
        ]
        height = _ROW * len(found.indices) + _AROUND
        panels = 2 if shares else 1
        figure, places = sheet(panels, height, marks, columns=panels)
        draw_sobol(places[0], found.indices)
        places[0].set_title("Sobol indices")
        if shares:
            by_name = {share.parameter: share for share in shares}
            draw_importance(places[1], [by_name[one.parameter] for one in found.indices])
            places[1].set_title("PED-ANOVA")
    return Picture("sobol", TITLE, f"{found.caption} {_beside(shares)}".strip(), figure)


def _beside(shares: Sequence[Importance]) -> str:
    if not shares:
        return ""
    best, trials = shares[0].best, shares[0].trials
    return (
        f"PED-ANOVA (Watanabe et al., IJCAI 2023) of the best {best} of {trials} finished trials "
        f"({100 * best / trials:.3g}%), as shares of 1: it asks what made trials be among the "
        "best, the indices what moves the model anywhere in the space."
    )
