"""Slices: the trials' values along each hyperparameter, under the model's median and band."""

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from hpo_research.analysis.importance import most_important
from hpo_research.analysis.modelled import modelled, run_of
from hpo_research.analysis.result import Result
from hpo_research.analysis.sections import Slice, slices
from hpo_research.errors import StoreError
from hpo_research.figures.hyperparameters import lay_parameter, places_of
from hpo_research.figures.labels import EVERY, value_label
from hpo_research.figures.layout import Picture, fit_labels, sheet
from hpo_research.figures.lines import nothing
from hpo_research.figures.marks import best_mark, failed_mark
from hpo_research.figures.scales import Scale, lay, scale_for
from hpo_research.figures.style import DARK, MIDDLE, dressed, look, ruled, styled, verbatim
from hpo_research.records import Run
from hpo_research.space import Categorical
from hpo_research.store import RunName
from hpo_research.text import quoted

TITLE = "Values along each hyperparameter"
MOST = 12
"""Hyperparameters that get a panel each."""
_HEIGHT = 1.6
_FEW = 12  # values of a hyperparameter that get a bar each


def draw_slice(
    axes: Axes, run: Run, name: str, believed: Slice | None = None, metric: str = "value"
) -> None:
    """Draw the value of every trial of a run against one hyperparameter, on its scale.

    Filled dots are finished trials, the darker the later; hollow ones stand at the epoch that they
    have reached, the star at the best, ticks at the foot at failures. Where there is a slice of a
    model (`analysis.sections.slices`), its median is a line in its central 95 %, or a bar at each
    of a few values. Raises `StoreError` where the run has no such hyperparameter. `axes.legend()`
    names the marks.
    """
    if name not in run.space.names:
        there = ", ".join(run.space.names)
        raise StoreError(f"no hyperparameter {quoted(name)}; the run has {there}")
    with styled():
        dressed(axes)
        parameter = run.space.parameters[name]
        axes.set_xlabel(verbatim(name.replace("_", " "), 40))
        axes.set_ylabel(value_label(verbatim(metric), run.direction, EVERY))
        known = [t for t in run.trials if t.value is not None]
        if not known:
            nothing(axes, "x", "y")
            return
        values = np.array([t.value for t in known], dtype=float)
        scale = scale_for(values, is_distance=False)
        if believed is not None:
            _belief(axes, believed, scale, is_few=(parameter.size or _FEW + 1) <= _FEW)
        at, shown = places_of(run, name, known), scale.shown(values)
        is_done = np.array([t.status == "finished" for t in known])
        _dots(axes, at, shown, is_done)
        best = run.best()
        if best is not None and best.value is not None:
            place, height = places_of(run, name, [best]), scale.shown(np.array([best.value]))
            axes.plot(place, height, zorder=6, **best_mark(), label="best")
        failed = [t for t in run.trials if t.status == "failed"]
        if failed:
            foot = axes.get_xaxis_transform()
            axes.plot(
                places_of(run, name, failed),
                np.zeros(len(failed)),
                transform=foot,
                **failed_mark(),
                label="failed",
            )
        _limit(axes, shown, scale)
        lay(scale, axes)
        is_choice = isinstance(parameter, Categorical)
        lay_parameter(axes, "x", parameter, most=3 if is_choice else 4, letters=9)
        if isinstance(parameter, Categorical) and parameter.size > 3:
            axes.tick_params("x", labelrotation=30)
        ruled(axes, "y")


def _belief(axes: Axes, believed: Slice, scale: Scale, *, is_few: bool) -> None:
    belief, color = believed.belief, look(0).color
    low, middle, high = (scale.shown(v) for v in (belief.low, belief.median, belief.high))
    if is_few:
        away = np.stack([middle - low, high - middle]).clip(min=0)
        axes.errorbar(
            believed.places,
            middle,
            yerr=away,
            fmt="_",
            color=color,
            ms=10,
            lw=1.1,
            capsize=2,
            zorder=4,
            label="model",
        )
        return
    axes.fill_between(believed.places, low, high, color=color, alpha=0.2, lw=0, zorder=1)
    axes.plot(believed.places, middle, color=color, lw=1.2, zorder=4, label="model")


def _dots(axes: Axes, at: np.ndarray, shown: np.ndarray, is_done: np.ndarray) -> None:
    size = float(np.interp(len(at), (50, 1000), (9, 2.5)))
    order = np.linspace(0.72, 0.1, max(len(at), 2))[: len(at)]
    greys = np.repeat(order[:, None], 3, axis=1)
    axes.scatter(
        at[is_done], shown[is_done], s=size, c=greys[is_done], lw=0, zorder=3, label="finished"
    )
    if (~is_done).any():
        axes.scatter(
            at[~is_done],
            shown[~is_done],
            s=size,
            facecolors="white",
            edgecolors=MIDDLE,
            linewidths=0.5,
            zorder=2,
            label="not finished",
        )


def _limit(axes: Axes, shown: np.ndarray, scale: Scale) -> None:
    """Show the trials, whatever a band does beyond them."""
    low, high = float(shown.min()), float(shown.max())
    if scale.kind == "log":
        room = (high / low) ** 0.08 if high > low else 2.0
        axes.set_ylim(low / room, high * room)
        return
    room = 0.08 * (high - low) or max(abs(high), 1.0) * 0.1
    axes.set_ylim(low - room, high + room)


def slices_figure(result: Result, name: RunName | None = None) -> Picture | None:
    """Draw a panel for each hyperparameter of a run, of many the most important ones.

    By default of the only run of a result; None where it has no value. Raises `StoreError` where
    there is no such run.
    """
    name = run_of(result, name)
    run = result.runs[name]
    if run.best() is None:
        return None
    names, _, chosen = most_important(result, name, MOST)
    model = modelled(result, name)
    believed = {one.parameter: one for one in slices(model, names)} if model else {}
    with styled():
        failed = any(trial.status == "failed" for trial in run.trials)
        hollow = any(t.value is not None and t.status != "finished" for t in run.trials)
        legend = _legend(with_model=bool(believed), failed=failed, hollow=hollow)
        figure, panels = sheet(len(names), _HEIGHT, legend)
        metric = result.facts.problems[name.problem].metric
        for axes, parameter in zip(panels, names, strict=True):
            draw_slice(axes, run, parameter, believed.get(parameter), metric)
        fit_labels(panels)
    return Picture("slices", TITLE, _caption(run, model.said if model else "", chosen), figure)


def _legend(*, with_model: bool, failed: bool, hollow: bool) -> list[Artist]:
    dot: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 3.5}
    entries: list[Artist] = [Line2D([], [], label="finished", color=DARK, **dot)]
    if hollow:
        entries.append(
            Line2D([], [], label="not finished", mfc="white", mec=MIDDLE, mew=0.6, **dot)
        )
    entries.append(Line2D([], [], label="best", **best_mark()))
    if failed:
        entries.append(Line2D([], [], label="failed", **failed_mark()))
    if with_model:
        color = look(0).color
        entries += [
            Line2D([], [], label="model's median", color=color, lw=1.2),
            Patch(label="central 95%", color=color, alpha=0.2, lw=0),
        ]
    return entries


def _caption(run: Run, said: str, chosen: str) -> str:
    model = (
        " The line is the model's median and the band the central 95% of the function, without "
        f"noise, where all other hyperparameters have the values of the best trial. {said}"
        if said
        else " Too few trials have a value for a model."
    )
    hollow = any(t.value is not None and t.status != "finished" for t in run.trials)
    other = " Hollow ones did not finish: their value is that of another epoch." if hollow else ""
    failed = " Ticks at the foot are failures." if any(t.reason for t in run.trials) else ""
    choices = any(isinstance(p, Categorical) for p in run.space.parameters.values())
    spread = " Dots are spread within a category." if choices else ""
    return (
        f"Values of {len(run.trials)} trials, the darker the later, against one hyperparameter "
        f"each.{other}{failed}{spread}{model} {chosen}".strip()
    )
