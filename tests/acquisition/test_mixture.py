"""Acquisition functions averaged over models."""

import pytest
import torch

from hpo_research.acquisition import CRITERIA, GPAcquisition, MixtureAcquisition, confidence_bound
from hpo_research.gp import KERNELS, Data, condition, fits, stacked
from hpo_research.gp.quasi_random import normal_set
from hpo_research.rng import Stream

LIKE = torch.zeros(1, dtype=torch.float64)
RUNS, PLACES = 2, 4
SCORED = {**CRITERIA, "ucb": confidence_bound(4.0)}


def drawn():
    """Return data, the members' fits, and points to ask at."""
    stream = Stream(0).at("mixture")
    x = stream.at("x").uniform(RUNS, 16, 3, like=LIKE)
    y = (x - 0.4).square().sum(dim=-1) + 0.1 * stream.at("y").normal(RUNS, 16, like=LIKE)
    y = (y - y.mean(dim=1, keepdim=True)) / y.std(dim=1, keepdim=True)
    data = Data.of(x, y)
    return (
        data,
        fits(data, list(KERNELS.values())),
        stream.at("asked").uniform(RUNS, 6, 3, like=LIKE),
    )


def surfaces(name):
    """Return the mixture, and each model's surface by itself."""
    data, found, _ = drawn()
    rows = torch.arange(RUNS).repeat(len(found))
    best = data.y.amin(dim=1, keepdim=True).expand(-1, 2)
    samples = normal_set(8, PLACES).to(data.x)

    def surface(own, fit, best):
        posterior = condition(own, fit.kernel, fit.hyperparameters, free_rows=PLACES)
        return GPAcquisition(posterior, SCORED[name], best, samples.expand(len(best), -1, -1))

    log_weight = torch.stack([one.log_evidence for one in found], dim=1).log_softmax(dim=1)
    members = surface(data.take(rows), stacked(found), best[rows])
    mixture = MixtureAcquisition(members, log_weight, is_log=name == "qlogei")
    return mixture, [surface(data, one, best) for one in found]


@pytest.mark.parametrize("pending", [0, 2])
@pytest.mark.parametrize("name", SCORED)
def test_a_mixture_is_the_weighted_mean_of_what_its_members_expect(name, pending):
    mixture, alone = surfaces(name)
    *_, x = drawn()
    for k in range(pending):
        mixture = mixture.pending(x[:, k])
        alone = [one.pending(x[:, k]) for one in alone]
    values = torch.stack([one.value(x) for one in alone])
    values = values.exp() if name == "qlogei" else values
    expected = (mixture.log_weight.exp().T[..., None] * values).sum(dim=0)
    found = mixture.value(x)
    torch.testing.assert_close(found.exp() if name == "qlogei" else found, expected)
    torch.testing.assert_close(mixture.cached(x).values(), found)


@pytest.mark.parametrize("name", SCORED)
def test_a_screen_follows_what_becomes_pending(name):
    mixture, _ = surfaces(name)
    *_, x = drawn()
    cached = mixture.cached(x).pending(x[:, 0])
    expected = mixture.pending(x[:, 0])
    torch.testing.assert_close(cached.values(), expected.value(x), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(cached.surface.value(x), expected.value(x))


@pytest.mark.parametrize("name", SCORED)
def test_its_gradient_is_that_of_finite_differences(name):
    mixture, _ = surfaces(name)
    *_, x = drawn()
    value, gradient = mixture.value_and_gradient(x)
    torch.testing.assert_close(value, mixture.value(x))
    for j in range(3):
        step = torch.zeros(3, dtype=torch.float64)
        step[j] = 1e-6
        slope = (mixture.value(x + step) - mixture.value(x - step)) / 2e-6
        torch.testing.assert_close(gradient[..., j], slope, rtol=1e-4, atol=1e-6)


def test_a_run_alone_is_the_same_to_the_bit():
    mixture, _ = surfaces("qlogei")
    *_, x = drawn()
    for run in range(RUNS):
        alone = mixture.take(torch.tensor([run]))
        for found, expected in zip(
            alone.value_and_gradient(x[run : run + 1]), mixture.value_and_gradient(x), strict=True
        ):
            assert torch.equal(found[0], expected[run])


def test_moments_are_those_of_samples():
    mixture, alone = surfaces("qlogei")
    *_, x = drawn()
    mean, variance = mixture.moments(x)
    draws, weights = [], mixture.log_weight.exp()
    normal = Stream(1).at("moments").normal(200_000, like=LIKE)
    for k, one in enumerate(alone):
        own, spread = one.moments(x)
        draws.append((own[..., None] + spread.sqrt()[..., None] * normal, weights[:, k]))
    expected = sum(w[:, None] * d.mean(dim=-1) for d, w in draws)
    square = sum(w[:, None] * d.square().mean(dim=-1) for d, w in draws)
    torch.testing.assert_close(mean, expected, rtol=0.0, atol=0.01)
    torch.testing.assert_close(variance, square - expected.square(), rtol=0.03, atol=1e-3)
