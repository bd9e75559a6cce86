"""The evidence and its gradient against GPyTorch, BoTorch's priors and finite differences."""

import pytest
import torch
from gpytorch.priors import LogNormalPrior

from hpo_research.gp import KERNELS, Data, Priors, evidence
from tests.gp.drawn import OWNERS, drawn, gpytorch_evidence, gpytorch_model, gpytorch_row

NAMES = list(KERNELS)


def by_logarithms(model, data, row, theta):
    """Turn GPyTorch's derivatives by ℓ of each column, σ² and μ into ours."""
    by_column = model.covar_module.raw_lengthscale.grad[0] * model.covar_module.lengthscale[0]
    by_noise = model.likelihood.noise_covar.raw_noise.grad * model.likelihood.noise
    ends = [by_noise, model.mean_module.raw_constant.grad[None]]
    return torch.cat([data.membership @ by_column, *ends]).detach()


@pytest.mark.parametrize("lengthscale_of", OWNERS.values(), ids=list(OWNERS))
@pytest.mark.parametrize("name", NAMES)
def test_the_evidence_and_its_gradient_are_gpytorchs(name, lengthscale_of):
    batch = drawn(lengthscale_of)
    value, gradient = evidence(batch.theta, batch.data, KERNELS[name], None)
    for row in range(len(value)):
        model = gpytorch_row(name, batch, row)
        model.likelihood.noise_covar._priors.clear()
        model.covar_module._priors.clear()
        theirs = gpytorch_evidence(model)
        theirs.backward()
        assert value[row].item() == pytest.approx(theirs.item(), rel=1e-6)
        expected = by_logarithms(model, batch.data, row, batch.theta)
        torch.testing.assert_close(gradient[row], expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("lengthscale_of", [OWNERS[k] for k in ("one", "three", "ten")], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_the_priors_are_those_of_botorchs_model(name, lengthscale_of):
    batch = drawn(lengthscale_of)
    value, gradient = evidence(batch.theta, batch.data, KERNELS[name], Priors())
    for row in range(len(value)):
        model = gpytorch_row(name, batch, row)
        theirs = gpytorch_evidence(model)
        theirs.backward()
        assert value[row].item() == pytest.approx(theirs.item(), rel=1e-6)
        expected = by_logarithms(model, batch.data, row, batch.theta)
        torch.testing.assert_close(gradient[row], expected, rtol=1e-6, atol=1e-7)


def double(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


@pytest.mark.parametrize("p", [1, 3, 10])
def test_the_density_of_the_priors_is_that_of_log_normal_variables(p):
    priors, theta = Priors(), drawn(tuple(range(p))).theta.requires_grad_()
    lengthscale = LogNormalPrior(*double(priors.location(p), priors.lengthscale_scale))
    noise = LogNormalPrior(*double(priors.noise_location, priors.noise_scale))
    positive = theta[:, :-1].exp()
    expected = lengthscale.log_prob(positive[:, :-1]).sum(-1) + noise.log_prob(positive[:, -1])
    (slope,) = torch.autograd.grad(expected.sum(), theta)
    density, gradient = priors.log_density(theta.detach())
    torch.testing.assert_close(density, expected.detach(), rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, slope, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("p", [1, 3, 10])
def test_the_default_priors_and_bounds_are_read_from_botorch(p):
    x = torch.rand(5, p, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    model, priors = gpytorch_model("matern52", x, x[:, 0]), Priors()
    lengthscale, noise = model.covar_module, model.likelihood.noise_covar
    assert lengthscale.lengthscale_prior.loc.item() == pytest.approx(priors.location(p))
    assert lengthscale.lengthscale_prior.scale.item() == pytest.approx(priors.lengthscale_scale)
    assert noise.noise_prior.loc.item() == pytest.approx(priors.noise_location)
    assert noise.noise_prior.scale.item() == pytest.approx(priors.noise_scale)
    least = lengthscale.raw_lengthscale_constraint.lower_bound.item()
    assert least == pytest.approx(priors.lengthscale_bounds[0])
    assert noise.raw_noise_constraint.lower_bound.item() == pytest.approx(priors.noise_bounds[0])


@pytest.mark.parametrize("lengthscale_of", OWNERS.values(), ids=list(OWNERS))
@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_is_that_of_central_differences(name, lengthscale_of):
    batch, kernel, step = drawn(lengthscale_of), KERNELS[name], 1e-5
    gradient = evidence(batch.theta, batch.data, kernel, Priors())[1]
    slopes = []
    for moved in torch.eye(batch.theta.shape[1], dtype=torch.float64) * step:
        above = evidence(batch.theta + moved, batch.data, kernel, Priors())[0]
        below = evidence(batch.theta - moved, batch.data, kernel, Priors())[0]
        slopes.append((above - below) / (2 * step))
    torch.testing.assert_close(gradient, torch.stack(slopes, dim=-1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("more", [1, 7, 32])
@pytest.mark.parametrize("name", NAMES)
def test_padding_adds_nothing(name, more):
    batch = drawn(OWNERS["tied"])
    x, y, mask = batch.data.x, batch.data.y, batch.data.mask
    wider = Data.of(
        torch.nn.functional.pad(x, (0, 0, 0, more), value=0.2),
        torch.nn.functional.pad(y, (0, more), value=3.0),
        torch.nn.functional.pad(mask, (0, more), value=False),
        batch.data.lengthscale_of,
    )
    value, gradient = evidence(batch.theta, batch.data, KERNELS[name], Priors())
    padded, slope = evidence(batch.theta, wider, KERNELS[name], Priors())
    torch.testing.assert_close(padded, value, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(slope, gradient, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("garbage", [0.0, 1e3, -1e150, float("nan"), float("inf")])
def test_what_stands_in_padded_rows_changes_no_bit(garbage):
    batch = drawn(OWNERS["three"])
    hidden = ~batch.data.mask
    x = batch.data.x.masked_fill(hidden[..., None], garbage)
    y = batch.data.y.masked_fill(hidden, garbage)
    other = Data.of(x, y, batch.data.mask, batch.data.lengthscale_of)
    before = evidence(batch.theta, batch.data, KERNELS["matern52"], Priors())
    after = evidence(batch.theta, other, KERNELS["matern52"], Priors())
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])


def test_a_gp_that_knows_nothing_has_the_priors_evidence():
    batch = drawn(OWNERS["three"])
    mask = torch.zeros_like(batch.data.mask)
    nothing = Data.of(batch.data.x, batch.data.y, mask, batch.data.lengthscale_of)
    value, gradient = evidence(batch.theta, nothing, KERNELS["rbf"], Priors())
    density, slope = Priors().log_density(batch.theta)
    assert torch.equal(value, density)
    assert torch.equal(gradient, slope)


def test_hyperparameters_survive_the_way_to_a_vector_and_back():
    batch = drawn(OWNERS["tied"])
    torch.testing.assert_close(batch.hyperparameters.theta, batch.theta, rtol=1e-14, atol=1e-14)
