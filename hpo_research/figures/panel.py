"""What a panel of incumbent curves shows, and what must be said about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from hpo_research.analysis.arguments import check_name, chosen
from hpo_research.analysis.bootstrap import Band, band
from hpo_research.analysis.early_ends import early_ends
from hpo_research.analysis.finals import finals
from hpo_research.analysis.incumbents import Axis, Curve, curve, regret
from hpo_research.analysis.noise_free import is_noisy
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.figures.labels import (
    BEST,
    counted,
    listed,
    noted,
    regret_where,
    unfinished,
    value_label,
)
from hpo_research.figures.lines import LEVEL, bands_said
from hpo_research.figures.scales import Scale, scale_for
from hpo_research.options import one_of, require

_SECONDS = {
    "lock-step": "seconds of training and search in a run",
    "asynchronous": "seconds since a run began",
    "simulated": "simulated seconds of a run",
}
_AGAINST = {
    "epochs": "the epochs trained in a run",
    "evaluations": "the evaluations in a run",
}


APART = 30
"""Times as many seconds from which a linear axis leaves the shorter line 3 % of its width."""


@dataclass(frozen=True)
class Panel:
    """One problem: a band for each strategy that has values, and how to draw them.

    `label` names the value, `cost` the cost axis. `optimum` is a line to draw, None where it is
    unknown or the bands are distances from it; of a problem that `is_noisy` it is the optimum of
    the values without noise, and values with noise may lie beyond. `notes` are for readers: what
    they say holds on this problem. Costs are on a log axis where strategies spend too differently.
    The lines of `ended` are over before the budget is, in all of their runs.
    """

    problem: str
    bands: Mapping[str, Band]
    label: str
    cost: str
    cost_scale: Scale
    scale: Scale
    is_regret: bool
    optimum: float | None
    is_noisy: bool
    notes: Sequence[str]
    ended: frozenset[str] = frozenset()


def panel(
    result: Result, problem: str, axis: Axis, strategies: Sequence[str] | None = None
) -> Panel:
    """Take from a result what the panel of a problem shows, of all or of some strategies.

    The distance from the optimum where it is known and no run has a value beyond it (which noise
    can bring), otherwise the value. The axis is logarithmic for distances (linear where they reach
    0 and span little), and for positive values that span much. Raises `StoreError` for a name
    that the result does not hold.
    """
    known = result.facts.problems
    check_name("problem", problem, known)
    require("axis", axis, one_of(get_args(Axis)), error=StoreError)
    facts = known[problem]
    present = {name.strategy for name in result.select(problem)}
    wanted = chosen(strategies, result.facts.strategies)
    names = [n for n in result.facts.strategies if n in present and n in wanted]
    curves = {name: curve(result, problem, name, axis) for name in names}
    optimum = facts.optimum
    is_regret = optimum is not None and bool(present) and finals(result, problem).is_regret
    if is_regret and optimum is not None:
        curves = {name: regret(c, optimum) for name, c in curves.items()}
    bands = {name: band(c, level=LEVEL) for name, c in curves.items()}
    bands = {name: b for name, b in bands.items() if not np.isnan(b.center).all()}
    seen = [b.extent() for b in bands.values()]
    scale = scale_for(np.concatenate([[], *seen]), is_distance=is_regret)
    bands = {name: b.mapped(scale.shown) for name, b in bands.items()}
    notes = _notes(result, problem, curves, bands=bands, scale=scale)
    line = None if is_regret or not bands else optimum
    line = None if line is None else float(scale.shown(np.array(line)))
    if has_noise := line is not None and is_noisy(result, problem):
        notes.append("the optimum is noise-free, so noisy values may be better than it")
    early = {name: end for name, end in early_ends(result, problem).items() if name in bands}
    notes += map(str, early.values())
    return Panel(
        problem,
        bands,
        value_label(facts.metric, facts.direction, BEST, is_regret=is_regret),
        _cost(result, problem, axis, names),
        _cost_scale(axis, list(bands.values())),
        scale,
        is_regret,
        line,
        has_noise,
        notes,
        frozenset(name for name, end in early.items() if end.count == end.runs),
    )


def trains_fully(result: Result, problem: str, strategy: str) -> bool:
    """Whether every trial of a strategy that ended without a failure has reached the last epoch.

    Its own last one, where that is open. Only then are its trials evaluations, and can be counted
    beside those of other strategies.
    """
    last = result.facts.problems[problem].max_epochs
    return all(
        trial.status == "finished" if last is None else trial.reached >= last
        for name, run in result.runs.items()
        if name[:2] == (problem, strategy)
        for trial in run.trials
        if trial.status not in ("running", "failed")
    )


def seconds_of(result: Result) -> str:
    """Return what seconds a run is measured in: the label of an axis."""
    return _SECONDS.get(result.facts.execution, "seconds since the run began")


def _cost_scale(axis: Axis, bands: Sequence[Band]) -> Scale:
    """Return a log scale where one line ends before another has begun to be seen beside it."""
    if axis != "seconds" or not bands or min(own.cost[0] for own in bands) <= 0:
        return Scale()
    ends = [own.cost[-1] for own in bands]
    return Scale("log") if max(ends) >= APART * min(ends) else Scale()


def _cost(result: Result, problem: str, axis: Axis, strategies: Sequence[str]) -> str:
    if axis == "seconds":
        return seconds_of(result)
    last = result.facts.problems[problem].max_epochs
    if axis == "epochs":
        return "epochs trained in a run" if last != 1 else "evaluations in a run"
    are_full = all(trains_fully(result, problem, name) for name in strategies)
    return "evaluations in a run" if are_full else "trials ended in a run"


def _notes(
    result: Result,
    problem: str,
    curves: Mapping[str, Curve],
    *,
    bands: Mapping[str, Band],
    scale: Scale,
) -> list[str]:
    if not bands:
        return ["no run has a value"]
    notes = []
    for name, drawn in curves.items():
        wanted, found = len(drawn.seeds), int(drawn.has_value.sum())
        if found < wanted:
            notes.append(f"{name} has values for {found} of {wanted} seeds")
    notes += [f"{listed(names)} coincide" for names in _coinciding(curves, list(bands))]
    return [*notes, *scale.notes, *unfinished(result, problem, list(curves))]


def _coinciding(curves: Mapping[str, Curve], names: Sequence[str]) -> list[list[str]]:
    """Return the groups of two curves or more that are equal."""
    groups: list[list[str]] = []
    for name in names:
        for group in groups:
            if np.array_equal(curves[group[0]].values, curves[name].values, equal_nan=True):
                group.append(name)
                break
        else:
            groups.append([name])
    return [group for group in groups if len(group) > 1]


def caption(panels: Sequence[Panel], axis: Axis) -> str:
    """Return what the lines and bands are, and the notes of all panels."""
    shown = [panel for panel in panels if panel.bands]
    counts = {band.seeds for panel in shown for band in panel.bands.values()}
    if not counts:
        return "No run has a value yet."
    against = f"the {shown[0].cost}" if axis == "seconds" else _AGAINST[axis]
    problems = [panel.problem for panel in shown]
    bands = bands_said([len(panel.bands) for panel in shown], counts, "median")
    at = "" if axis == "evaluations" else " at any epoch"
    what = f"Best value so far{at} on {listed(problems)} against {against}"
    if max(counts) == 1:
        lines = [f"{what}, of one seed.", bands]
    else:
        lines = [
            f"{what}: median over {counted(counts, 'seed')}.",
            bands,
            "A line begins where all of its seeds have a value.",
        ]
    distances = regret_where(problems, [panel.problem for panel in shown if panel.is_regret])
    notes = noted({panel.problem: panel.notes for panel in panels})
    return " ".join([lines[0], *distances, *lines[1:], *notes])
