"""Ranks: how the strategies place among each other as the budget goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from hpo_research.analysis.arguments import chosen
from hpo_research.analysis.bootstrap import LEAST_SEEDS, Band
from hpo_research.analysis.incumbents import Axis, Curve, at, curve
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.options import MOST, Mistakes, foreign, number, one_of, whole
from hpo_research.records import sign
from hpo_research.rng import Stream
from hpo_research.store import RunName
from hpo_research.store.facts import BudgetFacts

RankAxis = Literal["budget", "evaluations", "epochs", "seconds"]

_MOST_POINTS = 1000


@dataclass(frozen=True)
class Ranks:
    """The mean rank of each strategy at each cost, over problems and seeds; 1 is best.

    `bands` holds the strategies in the experiment's order: the mean and its bootstrap band. They
    share their costs. `problems` and `seeds` are those that were ranked, `pairs` how many pairs of
    them; `left_out` says in sentences for readers what was not. Without pairs, `bands` is empty.
    """

    axis: RankAxis
    bands: Mapping[str, Band]
    problems: tuple[str, ...]
    seeds: tuple[int, ...]
    pairs: int
    left_out: tuple[str, ...]


def ranks(
    result: Result,
    axis: RankAxis = "budget",
    *,
    strategies: Sequence[str] | None = None,
    points: int = _MOST_POINTS,
    level: float = 0.95,
    resamples: int = 2000,
) -> Ranks:
    """Rank the strategies by their best value so far, on each problem and seed by itself.

    At a cost, the strategies of one problem and seed are ranked by their incumbents (as in
    `curve`): 1 is best, equal values share the mean of their ranks, and runs without a value come
    last, sharing too. The mean is taken over all pairs of a problem and a seed on which every
    strategy has a finished run and some run has a value; the others are left out. Nothing is
    normalised.

    `axis="budget"` is the fraction of each run's budget: of its epochs (an evaluation counts
    `max_epochs`) where the budget limits these, otherwise of its trials (evaluations, where their
    length is open), otherwise of its seconds.
    The other axes are those of `curve`. A run that ended early keeps its last value.

    The band is the percentile bootstrap of the mean over resampled seeds, all problems of a seed
    together, so that pairing is kept; pointwise, and none below `LEAST_SEEDS` seeds. `strategies`
    restricts the comparison, which changes the ranks. Raises `StoreError` for fewer than two
    strategies, an unknown one or axis, or a fraction of a budget where there is none.
    """
    mistakes = Mistakes("ranks")
    mistakes.check("axis", axis, one_of(get_args(RankAxis)))
    mistakes.check("points", points, foreign(whole(2)))
    mistakes.check("resamples", resamples, foreign(whole()))
    mistakes.check("level", level, number(above=0, below=1))
    mistakes.refuse(StoreError)
    compared = _compared(result, strategies)
    pairs, left_out = _pairs(result, compared)
    seeds = sorted({seed for own in pairs.values() for seed in own})
    if not pairs:
        return Ranks(axis, {}, (), (), 0, tuple(left_out))
    cost, total, count = _summed(result, compared, pairs, axis=axis, points=points)
    bounds = _bootstrapped(total, count, level=level, resamples=resamples)
    center = total.sum(axis=1) / count.sum()
    bands = {
        name: Band(cost, center[i], bounds[0, i], bounds[1, i], total[i] / count[:, None])
        for i, name in enumerate(compared)
    }
    return Ranks(axis, bands, tuple(pairs), tuple(seeds), int(count.sum()), tuple(left_out))


Sums = tuple[
    Float[np.ndarray, " p"], Float[np.ndarray, "strategies seeds p"], Int[np.ndarray, " seeds"]
]
"""Costs; each seed's ranks, added up over its problems; and how many problems these are."""


def _summed(
    result: Result,
    compared: Sequence[str],
    pairs: Mapping[str, Sequence[int]],
    *,
    axis: RankAxis,
    points: int,
) -> Sums:
    curves = {problem: _curves(result, problem, compared, axis) for problem in pairs}
    cost = _costs([own for group in curves.values() for own in group], axis, points)
    seeds = sorted({seed for own in pairs.values() for seed in own})
    total = np.zeros((len(compared), len(seeds), len(cost)))
    count = np.zeros(len(seeds), dtype=int)
    for problem, own in pairs.items():
        rows = [seeds.index(seed) for seed in own]
        total[:, rows] += _ranked(curves[problem], own, cost)
        count[rows] += 1
    return cost, total, count


def _compared(result: Result, strategies: Sequence[str] | None) -> list[str]:
    present = {name.strategy for name in result.runs}
    known = [name for name in result.facts.strategies if name in present]
    wanted = chosen(strategies, known)
    compared = [name for name in known if name in wanted]
    if len(compared) < 2:
        raise StoreError(f"ranks compare two strategies or more, got {', '.join(compared) or '0'}")
    return compared


def _pairs(result: Result, compared: Sequence[str]) -> tuple[dict[str, list[int]], list[str]]:
    """Return the seeds of each problem that can be ranked, and sentences on the others."""
    pairs, left_out = {}, []
    for problem in result.facts.problems:
        seeds = sorted({name.seed for name in result.select(problem)})
        runs = {seed: [RunName(problem, name, seed) for name in compared] for seed in seeds}
        over = [seed for seed in seeds if all(name in result.over for name in runs[seed])]
        found = [s for s in over if any(result.runs[name].best() for name in runs[s])]
        if found:
            pairs[problem] = found
        if len(over) < len(seeds):
            few = f"{len(seeds) - len(over)} of {len(seeds)} seeds on " if over else ""
            left_out.append(
                f"Left out: {few}{problem}, where not every strategy has a finished run."
            )
        if len(found) < len(over):
            few = f"{len(over) - len(found)} of {len(seeds)} seeds on " if found else ""
            left_out.append(f"Left out: {few}{problem}, where no run has a value.")
        if not seeds:
            left_out.append(f"Left out: {problem}, where there are no runs.")
    return pairs, left_out


def _curves(result: Result, problem: str, compared: Sequence[str], axis: RankAxis) -> list[Curve]:
    """Return each strategy's curve over the ranks' own axis."""
    counted, whole = unit(result, problem) if axis == "budget" else (axis, 1.0)
    curves = [curve(result, problem, name, counted, points=MOST) for name in compared]
    return [replace(own, cost=own.cost / whole) for own in curves]


def unit(result: Result, problem: str) -> tuple[Axis, float]:
    """Return what a run's budget counts, the same on all problems, and how much of it there is.

    Raises `StoreError` where there is no budget.
    """
    budget = result.facts.budget or BudgetFacts()
    max_epochs = result.facts.problems[problem].max_epochs
    epochs, trials = [budget.epochs], [budget.trials]
    if max_epochs is None:
        trials.append(budget.evaluations)
    elif budget.evaluations:
        epochs.append(budget.evaluations * max_epochs)
    if any(epochs):
        return "epochs", float(min(limit for limit in epochs if limit))
    if any(trials):
        return "evaluations", float(min(limit for limit in trials if limit))
    if budget.seconds:
        return "seconds", float(budget.seconds)
    raise StoreError("axis='budget': this result has no budget; choose axis='epochs'")


def _costs(curves: Sequence[Curve], axis: RankAxis, points: int) -> Float[np.ndarray, " p"]:
    cost = np.unique(np.concatenate([own.cost for own in curves]))
    if axis == "budget":  # running trials may finish beyond a budget of seconds
        cost = np.unique(np.append(cost[cost < 1], 1.0))
    return cost if len(cost) <= points else np.linspace(cost[0], cost[-1], points)


def _ranked(
    curves: Sequence[Curve], seeds: Sequence[int], cost: Float[np.ndarray, " p"]
) -> Float[np.ndarray, "strategies seeds p"]:
    flip = sign(curves[0].direction)
    losses = [flip * at(own, cost)[[own.seeds.index(seed) for seed in seeds]] for own in curves]
    found = np.nan_to_num(np.stack(losses), nan=np.inf, posinf=np.inf, neginf=-np.inf)
    ranked: np.ndarray = rankdata(found, method="average", axis=0)
    return ranked


def _bootstrapped(
    total: Float[np.ndarray, "strategies seeds p"],
    count: Int[np.ndarray, " seeds"],
    *,
    level: float,
    resamples: int,
) -> Float[np.ndarray, "2 strategies p"]:
    """Return the bounds of the mean over resampled seeds, NaN below `LEAST_SEEDS` of them."""
    n = len(count)
    if n < LEAST_SEEDS:
        return np.full((2, total.shape[0], total.shape[2]), np.nan)
    draws = Stream(0).at("bootstrap").generator().integers(n, size=(resamples, n))
    times = (draws[:, :, None] == np.arange(n)).sum(axis=1).astype(float)
    quantiles = [(1 - level) / 2, (1 + level) / 2]
    bounds = [
        np.quantile((times @ own) / (times @ count)[:, None], quantiles, axis=0) for own in total
    ]
    return np.stack(bounds, axis=1)
