"""Areas: the mean over the budget of a run's regret, so that being soon there counts too."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hpo_research.analysis.extremes import located
from hpo_research.analysis.finals import Finals
from hpo_research.analysis.result import Result
from hpo_research.analysis.trajectories import Trajectories, trajectories

FLOOR = 1e-8
"""Below this share of the first regrets' median, a regret counts as this one in the log area."""


@dataclass(frozen=True)
class Areas:
    """The area under the curve of every run of a problem, over its evaluations; less is better.

    `linear` is the mean of the regret over the budget, `log` that of its logarithm to the base 10.
    The regret is the distance from the optimum, or from the least loss of any run, where
    `is_optimum` is false. Both are taken over the evaluations from `start`, at which every run has
    a value, to `end`, the least that a run has spent; each value holds until the next. Regrets
    below `least` count as that in `log`, since regret may be 0. A row a strategy.
    """

    problem: str
    strategies: tuple[str, ...]
    seeds: tuple[int, ...]
    is_optimum: bool
    start: float
    end: float
    least: float
    linear: Float[np.ndarray, "k n"]
    log: Float[np.ndarray, "k n"]

    def values(self, kind: str) -> Mapping[str, Float[np.ndarray, " n"]]:
        """Return the areas by strategy: `linear` or `log`."""
        rows = self.linear if kind == "linear" else self.log
        return dict(zip(self.strategies, rows, strict=True))

    def finals(self, kind: str) -> Finals:
        """Return the areas as values of the runs, for what compares these."""
        return Finals(self.problem, f"{kind} area", "minimize", True, self.seeds, self.values(kind))


def areas(result: Result) -> list[Areas]:
    """Return the areas on every problem, over the seeds that all strategies have finished.

    A problem is left out where a run has no value, or where runs end before all have one.
    """
    found = [_of(own) for own in trajectories(result)]
    return [own for own in found if own is not None]


def _of(own: Trajectories) -> Areas | None:
    ends = own.ends
    if not np.isfinite(ends).all():
        return None
    best = float(ends.min()) if own.optimum is None else own.optimum
    distances = own.distances(best)
    begun = [_first(cost, losses) for cost, losses in zip(own.cost, own.losses, strict=True)]
    start, end = max(begun), float(own.spent.min())
    if not end > start:
        return None
    first = float(located(np.median, distances.after(np.array([start]))))
    least = max(FLOOR * first, np.finfo(float).tiny)
    floored = [np.log10(np.maximum(values, least)) for values in distances.losses]
    return Areas(
        own.problem,
        own.strategies,
        own.seeds,
        own.optimum is not None,
        start,
        end,
        least,
        np.stack(
            [_mean(*both, start, end) for both in zip(own.cost, distances.losses, strict=True)]
        ),
        np.stack([_mean(*both, start, end) for both in zip(own.cost, floored, strict=True)]),
    )


def _first(cost: Float[np.ndarray, " p"], losses: Float[np.ndarray, "n p"]) -> float:
    """Return the cost at which every run has a value."""
    return float(cost[np.isfinite(losses).argmax(axis=1)].max())


def _mean(
    cost: Float[np.ndarray, " p"], values: Float[np.ndarray, "n p"], start: float, end: float
) -> Float[np.ndarray, " n"]:
    """Return the mean between two costs of values that hold until the next cost."""
    until = np.clip(np.append(cost[1:], np.inf), start, end)
    widths = until - np.clip(cost, start, end)
    counted = widths > 0  # before the start, values may be infinite
    largest = np.finfo(float).max
    with np.errstate(over="ignore"):  # by rounding, a mean of the largest floats
        found: np.ndarray = (values[:, counted] * (widths[counted] / (end - start))).sum(axis=1)
    kept: np.ndarray = np.clip(found, -largest, largest)
    return kept
