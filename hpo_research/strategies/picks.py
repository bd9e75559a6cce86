"""A batch of configurations, chosen one after another, each knowing of those before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from hpo_research.acquisition import Found, Search, Surface, best_of_table, maximise
from hpo_research.space import Config
from hpo_research.strategies.batches import Batch, Modelled
from hpo_research.strategies.tried import untried


@dataclass(frozen=True)
class Pick:
    """A configuration, its columns, its acquisition value, and the start that led to it.

    `winner`: `global` or `local` as the start was, `table` where all configurations were scored,
    `random` where every start ended at a configuration that was tried before.
    """

    config: Config
    x: Float[Tensor, " d"]
    value: float
    winner: str


def picks(model: Modelled, batch: Batch, search: Search) -> list[list[Pick]]:
    """Return as many picks for each run as it has slots; none repeats a configuration."""
    surface = model.surface
    taken = [[trial.config for trial in run.trials] for run in batch.runs]
    chosen: list[list[Pick]] = []
    for j in range(batch.slots):
        if chosen:
            surface = surface.pending(torch.stack([pick.x for pick in chosen[-1]]))
        if batch.domain.table is not None:
            chosen.append(_from_table(surface, batch, taken))
        else:
            now = replace(model, surface=surface)
            chosen.append(_from_search(now, batch, taken, number=j, search=search))
        for configs, pick in zip(taken, chosen[-1], strict=True):
            configs.append(pick.config)
    return [list(own) for own in zip(*chosen, strict=True)]


def _from_table(surface: Surface, batch: Batch, taken: list[list[Config]]) -> list[Pick]:
    table = batch.domain.table
    assert table is not None
    allowed = torch.ones(len(taken), len(table), dtype=torch.bool)
    for i, configs in enumerate(taken):
        allowed[i, batch.encodings[i].rows(configs)] = False
    best, values = best_of_table(surface, table, allowed.to(table.device))
    return [
        Pick(encoding.space.config_at(row), table[row], value, "table")
        for encoding, row, value in zip(
            batch.encodings, best.tolist(), values.tolist(), strict=True
        )
    ]


def _from_search(
    model: Modelled, batch: Batch, taken: list[list[Config]], *, number: int, search: Search
) -> list[Pick]:
    found = maximise(
        model.surface,
        batch.domain,
        batch.centres,
        lengthscale=model.lengthscale,
        streams=[stream.at(number) for stream in batch.streams],
        search=search,
    )
    return [_best(model.surface, found, batch, i, configs) for i, configs in enumerate(taken)]


def _best(surface: Surface, found: Found, batch: Batch, run: int, taken: Sequence[Config]) -> Pick:
    """Return the best end of a search that is not taken."""
    encoding = batch.encodings[run]
    known = {encoding.space.identity(config) for config in taken}
    x, index = found.points.x[run].cpu(), found.points.index[run].cpu()
    for k in range(len(x)):
        config = encoding.config(x[k], index[k])
        if encoding.space.identity(config) not in known:
            winner = "global" if found.is_global[run, k] else "local"
            return Pick(config, found.points.x[run, k], float(found.value[run, k]), winner)
    draws = batch.streams[run].at("spare", len(known)).generator()
    spare = untried(encoding.space, known, draws)
    assert spare is not None  # a run has no more slots than untried configurations
    point = encoding.points([spare]).x.to(found.points.x)
    value = surface.take(torch.tensor([run], device=point.device)).value(point)
    return Pick(spare, point[0, 0], float(value), "random")
