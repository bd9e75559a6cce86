"""What runs of a noisy problem stand for as they go on: two choices of a trial, noise-free."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hpo_research.analysis.incumbents import Curve, regret
from hpo_research.analysis.noise_free import (
    METRIC,
    Chosen,
    is_noisy,
    observed_of,
    recommended_of,
)
from hpo_research.analysis.result import Result
from hpo_research.records import Run, Trial
from hpo_research.store import RunName
from hpo_research.store.reports import as_reports

PARTS = 8
"""Into how many equal parts the epochs of a run are divided; models are fitted at each end."""


@dataclass(frozen=True)
class Choices:
    """Values without noise of the trials that runs of a noisy problem stand for, part by part.

    `recommended` holds a curve a strategy: at each cost, in epochs, the value of the trial that the
    strategy would have recommended there, as `strategies.recommend` at the end; `observed` that of
    the trial with the best value as it was reported. Neither falls steadily: another trial may be
    chosen, and be worse. A value is that of the epoch which counted then by the rule `final`. They
    are regret where the optimum is known and no value without noise lies beyond it.
    """

    problem: str
    is_regret: bool
    recommended: Mapping[str, Curve]
    observed: Mapping[str, Curve]


def choices(result: Result, parts: int = PARTS) -> list[Choices]:
    """Return what runs stood for at equal parts of the longest run, for every noisy problem.

    Models are fitted to all runs of a strategy at once, as often as there are parts.
    """
    noisy = [problem for problem in result.facts.problems if is_noisy(result, problem)]
    return [_choices(result, problem, parts) for problem in noisy]


def _choices(result: Result, problem: str, parts: int) -> Choices:
    own = result.select(problem)
    cost = _costs(result, list(own), parts)
    by_model, by_value = [], []
    clean = {name: _clean(result, name) for name in own}
    for epochs in cost:
        runs = {name: history.after(epochs) for name, history in own.items()}
        by_model.append(_values(result, runs, clean, recommended_of(result, runs)))
        by_value.append(_values(result, runs, clean, observed_of(runs)))
    over = {name: history.is_over for name, history in own.items()}
    spent = {name: float(as_reports(h.reports).spent.max(initial=0)) for name, h in own.items()}
    facts = result.facts.problems[problem]
    optimum = facts.optimum
    known = [v for values in clean.values() for v in values.values() if not np.isnan(v)]
    is_regret = optimum is not None and not any(facts.sign * (v - optimum) < 0 for v in known)

    def curves(rows: Sequence[Mapping[RunName, float]]) -> dict[str, Curve]:
        found = {}
        for strategy in result.facts.strategies:
            names = [name for name in own if name.strategy == strategy]
            if not names:
                continue
            values = np.array([[row[name] for row in rows] for name in names])
            for i, name in enumerate(names):
                if not over[name]:
                    values[i, cost > spent[name]] = np.nan
            seeds = tuple(name.seed for name in names)
            made = Curve(problem, strategy, "epochs", facts.direction, seeds, cost, values)
            found[strategy] = regret(made, optimum) if is_regret and optimum is not None else made
        return found

    return Choices(problem, is_regret, curves(by_model), curves(by_value))


def _costs(result: Result, names: Sequence[RunName], parts: int) -> Float[np.ndarray, " p"]:
    most = max(int(as_reports(result.histories[n].reports).spent.max(initial=0)) for n in names)
    return np.unique(np.ceil(most * np.arange(1, parts + 1) / parts)).astype(float)


def _values(
    result: Result,
    runs: Mapping[RunName, Run],
    clean: Mapping[RunName, Mapping[tuple[int, int], float]],
    chosen: Chosen,
) -> dict[RunName, float]:
    """Return the value without noise of each run's trial, NaN where it has none."""
    found = {}
    for name, run in runs.items():
        trial = chosen[name]
        if trial is None:
            found[name] = np.nan
        else:
            epoch = _counted(run.trials[trial], run.sign, is_last=result.facts.final == "last")
            found[name] = clean[name].get((trial, epoch), np.nan)
    return found


def _counted(trial: Trial, sign: int, *, is_last: bool) -> int:
    """Return the epoch whose value is the trial's, the first of equals."""
    if is_last:
        return trial.epochs[-1]
    losses = [sign * value for value in trial.values]
    return trial.epochs[losses.index(min(losses))]


def _clean(result: Result, name: RunName) -> dict[tuple[int, int], float]:
    own = as_reports(result.histories[name].reports)
    keys = zip(own.trial.tolist(), own.epoch.tolist(), strict=True)
    return dict(zip(keys, own.metrics.of(METRIC).tolist(), strict=True))
