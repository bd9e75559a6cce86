"""Drawn functions against the exact posterior, finite differences, and themselves in a batch."""

import math
from dataclasses import replace

import pytest
import torch

from hpo_research.gp import KERNELS, Data, Hyperparameters, condition, paths_of
from hpo_research.gp.kernels import squared_distances
from hpo_research.gp.paths import Paths
from hpo_research.rng import Stream
from tests.gp.drawn import LIKE, OWNERS, Drawn, Plain, drawn
from tests.gp.test_bits import PARTS, agree

NAMES = list(KERNELS)


def streams_of(rows: list[int] | range) -> list[Stream]:
    return [Stream(0).at("run", row) for row in rows]


def paths(name: str, batch: Drawn, count: int, frequencies: int = 512, places: int = 0) -> Paths:
    posterior = condition(batch.data, KERNELS[name], batch.hyperparameters, free_rows=places)
    return paths_of(posterior, streams_of(range(len(batch.asked))), count, frequencies=frequencies)


def values(drawn_paths: Paths, x: torch.Tensor) -> torch.Tensor:
    """Every path at the same points. Shape: b m s."""
    m = drawn_paths.weights.shape[1]
    return drawn_paths.value(x[:, None].expand(-1, m, -1, -1))


@pytest.mark.parametrize("lengthscale_of", OWNERS.values(), ids=list(OWNERS))
@pytest.mark.parametrize("name", NAMES)
def test_mean_and_covariance_of_many_paths_are_those_of_the_posterior(name, lengthscale_of):
    """Of 4,096 paths of 1,024 features, within 5.5 standard errors: 27 numbers a case.

    The error of a mean is √(v/m), that of a covariance √((v_i v_j + c²)/m). A failure by chance
    is rarer than one in 100,000 a case.
    """
    batch, parts, each = drawn(lengthscale_of, q=6).take(torch.tensor([1])), 16, 256
    posterior = condition(batch.data, KERNELS[name], batch.hyperparameters)
    drawn_parts = [paths_of(posterior, [Stream(3).at(i)], each) for i in range(parts)]
    found, m = torch.cat([values(part, batch.asked)[0] for part in drawn_parts]), parts * each
    mean, covariance = Plain.of(name, batch, 0).predict(batch.asked[0])
    variance = covariance.diagonal()
    assert ((found.mean(dim=0) - mean).abs() < 5.5 * (variance / m).sqrt()).all()
    spread = ((variance[:, None] * variance[None] + covariance**2) / m).sqrt()
    assert ((found.T.cov() - covariance).abs() < 5.5 * spread).all()


@pytest.mark.parametrize("frequencies", [2, 16])
@pytest.mark.parametrize("name", NAMES)
def test_few_features_leave_mean_and_covariance_of_many_paths_where_they_are(name, frequencies):
    """Within 7 of the errors of normal paths; these have heavier tails (kurtosis 3 + 3/f)."""
    batch, m = drawn(OWNERS["three"], b=1, n=4, q=4), 20_000
    found = values(paths(name, batch, m, frequencies), batch.asked)[0]
    mean, covariance = Plain.of(name, batch, 0).predict(batch.asked[0])
    variance = covariance.diagonal()
    assert ((found.mean(dim=0) - mean).abs() < 7 * (variance / m).sqrt()).all()
    spread = ((variance[:, None] * variance[None] + covariance**2) / m).sqrt()
    assert ((found.T.cov() - covariance).abs() < 7 * spread).all()


@pytest.mark.parametrize("d", [1, 6])
@pytest.mark.parametrize("name", NAMES)
def test_the_covariance_of_one_paths_features_misses_the_kernel_by_no_more_than_it_says(name, d):
    """The mean square over 64 paths and 200 pairs of points, against that of independent draws.

    Pairs and paths are many and the quasi-random error is below; 1.2 of it leaves no chance.
    """
    f, m = 512, 64
    batch = drawn(tuple(range(d)), b=1, n=2, q=400)
    waves = paths(name, batch, m, f).waves[0, :, :d]
    scale = batch.hyperparameters.lengthscale[:, batch.data.index]
    x = batch.asked / scale[:, None]
    apart = x[0, :200] - x[0, 200:]
    found = (apart @ waves).cos().mean(dim=-1)
    r2 = (apart * apart).sum(dim=-1)
    k, twice = KERNELS[name].profile(r2)[0], KERNELS[name].profile(4 * r2)[0]
    told = (1 + twice - 2 * k * k) / (2 * f)
    assert ((found - k) ** 2).mean() < 1.2 * told.mean()
    assert told.max() <= 0.0313**2


@pytest.mark.parametrize("lengthscale_of", OWNERS.values(), ids=list(OWNERS))
@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_finite_differences(name, lengthscale_of):
    batch, m, s, step = drawn(lengthscale_of), 3, 5, 1e-5
    of = paths(name, batch, m)
    x = Stream(1).at("x", len(lengthscale_of)).uniform(4, m, s, len(lengthscale_of), like=LIKE)
    value, gradient = of.value_and_gradient(x)
    torch.testing.assert_close(value, of.value(x), rtol=0, atol=0)
    for j in range(len(lengthscale_of)):
        moved = torch.zeros(len(lengthscale_of), dtype=torch.float64)
        moved[j] = step
        difference = (of.value(x + moved) - of.value(x - moved)) / (2 * step)
        torch.testing.assert_close(gradient[..., j], difference, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_at_a_known_row_gradients_are_finite(name):
    batch = drawn(OWNERS["three"])
    of = paths(name, batch, 2)
    value, gradient = of.value_and_gradient(batch.data.x[:, None].expand(-1, 2, -1, -1))
    assert value.isfinite().all() and gradient.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_paths_go_through_the_data_where_there_is_no_noise(name):
    batch = drawn(OWNERS["three"], n=12)
    hyper = batch.hyperparameters
    # Rough functions, so that rows are far apart and the factor is well conditioned.
    hyper = Hyperparameters(
        0.3 * hyper.lengthscale, torch.full_like(hyper.noise, 1e-10), hyper.mean
    )
    posterior = condition(batch.data, KERNELS[name], hyper)
    found = values(paths_of(posterior, streams_of(range(4)), 16), batch.data.x)
    miss = (found - batch.data.y[:, None]) * batch.data.mask[:, None]
    assert miss.abs().max() < 1e-4
    between = values(paths_of(posterior, streams_of(range(4)), 16), batch.asked)
    assert (between.std(dim=1) > 0.05).all()


def test_far_from_all_rows_paths_are_draws_of_the_prior():
    """Mean and variance of 4,096, within 6 standard errors of normal ones."""
    batch, m = drawn(OWNERS["three"], b=2), 4096
    found = values(paths("rbf", batch, m, 64), batch.asked[:, :1] + 1e3)[..., 0]
    mean = batch.hyperparameters.mean
    assert ((found.mean(dim=1) - mean).abs() < 6 / math.sqrt(m)).all()
    assert ((found.var(dim=1) - 1).abs() < 6 * math.sqrt(2 / m)).all()


@pytest.mark.parametrize("places", [1, 4])
def test_free_places_leave_the_law_of_paths(places):
    """Noise is drawn for every place, so the paths differ: 4,096, within 5.5 standard errors."""
    batch, m = drawn(OWNERS["three"], b=1), 4096
    found = values(paths("matern52", batch, m, 64, places), batch.asked)[0]
    mean, covariance = Plain.of("matern52", batch, 0).predict(batch.asked[0])
    variance = covariance.diagonal()
    assert ((found.mean(dim=0) - mean).abs() < 5.5 * (variance / m).sqrt()).all()
    assert ((found.var(dim=0) - variance).abs() < 5.5 * variance * math.sqrt(2 / m)).all()


def test_rows_outside_the_mask_change_no_path():
    batch = drawn(OWNERS["three"])
    other = torch.where(batch.data.mask[..., None], batch.data.x, 0.9 + 0 * batch.data.x)
    moved = replace(
        batch,
        data=Data.of(
            other,
            torch.where(batch.data.mask, batch.data.y, 9.0),
            batch.data.mask,
            batch.data.lengthscale_of,
        ),
    )
    here, there = (values(paths("matern52", b, 3), batch.asked) for b in (batch, moved))
    assert torch.equal(here, there)


def test_the_first_paths_are_the_same_however_many_are_drawn():
    batch = drawn(OWNERS["three"])
    few, many = (values(paths("matern52", batch, m), batch.asked) for m in (3, 16))
    torch.testing.assert_close(few, many[:, :3], rtol=1e-9, atol=1e-9)


def test_paths_of_a_gp_and_of_two_gps_with_the_same_data_are_different_functions():
    batch = drawn(OWNERS["three"]).take(torch.tensor([0, 0]))
    found = values(paths("matern52", batch, 4), batch.asked).flatten(0, 1)
    assert ((found[:, None] - found[None]).abs().amax(dim=-1) > 1e-3).sum() == 8 * 7


def test_paths_apart_are_the_paths():
    batch, m = drawn(OWNERS["tied"], q=8), 3
    of = paths("matern52", batch, m)
    x = batch.asked[:, None].expand(-1, m, -1, -1)
    whole, apart = of.value_and_gradient(x), of.apart().value_and_gradient(x.flatten(0, 1)[:, None])
    for all_rows, some in zip(whole, apart, strict=True):
        assert torch.equal(all_rows.flatten(0, 1), some[:, 0])


@pytest.mark.parametrize("m", [1, 4])
@pytest.mark.parametrize("q", [7, 8])
def test_everywhere_is_the_value_at_points_that_all_share(m, q):
    batch = drawn(OWNERS["tied"], q=q)
    of = paths("matern52", batch, m)
    whole = of.value(batch.asked[:, None].expand(-1, m, -1, -1))
    torch.testing.assert_close(of.everywhere(batch.asked), whole, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("s", [1, 2, 3, 8])
@pytest.mark.parametrize("m", [1, 3, 4])
@pytest.mark.parametrize(("n", "d"), [(16, 1), (16, 2), (17, 7), (33, 3), (48, 6)])
def test_paths_have_the_same_bits_alone_and_in_a_batch(n, d, m, s):
    owners = {1: (0,), 2: (0, 1), 3: (0, 1, 2), 6: OWNERS["tied"], 7: (0, 0, 1, 2, 3, 4, 5)}
    batch = drawn(owners[d], b=24, n=n)
    x = Stream(1).at("x").uniform(24, m, s, d, like=LIKE)

    def everything(rows: list[int]) -> tuple[object, ...]:
        part = batch.take(torch.tensor(rows))
        posterior = condition(part.data, KERNELS["matern52"], part.hyperparameters)
        of = paths_of(posterior, streams_of(rows), m, frequencies=64)
        return of, of.value(x[rows]), *of.value_and_gradient(x[rows])

    whole = everything(list(range(24)))
    for rows in PARTS.values():
        agree(whole, everything(rows), rows)


def test_a_gp_whose_factor_failed_has_paths_of_nan_and_the_others_keep_their_bits():
    batch = drawn(OWNERS["three"])
    hyper = batch.hyperparameters
    noise = hyper.noise.clone()
    noise[1] = -2.0
    posterior = condition(batch.data, KERNELS["matern52"], replace(hyper, noise=noise))
    found = values(paths_of(posterior, streams_of(range(4)), 3), batch.asked)
    assert found[1].isnan().all()
    rows = [0, 2, 3]
    alone = paths_of(posterior.take(torch.tensor(rows)), streams_of(rows), 3)
    assert torch.equal(values(alone, batch.asked[rows]), found[rows])


@pytest.mark.parametrize("name", NAMES)
def test_paths_are_by_hand_what_equation_12_says(name):
    """One path from its waves and weights, term by term."""
    batch = drawn(OWNERS["three"], b=2)
    of = paths(name, batch, 2, 16)
    found = values(of, batch.asked)
    for row, path in ((0, 0), (1, 1)):
        x = (batch.asked[row] - 0.5) / of.scale[row]
        omega, phase = of.waves[row, path, :3], of.waves[row, path, 3]
        prior = ((x @ omega + phase).cos() * of.amplitudes[row, path, :, 0]).sum(dim=-1)
        k, _ = KERNELS[name].profile(squared_distances(x[None], of.x[row][None]))
        told = of.mean[row] + prior + k[0] @ of.weights[row, path, :, 0]
        torch.testing.assert_close(found[row, path], told, rtol=1e-10, atol=1e-10)
