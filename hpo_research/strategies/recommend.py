"""Which trial a run stands for in the end: where values are noisy, not the luckiest one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hpo_research.acquisition import GPSurface, MixedSurface
from hpo_research.ambient import ordinary
from hpo_research.device import current
from hpo_research.records import Run
from hpo_research.strategies.asha import ASHA, AsynchronousHyperband
from hpo_research.strategies.batches import Known, batch, key
from hpo_research.strategies.bayesian import Bayesian
from hpo_research.strategies.curve_stopping import CurveStopping
from hpo_research.strategies.curved import Curved, Foretold, Key, fitted
from hpo_research.strategies.early_discarding import EarlyDiscarding
from hpo_research.strategies.encoding import Encoding
from hpo_research.strategies.freeze_thaw import FreezeThaw
from hpo_research.strategies.hyperband import Hyperband
from hpo_research.strategies.median_stopping import MedianStopping
from hpo_research.strategies.model_hyperband import ModelHyperband
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.seen import inner_view
from hpo_research.strategies.successive_halving import SuccessiveHalving

CLIMBING = (Hyperband, SuccessiveHalving, EarlyDiscarding, ASHA, AsynchronousHyperband)
"""Strategies whose `inner` is shown values at one epoch."""

STOPPING = (MedianStopping, CurveStopping)
"""Rules around a strategy, whose `inner` is shown the run as it is."""

AROUND = (*CLIMBING, *STOPPING)

CURVED = (FreezeThaw, ModelHyperband)
"""Strategies whose model is of learning curves."""


@ordinary()
def recommended(strategy: Strategy, runs: Sequence[Run]) -> list[int | None]:
    """Return the id of the trial that each run recommends; None where none has a value.

    It is the trial with the best posterior mean under the strategy's own model, fitted as its next
    ask would fit it: of the function without noise, on the scale of the transformed losses, where
    the mean is the median of the metric. Ties go to the lower id. Eligible are the ended trials
    with a value; those that failed shape the model and are never recommended, and running ones
    count for nothing. Runs that can share a batch are computed in one.

    Where there is no model of ours (`Random`, `Grid`, parts of BoTorch) or a run has fewer than
    two values, it is the best observed trial, `Run.best`.

    `Hyperband`, or any other of `CLIMBING`, around a `Bayesian` mixes values of different epochs,
    which one model cannot rank; and nobody wants a barely trained configuration because it stood
    well among its like. So the trials trained furthest are ranked, by `inner`'s model of their
    values at that epoch; until `inner` sees these (d+2 trials must have got so far), it is the best
    observed trial. A rule of stopping around a strategy leaves this to it.

    Those of `CURVED` model whole learning curves: it is the trial whose own curve is foreseen to
    end best, at the last epoch, however far it was trained. A running one is eligible too, since
    what it has reported is part of the model.
    """
    chosen = _by_model(strategy, runs)
    return [
        best.id if own is None and (best := run.best()) is not None else own
        for run, own in zip(runs, chosen, strict=True)
    ]


def _by_model(strategy: Strategy, runs: Sequence[Run]) -> list[int | None]:
    """Return the trials of the best posterior means; None where there is no model."""
    if isinstance(strategy, STOPPING):
        return _by_model(strategy.inner, runs)
    if isinstance(strategy, CLIMBING):
        return _by_model(strategy.inner, [_furthest(run) for run in runs])
    if isinstance(strategy, CURVED):
        return _by_curves(strategy, runs)
    is_ours = isinstance(strategy, Bayesian) and all(
        isinstance(part, str) for part in (strategy.model, strategy.acquisition)
    )
    chosen: list[int | None] = [None] * len(runs)
    if not isinstance(strategy, Bayesian) or not is_ours:
        return chosen
    known = [replace(Known.of(run), pending=()) for run in runs]
    encodings = [Encoding(run.space) for run in runs]
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, (run, own, encoding) in enumerate(zip(runs, known, encodings, strict=True)):
        if own.values >= 2:
            groups.setdefault(key(run, own, 1, encoding), []).append(i)
    # What a criterion is computed from is the same for all of them; this one's surface shows it.
    model = replace(strategy, acquisition="qlogei")
    for members in groups.values():
        one = batch(
            [runs[i] for i in members],
            [known[i] for i in members],
            [encodings[i] for i in members],
            slots=1,
            device=current(),
        )
        surface = model.surface(one).surface
        assert isinstance(surface, GPSurface | MixedSurface)
        means = surface.moments(one.data.x)[0].tolist()
        for i, own_means in zip(members, means, strict=True):
            chosen[i] = _least(runs[i], own_means)
    return chosen


def _by_curves(strategy: FreezeThaw | ModelHyperband, runs: Sequence[Run]) -> list[int | None]:
    """Return the trials foreseen to end best; None where there are fewer than two values."""
    transform, kernel = strategy.transform, strategy.model
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


def _furthest(run: Run) -> Run:
    """Return the run as Hyperband's inner strategy sees it, values at the furthest epoch reached.

    Without trials where it sees values at an earlier epoch only.
    """
    seen = inner_view(run)
    reached, visible = (
        max((trial.reached for trial in one.trials if trial.value is not None), default=0)
        for one in (run, seen)
    )
    return seen if visible == reached else replace(seen, trials=())
