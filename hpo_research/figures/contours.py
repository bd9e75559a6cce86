"""Contours: the model's median over each pair of the most important hyperparameters."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hpo_research.analysis.importance import most_important
from hpo_research.analysis.modelled import Modelled, modelled, run_of
from hpo_research.analysis.result import Result
from hpo_research.analysis.sections import SIDE, Contour, contours
from hpo_research.figures.hyperparameters import lay_parameter, places_of
from hpo_research.figures.layout import Picture, sheet
from hpo_research.figures.marks import best_mark
from hpo_research.figures.parallel import colors_of, norm_of
from hpo_research.figures.scales import scale_for
from hpo_research.figures.style import DARK, body, current, dressed, look, styled, verbatim
from hpo_research.records import Run
from hpo_research.space import Categorical
from hpo_research.store import RunName

TITLE = "The model over pairs of hyperparameters"
MOST = 4
_SIDE = 1.55  # inches
_LEVELS = 14


def draw_contour(axes: Axes, run: Run, contour: Contour, norm: Normalize | None = None) -> None:
    """Draw a model's median over two hyperparameters (`analysis.sections.contours`).

    The darker the better; `norm` is what makes colours of values, by default that of the contour
    alone. Dots are trials, hollow, wherever they lie in the other hyperparameters; the star is the
    best one, crosses are failures.
    """
    with styled():
        dressed(axes)
        first, second = (run.space.parameters[name] for name in (contour.first, contour.second))
        scale = scale_for(contour.median.ravel(), is_distance=False)
        values, cmap = scale.shown(contour.median), colors_of(run.direction)
        norm = norm or norm_of(values.ravel(), run.direction, scale)
        is_smooth = len(contour.x) == len(contour.y) == SIDE
        if is_smooth and np.ptp(values) > 0:
            inside = np.clip(values, norm.vmin, norm.vmax)
            levels = norm.inverse(np.linspace(0, 1, _LEVELS))
            axes.contourf(
                contour.x, contour.y, inside.T, levels=levels, cmap=cmap, norm=norm, extend="both"
            )
        else:
            edges = (_edges(contour.x), _edges(contour.y))
            axes.pcolormesh(*edges, values.T, cmap=cmap, norm=norm, lw=0)
        _trials(axes, run, contour)
        for side, parameter in (("x", first), ("y", second)):
            is_choice = isinstance(parameter, Categorical)
            lay_parameter(axes, side, parameter, most=3 if is_choice else 4, letters=8)  # type: ignore[arg-type]
        if isinstance(first, Categorical):
            axes.tick_params("x", labelrotation=30)
        (axes.set_xlim(0, 1), axes.set_ylim(0, 1))
        axes.set_xlabel(verbatim(contour.first.replace("_", " "), 24))
        axes.set_ylabel(verbatim(contour.second.replace("_", " "), 24))


def _edges(places: np.ndarray) -> np.ndarray:
    """Return where cells around places end, in the unit interval."""
    return np.concatenate([[0.0], (places[:-1] + places[1:]) / 2, [1.0]])


def _trials(axes: Axes, run: Run, contour: Contour) -> None:
    known = [t for t in run.trials if t.value is not None]
    failed = [t for t in run.trials if t.status == "failed"]
    size = float(np.interp(len(known), (50, 1000), (2.6, 1.2)))
    for trials, marker, face, edge in (
        (known, "o", "white", "black"),
        (failed, "x", look(1).color, look(1).color),
    ):
        axes.plot(
            places_of(run, contour.first, trials),
            places_of(run, contour.second, trials),
            linestyle="none",
            marker=marker,
            markersize=size if marker == "o" else size + 1,
            markerfacecolor=face,
            markeredgecolor=edge,
            markeredgewidth=0.4 if marker == "o" else 0.8,
        )
    best = run.best()
    if best is not None:
        at = [places_of(run, name, [best]) for name in (contour.first, contour.second)]
        axes.plot(*at, zorder=6, clip_on=False, **best_mark())


def contours_figure(result: Result, name: RunName | None = None) -> Picture | None:
    """Draw a run's model over each pair of its four most important hyperparameters.

    By default of the only run of a result; None where it has a single hyperparameter, or too few
    values for a model. Raises `StoreError` where there is no such run.
    """
    name = run_of(result, name)
    run = result.runs[name]
    if run.space.dimension < 2 or run.space.among is not None:
        return None
    model = modelled(result, name)
    if model is None:
        return None
    names, _, chosen = most_important(result, name, MOST)
    drawn = contours(model, names)
    values = np.concatenate([one.median.ravel() for one in drawn])
    metric = result.facts.problems[name.problem].metric
    with styled():
        scale = scale_for(values, is_distance=False)
        norm = norm_of(scale.shown(values), run.direction, scale)
        figure, panels = _triangle(len(names), _legend(run))
        for axes, contour in zip(panels, drawn, strict=True):
            draw_contour(axes, run, contour, norm)
        _name_once(panels)
        mapped = ScalarMappable(norm, colors_of(run.direction))
        bar = figure.colorbar(
            mapped, ax=figure.axes, pad=0.02, aspect=40, label=f"model's median {metric}"
        )
        bar.set_label(verbatim(f"model's median of {metric.replace('_', ' ')}"), fontsize=body())
    return Picture("contours", TITLE, _caption(run, model, chosen), figure)


def _triangle(count: int, legend: Sequence[Line2D]) -> tuple[Figure, list[Axes]]:
    """Return panels in the order of pairs: a column for each first, a row for each second."""
    across = count - 1
    figure, every = sheet(across * across, _SIDE, legend, columns=across)
    if across > 1:
        figure.set_figwidth(min(current().page, 0.9 + across * (_SIDE + 0.35)))
    panels = []
    for i in range(count):
        for j in range(i + 1, count):
            panels.append(every[(j - 1) * across + i])
    for axes in every:
        if axes not in panels:
            axes.set_axis_off()
    return figure, panels


def _name_once(panels: Sequence[Axes]) -> None:
    """Leave names and numbers to the panels on the left and at the foot."""
    for axes in panels:
        place = axes.get_subplotspec()
        assert place is not None
        if not place.is_first_col():
            axes.set_ylabel("")
            axes.tick_params("y", labelleft=False)
        if not place.is_last_row():
            axes.set_xlabel("")
            axes.tick_params("x", labelbottom=False)


def _legend(run: Run) -> list[Line2D]:
    dot = Line2D([], [], label="trials", linestyle="none", marker="o", markersize=3.5)
    dot.set(markerfacecolor="white", markeredgecolor=DARK, markeredgewidth=0.5)
    entries = [dot, Line2D([], [], label="best", **best_mark())]
    if any(trial.status == "failed" for trial in run.trials):
        cross = Line2D([], [], label="failed", linestyle="none", marker="x", markersize=4)
        cross.set(color=look(1).color)
        entries.append(cross)
    return entries


def _caption(run: Run, model: Modelled, chosen: str) -> str:
    choices = any(isinstance(p, Categorical) for p in run.space.parameters.values())
    spread = ", spread within a category" if choices else ""
    return (
        "The model's median over two hyperparameters each, all others having the values of the "
        f"best trial; the darker the better. Dots are the trials{spread}, wherever they lie in the "
        f"others. {model.said} {chosen}"
    ).strip()
