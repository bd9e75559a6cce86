"""Noisy expected improvement against BoTorch's, on the same Gaussian process."""

from dataclasses import replace

import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.sampling import SobolQMCNormalSampler

from hpo_research.acquisition import CRITERIA, GPAcquisition
from hpo_research.gp import KERNELS, Data, condition, condition_on_samples
from hpo_research.gp.botorch_model import PosteriorModel
from hpo_research.gp.quasi_random import normal_set
from tests.gp.drawn import OWNERS, drawn

SAMPLES = 2048


def noisy(batch):
    """The same points with values of a wave, and noise of a third of its deviation."""
    x = batch.data.x
    y = torch.sin(4 * x[..., 0]) + x[..., 1] - x[..., 2] + 0.3 * batch.data.y
    data = Data.of(x, y - y.mean(), batch.data.mask, batch.data.lengthscale_of)
    return replace(batch, data=data, theta=torch.tensor([[-0.5, 0.5, 0.5, -2.4, 0.0]]).double())


def test_the_logarithm_of_noisy_improvement_is_botorchs():
    """Within a few hundredths of a nat: what 2,048 quasi-random samples of each leave."""
    batch = noisy(drawn(OWNERS["three"], b=1, q=256))
    kernel, hyper = KERNELS["matern52"], batch.hyperparameters
    normals = normal_set(SAMPLES, 2 * batch.data.x.shape[1], "noisy")
    posterior, values = condition_on_samples(batch.data, kernel, hyper, normals)
    surface = GPAcquisition(
        posterior, CRITERIA["qlogei"], values.amin(dim=1), torch.zeros(1, SAMPLES, 0)
    )
    ours = surface.value(batch.asked)[0]
    theirs = qLogNoisyExpectedImprovement(
        PosteriorModel(condition(batch.data, kernel, hyper), batch.data),
        X_baseline=batch.data.x[0],
        sampler=SobolQMCNormalSampler(torch.Size([SAMPLES]), seed=0),
        prune_baseline=False,
    )(batch.asked[0][:, None, :])
    likely = theirs > -5
    assert likely.sum() >= 20
    torch.testing.assert_close(ours[likely], theirs[likely].detach(), rtol=0, atol=0.15)
    assert (ours - theirs)[likely].mean().abs() < 0.02
