"""A model of one run as it stands, for pictures: the strategy's own, or a Gaussian process."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hpo_research.analysis.rebuild import answers_of
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.records import Run, Trial
from hpo_research.store import RunName
from hpo_research.strategies.answers import View, has, view_of
from hpo_research.strategies.bayesian import Bayesian
from hpo_research.text import quoted
from hpo_research.threads import limited

MOST_TRIALS = 400
"""Trials that a model is fitted to: in some 2 seconds; of more they are spread over the run."""
_LEAST_VALUES = 4


@dataclass(frozen=True)
class Modelled:
    """A model of a run, fitted to `trials` of the `known` ended trials that it could have learnt.

    `is_own` says whether it is the strategy's, as its next ask would fit it; otherwise it is
    `Bayesian()` fitted to the trials that finished, or failed. `best` is the run's best trial.
    """

    name: RunName
    view: View
    best: Trial
    is_own: bool
    trials: int
    known: int

    @property
    def said(self) -> str:
        """Whose model it is, and what it was fitted to, as a sentence."""
        whose = (
            f"The model is that of {self.name.strategy}"
            if self.is_own
            else f"{self.name.strategy} has no model to show: this is a Gaussian process "
            "(`Bayesian()`)"
        )
        spread = f" of {self.known}, spread over the run" if self.trials < self.known else ""
        return f"{whose}, fitted to {self.trials} trials{spread}."


def run_of(result: Result, name: RunName | None) -> RunName:
    """Return the name of a run of a result, by default the only one; else raise `StoreError`."""
    chosen = result.single if name is None else name
    if chosen is None:
        raise StoreError(
            f"expected the name of one run, as in result.runs; there are {len(result.runs)}"
        )
    if not isinstance(chosen, tuple) or chosen not in result.runs:
        shown = quoted(tuple(chosen) if isinstance(chosen, tuple) else chosen)
        raise StoreError(f"no run {shown}; a run is named by problem, strategy and seed")
    return RunName(*chosen)


def modelled(result: Result, name: RunName | None = None) -> Modelled | None:
    """Fit a model to what a run knows now, by default the only one of a result.

    Running trials are left out. None where fewer than four trials have a value. Raises
    `StoreError` where there is no such run.
    """
    name = run_of(result, name)
    run, found = result.runs[name], answers_of(result.facts, name.strategy).believing
    best = run.best()
    for strategy in (found, Bayesian()):
        if best is None or strategy is None or not has(strategy, "believe"):
            continue
        is_own = strategy is found
        known = [t for t in run.trials if _is_learnt(t, is_own=is_own)]
        if sum(trial.value is not None for trial in known) < _LEAST_VALUES:
            continue
        kept = _spread(known, best)
        whole = replace(run, trials=tuple(kept), asks=run.asks if is_own else ())
        with limited():
            view = view_of(strategy, whole)
        if view is not None:
            return Modelled(name, view, best, is_own, len(kept), len(known))
    return None


def _is_learnt(trial: Trial, *, is_own: bool) -> bool:
    return not trial.is_running if is_own else trial.status in ("finished", "failed")


def _spread(known: Sequence[Trial], best: Trial) -> list[Trial]:
    """Return so many trials at most, evenly by number, and the best one."""
    if len(known) <= MOST_TRIALS:
        return list(known)
    places = np.linspace(0, len(known) - 1, MOST_TRIALS - 1).round().astype(int)
    chosen = [known[i] for i in places]
    if best in known and best not in chosen:
        chosen.append(best)
    return sorted(chosen, key=lambda trial: trial.id)


def values_at(run: Run, trials: Sequence[Trial]) -> np.ndarray:
    """Return the places of trials in the unit cube. Shape: n p."""
    return run.space.encode([trial.config for trial in trials])
