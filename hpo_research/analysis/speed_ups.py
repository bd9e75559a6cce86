"""How soon one strategy is where another ends."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from hpo_research.analysis.bootstrap import LEAST_SEEDS
from hpo_research.analysis.incumbents import Axis, at, curve
from hpo_research.analysis.ranks import unit
from hpo_research.analysis.result import Result
from hpo_research.options import MOST
from hpo_research.records import sign
from hpo_research.rng import Stream
from hpo_research.store import RunName
from hpo_research.store.facts import BudgetFacts

_POINTS = 400  # of the budget: a share is known to a quarter of a percent
_RESAMPLES, _BLOCKS = 500, 10


@dataclass(frozen=True)
class SpeedUps:
    """What share of the budget each strategy takes to be where each other ends.

    `share[i, j]` is the median over problems of the least share of a run's budget at which the
    median over seeds of strategy i is as good as that of j with all of its budget; infinite where i
    is not there on most problems. Of a strategy itself it says when it stopped improving. `low` and
    `high` are its 95 % percentile bootstrap over seeds, resampled within problems and for both
    alike; NaN below `LEAST_SEEDS` of them. `reached[i, j]` counts the problems where i gets there.
    `axis` is what the budget counts.
    """

    axis: Axis
    strategies: tuple[str, ...]
    problems: tuple[str, ...]
    seeds: int
    share: Float[np.ndarray, "k k"]
    low: Float[np.ndarray, "k k"]
    high: Float[np.ndarray, "k k"]
    reached: Int[np.ndarray, "k k"]


def speed_ups(result: Result) -> SpeedUps | None:
    """Compare every two strategies of a result with a budget.

    Counted are the problems and seeds on which all have a finished run; a run that has no value
    yet is the worst. None without a budget, a second strategy or such a problem.
    """
    present = {name.strategy for name in result.runs}
    strategies = [name for name in result.facts.strategies if name in present]
    budget = result.facts.budget
    if budget is None or budget == BudgetFacts() or len(strategies) < 2:
        return None
    shares = np.arange(1, _POINTS + 1) / _POINTS
    given = {p: _losses(result, p, strategies, shares) for p in result.facts.problems}
    losses = {problem: own for problem, own in given.items() if own.shape[1]}
    if not losses:
        return None
    steps = [_steps(own, shares) for own in losses.values()]
    share = np.stack([_reached(own, np.arange(own.shape[1])[None], at)[0] for own, at in steps])
    low, high = _interval(steps)
    axis, _ = unit(result, next(iter(losses)))
    is_single = all(result.facts.problems[problem].max_epochs == 1 for problem in losses)
    return SpeedUps(
        "evaluations" if is_single and axis == "epochs" else axis,
        tuple(strategies),
        tuple(losses),
        min(own.shape[1] for own in losses.values()),
        _middle(share),
        low,
        high,
        np.isfinite(share).sum(axis=0),
    )


def _losses(
    result: Result, problem: str, strategies: Sequence[str], shares: Float[np.ndarray, " p"]
) -> Float[np.ndarray, "k n p"]:
    """Return the losses of the seeds of a problem that every strategy has finished."""
    names = set(result.over)
    seeds = [
        seed
        for seed in result.facts.seeds
        if all(RunName(problem, name, seed) in names for name in strategies)
    ]
    if not seeds:
        return np.empty((len(strategies), 0, len(shares)))
    axis, total = unit(result, problem)
    curves = [curve(result, problem, name, axis, points=MOST) for name in strategies]
    rows = [[own.seeds.index(seed) for seed in seeds] for own in curves]
    values = [at(own, shares * total)[row] for own, row in zip(curves, rows, strict=True)]
    losses = sign(curves[0].direction) * np.stack(values)
    return np.where(np.isnan(losses), np.inf, losses)


def _reached(
    losses: Float[np.ndarray, "k n p"],
    rows: Int[np.ndarray, "draws n"],
    shares: Float[np.ndarray, " p"],
) -> Float[np.ndarray, "draws k k"]:
    """Return the least share at which each is where each ends, infinite for none; by draws."""
    medians = np.stack([_median(own[rows]) for own in losses], axis=1)  # draws k p
    ends = medians[:, :, -1]
    is_there = medians[:, :, None, :] <= ends[:, None, :, None]
    has_end = np.isfinite(ends)[:, None, :]
    first = shares[np.argmax(is_there, axis=3)]
    found: np.ndarray = np.where(is_there.any(axis=3) & has_end, first, np.inf)
    return found


Steps = tuple[np.ndarray, np.ndarray]
"""Losses of k strategies and n seeds at s shares of the budget, k n s, and the shares, s."""


def _steps(losses: Float[np.ndarray, "k n p"], shares: Float[np.ndarray, " p"]) -> Steps:
    """Return losses at the first share and where any changes, the last included, and the shares."""
    changes = np.ones(len(shares), dtype=bool)
    changes[1:] = (losses[:, :, 1:] != losses[:, :, :-1]).any(axis=(0, 1))
    return losses[:, :, changes], shares[changes]


def _interval(steps: Sequence[Steps]) -> Float[np.ndarray, "2 k k"]:
    k = len(steps[0][0])
    if min(losses.shape[1] for losses, _ in steps) < LEAST_SEEDS:
        return np.full((2, k, k), np.nan)
    generator = Stream(0).at("bootstrap").generator()
    drawn = []
    for losses, shares in steps:
        n = losses.shape[1]
        draws = np.array_split(generator.integers(n, size=(_RESAMPLES, n)), _BLOCKS)
        drawn.append(np.concatenate([_reached(losses, block, shares) for block in draws]))
    middles = np.sort(_middle(np.stack(drawn)), axis=0)
    at_least, at_most = int(0.025 * _RESAMPLES), int(np.ceil(0.975 * _RESAMPLES)) - 1
    return np.stack([middles[at_least], middles[at_most]])


def _middle(shares: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Return the median over problems; of two in the middle the greater, which may be infinite."""
    found: np.ndarray = np.sort(shares, axis=0)[len(shares) // 2]
    return found


def _median(losses: Float[np.ndarray, "draws n p"]) -> Float[np.ndarray, "draws p"]:
    """Return the median over seeds; of two in the middle the greater: it needs no sum."""
    n = losses.shape[1]
    found: np.ndarray = np.partition(losses, n // 2, axis=1)[:, n // 2]
    return found
