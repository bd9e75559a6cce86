"""Runs as learning curves: what a GP over configuration and epoch is fitted to, many at once."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hpo_research.acquisition import Points
from hpo_research.curve_gp.covariance import CurveHyperparameters
from hpo_research.curve_gp.data import Curves
from hpo_research.curve_gp.fit import fit_curves
from hpo_research.curve_gp.posterior import CurvePosterior, condition_curves
from hpo_research.gp import KERNELS, Data
from hpo_research.records import Note, Run, Trial
from hpo_research.space.outside import is_inside
from hpo_research.strategies.earlier import is_own, told_by
from hpo_research.strategies.models.encoding import Encoding
from hpo_research.strategies.models.inputs import apart, together
from hpo_research.strategies.models.observations import related_of

Notes = dict[str, Note]
Theta = tuple[float, ...]
Key = tuple[object, ...]
_BUCKET, _EPOCHS = 32, 12
_GROWTH, _MORE = 1.2, 4  # how many times as many observations, and how many more, a fit awaits
_COLD = 8  # every so many fits begin without the last one
_STEP = 1.4


@lru_cache(maxsize=64)
def ladder(max_epochs: int) -> tuple[int, ...]:
    """Return epochs from 1 to the last, from the last one down each 1/1.4 of the one above."""
    rungs = [max_epochs]
    while rungs[-1] > 1:
        rungs.append(max(1, min(rungs[-1] - 1, math.floor(rungs[-1] / _STEP))))
    return tuple(reversed(rungs))


@dataclass(frozen=True)
class Observation:
    """A point of a learning curve: the loss of a trial at an epoch, and whether it is its last.

    `task` is 0 for those of the run's own task, and from 1 on for each related one.
    """

    trial: int
    epoch: int
    loss: float
    is_last: bool
    task: int = 0


@dataclass(frozen=True)
class CurveObservations:
    """What a run's model of curves may learn from.

    Curves are thinned to the epochs of `ladder` and the last one, and beyond `most` observations to
    the last ones of the best trials. A failed trial counts as one observation, at the epoch where
    it failed and as bad as the worst, so that a model leaves the place. `count` is how many there
    would be without `most`. `theta` is the last fit of an earlier ask, `fits` how many there were;
    `is_due` says whether to fit again, by the growth of `count`.
    """

    observations: tuple[Observation, ...]
    count: int
    values: int
    theta: Theta | None
    fits: int
    is_due: bool

    @classmethod
    def of(cls, run: Run, most: int = 256) -> "CurveObservations":
        """Thin a run's curves."""
        own, *related = tasks_of(run)
        rows, values = _observed(run, own)
        for task, trials in enumerate(related, start=1):
            rows += [replace(row, task=task) for row in _observed(run, trials)[0]]
        count = len(rows)
        theta, size, fits = _fitted(run)
        is_due = theta is None or count > max(_GROWTH * size, size + _MORE - 1)
        return cls(tuple(_best(rows, most)), count, values, theta, fits, is_due)

    @cached_property
    def trials(self) -> tuple[int, ...]:
        """The trials that were observed, in order of id: a curve each."""
        return tuple(dict.fromkeys(row.trial for row in self.observations))

    @property
    def is_cold(self) -> bool:
        """Whether the next fit begins without the last."""
        return self.fits % _COLD == 0


def tasks_of(run: Run) -> list[list[Trial]]:
    """Return the trials of the run's task, earlier ones behind its own, then each related task's.

    The ids of earlier ones follow.
    """
    known, first = [list(run.trials)], len(run.trials)
    for told in (told_by(run.prior, with_curves=True), *related_of(run, with_curves=True)):
        known.append([replace(trial, id=i) for i, trial in enumerate(told, start=first)])
        first += len(told)
    return [known[0] + known[1], *known[2:]]


def _observed(run: Run, trials: Sequence[Trial]) -> tuple[list[Observation], int]:
    """Return the observations of trials of one task, and how many of them are values."""
    rungs = ladder(run.max_epochs)
    healthy = {t.id: _thin(t, run.sign, rungs) for t in trials if t.status != "failed"}
    losses = [row.loss for own in healthy.values() for row in own]
    worst = max(losses, default=0.0)
    rows: list[Observation] = []
    for trial in trials:
        epoch = min(trial.reached + 1, run.max_epochs)
        rows += healthy.get(trial.id, [Observation(trial.id, epoch, worst, True)])
    return rows, len(losses)


def _thin(trial: Trial, sign: float, rungs: Sequence[int]) -> list[Observation]:
    kept = thinned(trial.epochs, rungs)
    rows = [(trial.epochs[k], sign * trial.values[k], k == kept[-1]) for k in kept]
    return [Observation(trial.id, *row) for row in rows if math.isfinite(row[1])]


def thinned(epochs: Sequence[int], rungs: Sequence[int]) -> list[int]:
    """Return which of ascending epochs are kept: the last one up to each rung, and the last."""
    kept, place = set(), -1
    for rung in rungs:
        while place + 1 < len(epochs) and epochs[place + 1] <= rung:
            place += 1
        if place >= 0:
            kept.add(place)
    if epochs:
        kept.add(len(epochs) - 1)
    return sorted(kept)


def _best(rows: list[Observation], most: int) -> list[Observation]:
    if len(rows) <= most:
        return rows
    last = {row.trial: row.loss for row in rows if row.is_last}
    order = sorted(
        rows,
        key=lambda row: (
            *(row.task > 0, not row.is_last, last.get(row.trial, row.loss)),
            *(row.trial, row.epoch),
        ),
    )
    return sorted(order[:most], key=lambda row: (row.trial, row.epoch))


def _fitted(run: Run) -> tuple[Theta | None, float, int]:
    """Return the last fit in the notes of a run's asks, the `count` of then, and its number."""
    for ask in reversed(run.asks):
        if "curve_fit" in ask.notes:
            theta, size, fits = (
                ask.notes[name] for name in ("curve_fit", "curve_observations", "curve_fits")
            )
            assert isinstance(theta, list) and isinstance(size, float) and isinstance(fits, float)
            return tuple(theta), size, int(fits)
    return None, 0.0, 0


def rows_of(seen: CurveObservations) -> int:
    """Return to how many rows a run's observations are padded."""
    return _padded(len(seen.observations))


def counts_of(seen: CurveObservations) -> tuple[int, int]:
    """Return to how many curves and to how many epochs a run's observations are padded."""
    epochs = len({row.epoch for row in seen.observations})
    return _padded(len(seen.trials)), _padded(epochs, 2 * _EPOCHS) if epochs > _EPOCHS else _EPOCHS


def _padded(count: int, bucket: int = _BUCKET) -> int:
    return max(1, -(-count // bucket)) * bucket


@dataclass(frozen=True)
class CurveRun:
    """A run with what its model may learn from, and its space as the model sees it."""

    run: Run
    seen: CurveObservations
    encoding: Encoding

    @classmethod
    def of(cls, run: Run) -> "CurveRun":
        """Read a run."""
        tasks = len(tasks_of(run)) - 1
        return cls(run, CurveObservations.of(run), Encoding(run.space, tasks))

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """Its trials, and behind them those of earlier runs, in order of id."""
        return tuple(trial for trials in self.by_task for trial in trials)

    @cached_property
    def by_task(self) -> list[list[Trial]]:
        """The same, a list for each task."""
        return tasks_of(self.run)

    @cached_property
    def points(self) -> Points:
        """The configurations of all these trials, encoded, in order of id."""
        tasks = [task for task, trials in enumerate(self.by_task) for _ in trials]
        return self.encoding.points([trial.config for trial in self.trials], tasks)

    @cached_property
    def inside(self) -> frozenset[int]:
        """The trials observed of its task inside its space; all of its task if none is."""
        task = dict.fromkeys(row.trial for row in self.seen.observations if not row.task)
        known, count = self.trials, len(self.run.trials)
        inside = [
            i
            for i in task
            if (is_own(self.run, known[i]) if i < count else self._is_inside(known[i]))
        ]
        return frozenset(inside or task)

    @cached_property
    def rivals(self) -> frozenset[int]:
        """The trials that are to be improved on: those `inside` that did not fail."""
        return frozenset(i for i in self.inside if self.trials[i].status != "failed")

    def _is_inside(self, trial: Trial) -> bool:
        return is_inside(self.run.space, trial.config)

    @property
    def key(self) -> Key:
        """What runs must share to be computed together: shapes that each has by itself."""
        shape = rows_of(self.seen), *counts_of(self.seen)
        return self.encoding.key, *shape, self.run.max_epochs


def curves_of(members: Sequence[CurveRun], transform: str, device: str) -> Curves:
    """Stack the observations of runs that share a `key`, their losses transformed."""
    n = rows_of(members[0].seen)
    encoding = members[0].encoding
    x = torch.full((len(members), n, encoding.domain.dimension), 0.5, dtype=torch.float64)
    y = torch.zeros(len(members), n, dtype=torch.float64)
    epoch = torch.ones_like(y)
    trial = -2 - torch.arange(n, dtype=torch.int64).repeat(len(members), 1)
    mask = torch.zeros(len(members), n, dtype=torch.bool)
    tasks = torch.zeros(len(members), n, dtype=torch.int64)
    for i, one in enumerate(members):
        rows, count = one.seen.observations, len(one.seen.observations)
        x[i, :count] = one.points.x[0, [row.trial for row in rows]]
        y[i, :count] = torch.tensor([row.loss for row in rows], dtype=torch.float64)
        epoch[i, :count] = torch.tensor([float(row.epoch) for row in rows], dtype=torch.float64)
        trial[i, :count] = torch.tensor([row.trial for row in rows], dtype=torch.int64)
        mask[i, :count] = True
        tasks[i, :count] = torch.tensor([row.task for row in rows], dtype=torch.int64)
    y, mask, tasks = y.to(device), mask.to(device), tasks.to(device)
    losses = apart(transform, y, mask, tasks, encoding.tasks).y
    data = Data.of(x.to(device), losses, mask, encoding.lengthscale_of)
    counts = counts_of(members[0].seen)
    return Curves.of(data, epoch.to(device), trial.to(device), count=counts)


def fitted(
    runs: Mapping[int, CurveRun], transform: str, kernel: str, device: str
) -> dict[int, tuple[Theta, Notes]]:
    """Return the hyperparameters of each run, fitted where that is due, and what to note of it."""
    found: dict[int, tuple[Theta, Notes]] = {}
    due: dict[int, Key] = {}
    for i, one in runs.items():
        if one.seen.is_due or one.seen.theta is None:
            due[i] = (one.key, one.seen.is_cold)
        else:
            found[i] = one.seen.theta, {}

    def made(members: Sequence[int]) -> list[tuple[Theta, Notes]]:
        group = [runs[i] for i in members]
        warm = None
        if not group[0].seen.is_cold:
            rows = [one.seen.theta for one in group]
            warm = CurveHyperparameters(torch.tensor(rows, dtype=torch.float64, device=device))
        fit = fit_curves(curves_of(group, transform, device), KERNELS[kernel], warm=warm)
        own = zip(fit.hyperparameters.theta.tolist(), fit.log_evidence.tolist(), strict=True)
        pairs = []
        for one, (theta, log_evidence) in zip(group, own, strict=True):
            notes: Notes = {
                "curve_fit": theta,
                "curve_observations": float(one.seen.count),
                "curve_fits": float(one.seen.fits + 1),
                "log_evidence": log_evidence,
            }
            pairs.append((tuple(theta), notes))
        return pairs

    return found | together(due, made)


@dataclass(frozen=True)
class CurveForecast:
    """The models of runs that are computed together.

    `ends` are the predicted losses at the last epoch of the trials that were observed, infinite
    where it is no rival (`CurveRun.rivals`); `trials` are their ids.
    """

    members: tuple[CurveRun, ...]
    posterior: CurvePosterior
    ends: Float[Tensor, "b c"]
    device: str

    @classmethod
    def of(
        cls,
        members: Sequence[CurveRun],
        thetas: Sequence[Theta],
        transform: str,
        kernel: str,
        device: str,
    ) -> "CurveForecast":
        """Condition models on all that is known."""
        curves = curves_of(members, transform, device)
        hyper = CurveHyperparameters(torch.tensor(thetas, dtype=torch.float64, device=device))
        posterior = condition_curves(curves, KERNELS[kernel], hyper)
        ends = posterior.ends(torch.full_like(curves.epoch[:, 0], members[0].run.max_epochs))
        hidden = torch.zeros(ends.shape, dtype=torch.bool)
        for i, one in enumerate(members):
            own = [trial not in one.rivals for trial in one.seen.trials]
            hidden[i, : len(own)] = torch.tensor(own, dtype=torch.bool)
        return cls(
            tuple(members), posterior, ends.masked_fill(hidden.to(device), torch.inf), device
        )

    @property
    def reached(self) -> Float[Tensor, "b c"]:
        """The predicted losses of the same trials at the last epoch that each was observed at."""
        at = torch.ones(self.ends.shape, dtype=torch.float64)
        for i, one in enumerate(self.members):
            last = {row.trial: float(row.epoch) for row in one.seen.observations}
            at[i, : len(last)] = torch.tensor(list(last.values()), dtype=torch.float64)
        return self.posterior.known(at.to(self.device))

    @property
    def trials(self) -> Int[Tensor, "b c"]:
        """The id of the trial of each of `ends`."""
        return self.posterior.curves.heads.picked(self.posterior.curves.trial)

    @property
    def end(self) -> Float[Tensor, " b"]:
        """The least predicted loss at the last epoch, of the trials that a run has observed."""
        return self.ends.amin(dim=1)

    @property
    def max_epochs(self) -> int:
        """The last epoch, the same for all."""
        return self.members[0].run.max_epochs

    def epochs(self, value: float, like: Int[Tensor, "b q"]) -> Float[Tensor, "b q"]:
        """Return one epoch for each of some trials."""
        return torch.full(like.shape, value, dtype=torch.float64, device=like.device)
