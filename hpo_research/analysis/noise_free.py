"""Final results of noisy problems without the noise, by two choices of a trial."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hpo_research.analysis.finals import Finals, counted, gathered
from hpo_research.analysis.rebuild import answers_of
from hpo_research.analysis.result import Result
from hpo_research.records import Run
from hpo_research.store import RunName
from hpo_research.store.reports import as_reports
from hpo_research.strategies.answers import has, recommended
from hpo_research.threads import limited

METRIC = "noise_free"
"""The metric under which a noisy problem reports its value without noise."""

Chosen = Mapping[RunName, int | None]
"""A trial a run, None where none has a value."""


@dataclass(frozen=True)
class NoiseFree:
    """The finals of a noisy problem at noise-free values: of the trials recommended, and observed.

    `recommended` is of each run's trial with the best posterior mean (`strategies.recommend`),
    `observed` of the one with the best value as it was reported, by luck also.
    """

    recommended: Finals
    observed: Finals


def is_noisy(result: Result, problem: str) -> bool:
    """Return whether any report of a problem differs from its value without noise."""
    metric = result.facts.problems[problem].metric
    own = (as_reports(own.reports).metrics for own in result.select(problem).values())
    pairs = ((metrics.of(METRIC), metrics.of(metric)) for metrics in own)
    return any((np.isfinite(clean - noisy) & (clean != noisy)).any() for clean, noisy in pairs)


def noise_free(result: Result) -> list[NoiseFree]:
    """Return the finals without noise of every noisy problem, in the experiment's order.

    They are regret where the optimum is known. Models are fitted to all runs of a strategy at
    once, which takes about as long as one of its asks: call it once.
    """
    noisy = [problem for problem in result.facts.problems if is_noisy(result, problem)]
    if not noisy:
        return []
    runs = {name: own for name, own in sorted(result.runs.items()) if name.problem in noisy}
    clean = {name: _clean(result, name) for name in runs}
    by_model, by_value = recommended_of(result, runs), observed_of(runs)
    return [
        NoiseFree(*(_finals(result, problem, clean, chosen) for chosen in (by_model, by_value)))
        for problem in noisy
    ]


def recommended_of(result: Result, runs: Mapping[RunName, Run]) -> Chosen:
    """Return what the strategy of each run recommends, the best observed trial where it does not.

    The runs may be those of a result as they were at some time.
    """
    chosen = dict(observed_of(runs))
    for strategy in result.facts.strategies:
        made = answers_of(result.facts, strategy).recommending
        own = [name for name in runs if name.strategy == strategy]
        if made is not None and has(made, "recommend"):
            with limited():
                ids = recommended(made, [runs[name] for name in own])
            chosen |= zip(own, ids, strict=True)
    return chosen


def observed_of(runs: Mapping[RunName, Run]) -> Chosen:
    """Return the trial of each run with the best value as it was reported."""
    best = {name: run.best() for name, run in runs.items()}
    return {name: None if trial is None else trial.id for name, trial in best.items()}


def _finals(
    result: Result, problem: str, clean: Mapping[RunName, Mapping[int, float]], chosen: Chosen
) -> Finals:
    own = {name: trial for name, trial in chosen.items() if name.problem == problem}
    values = {
        name: np.nan if trial is None else clean[name].get(trial, np.nan)
        for name, trial in own.items()
    }
    return gathered(result, problem, values, [v for name in own for v in clean[name].values()])


def _clean(result: Result, name: RunName) -> dict[int, float]:
    """Return each trial's value without noise at the epoch that counts by the rule `final`."""
    reports = counted(result, name)
    return {trial: report.metrics.get(METRIC, np.nan) for trial, report in reports.items()}
