"""The fit against BoTorch's, on data of known GPs, and beside neighbours that are singular."""

import math

import pytest
import torch
from botorch.fit import fit_gpytorch_mll
from gpytorch.mlls import ExactMarginalLogLikelihood

from hpo_research.gp import KERNELS, Data, Priors, condition, evidence, fit
from hpo_research.gp.transforms import standardised
from hpo_research.rng import Stream
from tests.gp.drawn import LIKE, gpytorch_evidence, gpytorch_model

MATERN = KERNELS["matern52"]


def smooth(b, n, d, seed=0):
    """Return noisy values of random waves, standardised."""
    stream = Stream(seed).at("waves", b, n, d)
    x = stream.at("x").uniform(b, n, d, like=LIKE)
    slopes = stream.at("slopes").normal(b, d, like=LIKE) * 4
    noise = 10 ** (-2 + 1.5 * stream.at("level").uniform(b, 1, like=LIKE))
    y = torch.sin((x * slopes[:, None]).sum(-1)) + x[..., 0] ** 2
    y = y + noise * stream.at("noise").normal(b, n, like=LIKE)
    return Data.of(x, standardised(y, torch.ones_like(y, dtype=torch.bool)).y)


def test_the_evidence_is_at_least_that_of_botorchs_fit():
    """One in twenty may end in another mode; none may end in one that is much worse."""
    data = smooth(20, 24, 3)
    ours, short = fit(data, [MATERN]), []
    for row in range(20):
        model = gpytorch_model("matern52", data.x[row], data.y[row])
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        short.append(gpytorch_evidence(model).item() - ours.log_evidence[row].item())
    assert sum(gap > 1e-3 for gap in short) <= 1
    assert max(short) < 2


@pytest.mark.parametrize("name", KERNELS)
def test_the_fit_reports_the_evidence_of_its_hyperparameters(name):
    data = smooth(4, 16, 2)
    found = fit(data, [KERNELS[name]])
    value, slope = evidence(found.hyperparameters.theta, data, KERNELS[name], Priors())
    torch.testing.assert_close(found.log_evidence, value, rtol=1e-9, atol=1e-9)
    priors = Priors()
    theta = found.hyperparameters.theta
    held = (theta[:, :2] <= math.log(priors.lengthscale_bounds[0]) + 1e-9).any(-1)
    held |= theta[:, 2] <= math.log(priors.noise_bounds[0]) + 1e-9
    assert slope[~held].abs().max() < 0.01


def test_a_fit_of_many_rows_ends_where_the_gradient_of_all_of_them_vanishes():
    """Its starts are compared on some of the rows."""
    data = smooth(1, 1016, 2)
    found = fit(data, [MATERN])
    value, slope = evidence(found.hyperparameters.theta, data, MATERN, Priors())
    torch.testing.assert_close(found.log_evidence, value, rtol=1e-9, atol=1e-9)
    assert found.has_converged.all() and slope.abs().max() < 1e-3 * 1016
    few = Data.of(data.x[:, ::2], data.y[:, ::2])
    part, _ = evidence(fit(few, [MATERN]).hyperparameters.theta, data, MATERN, Priors())
    assert value > part


def test_of_several_kernels_the_one_of_most_evidence_is_taken():
    """One in twenty may miss a mode that a fit of that kernel alone finds."""
    data, short = smooth(20, 24, 3), []
    found = fit(data, list(KERNELS.values()))
    alone = torch.stack([fit(data, [kernel]).log_evidence for kernel in KERNELS.values()])
    assert len(found.choice.unique()) > 1
    for row in range(20):
        kernel = list(KERNELS.values())[int(found.choice[row])]
        assert torch.equal(found.kernel.coefficients[row], kernel.coefficients[0])
        short.append((alone[:, row].max() - found.log_evidence[row]).item())
    value, _ = evidence(found.hyperparameters.theta, data, found.kernel, Priors())
    torch.testing.assert_close(found.log_evidence, value, rtol=1e-9, atol=1e-9)
    assert sum(gap > 1e-2 for gap in short) <= 1


def test_known_hyperparameters_are_recovered():
    """Of 16 GPs with 80 rows: medians, whose standard errors are below a third of the limits."""
    b, n, stream = 16, 80, Stream(4).at("recovered")
    x = stream.at("x").uniform(b, n, 2, like=LIKE)
    lengthscale = torch.tensor([0.3, 1.0], dtype=torch.float64)
    r = (5 * ((x[:, :, None] - x[:, None]) / lengthscale).square().sum(-1)).sqrt()
    k = (1 + r + r * r / 3) * torch.exp(-r) + 0.01 * torch.eye(n, dtype=torch.float64)
    y = (torch.linalg.cholesky(k) @ stream.at("y").normal(b, n, 1, like=LIKE))[..., 0]
    found = fit(Data.of(x, y), [MATERN]).hyperparameters
    ratio = found.lengthscale.median(dim=0).values / lengthscale
    assert (ratio.log().abs() < math.log(1.5)).all()
    assert found.noise.median().item() == pytest.approx(0.01, rel=0.3)


def singular(b, n):
    """Return healthy data in even rows, and a different injury in each odd one."""
    data, nan = smooth(b, n, 2), float("nan")
    x, y, mask = data.x.clone(), data.y.clone(), data.mask.clone()
    x[1] = 0.3  # all rows equal
    x[3, n // 2 :], y[3, n // 2 :] = x[3, : n // 2], y[3, : n // 2]  # every row twice
    y[5] = 0.0
    y[7] *= 1e12
    mask[9, 4:], x[9, 4:], y[9, 4:] = False, nan, float("inf")
    mask[11] = False
    y[13] = nan
    x[15], y[15] = 0.5, 0.0
    return Data.of(x, y, mask)


def test_a_singular_neighbour_changes_no_bit_of_a_fit():
    data, healthy = singular(16, 16), torch.arange(0, 16, 2)
    asked = Stream(5).uniform(16, 6, 2, like=LIKE)
    together, apart = fit(data, [MATERN]), fit(data.take(healthy), [MATERN])
    assert torch.equal(together.log_evidence[healthy], apart.log_evidence)
    hyper = together.hyperparameters
    assert torch.equal(hyper.theta[healthy], apart.hyperparameters.theta)
    joint = condition(data, MATERN, hyper).predict(asked)
    alone = condition(data.take(healthy), MATERN, apart.hyperparameters).predict(asked[healthy])
    assert torch.equal(joint.mean[healthy], alone.mean)
    assert torch.equal(joint.variance[healthy], alone.variance)


def test_singular_data_get_finite_hyperparameters():
    data = singular(16, 16)
    found = fit(data, [MATERN])
    assert found.hyperparameters.theta.isfinite().all()
    known = torch.arange(16) != 13
    assert found.log_evidence[known].isfinite().all()
    prediction = condition(data, MATERN, found.hyperparameters).predict(data.x)
    assert prediction.mean[known].isfinite().all()
    assert prediction.variance.isfinite().all()


def test_where_nothing_can_be_evaluated_the_priors_mode_stands():
    data = smooth(2, 16, 2)
    y = data.y.clone()
    y[1] = float("nan")
    found, priors = fit(Data.of(data.x, y), [MATERN]), Priors()
    assert found.log_evidence[1] == -math.inf
    mode = priors.location(2) - priors.lengthscale_scale**2
    torch.testing.assert_close(
        found.hyperparameters.lengthscale[1].log(), torch.full((2,), mode, dtype=torch.float64)
    )
