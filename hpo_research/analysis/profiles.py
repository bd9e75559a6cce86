"""Profiles: how many times slower than the fastest a strategy is, and what it solves by when.

Performance profiles: Dolan and Moré, Mathematical Programming 91 (2002). Data profiles, and the
test of convergence for both: Moré and Wild, SIAM Journal on Optimization 20 (2009), section 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hpo_research.analysis.extremes import difference
from hpo_research.analysis.pooled import Pooled, pooled
from hpo_research.analysis.result import Result
from hpo_research.analysis.running_times import reached_within
from hpo_research.analysis.trajectories import Trajectories, trajectories
from hpo_research.errors import StoreError
from hpo_research.options import Mistakes, number

TOLERANCES = (0.1, 0.01)
"""Of the way from the first loss to the best one, what may be left."""

_POINTS = 200
_MOST_RATIO = 64.0


@dataclass(frozen=True)
class Profiles:
    """Performance and data profiles of k strategies, at the tolerance τ.

    A strategy has solved an instance, a problem with a seed, when its loss is at most
    f_L + τ (f₀ − f_L): f_L is the least loss of any strategy on that problem and seed, f₀ the
    greatest that one began with. `within_ratio` is the share of instances that it solves in at
    most `ratio` times the evaluations of the fastest, `within_cost` that in `cost` evaluations by
    hyperparameter and one (the simplex gradients of Moré and Wild). `fastest` is the share on which
    none is faster, `within_twice` that at the ratio 2, `solved` what it solves at all. Shares are
    means over problems, each weighted equally.
    """

    tolerance: float
    strategies: tuple[str, ...]
    problems: tuple[str, ...]
    seeds: tuple[int, ...]
    ratio: Float[np.ndarray, " m"]
    within_ratio: Pooled
    cost: Float[np.ndarray, " m"]
    within_cost: Pooled
    fastest: Pooled
    within_twice: Pooled
    solved: Pooled


def profiles(result: Result, tolerance: float = TOLERANCES[0]) -> Profiles | None:
    """Return the profiles over the problems and seeds on which all have finished.

    None where there are none, or fewer than two strategies. Raises `StoreError` for a tolerance
    that is none.
    """
    mistakes = Mistakes("profiles")
    mistakes.check("tolerance", tolerance, number(least=0, below=1))
    mistakes.refuse(StoreError)
    found = trajectories(result)
    if not found or len(found[0].strategies) < 2:
        return None
    times = [solved_after(own, tolerance) for own in found]
    ratios = [to_the_fastest(own) for own in times]
    scaled = [t / (own.dimension + 1) for t, own in zip(times, found, strict=True)]
    ratio = np.geomspace(1, _greatest(ratios, _MOST_RATIO), _POINTS) * (1 + 1e-12)
    last = max(float((own.spent / (own.dimension + 1)).max()) for own in found)
    cost = np.linspace(0, last, _POINTS) * (1 + 1e-12)
    return Profiles(
        tolerance,
        found[0].strategies,
        tuple(own.problem for own in found),
        tuple(len(own.seeds) for own in found),
        ratio,
        _within(ratios, ratio),
        cost,
        _within(scaled, cost),
        _within(ratios, np.ones(1)),
        _within(ratios, np.full(1, 2.0)),
        _within(times, np.full(1, np.finfo(float).max)),
    )


def solved_after(own: Trajectories, tolerance: float) -> Float[np.ndarray, "k n"]:
    """Return the evaluations after which each run has solved its instance, infinite for never.

    A run without a value solves nothing, and an instance on which no run has any is solved by none.
    """
    ends = own.ends
    least = ends.min(axis=0)
    begins = np.where(np.isfinite(own.begins), own.begins, -np.inf).max(axis=0)
    known = np.isfinite(least)
    way = difference(np.where(known, begins, 0.0), np.where(known, least, 0.0))
    # Of a tolerance of 0 the target is the least loss itself, without rounding.
    target = np.where(known, least, 0.0) + tolerance * way
    times = own.times(np.where(known, target, -np.inf)[:, None])
    return times[:, :, 0]


def to_the_fastest(times: Float[np.ndarray, "k n"]) -> Float[np.ndarray, "k n"]:
    """Return times by the least on an instance; infinite where one has none."""
    fastest = times.min(axis=0)
    known = np.isfinite(fastest)
    found: np.ndarray = np.where(np.isfinite(times), times, np.inf) / np.where(known, fastest, 1.0)
    return found


def _within(values: Sequence[Float[np.ndarray, "k _"]], limits: Float[np.ndarray, " m"]) -> Pooled:
    return pooled([reached_within(own[:, :, None], limits) for own in values])


def _greatest(ratios: Sequence[Float[np.ndarray, "k _"]], most: float) -> float:
    """Return the greatest ratio, of those that are not beyond what a figure shows."""
    known = np.concatenate([own[np.isfinite(own)] for own in ratios])
    return float(min(max(known.max(initial=1.0), 2.0), most))
