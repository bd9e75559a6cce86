"""The increments of q-EI and the confidence bound, as functions of a prediction."""

import pytest
import torch

from hpo_research.acquisition import CRITERIA, confidence_bound, ei, log_ei, ucb
from hpo_research.rng import Stream

LIKE = torch.zeros(1, dtype=torch.float64)
SCORED = {**CRITERIA, "ucb": confidence_bound(4.0)}


def predictions(m, *, shift=0.0):
    """Return means, variances and values to improve on of 2 GPs and 5 points."""
    stream = Stream(0).at("predictions", m)
    mean = stream.at("mean").normal(2, 5, m, like=LIKE) + shift
    variance = stream.at("variance").uniform(2, 5, like=LIKE) + 0.05
    return mean, variance, stream.at("best").normal(2, m, like=LIKE)


@pytest.mark.parametrize("m", [1, 2, 64])
@pytest.mark.parametrize("shift", [0.0, 5.0])
@pytest.mark.parametrize("name", SCORED)
def test_derivatives_are_those_that_autograd_finds(name, shift, m):
    mean, variance, best = predictions(m, shift=shift)
    mean.requires_grad_()
    variance.requires_grad_()
    score = SCORED[name](mean, variance, best)
    by_mean, by_variance = torch.autograd.grad(score.value.sum(), (mean, variance))
    torch.testing.assert_close(score.by_mean, by_mean, rtol=1e-7, atol=1e-15)
    torch.testing.assert_close(score.by_variance, by_variance, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("m", [1, 2, 64])
def test_without_samples_the_increment_is_log_ei(m):
    mean, variance, best = predictions(1)
    score = CRITERIA["qlogei"](mean.repeat(1, 1, m), variance, best.repeat(1, m))
    expected = log_ei(mean[..., 0], variance, best)
    torch.testing.assert_close(score.value, expected, rtol=1e-13, atol=1e-13)


def test_the_increment_is_the_mean_over_samples_of_ei():
    mean, variance, best = predictions(64)
    expected = ei(mean, variance[..., None], best[:, None]).mean(dim=-1)
    torch.testing.assert_close(CRITERIA["qei"](mean, variance, best).value, expected)
    logarithm = CRITERIA["qlogei"](mean, variance, best).value
    torch.testing.assert_close(logarithm, expected.log())


@pytest.mark.parametrize("z", [40.0, 1e4])
def test_far_from_an_improvement_the_logarithm_has_a_value_and_a_gradient(z):
    mean, variance, best = predictions(4)
    mean = best[:, None] + z * variance.sqrt()[..., None] + 0 * mean
    score = CRITERIA["qlogei"](mean, variance, best)
    assert (CRITERIA["qei"](mean, variance, best).value == 0).all()
    assert all(part.isfinite().all() for part in score)
    assert (score.by_mean < 0).all()
    assert (score.by_variance > 0).all()


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_the_confidence_bound_is_that_of_the_mean_over_samples(beta):
    mean, variance, best = predictions(64)
    value = confidence_bound(beta)(mean, variance, best).value
    torch.testing.assert_close(value, ucb(mean.mean(dim=-1), variance, beta))
