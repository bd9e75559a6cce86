"""Every trial of one run: its value, how it ended, and the best one so far."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from hpo_research.analysis.result import Result
from hpo_research.figures.labels import EVERY, value_label
from hpo_research.figures.layout import Picture, fit_labels, sheet
from hpo_research.figures.lines import nothing
from hpo_research.figures.scales import lay, scale_for
from hpo_research.figures.style import DARK, dressed, look, ruled, styled, verbatim
from hpo_research.records import Run, Status

_HEIGHT = 2.0
_PANELS = 12
_SHAPES: dict[Status, tuple[str, str]] = {
    "finished": ("o", look(0).color),
    "stopped": ("s", look(5).color),
    "paused": ("D", look(3).color),
    "running": ("^", look(4).color),
}
_FEW, _MANY = 50, 1000  # trials whose dots are large, and small
_SIZES = (3.6, 1.6)


def draw_trials(axes: Axes, run: Run, metric: str = "value") -> None:
    """Draw the value of every trial of a run by its number, and the best one so far as a line.

    Marks tell how a trial ended; one of a trial that did not reach its last epoch is that of the
    epoch it reached, and is hollow. Failures are ticks at the foot. The line counts every trial
    that has a value, as `Run.best` does. `axes.legend()` names the marks.
    """
    with styled():
        dressed(axes)
        axes.set_xlabel("trial")
        axes.set_ylabel(value_label(verbatim(metric), run.direction, EVERY))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        known = [(t.id, float(t.value), t.status) for t in run.trials if t.value is not None]
        if not known:
            nothing(axes, "x", "y")
            return
        scale = scale_for([value for _, value, _ in known], is_distance=False)
        share = np.interp(len(known), (_FEW, _MANY), (0, 1))
        size = float(np.interp(share, (0, 1), _SIZES))
        for status, (marker, color) in _SHAPES.items():
            own = [(trial, value) for trial, value, how in known if how == status]
            if own:
                trials, values = np.array(own).T
                axes.plot(
                    trials,
                    scale.shown(values),
                    linestyle="none",
                    marker=marker,
                    markersize=size,
                    markerfacecolor=color if status == "finished" else "white",
                    markeredgecolor=color,
                    markeredgewidth=0.6,
                    label=status,
                )
        losses = run.sign * np.array([value for _, value, _ in known])
        best = run.sign * np.minimum.accumulate(losses)
        numbers = [*(trial for trial, _, _ in known), len(run.trials) - 1]
        line = scale.shown(np.append(best, best[-1]))
        axes.plot(numbers, line, drawstyle="steps-post", color=DARK, lw=1.1, label="best so far")
        lay(scale, axes)
        _failures(axes, run)
        ruled(axes, "y")


def _failures(axes: Axes, run: Run) -> None:
    failed = [trial.id for trial in run.trials if trial.status == "failed"]
    if failed:
        axes.plot(
            failed,
            np.zeros(len(failed)),
            transform=axes.get_xaxis_transform(),
            linestyle="none",
            marker="|",
            markersize=6,
            color=look(1).color,
            clip_on=False,
            label="failed",
        )


def trials_figure(result: Result) -> Picture | None:
    """Draw every trial, one panel a problem, or a seed of the only one.

    None where problems have more than one run each, and beyond a page of panels.
    """
    names = sorted(result.runs)
    problems, strategies = {n.problem for n in names}, {n.strategy for n in names}
    is_one = len(problems) == 1 and len(strategies) == 1
    if not names or len(names) > _PANELS or not (is_one or len(problems) == len(names)):
        return None
    with styled():
        marks = dict[str, object]()
        figure, places = sheet(len(names), _HEIGHT, [])
        for axes, name in zip(places, names, strict=True):
            draw_trials(axes, result.runs[name], result.facts.problems[name.problem].metric)
            seed = f", seed {name.seed}" if is_one and len(names) > 1 else ""
            axes.set_title(verbatim(f"{name.problem}{seed}"))
            handles, labels = axes.get_legend_handles_labels()
            marks |= dict(zip(labels, handles, strict=True))
        fit_labels(places)
        if marks:
            figure.legend(
                handles=list(marks.values()),
                loc="outside upper center",
                ncols=min(len(marks), 4),
                frameon=False,
                handlelength=1.5,
                columnspacing=1.2,
            )
    return Picture("trials", "Every trial", _caption(result), figure)


def _caption(result: Result) -> str:
    runs = list(result.runs.values())
    failed = sum(t.status == "failed" for run in runs for t in run.trials)
    failures = f" Ticks at the foot are failures, {failed:,} in all." if failed else ""
    return (
        "Every trial by its number, and the best so far as a line. A hollow mark is of a trial "
        f"that has not reached its last epoch: its value there.{failures}"
    )
