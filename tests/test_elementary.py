"""exp and erfc of the compiled loops against the mathematical library's and SciPy's."""

import math

import numpy as np
from scipy import special

from hpo_research.compiled import fused
from hpo_research.elementary import exp, normal, scaled_erfc


@fused
def _all(x, y):
    for k in range(len(x)):
        y[k] = exp(x[k])


def test_exp_is_right_to_the_last_bits():
    x = np.concatenate([np.linspace(-707, 708, 20_011), np.linspace(-1, 1, 1001)])
    y = np.empty_like(x)
    _all(x, y)
    wanted = np.array([math.exp(one) for one in x])
    assert np.abs(y / wanted - 1).max() < 4e-16


def test_exp_at_its_ends():
    x = np.array([math.nan, math.inf, -math.inf, 1e300, -1e300, 0.0, -0.0, -709.0, 710.0])
    y = np.empty_like(x)
    _all(x, y)
    wanted = [math.nan, math.inf, 0.0, math.inf, 0.0, 1.0, 1.0, 0.0, math.inf]
    np.testing.assert_array_equal(y, wanted)


def test_an_entry_has_the_same_bits_wherever_it_stands():
    x = np.random.default_rng(0).uniform(-50, 5, 1000)
    y = np.empty_like(x)
    _all(x, y)
    for first, count in [(1, 1), (3, 7), (500, 33), (990, 10)]:
        part = np.empty(count)
        _all(x[first : first + count].copy(), part)
        np.testing.assert_array_equal(part, y[first : first + count])


def test_the_scaled_complement_of_the_error_function():
    for x in [0.0, 1e-9, *np.linspace(0.01, 22.0, 200)]:
        assert abs(scaled_erfc(x) / special.erfcx(x) - 1) < 2e-15, x


def test_the_normal_distribution_as_far_down_as_it_is_asked():
    u = np.concatenate([np.linspace(-30, 30, 301), [-1e-8, 1e-8, 40.0, 1e5]])
    density, mass = np.empty_like(u), np.empty_like(u)
    normal(u, density, mass)
    np.testing.assert_allclose(mass, special.ndtr(u), rtol=2e-13)
    wanted = np.exp(-0.5 * u * u) / math.sqrt(2 * math.pi)
    np.testing.assert_allclose(density, wanted, rtol=2e-13, atol=1e-300)
