"""What a run knows without having trained it: trials of earlier runs, and what its user added."""

from hpo_research.records import ADDED, Run, Trial
from hpo_research.space.outside import is_inside


def tried_before(run: Run) -> tuple[Trial, ...]:
    """Return the trials of earlier runs that were of the run's own task: what need not be tried."""
    return run.prior if run.prior_task == "same" else ()


def is_own(run: Run, trial: Trial) -> bool:
    """Return whether one of the run's trials is a configuration of its space."""
    return trial.origin != ADDED or is_inside(run.space, trial.config)


def told_by(run: Run, *, with_curves: bool = False) -> list[Trial]:
    """Return the trials of earlier runs that a model learns from.

    One that was paused has a value of an early epoch: it teaches a model of learning curves alone
    (`with_curves`). What is shown as running has no value at all.
    """
    silent = ("running",) if with_curves else ("running", "paused")
    return [trial for trial in run.prior if trial.status not in silent]


def begun(run: Run, *, with_curves: bool = False) -> int:
    """Return how many configurations of its space were begun, by the run or before it.

    So far the initial design counts as made. Of earlier trials those count that a model learns
    from, if they were of the run's own task.
    """
    own = sum(is_own(run, trial) for trial in run.trials)
    if run.prior_task != "same":
        return own
    before = told_by(run, with_curves=with_curves)
    return own + sum(is_inside(run.space, trial.config) for trial in before)
