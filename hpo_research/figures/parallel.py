"""Parallel coordinates: a line for every trial across its hyperparameters, to its value."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, LogNorm, Normalize

from hpo_research.analysis.importance import most_important
from hpo_research.analysis.modelled import run_of
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.figures.hyperparameters import places_of, ticks
from hpo_research.figures.labels import EVERY, counted, value_label, wrapped
from hpo_research.figures.layout import Picture, inches, sheet
from hpo_research.figures.lines import nothing
from hpo_research.figures.scales import Scale, scale_for
from hpo_research.figures.style import DARK, LIGHT, body, current, dressed, look, styled, verbatim
from hpo_research.records import Direction, Run, Trial
from hpo_research.store import RunName
from hpo_research.text import quoted

TITLE = "Every trial across its hyperparameters"
MOST = 8
"""Hyperparameters that have room beside each other."""
_HEIGHT = 2.6
_FOOT = -0.14  # where failures end, below the values
_WORST = 0.9  # of the losses: what is worse has the same colour


def colors_of(direction: Direction) -> Colormap:
    """Return the colours of values, the darkest the best, in print as on a screen."""
    cmap = colormaps["cividis"]
    return cmap if direction == "minimize" else cmap.reversed()


def norm_of(values: Float[np.ndarray, " n"], direction: Direction, scale: Scale) -> Normalize:
    """Return what makes colours of values, the worst tenth of them sharing one."""
    losses = np.sort(values if direction == "minimize" else -values)
    ends = np.array([losses[0], losses[min(len(losses) - 1, int(_WORST * len(losses)))]])
    low, high = sorted((ends if direction == "minimize" else -ends).tolist())
    if low == high:
        low, high = float(values.min()), float(values.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
        return Normalize(low, high)
    return LogNorm(low, high) if scale.kind == "log" else Normalize(low, high)


def draw_parallel(
    axes: Axes, run: Run, names: Sequence[str] | None = None, metric: str = "value"
) -> ScalarMappable | None:
    """Draw every trial of a run as a line across hyperparameters, all or those of `names`.

    Each upright line is a hyperparameter on its scale, the last one the value. Finished trials are
    coloured by it, the darkest the best, above the others; thin grey lines did not finish, dashed
    ones failed and end at the foot. Returns what a colour bar is made of, None where no trial has a
    value. Raises `StoreError` for names that the run's space has not.
    """
    chosen = list(run.space.names) if names is None else list(names)
    if unknown := [name for name in chosen if name not in run.space.names]:
        there = ", ".join(run.space.names)
        raise StoreError(f"no hyperparameter {quoted(unknown[0])}; the run has {there}")
    with styled():
        dressed(axes)
        known = [t for t in run.trials if t.value is not None]
        for spine in axes.spines.values():
            spine.set_visible(False)
        if not known:
            axes.set_xticks([])
            nothing(axes, "x", "y")
            return None
        values = np.array([t.value for t in known], dtype=float)
        scale = scale_for(values, is_distance=False)
        heights = _heights(scale.shown(values), scale)
        rows = _rows(run, known, chosen, heights)
        done = np.array([t.status == "finished" for t in known])
        norm, cmap = norm_of(scale.shown(values), run.direction, scale), colors_of(run.direction)
        width = float(np.interp(len(known), (50, 1000), (0.9, 0.45)))
        if (~done).any():
            _lines(axes, rows[~done], {"color": LIGHT, "linewidth": 0.5 * width, "zorder": 1})
        order = np.argsort(-run.sign * values[done], kind="stable")  # the best last, above all
        colors = cmap(norm(scale.shown(values[done])[order]))
        looks = {"color": colors, "linewidth": width, "zorder": 2, "alpha": 0.85}
        _lines(axes, rows[done][order], looks)
        failed = [t for t in run.trials if t.status == "failed"]
        if failed:
            foot = _rows(run, failed, chosen, np.full(len(failed), _FOOT))
            dashed = {"color": look(1).color, "linewidth": 0.6, "linestyle": _DASHED}
            _lines(axes, foot, {**dashed, "zorder": 3})
        _uprights(axes, run, chosen)
        _values_upright(axes, values, scale, len(chosen), failed=bool(failed))
        labels = [_shown(name, inches(axes) / len(chosen)) for name in chosen]
        label = value_label(verbatim(metric), run.direction, EVERY)
        axes.set_xticks(range(len(chosen) + 1), [*labels, label])
        axes.tick_params("x", length=0)
        axes.set_yticks([])
        axes.set_xlim(-0.3, len(chosen) + 0.45)
        axes.set_ylim(_FOOT - 0.04 if failed else -0.06, 1.06)
        mapped = ScalarMappable(norm, cmap)
        mapped.set_array(values)
        return mapped


_DASHED = (0, (4, 2))


def _shown(name: str, room: float) -> str:
    letters = max(6, int(room * 13))
    return verbatim(wrapped(name.replace("_", " "), letters), 2 * letters)


def _heights(shown: Float[np.ndarray, " n"], scale: Scale) -> Float[np.ndarray, " n"]:
    at = np.log(shown) if scale.kind == "log" else shown
    low, high = at.min(), at.max()
    if not high > low:
        return np.full(len(at), 0.5)
    # By halves, since the whole span may be more than the largest float.
    return np.asarray((at / 2 - low / 2) / (high / 2 - low / 2))


def _rows(
    run: Run, trials: Sequence[Trial], names: Sequence[str], ends: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "n c"]:
    columns = [np.clip(places_of(run, name, trials), -0.05, 1.05) for name in names]
    return np.stack([*columns, ends], axis=1)


def _lines(axes: Axes, rows: Float[np.ndarray, "n c"], looks: Mapping[str, Any]) -> None:
    at = np.broadcast_to(np.arange(rows.shape[1], dtype=float), rows.shape)
    axes.add_collection(LineCollection(list(np.stack([at, rows], axis=2)), **looks))


def _uprights(axes: Axes, run: Run, names: Sequence[str]) -> None:
    for i, name in enumerate(names):
        parameter = run.space.parameters[name]
        _upright(axes, i, *ticks(parameter, most=5, letters=8))


def _upright(axes: Axes, x: int, at: Sequence[float], names: Sequence[str]) -> None:
    axes.plot([x, x], [0, 1], color=DARK, lw=0.8, zorder=4)
    for y, name in zip(at, names, strict=True):
        axes.plot([x, x + 0.03], [y, y], color=DARK, lw=0.6, zorder=4)
        axes.annotate(
            name,
            (x + 0.04, y),
            va="center",
            fontsize=body() - 1.5,
            color=DARK,
            zorder=5,
            bbox={"boxstyle": "square,pad=0.08", "fc": "white", "ec": "none", "alpha": 0.75},
        )


def _values_upright(axes: Axes, values: np.ndarray, scale: Scale, x: int, *, failed: bool) -> None:
    shown = np.sort(scale.shown(values))
    heights = _heights(shown, scale)
    wanted = np.linspace(0, 1, 5)
    ends = [shown[0], shown[-1]]
    if scale.kind == "log":
        numbers = np.exp(np.log(ends[0]) + wanted * np.log(ends[1] / ends[0]))
    else:
        numbers = ends[0] * (1 - wanted) + ends[1] * wanted
    names = [f"{number:.3g}".replace("-", "\N{MINUS SIGN}", 1) for number in numbers]
    at = wanted.tolist()
    if heights[0] == heights[-1]:
        at, names = [0.5], [f"{shown[0]:.3g}"]
    _upright(axes, x, at, names)
    if failed:
        _upright_failed(axes, x)


def _upright_failed(axes: Axes, x: int) -> None:
    axes.annotate("failed", (x + 0.04, _FOOT), va="center", fontsize=body() - 1.5, color=DARK)


def parallel_figure(result: Result, name: RunName | None = None) -> Picture | None:
    """Draw the trials of a run across its hyperparameters, of many the most important ones.

    By default of the only run of a result; None where it has no value. Raises `StoreError` where
    there is no such run.
    """
    name = run_of(result, name)
    run = result.runs[name]
    if run.best() is None:
        return None
    names, _, chosen = most_important(result, name, MOST)
    metric = result.facts.problems[name.problem].metric
    failed = sum(trial.status == "failed" for trial in run.trials)
    others = sum(t.value is not None and t.status != "finished" for t in run.trials)
    with styled():
        figure, (axes,) = sheet(1, _HEIGHT, [], columns=1)
        figure.set_figwidth(current().page if len(names) > 3 else current().column)
        mapped = draw_parallel(axes, run, names, metric)
        if mapped is not None and np.ptp(run.values[np.isfinite(run.values)]) > 0:
            label = verbatim(metric.replace("_", " "))
            bar = figure.colorbar(mapped, ax=axes, pad=0.01, aspect=30, label=label)
            bar.outline.set_linewidth(0.4)
    return Picture("parallel", TITLE, _caption(run, failed, others, chosen), figure)


def _caption(run: Run, failed: int, others: int, chosen: str) -> str:
    kinds = [
        f"{counted([failed], 'failure')} as dashed lines to the foot" if failed else "",
        f"{counted([others], 'trial')} that did not finish as thin grey lines" if others else "",
    ]
    kept = " and ".join(kind for kind in kinds if kind)
    return (
        f"Every one of {len(run.trials)} trials as a line across its hyperparameters, each on its "
        "scale from its lower to its upper bound, to its value. The darker the better, the best "
        f"above; the worst tenth share a colour.{f' With {kept}.' if kept else ''} {chosen}"
    ).strip()
