"""Sobol indices: analytic ones of Ishigami and Sobol's g-function, by estimator and by a model."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from hpo_research.analysis.sobol import pick_freeze
from hpo_research.records import Run, Trial
from hpo_research.rng import Stream
from hpo_research.space import Float, SearchSpace
from hpo_research.strategies.bayesian import Bayesian
from hpo_research.strategies.models.surrogate import surrogate

# Ishigami and Homma (1990) with a = 7, b = 0.1: variances by hand, as in Saltelli et al. (2008).
_A, _B = 7.0, 0.1
_V1 = (1 + _B * math.pi**4 / 5) ** 2 / 2
_V2 = _A**2 / 8
_V13 = 8 * _B**2 * math.pi**8 / 225
_V = _V1 + _V2 + _V13
ISHIGAMI = np.array([[_V1, _V2, 0.0], [_V1 + _V13, _V2, _V13]]) / _V

# Sobol's g with a_i: V_i = 1 / (3 (1 + a_i)²), the variance Π (1 + V_i) − 1.
_AS = np.array([0.0, 1.0, 4.5, 9.0])
_VS = 1 / (3 * (1 + _AS) ** 2)
_OTHERS = np.array([np.prod(1 + np.delete(_VS, i)) for i in range(4)])
G = np.stack([_VS, _VS * _OTHERS]) / (np.prod(1 + _VS) - 1)


def ishigami(cube: np.ndarray) -> np.ndarray:
    x = (2 * cube - 1) * math.pi
    return np.sin(x[:, 0]) + _A * np.sin(x[:, 1]) ** 2 + _B * x[:, 2] ** 4 * np.sin(x[:, 0])


def g(cube: np.ndarray) -> np.ndarray:
    return np.prod((np.abs(4 * cube - 2) + _AS) / (1 + _AS), axis=1)


CASES = [(ishigami, ISHIGAMI), (g, G)]


@pytest.mark.parametrize(("function", "true"), CASES, ids=["ishigami", "g"])
def test_the_estimators_come_to_the_analytic_indices(function: Callable, true: np.ndarray):
    p = true.shape[1]
    found = pick_freeze(lambda cube: np.stack([function(cube), 3 - 2 * function(cube)]), p, 4096)
    for own, wanted in zip(found, true, strict=True):
        assert own == pytest.approx(np.stack([wanted, wanted]), abs=0.01)
    assert found[0][0] == pytest.approx(found[0][1], abs=1e-9)  # units change nothing


@pytest.mark.parametrize(("function", "true"), CASES, ids=["ishigami", "g"])
def test_a_model_of_many_points_comes_to_them(function: Callable, true: np.ndarray):
    p = true.shape[1]
    space = SearchSpace({f"x{i}": Float(0, 1) for i in range(p)})
    cube = np.random.default_rng(0).random((300, p))
    trials = tuple(
        Trial(i, config, "finished", 1, value=float(value))
        for i, (config, value) in enumerate(zip(space.decode(cube), function(cube), strict=True))
    )
    view = surrogate(Bayesian(transform="standardise"), Run(space, trials=trials))
    first, total = pick_freeze(lambda rows: view.draw(rows, 8, Stream(0)), p, 1024)
    assert first.mean(axis=0) == pytest.approx(true[0], abs=0.07)
    assert total.mean(axis=0) == pytest.approx(true[1], abs=0.07)


def test_a_constant_has_no_indices():
    first, total = pick_freeze(lambda cube: np.ones((1, len(cube))), 2, 64)
    assert np.isnan(first).all() and np.isnan(total).all()
