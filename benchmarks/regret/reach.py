"""How soon one search is where others end: evaluations to a rival's median regret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from benchmarks.regret.problems import place
from benchmarks.regret.record import Key, Line
from hpo_research.analysis.bootstrap import LEAST_SEEDS
from hpo_research.rng import Stream

_RESAMPLES = 2000

Curves = Mapping[str, Float[np.ndarray, "strategies pairs evaluations"]]
"""The least regret so far, of each problem."""


@dataclass(frozen=True)
class Reach:
    """After how many evaluations the first search has a rival's regret at the end.

    On each problem, the first count at which the median over its runs is at most the rival's median
    at the end; where there is none it is taken for one more than there are. `evaluations` is the
    median over problems, `low` and `high` the 95% percentile bootstrap over runs, resampled within
    each problem and for both alike (NaN where a problem has too few); `reached` says on how many
    of the problems there is such a count.
    """

    other: str
    evaluations: float
    low: float
    high: float
    reached: int


def curves(
    records: Mapping[str, Mapping[Key, Line]], shared: Sequence[Key], evaluations: int, floor: float
) -> Curves:
    """Return the curves of the runs that are shared, not below the floor."""
    found: dict[str, list[list[np.ndarray]]] = {}
    for key in shared:
        own = [np.array(lines[key].regrets[:evaluations]) for lines in records.values()]
        least = [np.maximum(np.minimum.accumulate(regrets), floor) for regrets in own]
        found.setdefault(place(key[0]).problem, []).append(least)
    return {name: np.array(runs).swapaxes(0, 1) for name, runs in found.items()}


def reach(strategies: Sequence[str], by: Curves) -> list[Reach]:
    """Compare the first strategy with each other one."""
    counts = np.stack([_counts(np.median(own, axis=1)[:, None]) for own in by.values()])[..., 0]
    medians = np.median(counts, axis=0)
    end = next(iter(by.values())).shape[2]
    low, high = _interval(by)
    return [
        Reach(
            other,
            float(medians[i]),
            float(low[i]),
            float(high[i]),
            int((counts[:, i] <= end).sum()),
        )
        for i, other in enumerate(strategies[1:])
    ]


def _interval(by: Curves) -> Float[np.ndarray, "2 others"]:
    if min(own.shape[1] for own in by.values()) < LEAST_SEEDS:
        others = next(iter(by.values())).shape[0] - 1
        return np.full((2, others), np.nan)
    generator = Stream(0).at("bootstrap").generator()
    drawn = []
    for own in by.values():
        n = own.shape[1]
        pick = generator.integers(n, size=(_RESAMPLES, n))
        first = np.median(own[0][pick], axis=1)
        ends = np.median(own[1:, :, -1][:, pick], axis=2)
        drawn.append(_first_at_most(first, ends))
    return np.quantile(np.median(drawn, axis=0), [0.025, 0.975], axis=1)


def _counts(medians: Float[np.ndarray, "strategies draws evaluations"]) -> Int[np.ndarray, "o d"]:
    return _first_at_most(medians[0], medians[1:, :, -1])


def _first_at_most(
    curve: Float[np.ndarray, "draws evaluations"], targets: Float[np.ndarray, "others draws"]
) -> Int[np.ndarray, "others draws"]:
    """Return how many evaluations a falling curve is above each target, and one more."""
    return (curve[None] > targets[..., None]).sum(axis=2) + 1
