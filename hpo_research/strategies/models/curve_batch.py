"""New configurations for runs whose model is of learning curves: by what they may reach."""

from collections.abc import Sequence

import torch
from torch import Tensor

from hpo_research.acquisition import CRITERIA, GPAcquisition, Points, Search, candidates
from hpo_research.gp.quasi_random import normal_set
from hpo_research.space import Config
from hpo_research.strategies.models.curve_data import CurveForecast, CurveRun
from hpo_research.strategies.models.greedy_batch import Pick, one_by_one, spare
from hpo_research.strategies.models.inputs import moved
from hpo_research.strategies.tried import Taken

_CENTRES = 4
_SAMPLES = 32


def newcomers(model: CurveForecast, places: int, *, search: Search) -> list[list[Pick]]:
    """Return as many untried configurations for each run as it has places, the best first.

    Each is where q-EI of the value at the last epoch gains most, given samples of the running
    trials and of those chosen before. Candidates are spread over the space and beside the best
    trials, or all of a finite space that is small; none is polished, since a newcomer is looked at
    again after its first epoch. The runs share their numbers of running trials.
    """
    points = _candidates(model, search)
    # Read of all runs at once: each copy from a GPU waits for it.
    read = points.to("cpu") if model.members[0].encoding.domain.table is None else points
    cached = _surface(model, places).cached(points.x)

    def picked(number: int, known: Sequence[Taken], before: Sequence[Pick]) -> list[Pick]:
        nonlocal cached
        if before:
            cached = cached.pending(torch.stack([pick.x for pick in before]))
        values = cached.values().cpu()
        found = []
        for i, (one, own) in enumerate(zip(model.members, known, strict=True)):
            best = _best(one, read, i, values[i], own)
            if best is None:
                stream = one.run.stream.at("newcomers")
                pick = spare(
                    cached.surface, i, one.encoding, known=own, stream=stream, like=points.x
                )
            else:
                row, config = best
                pick = Pick(config, points.x[i, row], float(values[i, row]), "candidate")
            found.append(pick)
        return found

    return one_by_one([one.run for one in model.members], places, picked)


def _surface(model: CurveForecast, places: int) -> GPAcquisition:
    """Return q-EI at the last epoch, the running trials pending."""
    running = [[trial.id for trial in one.run.running] for one in model.members]
    rows = len(running[0]) + places
    rows += rows % 2  # products of odd sizes are padded each time
    epoch = torch.full_like(model.end, float(model.max_epochs))
    posterior, unit = model.posterior.at(epoch, free_rows=rows)
    samples = normal_set(_SAMPLES, rows).to(model.end).expand(len(running), -1, -1)
    best = (model.end / unit)[:, None].repeat(1, 2)
    surface = GPAcquisition(posterior, CRITERIA["qlogei"], best, samples)
    pending = _stacked(model, running)
    for point in pending.x.unbind(dim=1):
        surface = surface.pending(point)
    return surface


def _candidates(model: CurveForecast, search: Search) -> Points:
    domain = moved(model.members[0].encoding.domain, model.device)
    if domain.table is not None:
        x = domain.table.expand(len(model.members), -1, -1)
        index = torch.zeros(*x.shape[:2], 0, dtype=torch.int64, device=x.device)
        return Points(x, index)
    lengthscale = model.posterior.hyperparameters.lengthscale
    streams = [one.run.stream.at("newcomers", len(one.run.trials)) for one in model.members]
    leaders = _stacked(model, [_leaders(one) for one in model.members])
    centres = Points(leaders.x.clamp(0.0, 1.0), leaders.index)
    return candidates(domain, centres, lengthscale=lengthscale, streams=streams, search=search)


def _leaders(one: CurveRun) -> list[int]:
    """Return the trials of the least last losses, repeated where there are few."""
    last = [row for row in one.seen.observations if row.is_last and row.trial in one.inside]
    order = sorted(last, key=lambda row: (row.loss, row.trial))
    return [order[k % len(order)].trial for k in range(_CENTRES)]


def _stacked(model: CurveForecast, trials: Sequence[Sequence[int]]) -> Points:
    pairs = zip(model.members, trials, strict=True)
    parts = [one.points.at(torch.tensor([own], dtype=torch.int64)) for one, own in pairs]
    x = torch.cat([part.x for part in parts]).to(model.device)
    return Points(x, torch.cat([part.index for part in parts]).to(model.device))


def _best(
    one: CurveRun, points: Points, i: int, values: Tensor, known: Taken
) -> tuple[int, Config] | None:
    """Return the candidate of largest value that is not tried, None where all are."""
    space, encoding = one.run.space, one.encoding
    table = encoding.domain.table
    for row in values.argsort(descending=True, stable=True).tolist():
        config = (
            encoding.config(points.x[i, row], points.index[i, row])
            if table is None
            else space.config_at(row)
        )
        if config not in known:
            return row, config
    return None
