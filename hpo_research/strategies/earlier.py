"""What a run knows without having trained it: trials of earlier runs, and what its user added."""

from hpo_research.records import ADDED, Run, Trial
from hpo_research.space.outside import is_inside


def tried_before(run: Run) -> tuple[Trial, ...]:
    """Return the trials of earlier runs that were of the run's own task: what need not be tried."""
    return run.prior if run.prior_task == "same" else ()


def is_own(run: Run, trial: Trial) -> bool:
    """Return whether one of the run's trials is a configuration of its space."""
    return trial.origin != ADDED or is_inside(run.space, trial.config)


def begun(run: Run) -> int:
    """Return how many configurations of its space were begun, by the run or before it.

    So far the initial design counts as made. Earlier trials that say nothing (those whose values
    are of another epoch than the run's are shown as running) do not count.
    """
    own = sum(is_own(run, trial) for trial in run.trials)
    return own + sum(
        not trial.is_running and is_inside(run.space, trial.config) for trial in tried_before(run)
    )
