"""When each trial of a run was trained: its segments from ask to end, and how they ended."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from hpo_research.analysis.modelled import run_of
from hpo_research.analysis.result import Result
from hpo_research.analysis.timeline import Timeline, timeline
from hpo_research.figures.labels import counted
from hpo_research.figures.layout import Picture, sheet
from hpo_research.figures.lines import nothing
from hpo_research.figures.style import dressed, look, ruled, styled
from hpo_research.records import Status
from hpo_research.store import RunName

TITLE = "When trials were trained"
_LEAST, _MOST, _ROW = 1.4, 5.0, 0.07  # inches of a panel, and of a trial
_SAID: dict[Status, tuple[str, int, str]] = {
    "finished": ("finished", 0, "-"),
    "paused": ("paused at a rung", 4, "-"),
    "stopped": ("stopped", 5, "-"),
    "failed": ("failed", 1, "-"),
    "running": ("running", 2, ":"),
}
_ENDS: dict[Status, str] = {"paused": "|", "stopped": "s", "failed": "x", "running": ">"}


def draw_timeline(axes: Axes, found: Timeline) -> None:
    """Draw segments of trials (`analysis.timeline`), a row a trial, from their asks to their ends.

    Running ones are drawn up to the run's clock. The mark at an end says how it ended: a bar at a
    rung, where the trial paused, a square where it was stopped, a cross where it failed, a triangle
    where it is running. `axes.legend()` names them.
    """
    with styled():
        dressed(axes)
        axes.set_xlabel("seconds since the run began")
        axes.set_ylabel("trial")
        spans = found.stretches
        if not spans:
            nothing(axes, "x", "y")
            return
        rows = 1 + max(span.trial for span in spans)
        room = 72 * axes.get_position().height * _tall(axes) / rows
        width, size = (float(np.clip(s * room, 0.5 + s, 4 + s)) for s in (0.6, 1.1))
        for status, (label, color, dash) in _SAID.items():
            own = [span for span in spans if span.status == status]
            if not own:
                continue
            lines = [[(span.start, span.trial), (span.end, span.trial)] for span in own]
            looks = {"colors": look(color).color, "linewidths": width, "linestyles": dash}
            axes.add_collection(LineCollection(lines, **looks, capstyle="butt", zorder=2))
            axes.plot(
                [span.end for span in own],
                [span.trial for span in own],
                linestyle="none",
                marker=_ENDS.get(status, "."),
                markersize=size if status in _ENDS else 0.6 * size,
                color=look(color).color,
                markeredgewidth=0.8,
                label=label,
                zorder=3,
            )
        last = max(found.clock, *(span.end for span in spans))
        first = min(span.start for span in spans)
        axes.set_xlim(first - 0.01 * (last - first), last + 0.02 * (last - first) or 1.0)
        axes.set_ylim(rows - 0.4, -0.6)
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        ruled(axes, "x")


def _tall(axes: Axes) -> float:
    figure = axes.get_figure(root=True)
    return _LEAST if figure is None else float(figure.get_figheight())


def timeline_figure(result: Result, name: RunName | None = None) -> Picture | None:
    """Draw when the trials of a run were trained, by default of the only run of a result.

    None where none was begun. Raises `StoreError` where there is no such run.
    """
    name = run_of(result, name)
    found = timeline(result.histories[name])
    if not found.stretches:
        return None
    rows = 1 + max(span.trial for span in found.stretches)
    with styled():
        figure, (axes,) = sheet(1, min(max(_LEAST, 0.6 + _ROW * rows), _MOST), [], columns=1)
        draw_timeline(axes, found)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="outside upper center",
            ncols=min(3, len(labels)),
            frameon=False,
            handletextpad=0.3,
        )
    return Picture("timeline", TITLE, _caption(result, found), figure)


def _caption(result: Result, found: Timeline) -> str:
    trials = len({span.trial for span in found.stretches})
    resumed = len(found.stretches) - trials
    again = f" {counted([resumed], 'segment')} resumed a paused trial." if resumed else ""
    clock = "simulated clock" if result.facts.execution == "simulated" else "clock"
    return (
        f"{counted([trials], 'trial')} by the run's {clock}, each in its row from when it was "
        "asked for to its end; what it waited for a worker is part of it. The mark at an end says "
        f"how it ended.{again}"
    )
