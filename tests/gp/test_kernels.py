"""The kernels against GPyTorch's, and H against the derivative it stands for."""

import pytest
import torch

from hpo_research.gp import KERNELS
from hpo_research.gp.kernels import squared_distances
from hpo_research.rng import Stream
from tests.gp.drawn import LIKE, kernel_of


@pytest.mark.parametrize("d", [1, 3, 10])
@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_is_gpytorchs(name, d):
    stream = Stream(0).at("kernels", d)
    x = stream.at("x").uniform(2, 7, d, like=LIKE)
    z = stream.at("z").uniform(2, 5, d, like=LIKE)
    kernel = kernel_of(name, d).to(x)
    kernel.lengthscale = 1.0
    expected = kernel(x, z).to_dense().detach()
    found = KERNELS[name].profile(squared_distances(x, z))[0]
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", KERNELS)
def test_h_is_minus_twice_the_derivative_by_the_squared_distance(name):
    r2 = torch.logspace(-6, 3, 40, dtype=torch.float64).requires_grad_()
    k, h = KERNELS[name].profile(r2)
    (slope,) = torch.autograd.grad(k.sum(), r2)
    torch.testing.assert_close(h.detach(), -2 * slope, rtol=1e-8, atol=1e-300)


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_is_1_at_0_and_finite_far_out(name):
    k, h = KERNELS[name].profile(torch.tensor([0.0, 1e10, 1e300], dtype=torch.float64))
    assert k.tolist() == [1, 0, 0]
    assert h.isfinite().all()


@pytest.mark.parametrize("shift", [0.0, 0.5, 40.0])
def test_distances_are_those_of_the_plain_loop(shift):
    """Columns scaled by the least lengthscale lie within 20 of the middle."""
    x = Stream(1).uniform(2, 6, 3, like=LIKE) + shift
    expected = (x[:, :, None] - x[:, None]).square().sum(-1)
    found = squared_distances(x, x)
    assert (found >= 0).all()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-15 * (1 + shift) ** 2 * 20)
