"""q-EI over samples against BoTorch, with the same samples; theirs maximises, ours minimises."""

import pytest
import torch
from botorch.acquisition import qExpectedImprovement, qLogExpectedImprovement
from botorch.acquisition.objective import GenericMCObjective
from botorch.sampling import SobolQMCNormalSampler

from hpo_research.acquisition.montecarlo import qei, qlogei
from tests.gp.drawn import OWNERS, drawn, gpytorch_row

pytestmark = pytest.mark.filterwarnings("ignore:.*qExpectedImprovement has known numerical")

PAIRS = {"qei": (qei, qExpectedImprovement), "qlogei": (qlogei, qLogExpectedImprovement)}
MINIMISED = GenericMCObjective(lambda samples, X=None: -samples[..., 0])


@pytest.mark.parametrize("best", [-4.0, -1.0, 0.0, 1.5])
@pytest.mark.parametrize("q", [1, 2, 4])
@pytest.mark.parametrize("name", PAIRS)
def test_the_value_is_botorchs_on_the_same_samples(name, q, best):
    ours, theirs = PAIRS[name]
    batch = drawn(OWNERS["three"], q=3 * q)
    model, points = gpytorch_row("matern52", batch, 0), batch.asked[0].reshape(3, q, -1)
    sampler = SobolQMCNormalSampler(torch.Size([64]), seed=7)
    criterion = theirs(model, best_f=-best, sampler=sampler, objective=MINIMISED)
    with torch.no_grad():
        expected = criterion(points)
        samples = sampler(model.posterior(points))[..., 0].transpose(0, 1)
    found = ours(samples, torch.full((3,), best, dtype=torch.float64))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("q", [1, 4])
def test_the_gradient_of_qlogei_is_botorchs(q):
    batch = drawn(OWNERS["three"], q=q)
    model = gpytorch_row("matern52", batch, 0)
    sampler = SobolQMCNormalSampler(torch.Size([64]), seed=7)
    criterion = qLogExpectedImprovement(model, best_f=1.0, sampler=sampler, objective=MINIMISED)
    x = batch.asked[:1].clone().requires_grad_()
    (expected,) = torch.autograd.grad(criterion(x).sum(), x)
    z = batch.asked[:1].clone().requires_grad_()
    samples = sampler(model.posterior(z))[..., 0].transpose(0, 1)
    found = qlogei(samples, torch.tensor([-1.0], dtype=torch.float64))
    (gradient,) = torch.autograd.grad(found.sum(), z)
    torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-9)


def test_where_qei_underflows_qlogei_has_a_value_and_a_gradient():
    """Every sample of every point is 40 deviations short of an improvement."""
    generator = torch.Generator().manual_seed(0)
    samples = 40 + 0.1 * torch.randn(64, 3, dtype=torch.float64, generator=generator)
    samples.requires_grad_()
    best = torch.tensor(0.0, dtype=torch.float64)
    assert qei(samples, best).item() == 0
    value = qlogei(samples, best)
    (gradient,) = torch.autograd.grad(value, samples)
    assert value.isfinite()
    assert gradient.isfinite().all()
    assert (gradient < 0).all()


def test_a_small_temperature_gives_the_logarithm_of_qei():
    generator = torch.Generator().manual_seed(1)
    samples = torch.randn(64, 3, dtype=torch.float64, generator=generator)
    best = torch.tensor(-0.5, dtype=torch.float64)
    found = qlogei(samples, best, tau_max=1e-6, tau_relu=1e-9)
    torch.testing.assert_close(found, qei(samples, best).log(), rtol=1e-5, atol=1e-5)
