"""Runs as tensors: what a model is fitted to, for runs that are computed together."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hpo_research.acquisition import AcquisitionFunction, Domain, Points
from hpo_research.device import in_parts
from hpo_research.gp import Data, Fit, Hyperparameters, stacked
from hpo_research.gp.transforms import TRANSFORMS, PowerTransformed, Ranked, Transformed
from hpo_research.records import Note, Run, Trial
from hpo_research.rng import Stream
from hpo_research.space import Config
from hpo_research.space.outside import is_inside
from hpo_research.strategies.earlier import is_own, told_by
from hpo_research.strategies.models.encoding import Encoding

Item = TypeVar("Item", bound=Hashable)
Made = TypeVar("Made")

_BUCKET = 8
_CENTRES = 4
_COLD = 10


@dataclass(frozen=True)
class Observations:
    """What a run's model may learn from.

    `configs` and `losses` are of ended trials; one that failed, or was stopped without a value,
    has the worst loss of the others, so that a model leaves the place. `pending` are running.
    `fitted` is (ℓ_1, ..., ℓ_p, σ², μ) of the model of an earlier ask, to begin the next fit from;
    every tenth fit begins without it.

    Behind the run's own trials come the `earlier` ones of its `prior`. `others` are those of
    another task, whose losses mean nothing beside the run's own: they count in neither `values` nor
    `failures`. `rivals` are what is to be improved on: trials of the run's task inside its space,
    or all of its task where there are none.
    """

    configs: tuple[Config, ...]
    losses: tuple[float, ...]
    pending: tuple[Config, ...]
    values: int
    failures: int
    fitted: tuple[float, ...] | None
    rivals: tuple[bool, ...]
    others: tuple[bool, ...]
    earlier: int

    @classmethod
    def of(cls, run: Run) -> "Observations":
        """Sort a run's trials."""
        pending = tuple(trial.config for trial in run.trials if trial.is_running)
        ended = [
            (trial, float(loss))
            for trial, loss in zip(run.trials, run.losses, strict=True)
            if not trial.is_running
        ]
        rivals = [is_own(run, trial) for trial, _ in ended]
        earlier = [(trial, _loss(run, trial)) for trial in told_by(run)]
        others: list[tuple[Trial, float]] = []
        if run.prior_task == "same":
            ended += earlier
            rivals += [is_inside(run.space, trial.config) for trial, _ in earlier]
        elif any(np.isfinite(loss) for _, loss in earlier):
            others = earlier
        losses, values = _filled(ended)
        return cls(
            tuple(trial.config for trial, _ in (*ended, *others)),
            (*losses, *_filled(others)[0]),
            pending,
            values,
            len(ended) - values,
            _fitted(run),
            (*(rivals if any(rivals) else [True] * len(ended)), *[False] * len(others)),
            (*[False] * len(ended), *[True] * len(others)),
            len(earlier) if run.prior_task == "same" else len(others),
        )


def _loss(run: Run, trial: Trial) -> float:
    return np.nan if trial.value is None else run.sign * trial.value


def _filled(ended: Sequence[tuple[Trial, float]]) -> tuple[tuple[float, ...], int]:
    """Return losses, the worst for those that have none, and how many do have one."""
    found = [loss for _, loss in ended if np.isfinite(loss)]
    worst = max(found, default=0.0)
    return tuple(loss if np.isfinite(loss) else worst for _, loss in ended), len(found)


def _fitted(run: Run) -> tuple[float, ...] | None:
    notes = [ask.notes for ask in run.asks if "log_evidence" in ask.notes]
    if len(notes) % _COLD == 0:
        return None
    lengthscale, rest = notes[-1]["lengthscale"], [notes[-1][name] for name in ("noise", "mean")]
    assert isinstance(lengthscale, list)
    return (*lengthscale, *(value for value in rest if isinstance(value, float)))


@dataclass(frozen=True)
class Batch:
    """Runs of spaces that look alike to a model, with as many pending trials and slots each.

    `encodings` are the runs' own: bounds, scales and names may differ. `data` holds padded rows
    and raw losses, `rivals` those that are to be improved on, `others` those of another task;
    `pending` the running trials; `centres` the points of the least losses,
    repeated where there are few; `warm` what the last models were, None where fits begin anew;
    `streams` what each run draws from now.
    """

    runs: tuple[Run, ...]
    known: tuple[Observations, ...]
    encodings: tuple[Encoding, ...]
    slots: int
    data: Data
    rivals: Bool[Tensor, "b n"]
    others: Bool[Tensor, "b n"]
    pending: Points
    centres: Points
    warm: Hyperparameters | None
    streams: tuple[Stream, ...]
    device: str

    @cached_property
    def domain(self) -> Domain:
        """The domain that the runs share, on the batch's device."""
        return moved(self.encodings[0].domain, self.device)

    def take(self, part: slice) -> "Batch":
        """Return some of the runs only."""
        return replace(
            self,
            runs=self.runs[part],
            known=self.known[part],
            encodings=self.encodings[part],
            data=self.data.take(part),
            rivals=self.rivals[part],
            others=self.others[part],
            pending=self.pending.take(part),
            centres=self.centres.take(part),
            warm=None if self.warm is None else self.warm.take(part),
            streams=self.streams[part],
        )


@dataclass(frozen=True)
class FittedAcquisition:
    """A batch's acquisition functions before the first point, running trials being pending.

    `lengthscale` says how far from an incumbent it is worth to look; `notes` what was fitted;
    `transformed` holds the targets.
    """

    surface: AcquisitionFunction
    lengthscale: Float[Tensor, "b p"]
    notes: Sequence[Mapping[str, Note]]
    transformed: Transformed

    def take(self, part: slice) -> "FittedAcquisition":
        """Return the acquisition functions of some runs only; the targets stay those of all."""
        surface = self.surface.take(part)
        return replace(
            self, surface=surface, lengthscale=self.lengthscale[part], notes=self.notes[part]
        )


class RunModel(Protocol):
    """What a strategy searches by: fitted to the runs of a batch, it values any point for each."""

    @property
    def takes_one_run(self) -> bool:
        """Whether runs are computed one by one."""
        ...

    def refuse(self, run: Run, slots: int) -> None:
        """Raise `StrategyError` where a run with so many slots is not one for this model."""
        ...

    def guarded(self, batch: Batch) -> AbstractContextManager[None]:
        """Surround all that is computed for a batch, the search included."""
        ...

    def fit(self, batch: Batch) -> FittedAcquisition:
        """Fit the batch's models, and return their acquisition functions."""
        ...


@dataclass(frozen=True)
class FittedModels:
    """Data with transformed targets, and what was fitted to them: the best, and each kernel's."""

    data: Data
    transformed: Transformed
    fit: Fit
    fits: tuple[Fit, ...]

    def better(self, other: "FittedModels") -> "FittedModels":
        """Return of each run what has more evidence as a density of the losses; ties stay.

        Both must have power transforms, whose Jacobians are known.
        """
        ours, theirs = self.transformed, other.transformed
        assert isinstance(ours, PowerTransformed) and isinstance(theirs, PowerTransformed)
        stays = ~(
            other.fit.log_evidence + theirs.log_jacobian > self.fit.log_evidence + ours.log_jacobian
        )
        transformed = ours.where(stays, theirs)
        data = replace(self.data, y=transformed.y)
        fits = tuple(a.where(stays, b) for a, b in zip(self.fits, other.fits, strict=True))
        return FittedModels(data, transformed, self.fit.where(stays, other.fit), fits)

    @property
    def log_weight(self) -> Float[Tensor, "b k"]:
        """The logarithms of the kernels' probabilities, equal before the data."""
        return torch.stack([one.log_evidence for one in self.fits], dim=1).log_softmax(dim=1)

    @property
    def members(self) -> "FittedModels":
        """What every kernel makes of every run, one kernel after another."""
        rows = torch.arange(len(self.data.x), device=self.data.x.device, dtype=torch.int64).repeat(
            len(self.fits)
        )
        return replace(self, data=self.data.take(rows), fit=stacked(self.fits))


def grouped(names: Mapping[Item, Hashable]) -> list[list[Item]]:
    """Return items that share a name, in the order in which the names first come."""
    groups: dict[Hashable, list[Item]] = {}
    for item, name in names.items():
        groups.setdefault(name, []).append(item)
    return list(groups.values())


def together(
    names: Mapping[Item, Hashable], compute: Callable[[Sequence[Item]], list[Made]]
) -> dict[Item, Made]:
    """Compute items that share a name as one batch, or by halves where the memory is too small."""
    return {
        item: made
        for members in grouped(names)
        for item, made in zip(members, in_parts(members, compute), strict=True)
    }


def key(run: Run, known: Observations, slots: int, encoding: Encoding) -> tuple[object, ...]:
    """Return what runs must share to be computed together: shapes that each has by itself."""
    n = -(-len(known.configs) // _BUCKET) * _BUCKET
    has_others = any(known.others)
    return encoding.key, n, len(known.pending), known.fitted is None, slots, has_others


def batch(
    runs: Sequence[Run],
    known: Sequence[Observations],
    encodings: Sequence[Encoding],
    *,
    slots: int,
    device: str,
) -> Batch:
    """Stack runs that share a `key`."""
    n = -(-len(known[0].configs) // _BUCKET) * _BUCKET
    domain, lengthscale_of = encodings[0].domain, encodings[0].lengthscale_of
    x = torch.full((len(runs), n, domain.dimension), 0.5, dtype=torch.float64)
    y = torch.zeros(len(runs), n, dtype=torch.float64)
    mask, rivals, others = torch.zeros(3, len(runs), n, dtype=torch.bool)
    centres, pending = [], []
    for i, (one, encoding) in enumerate(zip(known, encodings, strict=True)):
        points, count = encoding.points(one.configs), len(one.configs)
        x[i, :count], mask[i, :count] = points.x[0], True
        y[i, :count] = torch.tensor(one.losses, dtype=torch.float64)
        rivals[i, :count] = torch.tensor(one.rivals, dtype=torch.bool)
        others[i, :count] = torch.tensor(one.others, dtype=torch.bool)
        least = points.at(_least(one.losses, one.rivals)[None])
        centres.append(Points(least.x.clamp(0.0, 1.0), least.index))
        pending.append(encoding.points(one.pending))
    data = Data.of(x.to(device), y.to(device), mask.to(device), lengthscale_of)
    streams = tuple(run.stream.at("bayesian", len(run.trials)) for run in runs)
    return Batch(
        tuple(runs),
        tuple(known),
        tuple(encodings),
        slots,
        data,
        rivals.to(device),
        others.to(device),
        _stacked(pending, device),
        _stacked(centres, device),
        _warm(known, device),
        streams,
        device,
    )


def _warm(known: Sequence[Observations], device: str) -> Hyperparameters | None:
    fitted = [one.fitted for one in known if one.fitted is not None]
    if not fitted:
        return None
    values = torch.tensor(fitted, dtype=torch.float64, device=device)
    return Hyperparameters(values[:, :-2], values[:, -2], values[:, -1])


def _least(losses: Sequence[float], rivals: Sequence[bool]) -> Tensor:
    """Return the rows of the least losses, repeated where there are few rivals."""
    order = torch.tensor(losses, dtype=torch.float64).argsort(stable=True)
    order = order[torch.tensor(rivals, dtype=torch.bool)[order]]
    return order[torch.arange(_CENTRES, dtype=torch.int64) % len(order)]


def targets(transform: str, batch: Batch) -> Transformed:
    """Return the transformed losses of a batch."""
    return apart(transform, batch.data.y, batch.data.mask, batch.others)


def apart(
    transform: str,
    y: Float[Tensor, "b n"],
    mask: Bool[Tensor, "b n"],
    others: Bool[Tensor, "b n"],
) -> Transformed:
    """Return transformed losses, those of another task transformed by themselves.

    What leads back is that of the runs' own.
    """
    if not others.any():
        return TRANSFORMS[transform](y, mask)
    own, other = TRANSFORMS[transform](y, mask & ~others), TRANSFORMS[transform](y, others)
    y = torch.where(others, other.y, own.y)
    if isinstance(own, PowerTransformed) and isinstance(other, PowerTransformed):
        return replace(own, y=y, log_jacobian=own.log_jacobian + other.log_jacobian)
    assert isinstance(own, Ranked)
    return replace(own, y=y)


def _stacked(parts: Sequence[Points], device: str) -> Points:
    x = torch.cat([part.x for part in parts]).to(device)
    return Points(x, torch.cat([part.index for part in parts]).to(device))


def moved(domain: Domain, device: str) -> Domain:
    """Return a domain whose tensors are on a device."""
    if device == "cpu":
        return domain
    choices = tuple(
        replace(c, points=c.points.to(device), edges=c.edges.to(device)) for c in domain.choices
    )
    table = None if domain.table is None else domain.table.to(device)
    return replace(domain, choices=choices, table=table)
