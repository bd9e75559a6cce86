"""Incumbents: the best value so far against what it cost, for every seed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float

from hpo_research.analysis.extremes import difference
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.options import Mistakes, foreign, one_of, whole
from hpo_research.records import Direction, sign
from hpo_research.store import RunName
from hpo_research.store.reports import Reports, as_reports

Axis = Literal["evaluations", "epochs", "seconds"]


_MOST_POINTS = 1000


@dataclass(frozen=True)
class Curve:
    """The incumbent, the best value so far, of every seed over one cost axis.

    `cost` is ascending; `values[i, j]` is what seed `seeds[i]` had found when it had spent
    `cost[j]`: a right-continuous step function, NaN before the seed's first value. A run that has
    come to its end keeps its last incumbent; one that has not is NaN beyond what it has spent.
    """

    problem: str
    strategy: str
    axis: Axis
    direction: Direction
    seeds: tuple[int, ...]
    cost: Float[np.ndarray, " p"]
    values: Float[np.ndarray, "seeds p"]

    @property
    def has_value(self) -> Bool[np.ndarray, " seeds"]:
        """Which seeds have found anything."""
        has_value: np.ndarray = ~np.isnan(self.values).all(axis=1)
        return has_value


def curve(
    result: Result,
    problem: str,
    strategy: str,
    axis: Axis = "epochs",
    *,
    points: int = _MOST_POINTS,
) -> Curve:
    """Return the incumbent curve of a problem × strategy, over all of its seeds.

    - `epochs`: epochs that the run had trained, and the best value reported at any epoch so far;
    - `seconds`: the same over the run's seconds. In lock-step they are its share of the time that
      training and, before it, the strategy's search took (an epoch that failed is left out);
      otherwise its own clock, real or simulated;
    - `evaluations`: ended trials, by the turn of their last report and then by id, with the value
      that counts by the experiment's rule. A paused trial has ended unless it is resumed; a failed
      one counts and has no value; one without a report stands behind the trial before it.

    The costs are those at which any seed got a value; more than `points` of them are replaced by
    as many equally spaced ones. Raises `StoreError` where the result holds no such runs.
    """
    mistakes = Mistakes("curve")
    mistakes.check("axis", axis, one_of(get_args(Axis)))
    mistakes.check("points", points, foreign(whole(2)))
    mistakes.refuse(StoreError)
    named = isinstance(problem, str) and isinstance(strategy, str)
    names = list(result.select(problem, strategy)) if named else []
    if not names:
        known = sorted({f"{name.strategy} on {name.problem}" for name in result.runs})
        raise StoreError(f"no runs of {strategy} on {problem}; there are {', '.join(known)}")
    direction = result.runs[names[0]].direction
    found = [steps(result, name, axis) for name in names]
    cost = _thinned(np.unique(np.concatenate([own[0] for own in found])), points)
    rows = [
        _incumbent(own, cost, direction=direction, is_over=name in result.over)
        for name, own in zip(names, found, strict=True)
    ]
    seeds = tuple(name.seed for name in names)
    return Curve(problem, strategy, axis, direction, seeds, cost, np.stack(rows))


def regret(curve: Curve, optimum: float) -> Curve:
    """Return the curve of the distance from the known optimum; lower is better."""
    distance = sign(curve.direction) * difference(curve.values, optimum)
    return replace(curve, direction="minimize", values=distance)


def at(curve: Curve, cost: Float[np.ndarray, " q"]) -> Float[np.ndarray, "seeds q"]:
    """Evaluate a curve at other costs; beyond its last one it keeps its last values."""
    before = np.full((len(curve.seeds), 1), np.nan)
    levels = np.concatenate([before, curve.values], axis=1)
    values: np.ndarray = levels[:, np.searchsorted(curve.cost, cost, side="right")]
    return values


Steps = tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]
"""A run's costs, ascending, and the value that came at each (NaN for none)."""


def steps(result: Result, name: RunName, axis: Axis) -> Steps:
    """Return what a run found at which cost, on the axes of `curve`; not the best so far."""
    return _evaluations(result, name) if axis == "evaluations" else _reports(result, name, axis)


def _reports(result: Result, name: RunName, axis: Axis) -> Steps:
    own = as_reports(result.histories[name].reports)
    came = own.rows(np.lexsort((own.epoch, own.trial, own.turn)))
    values = came.metrics.of(result.facts.problems[name.problem].metric)
    if axis == "epochs":
        cost = came.spent.astype(float)
    elif result.facts.execution == "lock-step":
        cost = _training_and_search(came, result.histories[name].asked)
    else:
        cost = np.maximum.accumulate(np.maximum(came.clock, 0.0))
    return cost, values


def _training_and_search(
    came: Reports, asked: Sequence[tuple[int, float]]
) -> Float[np.ndarray, " n"]:
    """Return, at each report, the seconds of all epochs up to it and of the asks before it."""
    searched = np.cumsum([0.0, *(seconds for _, seconds in asked)])
    turns = np.array([turn for turn, _ in asked], dtype=int)
    cost: np.ndarray = np.cumsum(came.seconds) + searched[np.searchsorted(turns, came.turn)]
    return cost


def _evaluations(result: Result, name: RunName) -> Steps:
    turns: dict[int, int] = {}
    own = as_reports(result.histories[name].reports)
    for trial_id, turn in zip(own.trial.tolist(), own.turn.tolist(), strict=True):
        turns[trial_id] = max(turn, turns.get(trial_id, turn))
    ended: list[tuple[int, int, float]] = []
    last = 0
    for trial in result.runs[name].trials:
        last = turns.get(trial.id, last)
        if not trial.is_running:
            ended.append((last, trial.id, np.nan if trial.value is None else trial.value))
    values = np.array([value for _, _, value in sorted(ended)], dtype=float)
    return np.arange(1.0, len(values) + 1), values


def _thinned(cost: Float[np.ndarray, " n"], points: int) -> Float[np.ndarray, " p"]:
    return cost if len(cost) <= points else np.linspace(cost[0], cost[-1], points)


def _incumbent(
    steps: Steps, at: Float[np.ndarray, " p"], *, direction: Direction, is_over: bool
) -> Float[np.ndarray, " p"]:
    """Evaluate a run's incumbent, a right-continuous step function, at some costs."""
    cost, values = steps
    best = np.fmin if sign(direction) > 0 else np.fmax
    levels = np.concatenate([[np.nan], best.accumulate(values) if len(values) else []])
    incumbent: np.ndarray = levels[np.searchsorted(cost, at, side="right")]
    if not is_over:
        spent = cost[-1] if len(cost) else -np.inf
        incumbent = np.where(at > spent, np.nan, incumbent)
    return incumbent
