"""Which trial a run stands for in the end: where values are noisy, not the luckiest one."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from hpo_research.acquisition import GPSurface, MixedSurface
from hpo_research.device import current
from hpo_research.records import Run
from hpo_research.strategies.answers import recommended as recommended
from hpo_research.strategies.batches import Batch, Known, Modelled, batch, key
from hpo_research.strategies.curved import Curved, Foretold, Key, fitted
from hpo_research.strategies.encoding import Encoding


def best_believed(runs: Sequence[Run], model: Callable[[Batch], Modelled]) -> list[int | None]:
    """Return the trials of the best posterior means; None below two values.

    The mean is that of the function without noise, on the scale of the transformed losses, where it
    is the median of the metric, under the model that `model` fits as the next ask would. Ties go to
    the lower id. Eligible are the ended trials with a value; those that failed shape the model and
    are never recommended, and running ones count for nothing. Runs that can share a batch are
    computed in one.
    """
    chosen: list[int | None] = [None] * len(runs)
    known = [replace(Known.of(run), pending=()) for run in runs]
    encodings = [Encoding(run.space) for run in runs]
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, (run, own, encoding) in enumerate(zip(runs, known, encodings, strict=True)):
        if own.values >= 2:
            groups.setdefault(key(run, own, 1, encoding), []).append(i)
    for members in groups.values():
        one = batch(
            [runs[i] for i in members],
            [known[i] for i in members],
            [encodings[i] for i in members],
            slots=1,
            device=current(),
        )
        surface = model(one).surface
        assert isinstance(surface, GPSurface | MixedSurface)
        means = surface.moments(one.data.x)[0].tolist()
        for i, own_means in zip(members, means, strict=True):
            chosen[i] = _least(runs[i], own_means)
    return chosen


def foreseen_best(runs: Sequence[Run], transform: str, kernel: str) -> list[int | None]:
    """Return the trials whose own curves are foreseen to end best; None below two values.

    By a model of whole learning curves, at the last epoch, however far a trial was trained. A
    running one is eligible too, since what it has reported is part of the model.
    """
    known = {i: one for i, run in enumerate(runs) if (one := Curved.of(run)).seen.values >= 2}
    fits = fitted(known, transform, kernel, current())
    groups: dict[Key, list[int]] = {}
    for i, one in known.items():
        groups.setdefault(one.key, []).append(i)
    chosen: list[int | None] = [None] * len(runs)
    for members in groups.values():
        thetas = [fits[i][0] for i in members]
        model = Foretold.of([known[i] for i in members], thetas, transform, kernel, current())
        for i, ends in zip(members, model.ends.tolist(), strict=True):
            pairs = zip(ends, known[i].seen.trials, strict=False)
            chosen[i] = min(pair for pair in pairs if runs[i].trials[pair[1]].value is not None)[1]
    return chosen


def _least(run: Run, means: Sequence[float]) -> int:
    """Return the trial of the least mean; `means` are those of the ended trials, then padding."""
    ended = [
        (trial.id, loss)
        for trial, loss in zip(run.trials, run.losses, strict=True)
        if not trial.is_running
    ]
    pairs = zip(means, ended, strict=False)
    return min((mean, trial) for mean, (trial, loss) in pairs if not np.isnan(loss))[1]
