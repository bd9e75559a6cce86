"""What a run knows without having trained it: trials of earlier runs, and what its user added."""

from collections.abc import Sequence
from dataclasses import replace

from hpo_research.records import ADDED, Run, Trial
from hpo_research.space.outside import is_inside


def unaware(run: Run) -> Run:
    """Return a run without what earlier ones found: there is nothing to fit a model to."""
    return replace(run, prior=(), related=())


def is_own(run: Run, trial: Trial) -> bool:
    """Return whether one of the run's trials is a configuration of its space."""
    return trial.origin != ADDED or is_inside(run.space, trial.config)


def told_by(prior: Sequence[Trial], *, with_curves: bool = False) -> list[Trial]:
    """Return which trials of earlier runs, of one task, a model learns from.

    One that was paused has a value of an early epoch: it teaches a model of learning curves alone
    (`with_curves`). What is shown as running has no value at all.
    """
    silent = ("running",) if with_curves else ("running", "paused")
    return [trial for trial in prior if trial.status not in silent]


def begun(run: Run, *, with_curves: bool = False) -> int:
    """Return how many configurations of its space were begun, by the run or before it.

    So far the initial design counts as made. Of earlier trials those count that a model learns
    from, if they were of the run's own task.
    """
    own = sum(is_own(run, trial) for trial in run.trials)
    before = told_by(run.prior, with_curves=with_curves)
    return own + sum(is_inside(run.space, trial.config) for trial in before)
