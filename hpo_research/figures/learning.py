"""Learning curves of one run: its rungs, what was promoted, stopped or failed, and the winner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from hpo_research.analysis.extremes import difference
from hpo_research.analysis.finals import finals
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.figures.labels import EVERY, counted, listed, noted, value_label
from hpo_research.figures.layout import Picture, fit_labels, inches, sheet
from hpo_research.figures.lines import nothing
from hpo_research.figures.scales import Scale, lay, scale_for
from hpo_research.figures.style import DARK, LIGHT, MIDDLE, dressed, small, styled, verbatim
from hpo_research.records import OPEN, Run, Start, Stop, Trial
from hpo_research.store import RunName
from hpo_research.text import quoted

_HEIGHT = 2.4
_MOST_RUNGS = 20  # that get a line each
_ROOM = {"epoch": 0.25, "count": 0.36}  # inches that a number at a rung needs
_MANY_EPOCHS = 8.0  # a ratio of the last epoch to the first rung from which a log axis helps

Fate = Literal["best", "finished", "paused", "stopped", "failed", "running", "promoted"]

# Each is told from the others without colour: by marker, grey and width.
_LOOKS: dict[Fate, dict[str, Any]] = {
    "finished": {"color": MIDDLE, "linewidth": 0.7, "marker": "D", "markerfacecolor": MIDDLE},
    "running": {"color": MIDDLE, "linewidth": 0.6, "linestyle": ":", "marker": ">"},
    "paused": {"color": LIGHT, "linewidth": 0.6, "marker": "o", "markerfacecolor": "white"},
    "stopped": {"color": LIGHT, "linewidth": 0.6, "marker": "s", "markerfacecolor": MIDDLE},
    "failed": {"color": LIGHT, "linewidth": 0.6, "marker": "X", "markerfacecolor": DARK},
    "promoted": {"linestyle": "none", "marker": "^", "markerfacecolor": DARK},
    "best": {"color": "black", "linewidth": 1.8, "marker": "*", "markersize": 9.0},
}
_NAMES: dict[Fate, str] = {
    "best": "best trial",
    "finished": "trained to the end",
    "promoted": "promoted",
    "paused": "not promoted",
    "stopped": "stopped",
    "failed": "failed",
    "running": "running",
}


@dataclass(frozen=True)
class Rungs:
    """Where a run's trials paused, below the last epoch.

    `epochs` are the rungs, ascending; `goals` the epochs that each trial was to reach, one after
    the other: it was promoted from all of them but the last.
    """

    epochs: tuple[int, ...]
    goals: Mapping[int, tuple[int, ...]]

    def left(self, trial: int) -> tuple[int, ...]:
        """Return the rungs from which a trial was promoted."""
        return self.goals.get(trial, ())[:-1]


def rungs(run: Run) -> Rungs:
    """Read the rungs of a run from its asks."""
    goals: dict[int, tuple[int, ...]] = {}
    started = 0
    for ask in run.asks:
        for proposal in ask.proposals:
            if isinstance(proposal, Stop):
                continue
            trial = started if isinstance(proposal, Start) else proposal.trial
            started += isinstance(proposal, Start)
            goals[trial] = (*goals.get(trial, ()), proposal.until)
    found = {epoch for own in goals.values() for epoch in own if epoch < run.max_epochs}
    return Rungs(tuple(sorted(found)), goals)


def spares_epochs(run: Run) -> bool:
    """Whether a run's strategy ends trials before the last epoch, or lets them wait there."""
    stops = any(p.kind == "stop" for ask in run.asks for p in ask.proposals)
    return stops or bool(rungs(run).epochs)


def median_run(result: Result, problem: str, strategy: str) -> RunName | None:
    """Return the run whose best value is the median over seeds, the worse of two; None without any.

    Equal values go by seed.
    """
    found = []
    for name, own in result.select(problem, strategy).items():
        best = own.run.best()
        if best is not None:
            found.append((float(own.run.losses[best.id]), name.seed, name))
    return sorted(found)[len(found) // 2][2] if found else None


def draw_learning_curves(axes: Axes, result: Result, run_name: RunName) -> None:
    """Draw the value of every trial of a run at each of its epochs.

    Vertical lines are the rungs, where trials paused. A filled triangle marks a trial that was
    promoted from a rung; the last marker of a curve says what became of it: a star, at the end of
    a thick line, for the best trial; a diamond for one trained to the last epoch; an open circle
    for one that was not promoted; a square for one that was stopped; a cross for one that failed.
    Regret where the optimum is known and no value of any run lies beyond it. Raises `StoreError`
    where the result holds no such run. `axes.legend()` names the marks.
    """
    if not isinstance(run_name, tuple) or run_name not in result.runs:
        shown = quoted(tuple(run_name) if isinstance(run_name, tuple) else run_name)
        raise StoreError(f"no run {shown}; a run is named by problem, strategy and seed")
    run = result.runs[run_name]
    with styled():
        dressed(axes)
        above = small() + 6.0 if rungs(run).epochs else None  # room for the numbers at the rungs
        axes.set_title(verbatim(run_name.problem), pad=above)
        _values(axes, result, run_name)
        _epochs(axes, run)
        for fate in _fates(run):
            axes.add_line(key(fate))
        if not any(trial.values for trial in run.trials):
            nothing(axes, "y")


def key(fate: Fate) -> Line2D:
    """Return the mark that stands for what became of a trial in a legend."""
    return Line2D([], [], label=_NAMES[fate], **_line(fate))


def learning_figure(result: Result, strategy: str) -> Picture | None:
    """Draw one run of a strategy, the median seed's, on each problem where it spares epochs.

    None where it never does.
    """
    names = [median_run(result, problem, strategy) for problem in result.facts.problems]
    shown = [name for name in names if name is not None and spares_epochs(result.runs[name])]
    if not shown:
        return None
    present = {fate for name in shown for fate in _fates(result.runs[name])}
    with styled():
        legend = [key(fate) for fate in _NAMES if fate in present]
        figure, places = sheet(len(shown), _HEIGHT, legend)
        for axes, name in zip(places, shown, strict=True):
            draw_learning_curves(axes, result, name)
        fit_labels(places)
    title = f"Learning curves of {strategy}"
    return Picture(f"learning-curves-{strategy}", title, _caption(result, shown), figure)


def _distances(result: Result, run_name: RunName) -> tuple[list[np.ndarray], bool]:
    """Return the values of every trial as they are drawn, and whether they are regret."""
    run, facts = result.runs[run_name], result.facts.problems[run_name.problem]
    is_regret = facts.optimum is not None and finals(result, run_name.problem).is_regret
    sign, zero = 1.0, 0.0
    if is_regret and facts.optimum is not None:
        sign, zero = facts.sign, facts.optimum
    return [sign * difference(list(trial.values), zero) for trial in run.trials], is_regret


def _scale(result: Result, run_name: RunName) -> Scale:
    values, is_regret = _distances(result, run_name)
    return scale_for(np.concatenate([[], *values]), is_distance=is_regret)


def _values(axes: Axes, result: Result, run_name: RunName) -> None:
    run, facts = result.runs[run_name], result.facts.problems[run_name.problem]
    values, is_regret = _distances(result, run_name)
    scale, found = _scale(result, run_name), rungs(run)
    for order, fate in enumerate(_LOOKS):
        for trial in _trials(run, fate):
            own = scale.shown(values[trial.id])
            _curve(axes, trial, own, fate=fate, order=order, left=found.left(trial.id))
    axes.set_ylabel(
        verbatim(value_label(facts.metric, facts.direction, EVERY, is_regret=is_regret))
    )
    if any(len(own) for own in values):
        lay(scale, axes)


def _curve(
    axes: Axes,
    trial: Trial,
    values: Float[np.ndarray, " epochs"],
    *,
    fate: Fate,
    order: int,
    left: Sequence[int],
) -> None:
    """Draw a trial's line, or its promotions, and above all lines the marker of its fate."""
    look = _line(fate)
    if fate != "promoted":
        axes.plot(trial.epochs, values, **look | {"marker": "", "zorder": 2 + 0.1 * order})
    marked = [-1]
    if fate == "promoted":
        marked = [i for i, epoch in enumerate(trial.epochs) if epoch in left]
    look |= {"linestyle": "none", "markevery": marked, "zorder": 4 + 0.1 * order}
    axes.plot(trial.epochs, values, **look)


def _line(fate: Fate) -> dict[str, Any]:
    edge = {"markersize": 3.2, "markeredgecolor": MIDDLE, "markeredgewidth": 0.6}
    if fate in ("best", "promoted", "finished"):
        edge |= {"markeredgecolor": "white", "markeredgewidth": 0.4}
    return edge | _LOOKS[fate]


def _trials(run: Run, fate: Fate) -> list[Trial]:
    """Return the trials with reports that have a fate; the best one has no other but promotion."""
    best = run.best()
    reported = [trial for trial in run.trials if trial.values]
    if fate == "promoted":
        steps = rungs(run)
        return [t for t in reported if set(t.epochs) & set(steps.left(t.id))]
    if fate == "best":
        return [trial for trial in reported if best is not None and trial.id == best.id]
    others = [trial for trial in reported if best is None or trial.id != best.id]
    return [trial for trial in others if trial.status == fate]


def _fates(run: Run) -> list[Fate]:
    return [fate for fate in _NAMES if _trials(run, fate)]


def _epochs(axes: Axes, run: Run) -> None:
    """Draw the rungs and number the epochs, on a log axis where the rungs grow much."""
    found = rungs(run)
    last = run.max_epochs
    if last == OPEN:
        last = max((trial.reached for trial in run.trials), default=1)
    axes.set_xlabel("epoch of a trial")
    if not found.epochs or len(found.epochs) > _MOST_RUNGS:
        axes.set_xlim(0, 1.04 * last)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        return
    for epoch in found.epochs:
        axes.axvline(epoch, color=MIDDLE, linewidth=0.6, linestyle=(0, (4, 2)), zorder=1)
    if last >= _MANY_EPOCHS * found.epochs[0]:
        axes.set_xscale("log")
        axes.set_xlim(0.9, 1.15 * last)
    else:
        axes.set_xlim(0, 1.04 * last)
    stops = [*found.epochs, last]
    axes.xaxis.set_major_locator(FixedLocator(_apart(axes, stops, _ROOM["epoch"])))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda epoch, _: f"{epoch:g}"))
    if _apart(axes, stops, _ROOM["count"]) == stops:
        _counts(axes, run, found)


def _apart(axes: Axes, epochs: Sequence[int], room: float) -> list[int]:
    """Return every epoch, or every second, third, ... up to the last, so that all have room."""
    across = axes.get_xscale() == "log"
    low, high = (np.log(x) if across else x for x in axes.get_xlim())
    places = np.array([np.log(e) if across else e for e in epochs]) / (high - low) * inches(axes)
    for stride in range(1, len(epochs)):
        kept = places[::-1][::stride]
        if (-np.diff(kept) >= room).all():
            return list(epochs)[::-1][::stride][::-1]
    return list(epochs)[-1:]


def _counts(axes: Axes, run: Run, found: Rungs) -> None:
    """Write above each rung how many trials were promoted of how many reached it."""
    for epoch in found.epochs:
        here = [trial for trial in run.trials if epoch in found.goals.get(trial.id, ())]
        promoted = sum(epoch in found.left(trial.id) for trial in here)
        axes.text(
            epoch,
            1.0,
            f"{promoted}/{sum(trial.reached >= epoch for trial in here)}",
            transform=axes.get_xaxis_transform(),
            fontsize=small(),
            color=DARK,
            horizontalalignment="center",
            verticalalignment="bottom",
        )


def _caption(result: Result, shown: Sequence[RunName]) -> str:
    has_rungs = any(rungs(result.runs[name]).epochs for name in shown)
    at_rungs = (
        "Vertical lines are the rungs, where trials pause; a triangle is a promotion; numbers "
        "above a rung are the trials promoted and those that reached it."
    )
    return " ".join(
        [
            f"Every trial of one run of {shown[0].strategy}, its value at each epoch.",
            *([at_rungs] if has_rungs else []),
            "The last marker of a curve shows the status of its trial.",
            *(sentence for name in shown for sentence in _sentences(result, name)),
        ]
    )


def _sentences(result: Result, name: RunName) -> list[str]:
    run = result.runs[name]
    seeds = len(result.select(name.problem, name.strategy))
    median = f", the median of {seeds} seeds by its best value" if seeds > 1 else ""
    steps = [str(epoch) for epoch in rungs(run).epochs]
    where = ""
    if steps:
        where = f"; {'rung' if len(steps) == 1 else 'rungs'} at {listed(steps)}"
        where = f"; {len(steps)} rungs" if len(steps) > _MOST_RUNGS else where
    many = counted([len(run.trials)], "trial")
    sentences = [f"{name.problem}: seed {name.seed}{median}, {many}{where}."]
    scale = _scale(result, name)
    sentences += noted({name.problem: scale.notes[-1:]}) if scale.is_cut else []
    silent = sum(not trial.values for trial in run.trials)
    if silent:
        sentences.append(f"Not drawn: {counted([silent], 'trial')} without a report.")
    if name not in result.over:
        sentences.append("This run is not finished.")
    return sentences
