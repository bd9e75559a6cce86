"""Which trial a run stands for in the end: where values are noisy, not the luckiest one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from hpo_research.acquisition import GPAcquisition, MixtureAcquisition
from hpo_research.device import current
from hpo_research.records import Run
from hpo_research.strategies.models.curve_data import CurveForecast, CurveRun, fitted
from hpo_research.strategies.models.inputs import Batch, FittedAcquisition, batch, key, together
from hpo_research.strategies.models.observations import Observations, encoding_of


def best_believed(
    runs: Sequence[Run], model: Callable[[Batch], FittedAcquisition]
) -> list[int | None]:
    """Return the trials of the best posterior means; None below two values.

    The mean is that of the function without noise, on the scale of the transformed losses, where it
    is the median of the metric, under the model that `model` fits as the next ask would. Ties go to
    the lower id. Eligible are the ended trials with a value; those that failed shape the model and
    are never recommended, and running ones count for nothing. Runs that can share a batch are
    computed in one.
    """
    chosen: list[int | None] = [None] * len(runs)
    known = [replace(Observations.of(run), pending=()) for run in runs]
    encodings = [encoding_of(run, own) for run, own in zip(runs, known, strict=True)]
    rows = enumerate(zip(runs, known, encodings, strict=True))
    names = {
        i: key(run, own, 1, space)
        for i, (run, own, space) in rows
        if own.values >= 2 and run.best() is not None
    }

    def recommended(members: Sequence[int]) -> list[int | None]:
        one = batch(
            [runs[i] for i in members],
            [known[i] for i in members],
            [encodings[i] for i in members],
            slots=1,
            device=current(),
        )
        surface = model(one).surface
        assert isinstance(surface, GPAcquisition | MixtureAcquisition)
        means = surface.moments(one.data.x)[0].tolist()
        return [_least(runs[i], own) for i, own in zip(members, means, strict=True)]

    for i, trial in together(names, recommended).items():
        chosen[i] = trial
    return chosen


def foreseen_best(runs: Sequence[Run], transform: str, kernel: str) -> list[int | None]:
    """Return the trials that are good now and foreseen to stay so; None below two values.

    By a model of whole learning curves: the least of the worse of two posterior means, of a trial's
    loss without noise at the epoch it has reached and at the last. One that is foreseen to end
    well and was hardly trained is nothing to use yet, and neither is a first value that will rise.
    A running trial is eligible too, since what it has reported is part of the model.
    """
    known = {
        i: one
        for i, run in enumerate(runs)
        if run.best() is not None and (one := CurveRun.of(run)).seen.values >= 2
    }
    fits = fitted(known, transform, kernel, current())
    chosen: list[int | None] = [None] * len(runs)

    def recommended(members: Sequence[int]) -> list[int | None]:
        thetas = [fits[i][0] for i in members]
        model = CurveForecast.of([known[i] for i in members], thetas, transform, kernel, current())
        losses = zip(members, model.reached.maximum(model.ends).tolist(), strict=True)
        return [_first(runs[i], zip(own, known[i].seen.trials, strict=False)) for i, own in losses]

    names = {i: one.key for i, one in known.items()}
    for i, trial in together(names, recommended).items():
        chosen[i] = trial
    return chosen


def _first(run: Run, pairs: Iterable[tuple[float, int]]) -> int:
    """Return the trial of the least loss of the run's own with a value."""
    own = (pair for pair in pairs if pair[1] < len(run.trials))
    return min(pair for pair in own if run.trials[pair[1]].value is not None)[1]


def _least(run: Run, means: Sequence[float]) -> int:
    """Return the trial of the least mean; `means` are those of the ended trials, then padding."""
    ended = [
        (trial.id, loss)
        for trial, loss in zip(run.trials, run.losses, strict=True)
        if not trial.is_running
    ]
    pairs = zip(means, ended, strict=False)
    return min((mean, trial) for mean, (trial, loss) in pairs if not np.isnan(loss))[1]
