"""The posterior against GPyTorch, and each step of conditioning against a dense solve."""

import pytest
import torch

from hpo_research.gp import KERNELS, condition
from hpo_research.gp.posterior import LEAST_VARIANCE
from hpo_research.rng import Stream
from tests.gp.drawn import LIKE, OWNERS, Plain, drawn, gpytorch_row

NAMES = list(KERNELS)


@pytest.mark.parametrize("lengthscale_of", OWNERS.values(), ids=list(OWNERS))
@pytest.mark.parametrize("name", NAMES)
def test_mean_and_variance_are_gpytorchs(name, lengthscale_of):
    batch = drawn(lengthscale_of)
    found = condition(batch.data, KERNELS[name], batch.hyperparameters).predict(batch.asked)
    for row in range(len(batch.asked)):
        with torch.no_grad():
            theirs = gpytorch_row(name, batch, row).posterior(batch.asked[row])
        mean, variance = theirs.mean[:, 0], theirs.variance[:, 0]
        torch.testing.assert_close(found.mean[row, :, 0], mean, rtol=1e-6, atol=1e-8)
        torch.testing.assert_close(found.variance[row], variance, rtol=1e-6, atol=1e-10)


def test_without_samples_all_weights_are_equal():
    batch = drawn(OWNERS["three"])
    found = condition(batch.data, KERNELS["matern52"], batch.hyperparameters)
    assert torch.equal(found.weights, found.weights[..., :1].expand_as(found.weights))


@pytest.mark.parametrize("places", [1, 4, 16])
def test_free_places_change_no_prediction(places):
    batch = drawn(OWNERS["three"])
    kernel, hyper = KERNELS["matern52"], batch.hyperparameters
    before = condition(batch.data, kernel, hyper).predict(batch.asked)
    after = condition(batch.data, kernel, hyper, free_rows=places).predict(batch.asked)
    torch.testing.assert_close(after.mean, before.mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(after.variance, before.variance, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("lengthscale_of", OWNERS.values(), ids=list(OWNERS))
@pytest.mark.parametrize("name", NAMES)
def test_one_point_at_a_time_is_all_points_at_once(name, lengthscale_of):
    batch, m, points = drawn(lengthscale_of, b=3), 3, 3
    b, n = batch.data.mask.shape
    stream = Stream(1).at("pending", len(lengthscale_of))
    pending = stream.at("x").uniform(b, points, len(lengthscale_of), like=LIKE)
    z = stream.at("z").normal(b, points, m, like=LIKE)
    posterior = condition(batch.data, KERNELS[name], batch.hyperparameters, free_rows=points)
    for k in range(points):
        posterior = posterior.extended(pending[:, k], z[:, k], n + k)
    found = posterior.predict(batch.asked)
    for row in range(b):
        for sample in range(m):
            plain = Plain.of(name, batch, row)
            for k in range(points):
                mean, covariance = plain.predict(pending[row, k : k + 1])
                value = mean[0] + covariance[0, 0].sqrt() * z[row, k, sample]
                plain = plain.with_value(pending[row, k], value)
            mean, covariance = plain.predict(batch.asked[row])
            close = torch.testing.assert_close
            close(found.mean[row, :, sample], mean, rtol=1e-6, atol=1e-8)
            close(found.variance[row], covariance.diagonal(), rtol=1e-6, atol=1e-9)


def test_a_point_that_is_pending_many_times_leaves_the_posterior_where_it_was():
    batch = drawn(OWNERS["three"])
    b, n = batch.data.mask.shape
    posterior = condition(batch.data, KERNELS["matern52"], batch.hyperparameters, free_rows=6)
    point = batch.asked[:, 0]
    z = Stream(2).normal(b, 6, 4, like=LIKE)
    posterior = posterior.extended(point, z[:, 0], n)
    once = posterior.predict(batch.asked[:, 1:])
    for k in range(1, 6):
        posterior = posterior.extended(point, z[:, k], n + k)
    often = posterior.predict(batch.asked[:, 1:])
    torch.testing.assert_close(often.mean, once.mean, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(often.variance, once.variance, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("extended", [False, True], ids=["known", "pending"])
@pytest.mark.parametrize("lengthscale_of", OWNERS.values(), ids=list(OWNERS))
@pytest.mark.parametrize("name", NAMES)
def test_the_pullback_is_what_autograd_says(name, lengthscale_of, extended):
    batch, m = drawn(lengthscale_of), 3 if extended else 2
    b, n = batch.data.mask.shape
    posterior = condition(batch.data, KERNELS[name], batch.hyperparameters, free_rows=2)
    stream = Stream(3).at("pullback", len(lengthscale_of))
    if extended:
        for k in range(2):
            point = stream.at("x", k).uniform(b, len(lengthscale_of), like=LIKE)
            posterior = posterior.extended(point, stream.at("z", k).normal(b, m, like=LIKE), n + k)
    by_mean = stream.at("mean").normal(*batch.asked.shape[:2], m, like=LIKE)
    by_variance = stream.at("variance").normal(*batch.asked.shape[:2], like=LIKE)
    x = batch.asked.clone().requires_grad_()
    traced = posterior.predict(x)
    total = (traced.mean * by_mean).sum() + (traced.variance * by_variance).sum()
    (expected,) = torch.autograd.grad(total, x)
    prediction, pullback = posterior.predict_with_pullback(batch.asked)
    assert torch.equal(prediction.mean, posterior.predict(batch.asked).mean)
    torch.testing.assert_close(pullback(by_mean, by_variance), expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_at_a_known_row_everything_is_finite(name):
    batch = drawn(OWNERS["three"])
    posterior = condition(batch.data, KERNELS[name], batch.hyperparameters)
    prediction, pullback = posterior.predict_with_pullback(batch.data.x)
    slope = pullback(torch.ones_like(prediction.mean), torch.ones_like(prediction.variance))
    assert slope.isfinite().all()
    assert prediction.mean.isfinite().all()
    assert (prediction.variance >= LEAST_VARIANCE).all()


def test_far_from_all_rows_the_prior_is_predicted():
    batch = drawn(OWNERS["three"])
    posterior = condition(batch.data, KERNELS["rbf"], batch.hyperparameters)
    found = posterior.predict(batch.asked + 1e3)
    torch.testing.assert_close(found.variance, torch.ones_like(found.variance))
    mean = batch.hyperparameters.mean[:, None, None].expand_as(found.mean)
    torch.testing.assert_close(found.mean, mean)
