"""A batch of configurations, chosen one after another, each knowing of those before."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hpo_research.acquisition import (
    AcquisitionFunction,
    PathAcquisition,
    Points,
    Search,
    SearchResult,
    best_allowed,
    candidates,
    climb,
    minima,
)
from hpo_research.device import entries
from hpo_research.gp import Posterior
from hpo_research.records import Run
from hpo_research.rng import Stream
from hpo_research.space import Config
from hpo_research.strategies.models.encoding import Encoding
from hpo_research.strategies.models.inputs import Batch, FittedAcquisition
from hpo_research.strategies.tried import Taken, taken, untried

_KEPT = 2**22  # numbers kept of the candidates of runs that are computed together: 32 MiB


@dataclass(frozen=True)
class Pick:
    """A configuration, its columns, its acquisition value, and the start that led to it.

    `winner`: `global` or `local` as the start was, `table` where all configurations were scored,
    `candidate` where none was climbed from, `random` where every candidate, or every end of a
    climb, was tried before.
    """

    config: Config
    x: Float[Tensor, " d"]
    value: float
    winner: str


def picks(model: FittedAcquisition, batch: Batch, search: Search) -> list[list[Pick]]:
    """Return as many picks for each run as it has slots; none repeats a configuration.

    So many runs together that what is kept of their candidates stays small.
    """
    like, table = batch.data.x, batch.domain.table
    rows = search.spread + search.near if table is None else len(table)
    size = max(1, entries(like, cached=_KEPT) // (rows * (like.shape[1] + batch.slots)))
    if size >= len(batch.runs):
        return _picks(model, batch, search)
    parts = [slice(i, i + size) for i in range(0, len(batch.runs), size)]
    return [own for part in parts for own in _picks(model.take(part), batch.take(part), search)]


def _picks(model: FittedAcquisition, batch: Batch, search: Search) -> list[list[Pick]]:
    points = _candidates(model, batch, search)
    cached = model.surface.cached(points.x)
    spans = batch.domain.spans(model.lengthscale)

    def picked(number: int, known: Sequence[Taken], before: Sequence[Pick]) -> list[Pick]:
        nonlocal cached
        if before:
            cached = cached.pending(torch.stack([pick.x for pick in before]))
        if batch.domain.table is not None:
            return _from_table(cached.values(), batch, known)
        streams = [stream.at(number) for stream in batch.streams]
        found = climb(cached, batch.domain, points, spans=spans, streams=streams, search=search)
        return _bests(cached.surface, found, batch, known)

    return one_by_one(batch.runs, batch.slots, picked)


def drawn_picks(posterior: Posterior, batch: Batch, search: Search) -> list[list[Pick]]:
    """Return as many picks for each run as it has slots: minima of functions drawn for them.

    What is pending changes no function, so all are searched at once; a minimum that is taken gives
    way to the function's next best.
    """
    streams = [stream.at("paths") for stream in batch.streams]
    surface = PathAcquisition.of(posterior, streams, batch.slots)
    table = batch.domain.table
    if table is not None:
        scores = surface.value(table.expand(len(streams) * batch.slots, -1, -1))
    else:
        found = minima(surface, batch.domain, batch.centres, streams=batch.streams, search=search)

    def picked(number: int, known: Sequence[Taken], before: Sequence[Pick]) -> list[Pick]:
        rows = torch.arange(len(known), dtype=torch.int64) * batch.slots + number
        if table is not None:
            return _from_table(scores[rows], batch, known)
        part, ends = surface.take(rows), found.take(rows)
        return _bests(part, ends, batch, known)

    return one_by_one(batch.runs, batch.slots, picked)


def one_by_one(
    runs: Sequence[Run],
    slots: int,
    picked: Callable[[int, Sequence[Taken], Sequence[Pick]], list[Pick]],
) -> list[list[Pick]]:
    """Return the picks of each run, made for all runs at once, given what is taken and was picked.

    `picked` is called for each slot with its number and the picks before it.
    """
    chosen: list[list[Pick]] = []
    with ExitStack() as stack:
        known = [stack.enter_context(taken(run)) for run in runs]
        for number in range(slots):
            chosen.append(picked(number, known, chosen[-1] if chosen else []))
            for own, pick in zip(known, chosen[-1], strict=True):
                own.add(pick.config)
    return [list(own) for own in zip(*chosen, strict=True)] if chosen else [[] for _ in runs]


def spare(
    surface: AcquisitionFunction,
    run: int,
    encoding: Encoding,
    *,
    known: Taken,
    stream: Stream,
    like: Tensor,
) -> Pick:
    """Return any configuration that is not taken, for a run whose candidates all are."""
    config = untried(known, stream.at("spare", len(known)).generator())
    assert config is not None  # a run has no more slots than untried configurations
    point = encoding.points([config]).x.to(like)
    own = surface.take(torch.tensor([run], dtype=torch.int64, device=point.device))
    return Pick(config, point[0, 0], float(own.value(point)), "random")


def _candidates(model: FittedAcquisition, batch: Batch, search: Search) -> Points:
    """Return the points that are scored for every pick: the whole table where there is one."""
    table = batch.domain.table
    if table is None:
        return candidates(
            batch.domain,
            batch.centres,
            lengthscale=model.lengthscale,
            streams=batch.streams,
            search=search,
        )
    x = table.expand(len(batch.runs), -1, -1)
    return Points(x, torch.zeros(*x.shape[:2], 0, dtype=torch.int64, device=x.device))


def _from_table(scores: Tensor, batch: Batch, known: Sequence[Taken]) -> list[Pick]:
    table = batch.domain.table
    assert table is not None
    allowed = torch.ones(len(known), len(table), dtype=torch.bool)
    for i, own in enumerate(known):
        allowed[i, own.places] = False
    best, values = best_allowed(scores, allowed.to(table.device))
    return [
        Pick(encoding.space.config_at(row), table[row], value, "table")
        for encoding, row, value in zip(
            batch.encodings, best.tolist(), values.tolist(), strict=True
        )
    ]


def _bests(
    surface: AcquisitionFunction, found: SearchResult, batch: Batch, known: Sequence[Taken]
) -> list[Pick]:
    """Return of each run the best end of its search that is not taken."""
    read = found.to("cpu")  # of all runs at once: each copy from a GPU waits for it
    picks = []
    for run, (own, encoding) in enumerate(zip(known, batch.encodings, strict=True)):
        row = _untaken(read.points, run, encoding, own)
        if row is None:
            stream, like = batch.streams[run], found.points.x
            pick = spare(surface, run, encoding, known=own, stream=stream, like=like)
        else:
            k, config = row
            winner = "global" if read.is_global[run, k] else "local"
            pick = Pick(config, found.points.x[run, k], float(read.value[run, k]), winner)
        picks.append(pick)
    return picks


def _untaken(
    points: Points, run: int, encoding: Encoding, known: Taken
) -> tuple[int, Config] | None:
    """Return a run's first row whose configuration is not taken, None where all are."""
    for k, (x, index) in enumerate(zip(points.x[run], points.index[run], strict=True)):
        config = encoding.config(x, index)
        if config not in known:
            return k, config
    return None
