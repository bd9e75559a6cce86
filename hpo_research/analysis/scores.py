"""Scores: how far each run came from a simple start to the optimum, whoever else is compared."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hpo_research.analysis.baselines import Baseline, key_of, stored
from hpo_research.analysis.finals import by_strategy, counted
from hpo_research.analysis.noise_free import METRIC, observed_of
from hpo_research.analysis.result import Result
from hpo_research.store import RunName


@dataclass(frozen=True)
class Scores:
    """The scores of a problem's runs: one array a strategy, NaN where a run found nothing.

    `values[strategy][i]` and `targets[strategy][i]` belong to seed `seeds[i]`. `targets` are the
    shares of COCO's targets reached, empty where the scale is linear.
    """

    problem: str
    baseline: Baseline
    seeds: tuple[int, ...]
    values: Mapping[str, Float[np.ndarray, " seeds"]]
    targets: Mapping[str, Float[np.ndarray, " seeds"]]


def scores(result: Result, baselines: Mapping[str, Baseline] | None = None) -> list[Scores]:
    """Return the scores of every problem that has a baseline, in the experiment's order.

    `baselines` are by the names of the problems, such as a suite's; where none are given, those
    that come with the package are found by what the store says of a problem. A run's value is that
    of the trial with the best value as it was reported, without noise where that is known.
    """
    found = []
    for problem, facts in result.facts.problems.items():
        if baselines is not None:
            own = baselines.get(problem)
        else:
            known = isinstance(facts.identity, dict)
            own = stored().get(key_of(facts.identity)) if known else None
        if own is not None and result.select(problem):
            found.append(_scores(result, problem, own))
    return found


def without_baseline(result: Result, found: list[Scores]) -> list[str]:
    """Return the problems of a result that have runs and no scores."""
    known = {own.problem for own in found}
    present = {name.problem for name in result.runs}
    return [name for name in result.facts.problems if name in present - known]


def _scores(result: Result, problem: str, baseline: Baseline) -> Scores:
    runs = {name: history.run for name, history in result.select(problem).items()}
    chosen = observed_of(runs)
    values = {name: _value(result, name, trial) for name, trial in chosen.items()}
    reached = {name: baseline.targets(value) for name, value in values.items()}
    seeds, own = by_strategy(result, problem, {n: baseline.score(v) for n, v in values.items()})
    is_log = baseline.scale == "log"
    targets = by_strategy(result, problem, reached)[1] if is_log else {}
    return Scores(problem, baseline, seeds, own, targets)


def _value(result: Result, name: RunName, trial: int | None) -> float:
    """Return a trial's value at the epoch that counts, without noise where that is known."""
    if trial is None:
        return np.nan
    report = counted(result, name)[trial]
    metric = result.facts.problems[name.problem].metric
    return report.metrics.get(METRIC, report.metrics[metric])
