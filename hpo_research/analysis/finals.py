"""Finals: the best value that every run of a problem came to, seed by seed."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hpo_research.analysis.extremes import difference
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.records import Direction, Report, Run
from hpo_research.store import RunName
from hpo_research.store.reports import as_reports


@dataclass(frozen=True)
class Finals:
    """The final incumbent of every run of a problem.

    `values` holds one array a strategy, in the experiment's order: `values[strategy][i]` belongs
    to seed `seeds[i]`, and is NaN where that run found nothing or does not exist. They are regret
    where the optimum is known and no report lies beyond it (which noise can bring), otherwise the
    metric itself. `direction` is that of the values: regret is minimised.
    """

    problem: str
    metric: str
    direction: Direction
    is_regret: bool
    seeds: tuple[int, ...]
    values: Mapping[str, Float[np.ndarray, " seeds"]]


def finals(result: Result, problem: str) -> Finals:
    """Return the value of the best trial of every run of a problem, by the rule `final`.

    Nothing is normalised by what other runs found. Raises `StoreError` where the result holds no
    run of the problem.
    """
    named = result.select(problem) if isinstance(problem, str) else {}
    runs = {name: own.run for name, own in named.items()}
    if not runs:
        known = ", ".join(sorted({name.problem for name in result.runs})) or "none"
        raise StoreError(f"no runs on {problem}; there are runs on {known}")
    reported = [value for run in runs.values() for value in _reported(run)]
    return gathered(result, problem, {name: _best(run) for name, run in runs.items()}, reported)


def gathered(
    result: Result, problem: str, values: Mapping[RunName, float], reported: Iterable[float]
) -> Finals:
    """Gather a value a run of a problem by strategy and seed.

    They become regret where the optimum is known and nothing that was `reported` lies beyond it.
    """
    facts = result.facts.problems[problem]
    direction, optimum = facts.direction, facts.optimum
    sign, is_regret = facts.sign, False
    seeds, found = by_strategy(result, problem, values)
    if optimum is not None and not any(sign * (v - optimum) < 0 for v in reported):
        is_regret = True
        found = {strategy: sign * difference(own, optimum) for strategy, own in found.items()}
        direction = "minimize"
    return Finals(problem, facts.metric, direction, is_regret, seeds, found)


def by_strategy(
    result: Result, problem: str, values: Mapping[RunName, float]
) -> tuple[tuple[int, ...], dict[str, Float[np.ndarray, " seeds"]]]:
    """Return the seeds of a problem's runs, and the values by strategy, NaN where there is none."""
    present = {name.strategy for name in values}
    seeds = tuple(sorted({name.seed for name in values}))
    return seeds, {
        strategy: np.array(
            [values.get(RunName(problem, strategy, seed), np.nan) for seed in seeds], dtype=float
        )
        for strategy in result.facts.strategies
        if strategy in present
    }


def counted(result: Result, name: RunName) -> dict[int, Report]:
    """Return the report of each trial that counts by the rule `final`: its last, or its best.

    Of those that have a value.
    """
    facts = result.facts.problems[name.problem]
    metric, sign = facts.metric, facts.sign
    own = as_reports(result.histories[name].reports)  # by trial and epoch
    places: dict[int, int] = {}
    losses = (sign * own.metrics.of(metric)).tolist()
    is_last = result.facts.final == "last"
    for place, trial in enumerate(own.trial.tolist()):
        if math.isnan(losses[place]):
            continue
        if is_last or trial not in places or losses[place] < losses[places[trial]]:
            places[trial] = place
    return {trial: own[place].report for trial, place in places.items()}


def _best(run: Run) -> float:
    best = run.best()
    return np.nan if best is None or best.value is None else best.value


def _reported(run: Run) -> list[float]:
    return [value for trial in run.trials for value in trial.values]
