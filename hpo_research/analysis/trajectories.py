"""Trajectories: what every strategy had found by when, on the seeds of a problem that all finished.

Their cost is counted in evaluations: an evaluation is a full training, so that an epoch of m is
1 / m of one; where the length of trials is open, it is a trial that ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from hpo_research.analysis.extremes import difference
from hpo_research.analysis.incumbents import Axis, curve
from hpo_research.analysis.result import Result
from hpo_research.options import MOST
from hpo_research.store import RunName


@dataclass(frozen=True)
class Trajectories:
    """The incumbents of k strategies on n seeds of a problem, as losses: less is better.

    `losses[i][j, c]` is what strategy i had found on seed j when it had spent `cost[i][c]`
    evaluations, infinite while it had nothing. `spent` is what each run cost in all, `dimension`
    the number of hyperparameters.
    """

    problem: str
    strategies: tuple[str, ...]
    seeds: tuple[int, ...]
    dimension: int
    optimum: float | None
    cost: tuple[Float[np.ndarray, " _"], ...]
    losses: tuple[Float[np.ndarray, "n _"], ...]
    spent: Float[np.ndarray, "k n"]

    def times(self, targets: Float[np.ndarray, "n t"]) -> Float[np.ndarray, "k n t"]:
        """Return the evaluations at which each run first had a loss as low as each target.

        Targets are a row a seed; infinite where a run was never there.
        """
        found = np.full((len(self.strategies), *targets.shape), np.inf)
        for i, (cost, losses) in enumerate(zip(self.cost, self.losses, strict=True)):
            for j, own in enumerate(losses):
                # Incumbents only fall: as many costs lie before a target as losses above it.
                before = np.searchsorted(-own, -targets[j], side="left")
                found[i, j] = np.append(cost, np.inf)[before]
        return found

    def after(self, evaluations: Float[np.ndarray, " p"]) -> Float[np.ndarray, "k n p"]:
        """Return the losses when a run had spent so many evaluations; it keeps its last one."""
        found = []
        for cost, losses in zip(self.cost, self.losses, strict=True):
            nothing = np.full((len(losses), 1), np.inf)
            levels = np.concatenate([nothing, losses], axis=1)
            found.append(levels[:, np.searchsorted(cost, evaluations, side="right")])
        return np.stack(found)

    def distances(self, best: float) -> "Trajectories":
        """Return the same with losses as their distances from the best one."""
        return replace(self, losses=tuple(difference(own, best) for own in self.losses))

    @property
    def ends(self) -> Float[np.ndarray, "k n"]:
        """The losses at the ends of the runs, infinite where there is none."""
        return np.stack([_last(losses) for losses in self.losses])

    @property
    def begins(self) -> Float[np.ndarray, "k n"]:
        """The first loss of each run, infinite where there is none."""
        return np.stack([_first(losses) for losses in self.losses])


def trajectories(result: Result) -> list[Trajectories]:
    """Return the trajectories on each problem where every strategy has a run on some seed finished.

    What is compared are the strategies that have runs at all.
    """
    present = {name.strategy for name in result.runs}
    strategies = [name for name in result.facts.strategies if name in present]
    found = [_on(result, problem, strategies) for problem in result.facts.problems]
    return [own for own in found if own is not None]


def _on(result: Result, problem: str, strategies: Sequence[str]) -> Trajectories | None:
    seeds = tuple(
        seed
        for seed in result.facts.seeds
        if all(RunName(problem, name, seed) in result.over for name in strategies)
    )
    if not seeds or not strategies:
        return None
    facts = result.facts.problems[problem]
    epochs = facts.max_epochs or 1
    axis: Axis = "epochs" if facts.max_epochs else "evaluations"
    costs, losses, spent = [], [], []
    for name in strategies:
        known = curve(result, problem, name, axis, points=MOST)
        values = facts.sign * known.values[[known.seeds.index(seed) for seed in seeds]]
        costs.append(known.cost / epochs)
        losses.append(np.where(np.isnan(values), np.inf, values))
        runs = [result.histories[RunName(problem, name, seed)] for seed in seeds]
        ended = [
            run.cost.epochs / epochs if facts.max_epochs else len(run.run.trials) for run in runs
        ]
        spent.append(np.array(ended, dtype=float))
    best = None if facts.optimum is None else facts.sign * facts.optimum
    dimension = max(1, len(facts.space["parameters"]))
    return Trajectories(
        *(problem, tuple(strategies), seeds, dimension, best),
        tuple(costs),
        tuple(losses),
        np.stack(spent),
    )


def _last(losses: Float[np.ndarray, "n p"]) -> Float[np.ndarray, " n"]:
    found: np.ndarray = losses[:, -1] if losses.shape[1] else np.full(len(losses), np.inf)
    return found


def _first(losses: Float[np.ndarray, "n p"]) -> Float[np.ndarray, " n"]:
    if not losses.shape[1]:
        return np.full(len(losses), np.inf)
    found: np.ndarray = losses[np.arange(len(losses)), np.isfinite(losses).argmax(axis=1)]
    return found
