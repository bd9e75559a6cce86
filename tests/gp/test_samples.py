"""The function drawn at its data, and conditioned on the draws: against dense algebra."""

from dataclasses import replace

import pytest
import torch

from hpo_research.gp import KERNELS, condition, condition_on_samples
from hpo_research.gp.quasi_random import normal_set
from tests.gp.drawn import OWNERS, Plain, drawn

NAMES = list(KERNELS)
MANY = 4096


def sampled(batch, name: str, count: int):
    normals = normal_set(count, 2 * batch.data.x.shape[1], "noisy")
    return condition_on_samples(batch.data, KERNELS[name], batch.hyperparameters, normals)


@pytest.mark.parametrize("lengthscale_of", OWNERS.values(), ids=list(OWNERS))
@pytest.mark.parametrize("name", NAMES)
def test_each_sample_predicts_as_if_its_draws_were_the_data(name, lengthscale_of):
    batch = drawn(lengthscale_of, b=3)
    posterior, values = sampled(batch, name, 3)
    found = posterior.predict(batch.asked)
    for row in range(3):
        known = batch.data.mask[row]
        plain = Plain.of(name, batch, row)
        for m in range(3):
            noiseless = torch.full_like(plain.noise, 1e-6)
            exact = replace(plain, y=values[row, known, m], noise=noiseless)
            mean, covariance = exact.predict(batch.asked[row])
            torch.testing.assert_close(found.mean[row, :, m], mean, rtol=1e-6, atol=1e-6)
            torch.testing.assert_close(
                found.variance[row], covariance.diagonal(), rtol=1e-6, atol=1e-8
            )


@pytest.mark.parametrize("name", NAMES)
def test_the_draws_have_the_posteriors_mean_and_covariance(name):
    batch = drawn(OWNERS["three"], b=2)
    _, values = sampled(batch, name, MANY)
    for row in range(2):
        known = batch.data.mask[row]
        mean, covariance = Plain.of(name, batch, row).predict(batch.data.x[row, known])
        # Quasi-random samples: both errors are well below the 1/√4096 = 0.016 of independent ones.
        torch.testing.assert_close(values[row, known].mean(dim=-1), mean, rtol=0, atol=2e-3)
        torch.testing.assert_close(values[row, known].cov(), covariance, rtol=0, atol=4e-3)


@pytest.mark.parametrize("name", NAMES)
def test_over_the_draws_the_prediction_is_the_noisy_posteriors(name):
    batch = drawn(OWNERS["three"], b=2)
    found = sampled(batch, name, MANY)[0].predict(batch.asked)
    exact = condition(batch.data, KERNELS[name], batch.hyperparameters).predict(batch.asked)
    variance = found.variance + found.mean.var(dim=-1)
    torch.testing.assert_close(found.mean.mean(dim=-1), exact.mean[..., 0], rtol=0, atol=2e-3)
    torch.testing.assert_close(variance, exact.variance, rtol=0, atol=4e-3)


def test_without_noise_the_draws_are_the_data():
    batch = drawn(OWNERS["three"], b=2)
    quiet = replace(batch, theta=batch.theta.index_fill(1, torch.tensor([3]), -18.0))
    _, values = sampled(quiet, "matern52", 8)
    known = quiet.data.mask[..., None].expand_as(values)
    expected = quiet.data.y[..., None].expand_as(values)
    torch.testing.assert_close(values[known], expected[known], rtol=0, atol=1e-3)
