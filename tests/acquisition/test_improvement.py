"""ln h against arbitrary precision, and LogEI against BoTorch."""

import math

import mpmath
import pytest
import torch
from botorch.acquisition import LogExpectedImprovement

from hpo_research.acquisition import ei, log_ei, log_h, log_knowledge_gradient
from hpo_research.gp import KERNELS, condition
from tests.gp.drawn import OWNERS, drawn, gpytorch_row

JOINS = (-1.0, -1000.0)
ARGUMENTS = [
    *(-(10.0**e) for e in torch.linspace(-8, 6, 57).tolist()),
    *(10.0**e for e in torch.linspace(-8, 3, 45).tolist()),
    *(math.nextafter(join, end) for join in JOINS for end in (-math.inf, math.inf)),
    *JOINS,
    0.0,
    -38.5,  # from here h itself underflows
    -40.0,
]


def exact(u: float) -> tuple[mpmath.mpf, mpmath.mpf]:
    """Return ln h(u) and its derivative."""
    with mpmath.workdps(60):
        x = mpmath.mpf(u)
        mass = mpmath.erfc(-x / mpmath.sqrt(2)) / 2
        h = mpmath.npdf(x) + x * mass
        return mpmath.log(h), mass / h


@pytest.fixture(scope="module")
def table() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rows = [[u, *map(float, exact(u))] for u in ARGUMENTS]
    return tuple(torch.tensor(rows, dtype=torch.float64).T)


def test_ln_h_is_exact_from_minus_a_million_to_a_thousand(table):
    u, value, _ = table
    torch.testing.assert_close(log_h(u).value, value, rtol=1e-9, atol=1e-11)


def test_the_slope_of_ln_h_is_exact_from_minus_a_million_to_a_thousand(table):
    u, _, slope = table
    torch.testing.assert_close(log_h(u).slope, slope, rtol=1e-9, atol=0)


@pytest.mark.parametrize("u", [-1e100, -1e30, 1e30, 1e100])
def test_ln_h_is_finite_at_any_size(u):
    value, slope = log_h(torch.tensor(u, dtype=torch.float64))
    assert value.isfinite() and slope.isfinite()
    assert value.item() == pytest.approx(math.log(u) if u > 0 else -0.5 * u * u)


@pytest.mark.parametrize("join", JOINS)
def test_ln_h_increases_across_its_joins(join):
    """In steps wide enough for the increase to exceed the error that is allowed."""
    u = torch.linspace(join - 1e-3, join + 1e-3, 200, dtype=torch.float64)
    assert (log_h(u).value.diff() > 0).all()


def test_the_slope_is_the_derivative_that_autograd_finds():
    u = torch.tensor([-1e5, -2e3, -999.0, -40.0, -2.0, -0.5, 0.0, 3.0, 50.0], dtype=torch.float64)
    u.requires_grad_()
    value, slope = log_h(u)
    (expected,) = torch.autograd.grad(value.sum(), u)
    torch.testing.assert_close(slope.detach(), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", KERNELS)
def test_log_ei_is_botorchs(name):
    batch = drawn(OWNERS["three"])
    found = condition(batch.data, KERNELS[name], batch.hyperparameters).predict(batch.asked)
    for row in range(len(batch.asked)):
        model = gpytorch_row(name, batch, row)
        for best in (-30.0, -3.0, 0.0, 2.0):
            theirs = LogExpectedImprovement(model, best, maximize=False)(batch.asked[row][:, None])
            ours = log_ei(
                found.mean[row, :, 0], found.variance[row], found.variance.new_tensor(best)
            )
            torch.testing.assert_close(ours, theirs.detach(), rtol=1e-6, atol=1e-7)


def test_where_ei_underflows_log_ei_has_a_value_and_a_gradient():
    mean = torch.tensor([40.0], dtype=torch.float64, requires_grad=True)
    variance = torch.ones(1, dtype=torch.float64, requires_grad=True)
    best = torch.zeros(1, dtype=torch.float64)
    assert ei(mean, variance, best).item() == 0
    value = log_ei(mean, variance, best)
    value.backward()
    assert value.item() == pytest.approx(float(exact(-40.0)[0]), rel=1e-9)
    assert mean.grad.item() == pytest.approx(-float(exact(-40.0)[1]), rel=1e-6)
    assert variance.grad.item() == pytest.approx((1 + 40 * float(exact(-40.0)[1])) / 2, rel=1e-6)


def test_ei_is_the_mean_improvement_of_many_draws():
    """Of a million draws: within 5 standard errors, wrong once in 1.7 million runs."""
    generator = torch.Generator().manual_seed(0)
    draws = 0.3 + 0.7 * torch.randn(10**6, dtype=torch.float64, generator=generator)
    improvement = (0.1 - draws).clamp(min=0)
    value = ei(*(torch.tensor(v, dtype=torch.float64) for v in (0.3, 0.49, 0.1)))
    error = improvement.std() / 1e3
    assert abs(value - improvement.mean()) < 5 * error


def gained(mean: float, deviation: float, rival: float) -> mpmath.mpf:
    """What the least of two means is expected to fall by when the first moves, by quadrature."""
    with mpmath.workdps(60):
        mean, deviation, rival = (mpmath.mpf(v) for v in (mean, deviation, rival))
        kink = (rival - mean) / deviation

        def fall(z):
            return (min(mean, rival) - min(rival, mean + deviation * z)) * mpmath.npdf(z)

        return mpmath.quad(fall, sorted([-40, -20, -10, -5, 0, kink, 5, 10, 20, 40]))


@pytest.mark.parametrize("gap", [-12.0, -3.0, -0.1, 0.0, 0.1, 3.0, 12.0])
@pytest.mark.parametrize("deviation", [0.2, 1.0, 4.0])
def test_the_knowledge_gradient_is_the_fall_of_the_least_mean(gap, deviation):
    mean, rival = 1.5 + gap * deviation, 1.5
    numbers = (torch.tensor(v, dtype=torch.float64) for v in (mean, deviation**2, rival))
    expected = float(mpmath.log(gained(mean, deviation, rival)))
    assert log_knowledge_gradient(*numbers).item() == pytest.approx(expected, rel=1e-9)


def test_without_a_rival_the_knowledge_gradient_is_nothing():
    mean, variance, rival = (torch.tensor(v).double() for v in (1.0, 1.0, math.inf))
    assert log_knowledge_gradient(mean, variance, rival).exp() == 0
