"""Runs as tensors: what a model is fitted to, for runs that are computed together."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hpo_research.acquisition import AcquisitionFunction, Domain, Points
from hpo_research.device import in_parts
from hpo_research.gp import Data, Fit, Hyperparameters, stacked
from hpo_research.gp.transforms import TRANSFORMS, PowerTransformed, Ranked, Transformed
from hpo_research.records import Note, Run
from hpo_research.rng import Stream
from hpo_research.strategies.models.encoding import Encoding
from hpo_research.strategies.models.observations import Observations

Item = TypeVar("Item", bound=Hashable)
Made = TypeVar("Made")

_BUCKET = 8
_CENTRES = 4


@dataclass(frozen=True)
class Batch:
    """Runs of spaces that look alike to a model, with as many pending trials and slots each.

    `encodings` are the runs' own: bounds, scales and names may differ. `data` holds padded rows
    and raw losses, `rivals` those that are to be improved on, `tasks` whose they are (0: the run's
    own); `pending` the running trials; `centres` the points of the least losses,
    repeated where there are few; `warm` what the last models were, None where fits begin anew;
    `streams` what each run draws from now.
    """

    runs: tuple[Run, ...]
    known: tuple[Observations, ...]
    encodings: tuple[Encoding, ...]
    slots: int
    data: Data
    rivals: Bool[Tensor, "b n"]
    tasks: Int[Tensor, "b n"]
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
            tasks=self.tasks[part],
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
    return (
        encoding.key,
        n,
        len(known.pending),
        len(known.fitted or ()),
        slots,
        max(known.tasks, default=0),
    )


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
    mask, rivals = torch.zeros(2, len(runs), n, dtype=torch.bool)
    tasks = torch.zeros(len(runs), n, dtype=torch.int64)
    centres, pending = [], []
    for i, (one, encoding) in enumerate(zip(known, encodings, strict=True)):
        points, count = encoding.points(one.configs, one.tasks), len(one.configs)
        x[i, :count], mask[i, :count] = points.x[0], True
        y[i, :count] = torch.tensor(one.losses, dtype=torch.float64)
        rivals[i, :count] = torch.tensor(one.rivals, dtype=torch.bool)
        tasks[i, :count] = torch.tensor(one.tasks, dtype=torch.int64)
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
        tasks.to(device),
        _stacked(pending, device),
        _stacked(centres, device),
        _warm(known, data.parameters, device),
        streams,
        device,
    )


def _warm(known: Sequence[Observations], parameters: int, device: str) -> Hyperparameters | None:
    """Return what was fitted last, unless that was a model of other hyperparameters."""
    fitted = [one.fitted for one in known if one.fitted is not None]
    if not fitted or len(fitted[0]) != parameters + 2:
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
    most = max((max(one.tasks, default=0) for one in batch.known), default=0)
    return apart(transform, batch.data.y, batch.data.mask, batch.tasks, most)


def apart(
    transform: str,
    y: Float[Tensor, "b n"],
    mask: Bool[Tensor, "b n"],
    tasks: Int[Tensor, "b n"],
    most: int,
) -> Transformed:
    """Return transformed losses, those of each of so many related tasks by themselves.

    What leads back is that of the runs' own.
    """
    own = TRANSFORMS[transform](y, mask & (tasks == 0))
    for task in range(1, most + 1):
        is_its = tasks == task
        other = TRANSFORMS[transform](y, is_its)
        found = torch.where(is_its, other.y, own.y)
        if isinstance(own, PowerTransformed) and isinstance(other, PowerTransformed):
            slopes = own.log_jacobian + other.log_jacobian
            own = replace(own, y=found, log_jacobian=slopes)
        else:
            assert isinstance(own, Ranked)
            own = replace(own, y=found)
    return own


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
