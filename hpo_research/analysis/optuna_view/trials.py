"""Our trials as Optuna's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from optuna.trial import FrozenTrial, TrialState

from hpo_research.analysis.history import RunHistory
from hpo_research.analysis.optuna_view.dates import Dates
from hpo_research.analysis.optuna_view.distributions import Words, placed
from hpo_research.records import OPEN, Trial

_STATES = {
    "running": TrialState.RUNNING,
    "finished": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


def state_of(trial: Trial, *, is_over: bool) -> TrialState:
    """Return a trial's state: one that is paused waits, and is pruned where its run is over."""
    if trial.status == "paused":
        return TrialState.PRUNED if is_over else TrialState.WAITING
    return _STATES[trial.status]


@dataclass(frozen=True)
class Translation:
    """How the trials of one run are said: its hyperparameters, its dates, and what is left out.

    Where a problem has one epoch, a trial has one value and no curve of intermediate ones.
    """

    words: Mapping[str, Words]
    dates: Dates
    is_over: bool
    has_curves: bool

    def trial(self, trial: Trial, number: int, *, begun: float, ended: float) -> FrozenTrial:
        """Return a trial under a number that is unique in its storage, with clocks in seconds."""
        params, distributions = placed(self.words, trial.config)
        state = state_of(trial, is_over=self.is_over)
        has_value = trial.value is not None and state in (TrialState.COMPLETE, TrialState.PRUNED)
        curve = zip(trial.epochs, map(float, trial.values), strict=True)
        return FrozenTrial(
            number=trial.id,
            trial_id=number,
            state=state,
            value=None,
            values=[float(trial.value or 0.0)] if has_value else None,
            datetime_start=self.dates.at(begun),
            datetime_complete=self._complete(state, begun, ended),
            params=params,
            distributions=distributions,
            user_attrs=attributes(trial),
            system_attrs={},
            intermediate_values=dict(curve) if self.has_curves else {},
        )

    def _complete(self, state: TrialState, begun: float, ended: float) -> datetime | None:
        return self.dates.at(max(begun, ended)) if state.is_finished() else None


def attributes(trial: Trial) -> dict[str, object]:
    """Return what Optuna has no field for, in our words; what says nothing is left out."""
    told = {
        "status": trial.status,
        "origin": trial.origin,
        "reason": trial.reason,
        "epochs": trial.reached,
        "until": None if trial.until == OPEN else trial.until,
        "seconds": round(trial.seconds, 6),
        "restarts": trial.attempt,
    }
    return {name: value for name, value in told.items() if value or name == "status"}


def begun_at(history: RunHistory) -> list[float]:
    """Return the run's clock at which each trial was started, by id, in seconds."""
    asks = zip(history.run.asks, history.asked_at, strict=True)
    return [clock for ask, clock in asks for p in ask.proposals if p.kind == "start"]


def ended_at(history: RunHistory) -> Mapping[int, float]:
    """Return the run's clock at which the last segment of each trial ended, in seconds."""
    return {outcome.trial: outcome.clock for _, outcome in history.outcomes}


def translated(
    history: RunHistory, translation: Translation, numbers: Sequence[int]
) -> list[FrozenTrial]:
    """Return all trials of a run under these numbers."""
    begun, ended = begun_at(history), ended_at(history)
    return [
        translation.trial(
            trial, numbers[trial.id], begun=begun[trial.id], ended=ended.get(trial.id, 0.0)
        )
        for trial in history.run.trials
    ]
