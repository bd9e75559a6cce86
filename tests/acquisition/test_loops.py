"""What the compiled loops of our own surfaces find is what their tensors do."""

import importlib
from dataclasses import replace

import pytest
import torch

from hpo_research.acquisition import (
    CRITERIA,
    GPAcquisition,
    MixtureAcquisition,
    confidence_bound,
    criteria,
)
from hpo_research.acquisition import gp_acquisition as tensors_of
from hpo_research.acquisition.maximise import _chosen, _ends
from hpo_research.gp import KERNELS, Data, Hyperparameters, condition, condition_on_samples
from hpo_research.gp.kernels import Kernel
from hpo_research.gp.quasi_random import normal_set
from hpo_research.rng import Stream

maximising = importlib.import_module(_ends.__module__)
LIKE = torch.zeros(1, dtype=torch.float64)
RUNS, N, D, SAMPLES, PLACES = 2, 21, 3, 16, 4
SCORED = {**CRITERIA, "ucb": confidence_bound(4.0)}


def drawn(*, is_noisy: bool, name: str, models: int) -> GPAcquisition | MixtureAcquisition:
    """Return a surface of two runs, one of which has padded rows, of one kernel or of three."""
    stream, rows = Stream(5).at("loops"), models * RUNS
    x = stream.at("x").uniform(RUNS, N, D, like=LIKE).repeat(models, 1, 1)
    y = (x - 0.4).square().sum(dim=-1) + 0.1 * stream.at("y").normal(N, like=LIKE)
    mask = torch.arange(N) < torch.tensor([[N], [N - 6]]).repeat(models, 1)
    data = Data.of(x, (y - y.mean(dim=1, keepdim=True)) / y.std(dim=1, keepdim=True), mask)
    lengthscale = 0.3 + stream.at("scale").uniform(rows, D, like=LIKE)
    hyper = Hyperparameters(lengthscale, torch.full((rows,), 1e-3).double(), 0.1 * y.mean(dim=1))
    kernel = Kernel(
        torch.cat([one.coefficients.expand(RUNS, -1) for one in list(KERNELS.values())[:models]])
    )
    if is_noisy:
        normals = normal_set(SAMPLES, 2 * N, "noisy")
        posterior, values = condition_on_samples(data, kernel, hyper, normals, free_rows=PLACES)
    else:
        posterior = condition(data, kernel, hyper, free_rows=PLACES)
        values = data.y[..., None].expand(-1, -1, 2)
    best = values.masked_fill(~mask[..., None], torch.inf).amin(dim=1)
    samples = normal_set(SAMPLES, PLACES).expand(rows, -1, -1)
    member = GPAcquisition(posterior, SCORED[name], best, samples)
    if models == 1:
        return member
    weight = stream.at("weight").normal(RUNS, models, like=LIKE).log_softmax(dim=1)
    return MixtureAcquisition(member, weight, is_log=name == "qlogei")


def asked(count: int) -> torch.Tensor:
    """Return points of each run, some of them at corners and at rows that are known."""
    x = Stream(6).at("asked").uniform(RUNS, count, D, like=LIKE)
    x[:, 0], x[:, 1] = 0.0, 1.0
    return x


@pytest.fixture
def by_tensors(monkeypatch):
    """Have surfaces that are made from now on computed in tensors."""

    def switch() -> None:
        for module in (tensors_of, criteria, maximising):
            monkeypatch.setattr(module, "by_loops", lambda *_: False)

    return switch


def fresh(surface):
    """Return the same surface without what it has kept for loops."""
    if isinstance(surface, MixtureAcquisition):
        return replace(surface, members=replace(surface.members))
    return replace(surface)


def close(found, expected, *, rtol: float):
    scale = float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=rtol, atol=rtol * scale)


@pytest.mark.parametrize("count", [0, 2])
@pytest.mark.parametrize("is_noisy", [False, True], ids=["known", "noisy"])
@pytest.mark.parametrize("models", [1, 3])
@pytest.mark.parametrize("name", SCORED)
def test_values_slopes_and_kept_scores_are_those_of_tensors(
    name, models, is_noisy, count, by_tensors
):
    x, pending = asked(70), Stream(7).uniform(RUNS, 2, D, like=LIKE)
    surface = drawn(is_noisy=is_noisy, name=name, models=models)
    kept = surface.cached(x)
    for k in range(count):
        kept, surface = kept.pending(pending[:, k]), surface.pending(pending[:, k])
    ours = [surface.value(x), *surface.value_and_gradient(x), kept.values()]
    assert surface.arrays is not None
    by_tensors()
    surface = fresh(drawn(is_noisy=is_noisy, name=name, models=models))
    kept = surface.cached(x)
    for k in range(count):
        kept, surface = kept.pending(pending[:, k]), surface.pending(pending[:, k])
    assert surface.arrays is None
    theirs = [surface.value(x), *surface.value_and_gradient(x), kept.values()]
    for found, expected in zip(ours, theirs, strict=True):
        close(found, expected, rtol=1e-8)


@pytest.mark.parametrize("prune", [None, (6, 4)], ids=["all", "the best go on"])
@pytest.mark.parametrize("models", [1, 3])
def test_climbs_end_where_those_of_tensors_do(models, prune, by_tensors):
    surface = drawn(is_noisy=False, name="qlogei", models=models)
    surface = surface.pending(asked(3)[:, 2])
    x, spans = asked(12), torch.tensor([[[0.4, 1.0, 0.7]]]).double().expand(RUNS, -1, -1)
    lower, upper = torch.zeros_like(x), torch.ones_like(x)
    lower[..., 1] = upper[..., 1] = x[..., 1]  # as the columns of a choice
    ours = _ends(surface, x, (lower, upper), spans, prune)
    by_tensors()
    theirs = _ends(fresh(surface), x, (lower, upper), spans, prune)
    assert torch.equal(ours[2], theirs[2])
    torch.testing.assert_close(ours[0], theirs[0], rtol=0.0, atol=1e-4)
    torch.testing.assert_close(ours[1], theirs[1], rtol=0.0, atol=1e-7)
    torch.testing.assert_close(surface.value(ours[0]), ours[1], rtol=1e-9, atol=1e-9)
    assert bool((ours[0] >= 0).all() and (ours[0] <= 1).all())


@pytest.mark.parametrize("models", [1, 3])
def test_a_climb_has_the_same_bits_alone_and_among_others(models):
    surface = drawn(is_noisy=False, name="qlogei", models=models)
    x, spans = asked(9), torch.full((RUNS, 1, D), 0.8).double()
    whole = _ends(surface, x, (torch.zeros_like(x), torch.ones_like(x)), spans, (6, 3))
    for run in range(RUNS):
        own, part = surface.take(torch.tensor([run])), x[run : run + 1]
        bounds = torch.zeros_like(part), torch.ones_like(part)
        alone = _ends(own, part, bounds, spans[run : run + 1], (6, 3))
        for found, expected in zip(alone, whole, strict=True):
            assert torch.equal(found[0], expected[run])


def test_starts_are_chosen_in_arrays_as_in_tensors(by_tensors):
    value = Stream(8).normal(3, 40, like=LIKE)
    value[1, 7], value[2, 3:9] = -torch.inf, value[2, 3]
    streams = [Stream(9).at(i) for i in range(3)]
    ours = _chosen(value, 10, streams)
    by_tensors()
    assert torch.equal(ours, _chosen(value, 10, streams))
