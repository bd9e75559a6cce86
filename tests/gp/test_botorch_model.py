"""Our posterior as a BoTorch model: the same numbers, and derivatives wherever one may ask."""

import pytest
import torch
from botorch.acquisition import LogExpectedImprovement, qLogNoisyExpectedImprovement
from botorch.acquisition.objective import ScalarizedPosteriorTransform
from botorch.sampling.normal import SobolQMCNormalSampler
from botorch.sampling.pathwise import draw_kernel_feature_paths, draw_matheron_paths

from hpo_research.acquisition import log_ei
from hpo_research.errors import StrategyError
from hpo_research.gp import KERNELS, Data, Hyperparameters, condition
from hpo_research.gp.botorch_model import PosteriorModel
from hpo_research.rng import Stream, lent
from tests.gp.drawn import gpytorch_model

LIKE = torch.zeros(0, dtype=torch.float64)
STREAM = Stream(8)
D, KNOWN = 3, 9
OWNER = (0, 1, 1)

every_kernel = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)


def posterior(kernel=KERNELS["matern52"], runs=1):
    """GPs of nine rows and three of padding, of which two columns share a lengthscale."""
    x = STREAM.at("x").uniform(runs, KNOWN + 3, D, like=LIKE)
    y = (x - 0.3).square().sum(dim=-1) + 0.1 * STREAM.at("y").normal(runs, KNOWN + 3, like=LIKE)
    mask = (torch.arange(KNOWN + 3) < KNOWN).expand(runs, -1)
    one = torch.ones(runs, dtype=torch.float64)
    scale = torch.tensor([[0.4, 0.9]]).double().expand(runs, -1)
    data = Data.of(x, y, mask, OWNER)
    return condition(data, kernel, Hyperparameters(scale, 0.01 * one, 0.2 * one)), data


def model_of(kernel=KERNELS["matern52"]):
    return PosteriorModel(*posterior(kernel))


def points(*shape, name="points"):
    return STREAM.at(name).uniform(*shape, D, like=LIKE)


def training_rows(fitted):
    return fitted.x[0, :KNOWN] * fitted.scale[0] + 0.5


@every_kernel
def test_means_and_variances_are_those_of_the_posterior(kernel):
    model, x = model_of(kernel), points(20)
    own, dressed = model.fitted.predict(x[None]), model.posterior(x)
    torch.testing.assert_close(-dressed.mean[:, 0], own.mean[0, :, 0], atol=1e-10, rtol=0)
    torch.testing.assert_close(dressed.variance[:, 0], own.variance[0], atol=1e-10, rtol=0)


@every_kernel
def test_the_joint_covariance_is_that_of_the_textbook(kernel):
    # Rasmussen and Williams (2006), equation 2.24, with distances by differences.
    model, x = model_of(kernel), points(6)
    fitted = model.fitted
    both = torch.cat([training_rows(fitted), x]) / fitted.scale[0]
    k, _ = kernel.profile((both[:, None] - both[None]).square().sum(dim=-1))
    noisy = k[:KNOWN, :KNOWN] + 0.01 * torch.eye(KNOWN).double()
    expected = k[KNOWN:, KNOWN:] - k[KNOWN:, :KNOWN] @ torch.linalg.solve(noisy, k[:KNOWN, KNOWN:])
    found = model.posterior(x).distribution.covariance_matrix
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)


def test_batches_of_any_shape_are_predicted_each_by_itself():
    model, x = model_of(), points(2, 3, 4)
    whole = model.posterior(x)
    assert whole.mean.shape == (2, 3, 4, 1)
    for i in range(2):
        for j in range(3):
            one = model.posterior(x[i, j])
            torch.testing.assert_close(whole.mean[i, j], one.mean, atol=1e-12, rtol=0)
            torch.testing.assert_close(
                whole.distribution.covariance_matrix[i, j],
                one.distribution.covariance_matrix,
                atol=1e-12,
                rtol=0,
            )


@every_kernel
def test_its_log_expected_improvement_is_ours(kernel):
    model, x, best = model_of(kernel), points(30), torch.tensor(-0.1).double()
    own = model.fitted.predict(x[None])
    expected = log_ei(own.mean[0, :, 0], own.variance[0], best)
    found = LogExpectedImprovement(model, best_f=-best)(x[:, None, :])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@every_kernel
def test_derivatives_are_those_of_the_posterior_also_on_a_known_row(kernel):
    model = model_of(kernel)
    fitted = model.fitted
    x = torch.cat([points(5), training_rows(fitted)]).requires_grad_()
    found = model.posterior(x[:, None, :])
    total = found.mean.sum() + 3 * found.variance.sum()
    (gradient,) = torch.autograd.grad(total, x)
    prediction, pullback = fitted.predict_with_pullback(x.detach()[None])
    by_mean = torch.zeros_like(prediction.mean)
    by_mean[..., 0] = -1.0
    expected = pullback(by_mean, torch.full_like(prediction.variance, 3.0))[0]
    torch.testing.assert_close(gradient, expected, atol=1e-8, rtol=1e-8)


def test_the_covariance_has_derivatives_by_every_point():
    model = model_of()

    def covariance(x):
        return model.posterior(x).distribution.lazy_covariance_matrix.to_dense()

    assert torch.autograd.gradcheck(covariance, points(3).requires_grad_(), atol=1e-6)


def test_noise_is_added_where_it_is_asked_for():
    model, x = model_of(), points(2, 4)
    quiet = model.posterior(x).variance
    torch.testing.assert_close(model.posterior(x, observation_noise=True).variance, quiet + 0.01)
    own = torch.full((2, 4, 1), 0.5, dtype=torch.float64)
    torch.testing.assert_close(model.posterior(x, observation_noise=own).variance, quiet + 0.5)


def test_a_posterior_transform_is_applied():
    model, x = model_of(), points(4)
    double = ScalarizedPosteriorTransform(weights=torch.tensor([2.0]).double())
    found = model.posterior(x, posterior_transform=double)
    torch.testing.assert_close(found.mean, 2 * model.posterior(x).mean)


def test_noisy_improvement_is_finite_on_known_and_repeated_points():
    model = model_of()
    rows = training_rows(model.fitted)
    sampler = SobolQMCNormalSampler(torch.Size([16]), seed=1)
    function = qLogNoisyExpectedImprovement(model, rows, sampler, X_pending=rows[:2])
    x = rows[:, None, :].clone().requires_grad_()
    value = function(x)
    assert value.isfinite().all()
    assert torch.autograd.grad(value.sum(), x)[0].isfinite().all()


def test_it_has_one_output_and_no_batch_of_its_own():
    model = model_of()
    assert (model.num_outputs, model.batch_shape) == (1, torch.Size([]))
    assert model.subset_output([0]) is model
    with pytest.raises(StrategyError, match=r"subset_output\(\[1\]\): there is one output, \[0\]"):
        model.subset_output([1])
    with pytest.raises(StrategyError, match="there is one output"):
        model.posterior(points(2), output_indices=[2])


def test_several_gps_are_refused():
    with pytest.raises(StrategyError, match=r"PosteriorModel\(fitted\): expected one GP, got 2"):
        PosteriorModel(*posterior(runs=2))


# --- fantasies, assumed observations and paths, beside BoTorch's own ---

every_name = pytest.mark.parametrize("name", KERNELS)


def theirs_of(model, name="matern52"):
    """BoTorch's class with the same numbers, its caches filled by a first prediction."""
    theirs = gpytorch_model(name, model.data.x[0, :KNOWN], -model.data.y[0, :KNOWN])
    theirs.covar_module.lengthscale = torch.tensor([0.4, 0.9, 0.9]).double()
    theirs.likelihood.noise = 0.01
    theirs.mean_module.constant = -0.2
    theirs.requires_grad_(False).eval().posterior(points(1))
    return theirs


def agree(ours, theirs):
    torch.testing.assert_close(ours.mean, theirs.mean, atol=1e-6, rtol=0)
    covariances = [p.distribution.covariance_matrix for p in (ours, theirs)]
    torch.testing.assert_close(*covariances, atol=1e-6, rtol=0)


def sampler(count):
    return SobolQMCNormalSampler(torch.Size([count]), seed=3)


@every_name
def test_the_posterior_is_botorchs_of_the_same_hyperparameters(name):
    model, x = model_of(KERNELS[name]), points(2, 5)
    theirs = theirs_of(model, name)
    agree(model.posterior(x), theirs.posterior(x))
    agree(model.posterior(x, observation_noise=True), theirs.posterior(x, observation_noise=True))
    agree(model.single_task.posterior(x), theirs.posterior(x))
    torch.testing.assert_close(model(x).mean, theirs(x).mean, atol=1e-6, rtol=0)
    torch.testing.assert_close(model(x).variance, theirs(x).variance, atol=1e-6, rtol=0)
    assert torch.equal(model.train_inputs[0], theirs.train_inputs[0])
    assert torch.equal(model.train_targets, theirs.train_targets)
    torch.testing.assert_close(model.likelihood.noise, theirs.likelihood.noise)


@every_name
@pytest.mark.parametrize("shape", [(), (2,), (4, 2)], ids=["rows", "batch", "two batches"])
def test_fantasies_have_botorchs_mean_and_covariance(name, shape):
    model, x, asked = model_of(KERNELS[name]), points(*shape, 2), points(*shape, 3, name="asked")
    ours, theirs = (m.fantasize(x, sampler(5)) for m in (model, theirs_of(model, name)))
    assert ours.batch_shape == theirs.batch_shape == (5, *shape)
    agree(ours.posterior(asked), theirs.posterior(asked))
    agree(
        ours.posterior(asked, observation_noise=True),
        theirs.posterior(asked, observation_noise=True),
    )
    torch.testing.assert_close(ours.train_targets, theirs.train_targets, atol=1e-6, rtol=0)
    assert torch.equal(ours.train_inputs[0], theirs.train_inputs[0].expand(5, *shape, -1, -1))


def test_fantasies_of_fantasies_are_botorchs():
    model, asked = model_of(), points(3, name="asked")
    ours, theirs = (m.fantasize(points(2), sampler(4)) for m in (model, theirs_of(model)))
    theirs.posterior(asked)
    ours, theirs = (m.fantasize(points(4, 1, name="more"), sampler(3)) for m in (ours, theirs))
    assert ours.batch_shape == theirs.batch_shape == (3, 4)
    agree(ours.posterior(asked), theirs.posterior(asked))


@pytest.mark.parametrize("noise", [None, 1e-3])
def test_assumed_observations_are_conditioned_on_as_in_the_textbook(noise):
    model, x, asked = model_of(), points(3, 1, name="optima"), points(4, name="asked")
    y = torch.tensor([0.1, 0.2, 0.3]).double()[:, None, None]
    given = None if noise is None else torch.full_like(y, noise)
    found = model.condition_on_observations(x, y, given).posterior(asked)
    for i in range(3):
        rows = torch.cat([model.train_inputs[0], x[i], asked]) / model.fitted.scale[0]
        k, _ = KERNELS["matern52"].profile((rows[:, None] - rows[None]).square().sum(dim=-1))
        n = KNOWN + 1
        noises = torch.tensor([0.01] * KNOWN + [noise or 0.01]).double()
        gain = torch.linalg.solve(k[:n, :n] + noises.diag(), k[:n, n:]).T
        mean = gain @ (torch.cat([model.train_targets, y[i, 0]]) + 0.2) - 0.2
        covariance = k[n:, n:] - gain @ k[:n, n:]
        torch.testing.assert_close(found.mean[i, :, 0], mean, atol=1e-8, rtol=0)
        found_covariance = found.distribution.covariance_matrix[i]
        torch.testing.assert_close(found_covariance, covariance, atol=1e-8, rtol=0)


def test_fantasies_are_differentiable_by_where_they_are():
    model, asked = model_of(), points(2, name="asked")

    def variance(x):
        return model.fantasize(x, sampler(2)).posterior(asked).variance

    assert torch.autograd.gradcheck(variance, points(2).requires_grad_(), atol=1e-6)


@every_name
def test_paths_are_botorchs_of_the_same_draws(name):
    model, x, drawn = model_of(KERNELS[name]), points(6), []
    for one in (model, theirs_of(model, name)):
        with lent(STREAM.at("paths")):
            drawn.append(draw_matheron_paths(one, torch.Size([3]))(x))
    assert drawn[0].shape == (3, 6)
    torch.testing.assert_close(drawn[0], drawn[1], atol=1e-6, rtol=0)
    with lent(STREAM.at("paths")):
        prior = draw_kernel_feature_paths(model, torch.Size([3]), num_features=64)
    assert prior(x).shape == (3, 6)


def test_paths_have_the_moments_of_the_posterior():
    # Six standard errors (a false alarm in 10^8 runs); variances within 0.05 more: random features.
    model, x, count = model_of(), points(6), 4000
    with lent(STREAM.at("moments")):
        values = draw_matheron_paths(model, torch.Size([count]))(x)
    posterior = model.posterior(x)
    mean, variance = posterior.mean[:, 0], posterior.variance[:, 0]
    assert ((values.mean(dim=0) - mean).abs() < 6 * (variance / count).sqrt()).all()
    assert (values.var(dim=0) / variance - 1).abs().max() < 6 * (2 / count) ** 0.5 + 0.05


def test_paths_of_fantasies_are_refused():
    fantasies = model_of().fantasize(points(1), sampler(2))
    message = r"expected a model without fantasies, got a batch of shape \(2,\)"
    with pytest.raises(StrategyError, match=message):
        draw_matheron_paths(fantasies, torch.Size([1]))
