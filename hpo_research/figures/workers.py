"""What the slots of a run trained, and when: a Gantt chart, and the share that they stood idle."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from hpo_research.analysis.result import Result
from hpo_research.analysis.timeline import Stretch, Timeline, timeline
from hpo_research.errors import StoreError
from hpo_research.figures.labels import counted, listed
from hpo_research.figures.layout import Picture, fit_labels, sheet
from hpo_research.figures.learning import median_run
from hpo_research.figures.lines import cost_axis
from hpo_research.figures.panel import APART, seconds_of
from hpo_research.figures.style import DARK, MIDDLE, dressed, look, styled, verbatim
from hpo_research.records import Status
from hpo_research.store import RunName
from hpo_research.text import quoted

_MOST_PANELS = 12
_MOST_ROWS = 24  # that make a panel higher; more are thinner

# Told apart without colour: by grey and by hatching.
_LOOKS: Mapping[Status, dict[str, Any]] = {
    "finished": {"facecolor": "#8c8c8c"},
    "paused": {"facecolor": "#dedede"},
    "stopped": {"facecolor": "white", "hatch": "//////"},
    "failed": {"facecolor": "white", "hatch": "xxxxxx"},
    "running": {"facecolor": "white", "linestyle": ":"},
}
_NAMES: Mapping[Status, str] = {
    "finished": "trained to the end",
    "paused": "paused",
    "stopped": "stopped",
    "failed": "failed",
    "running": "running",
}
_EDGE: Mapping[str, Any] = {"edgecolor": MIDDLE, "linewidth": 0.4}


def draw_workers(axes: Axes, result: Result, run_name: RunName) -> None:
    """Draw what each slot of a run trained, a bar a segment, over the run's clock in seconds.

    Grey and hatching say how a segment ended; the best trial is coloured. In the lowest row are the
    searches, where they took time by that clock. Raises `StoreError` where the result holds no such
    run, or nothing was begun in it. `axes.legend()` names the bars.
    """
    if not isinstance(run_name, tuple) or run_name not in result.runs:
        shown = quoted(tuple(run_name) if isinstance(run_name, tuple) else run_name)
        raise StoreError(f"no run {shown}; a run is named by problem, strategy and seed")
    found = timeline(result.run_history(run_name))
    if not found.stretches:
        raise StoreError(f"draw_workers: no trial was begun in {tuple(run_name)}")
    with styled():
        _draw(axes, result, run_name, found)
        for patch in _legend([found]):
            axes.add_patch(patch).set_visible(False)


def workers_figure(result: Result, problem: str) -> Picture | None:
    """Draw the median seed's run of each strategy on a problem, a panel each.

    None in lock-step, where all slots are filled and freed together, and where only one is used.
    """
    if result.facts.execution not in ("asynchronous", "simulated"):
        return None
    names = [median_run(result, problem, strategy) for strategy in result.facts.strategies]
    lines = {name: timeline(result.run_history(name)) for name in names if name is not None}
    if max((found.slots for found in lines.values()), default=0) < 2:
        return None
    shown = dict(list(lines.items())[:_MOST_PANELS])
    rows = min(max(found.slots for found in shown.values()) + 1, _MOST_ROWS)
    ends = [found.clock for found in shown.values()]
    with styled():
        figure, places = sheet(len(shown), 0.6 + 0.1 * rows, _legend(list(shown.values())))
        for axes, (name, found) in zip(places, shown.items(), strict=True):
            _draw(axes, result, name, found)
            axes.set_title(f"{verbatim(name.strategy, 22)}\n{found.idle:.0%} idle")
            if max(ends) < APART * min(ends):
                axes.set_xlim(0, max(ends))
        fit_labels(places)
    few = f" Shown are {len(shown)} of {len(lines)} strategies." * (len(shown) < len(lines))
    title = f"What the slots trained on {problem}"
    text = _caption(result, problem, list(shown.values())) + few
    return Picture(f"workers-{problem}", title, text, figure)


def _draw(axes: Axes, result: Result, name: RunName, found: Timeline) -> None:
    dressed(axes)
    best = result.runs[name].best()
    own = [s for s in found.stretches if best is not None and s.trial == best.id]
    for status, drawn in _LOOKS.items():
        _bars(axes, [s for s in found.stretches if s.status == status and s not in own], drawn)
    _bars(axes, own, {"facecolor": look(1).color})
    rows = [str(slot + 1) for slot in range(found.slots)]
    if has_searches := result.facts.execution != "simulated":
        spans = [(start, end - start) for start, end in found.searches]
        axes.broken_barh(spans, (found.slots - 0.4, 0.8), color=DARK, linewidth=0.3)
    axes.set_yticks(
        range(found.slots + has_searches), [*rows, *(["search"] if has_searches else [])]
    )
    if found.slots > _MOST_ROWS:
        axes.set_yticks([0, found.slots - 1], [rows[0], rows[-1]])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(found.slots + has_searches - 0.4, -0.6)
    axes.set_ylabel("slot")
    cost_axis(axes, seconds_of(result))
    axes.grid(visible=False)
    axes.set_xlim(0, found.clock or None)


def _bars(axes: Axes, stretches: Sequence[Stretch], drawn: Mapping[str, Any]) -> None:
    for slot in sorted({stretch.slot for stretch in stretches}):
        spans = [(s.start, s.end - s.start) for s in stretches if s.slot == slot]
        axes.broken_barh(spans, (slot - 0.4, 0.8), **{**_EDGE, **drawn})


def _legend(lines: Sequence[Timeline]) -> list[Patch]:
    there = {stretch.status for found in lines for stretch in found.stretches}
    marks = [Patch(label="best trial", **{**_EDGE, "facecolor": look(1).color})]
    return marks + [
        Patch(label=_NAMES[status], **{**_EDGE, **drawn})
        for status, drawn in _LOOKS.items()
        if status in there
    ]


def _caption(result: Result, problem: str, lines: Sequence[Timeline]) -> str:
    seeds = len({name.seed for name in result.select(problem)})
    median = (
        f", of each strategy the median of {seeds} seeds by its best value," if seeds > 1 else ""
    )
    searches = (
        "searches take no time by this clock"
        if result.facts.execution == "simulated"
        else "the lowest row are the searches"
    )
    ended = {stretch.status for found in lines for stretch in found.stretches}
    how = listed([_NAMES[status] for status in _LOOKS if status in ended], "or")
    return (
        f"Which trials {counted({found.slots for found in lines}, 'slot')} trained on {problem}, "
        f"in one run{median} over its {seconds_of(result).removesuffix(' of a run')}: a bar is a "
        f"segment of a trial, {how}; those of the best trial are coloured. A segment stands in the "
        "lowest slot that was free, since a store does not say which process it ran in; "
        f"{searches}. Below each name: the share of the slots' time in which nothing was trained."
    )
