"""Our posterior as a BoTorch model: the same numbers, and derivatives wherever one may ask."""

import pytest
import torch
from botorch.acquisition import LogExpectedImprovement, qLogNoisyExpectedImprovement
from botorch.acquisition.objective import ScalarizedPosteriorTransform
from botorch.sampling.normal import SobolQMCNormalSampler

from hpo_research.acquisition import log_ei
from hpo_research.errors import StrategyError
from hpo_research.gp import KERNELS, Data, Hyperparameters, condition
from hpo_research.gp.botorch_model import PosteriorModel
from hpo_research.rng import Stream

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
    return condition(
        Data.of(x, y, mask, OWNER), kernel, Hyperparameters(scale, 0.01 * one, 0.2 * one)
    )


def points(*shape, name="points"):
    return STREAM.at(name).uniform(*shape, D, like=LIKE)


def training_rows(fitted):
    return fitted.x[0, :KNOWN] * fitted.scale[0] + 0.5


@every_kernel
def test_means_and_variances_are_those_of_the_posterior(kernel):
    fitted, x = posterior(kernel), points(20)
    own, dressed = fitted.predict(x[None]), PosteriorModel(fitted).posterior(x)
    torch.testing.assert_close(-dressed.mean[:, 0], own.mean[0, :, 0], atol=1e-10, rtol=0)
    torch.testing.assert_close(dressed.variance[:, 0], own.variance[0], atol=1e-10, rtol=0)


@every_kernel
def test_the_joint_covariance_is_that_of_the_textbook(kernel):
    # Rasmussen and Williams (2006), equation 2.24, with distances by differences.
    fitted, x = posterior(kernel), points(6)
    both = torch.cat([training_rows(fitted), x]) / fitted.scale[0]
    k, _ = kernel.profile((both[:, None] - both[None]).square().sum(dim=-1))
    noisy = k[:KNOWN, :KNOWN] + 0.01 * torch.eye(KNOWN).double()
    expected = k[KNOWN:, KNOWN:] - k[KNOWN:, :KNOWN] @ torch.linalg.solve(noisy, k[:KNOWN, KNOWN:])
    found = PosteriorModel(fitted).posterior(x).distribution.covariance_matrix
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)


def test_batches_of_any_shape_are_predicted_each_by_itself():
    model, x = PosteriorModel(posterior()), points(2, 3, 4)
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
    fitted, x, best = posterior(kernel), points(30), torch.tensor(-0.1).double()
    own = fitted.predict(x[None])
    expected = log_ei(own.mean[0, :, 0], own.variance[0], best)
    found = LogExpectedImprovement(PosteriorModel(fitted), best_f=-best)(x[:, None, :])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@every_kernel
def test_derivatives_are_those_of_the_posterior_also_on_a_known_row(kernel):
    fitted = posterior(kernel)
    x = torch.cat([points(5), training_rows(fitted)]).requires_grad_()
    found = PosteriorModel(fitted).posterior(x[:, None, :])
    total = found.mean.sum() + 3 * found.variance.sum()
    (gradient,) = torch.autograd.grad(total, x)
    prediction, pullback = fitted.predict_with_pullback(x.detach()[None])
    by_mean = torch.zeros_like(prediction.mean)
    by_mean[..., 0] = -1.0
    expected = pullback(by_mean, torch.full_like(prediction.variance, 3.0))[0]
    torch.testing.assert_close(gradient, expected, atol=1e-8, rtol=1e-8)


def test_the_covariance_has_derivatives_by_every_point():
    model = PosteriorModel(posterior())

    def covariance(x):
        return model.posterior(x).distribution.lazy_covariance_matrix.to_dense()

    assert torch.autograd.gradcheck(covariance, points(3).requires_grad_(), atol=1e-6)


def test_noise_is_added_where_it_is_asked_for():
    model, x = PosteriorModel(posterior()), points(2, 4)
    quiet = model.posterior(x).variance
    torch.testing.assert_close(model.posterior(x, observation_noise=True).variance, quiet + 0.01)
    own = torch.full((2, 4, 1), 0.5, dtype=torch.float64)
    torch.testing.assert_close(model.posterior(x, observation_noise=own).variance, quiet + 0.5)


def test_a_posterior_transform_is_applied():
    model, x = PosteriorModel(posterior()), points(4)
    double = ScalarizedPosteriorTransform(weights=torch.tensor([2.0]).double())
    found = model.posterior(x, posterior_transform=double)
    torch.testing.assert_close(found.mean, 2 * model.posterior(x).mean)


def test_noisy_improvement_is_finite_on_known_and_repeated_points():
    fitted = posterior()
    rows = training_rows(fitted)
    sampler = SobolQMCNormalSampler(torch.Size([16]), seed=1)
    function = qLogNoisyExpectedImprovement(
        PosteriorModel(fitted), rows, sampler, X_pending=rows[:2]
    )
    x = rows[:, None, :].clone().requires_grad_()
    value = function(x)
    assert value.isfinite().all()
    assert torch.autograd.grad(value.sum(), x)[0].isfinite().all()


def test_it_has_one_output_and_no_batch_of_its_own():
    model = PosteriorModel(posterior())
    assert (model.num_outputs, model.batch_shape) == (1, torch.Size([]))
    assert model.subset_output([0]) is model
    with pytest.raises(StrategyError, match=r"subset_output\(\[1\]\): there is one output, \[0\]"):
        model.subset_output([1])
    with pytest.raises(StrategyError, match="there is one output"):
        model.posterior(points(2), output_indices=[2])


def test_several_gps_are_refused():
    with pytest.raises(StrategyError, match=r"PosteriorModel\(fitted\): expected one GP, got 2"):
        PosteriorModel(posterior(runs=2))
