"""Thompson samples against dense grids, exact draws of the joint posterior, and each other."""

from dataclasses import replace

import pytest
import torch

from hpo_research.acquisition import (
    AcquisitionFunction,
    Continuous,
    Domain,
    PathAcquisition,
    Points,
    Search,
    best_allowed,
    maximise,
    minima,
)
from hpo_research.gp import KERNELS, condition
from hpo_research.rng import Stream
from tests.acquisition.test_maximise import domain_of
from tests.gp.drawn import LIKE, OWNERS, Drawn, Plain, drawn

EIGHT = Search(starts=8)


def posterior_of(batch: Drawn, name: str = "matern52"):
    return condition(batch.data, KERNELS[name], batch.hyperparameters)


def surface_of(batch: Drawn, count: int, frequencies: int = 64) -> PathAcquisition:
    streams = [Stream(row) for row in range(len(batch.asked))]
    return PathAcquisition.of(posterior_of(batch), streams, count, frequencies=frequencies)


def centres_of(batch: Drawn, domain: Domain) -> Points:
    """The four first rows, as points of the domain."""
    return domain.placed(batch.data.x[:, :4, : len(domain.order)])


def found_in(batch: Drawn, domain: Domain, count: int, rows: list[int]):
    part = batch.take(torch.tensor(rows))
    streams = [Stream(row) for row in rows]
    return minima(
        PathAcquisition.of(posterior_of(part), [s.at("paths") for s in streams], count),
        domain,
        centres_of(part, domain),
        streams=streams,
        search=EIGHT,
    )


def test_it_is_a_surface_that_what_is_pending_does_not_change():
    surface = surface_of(drawn(OWNERS["three"]), 2)
    assert isinstance(surface, AcquisitionFunction)
    assert surface.pending(torch.zeros(8, 3, dtype=torch.float64)) is surface


def test_gradients_are_finite_differences():
    batch, step = drawn(OWNERS["tied"]), 1e-5
    surface = surface_of(batch, 2)
    x = batch.asked.repeat_interleave(2, dim=0)
    value, gradient = surface.value_and_gradient(x)
    torch.testing.assert_close(value, surface.value(x), rtol=0, atol=0)
    for j in range(6):
        moved = torch.zeros(6, dtype=torch.float64)
        moved[j] = step
        difference = (surface.value(x + moved) - surface.value(x - moved)) / (2 * step)
        torch.testing.assert_close(gradient[..., j], difference, rtol=1e-5, atol=1e-5)


def test_many_points_are_worth_what_each_is_worth():
    batch = drawn(OWNERS["three"], q=600)
    surface = surface_of(batch, 1)
    whole = surface.value(batch.asked)
    pieces = torch.cat([surface.value(part) for part in batch.asked.split(50, dim=1)], dim=1)
    torch.testing.assert_close(whole, pieces, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("d", [1, 2])
def test_the_minimum_of_every_path_of_every_run_is_found_in_one_search(d):
    """No worse than the best of a grid of 10,000, in 95 of 100; nowhere worse by 0.1."""
    batch, count = drawn(OWNERS["three"][:d], b=4), 16
    domain = Domain(d, tuple(map(Continuous, range(d))))
    found = found_in(batch, domain, count, [0, 1, 2, 3])
    streams = [Stream(row).at("paths") for row in range(4)]
    surface = PathAcquisition.of(posterior_of(batch), streams, count)
    side = torch.linspace(0, 1, 100 if d == 2 else 10_000, dtype=torch.float64)
    grid = torch.cartesian_prod(*[side] * d).reshape(1, -1, d).expand(4 * count, -1, -1)
    gap = surface.value(grid).amax(dim=1) - found.value[:, 0]
    assert (gap <= 1e-9).double().mean() >= 0.95
    assert gap.max() < 0.1
    assert ((found.points.x >= 0) & (found.points.x <= 1)).all()
    torch.testing.assert_close(surface.value(found.points.x), found.value)


@pytest.mark.parametrize("kinds", [["x", "u3", "5"], ["u3", "5", "2"]], ids=["mixed", "finite"])
def test_minima_are_points_of_the_domain_and_in_a_finite_one_the_best_of_its_table(kinds):
    domain, lengthscale_of = domain_of(kinds)
    batch, count = drawn(tuple(lengthscale_of), b=2), 8
    found = found_in(batch, domain, count, [0, 1])
    torch.testing.assert_close(
        domain.assigned(found.points.x, found.points.index).x, found.points.x, rtol=0, atol=0
    )
    if not domain.relaxed:
        index = torch.cartesian_prod(*[torch.arange(c.size) for c in domain.choices])[None]
        empty = torch.zeros(1, index.shape[1], domain.dimension, dtype=torch.float64)
        table = domain.assigned(empty, index).x[0]
        streams = [Stream(row).at("paths") for row in range(2)]
        surface = PathAcquisition.of(posterior_of(batch), streams, count)
        every = torch.ones(2 * count, len(table), dtype=torch.bool)
        _, value = best_allowed(surface.value(table.expand(2 * count, -1, -1)), every)
        torch.testing.assert_close(found.value[:, 0], value)


def test_a_point_is_chosen_as_often_as_it_is_the_best():
    """Of six points, each by 8,192 paths and by 100,000 exact joint draws.

    Within 5.5 standard errors of either count; a failure by chance is rarer than one in a million.
    """
    batch, paths, draws = drawn(OWNERS["three"], b=1, n=8, q=6), 8192, 100_000
    surface = surface_of(batch, paths)
    every = torch.ones(paths, 6, dtype=torch.bool)
    best, _ = best_allowed(surface.value(batch.asked.expand(paths, -1, -1)), every)
    share = best.bincount(minlength=6) / paths
    mean, covariance = Plain.of("matern52", batch, 0).predict(batch.asked[0])
    normal = Stream(2).normal(draws, 6, like=LIKE)
    exact = (mean + normal @ torch.linalg.cholesky(covariance).T).argmin(dim=1)
    told = exact.bincount(minlength=6) / draws
    assert (told > 0.005).sum() >= 3
    error = (told * (1 - told) * (1 / paths + 1 / draws)).sqrt() + 1 / paths
    assert ((share - told).abs() < 5.5 * error).all()


@pytest.mark.parametrize("kinds", [["x", "x", "x"], ["x", "u3", "5"]], ids=["continuous", "mixed"])
def test_a_run_finds_the_same_minima_whatever_runs_are_searched_with_it(kinds):
    domain, lengthscale_of = domain_of(kinds)
    batch, count = drawn(tuple(lengthscale_of), b=4), 3
    together = found_in(batch, domain, count, [0, 1, 2, 3])
    for rows in ([0], [3], [2, 1]):
        alone = found_in(batch, domain, count, rows)
        groups = torch.tensor([row * count + j for row in rows for j in range(count)])
        assert torch.equal(together.points.x[groups], alone.points.x)
        assert torch.equal(together.points.index[groups], alone.points.index)
        assert torch.equal(together.value[groups], alone.value)


def test_a_run_of_nan_is_searched_beside_others_that_keep_their_bits():
    domain = Domain(3, tuple(map(Continuous, range(3))))
    batch = drawn(OWNERS["three"], b=2)
    y = batch.data.y.clone()
    y[0, 0] = torch.nan
    posterior = condition(
        type(batch.data).of(batch.data.x, y, batch.data.mask, batch.data.lengthscale_of),
        KERNELS["matern52"],
        batch.hyperparameters,
    )
    streams = [Stream(0), Stream(1)]
    found = minima(
        PathAcquisition.of(posterior, [s.at("paths") for s in streams], 2),
        domain,
        centres_of(batch, domain),
        streams=streams,
        search=EIGHT,
    )
    assert ((found.points.x >= 0) & (found.points.x <= 1)).all()
    alone = found_in(batch, domain, 2, [1])
    assert torch.equal(found.points.x[2:], alone.points.x)
    assert torch.equal(found.value[2:], alone.value)


def test_the_batch_of_a_run_is_as_many_different_points_as_functions():
    """Of rough functions, whose minima are seldom in the same corner."""
    batch, domain = drawn(OWNERS["three"], b=1), Domain(3, tuple(map(Continuous, range(3))))
    rough = batch.theta - torch.tensor([1.5, 1.5, 1.5, 0.0, 0.0])
    found = found_in(replace(batch, theta=rough), domain, 16, [0])
    best = found.points.x[:, 0]
    distance = (best[:, None] - best[None]).norm(dim=-1)
    assert ((distance > 1e-3).sum(dim=1) == 15).all()
    assert found.value[:, 0].isfinite().all()


def test_paths_may_be_searched_from_given_surfaces_too():
    """`minima` is the maximiser over the surface, with each run's centres for all its paths."""
    batch, count, domain = (
        drawn(OWNERS["three"], b=2),
        2,
        Domain(3, tuple(map(Continuous, range(3)))),
    )
    streams = [Stream(row) for row in range(2)]
    surface = PathAcquisition.of(posterior_of(batch), [s.at("paths") for s in streams], count)
    by_hand = maximise(
        surface,
        domain,
        centres_of(batch, domain).take(torch.tensor([0, 0, 1, 1])),
        lengthscale=batch.hyperparameters.lengthscale[[0, 0, 1, 1]],
        streams=[stream.at("path", j) for stream in streams for j in range(count)],
        search=EIGHT,
    )
    assert torch.equal(by_hand.value, found_in(batch, domain, count, [0, 1]).value)
