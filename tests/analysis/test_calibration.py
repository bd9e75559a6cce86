"""Calibration where the model is right: forecasts of a Gaussian process of its own prior."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from hpo_research.gp import condition
from hpo_research.gp.likelihood import Hyperparameters
from hpo_research.gp.transforms import PowerTransformed
from hpo_research.records import Run, Trial
from hpo_research.space import Float, SearchSpace
from hpo_research.strategies.bayesian import Bayesian
from hpo_research.strategies.models.surrogate import surrogate

NOISE, LENGTH = 0.1, np.array([0.3, 0.8])
KNOWN, ASKED, FUNCTIONS = 14, 5, 300


def covariance(x: np.ndarray) -> np.ndarray:
    root = math.sqrt(5) * np.sqrt((((x[:, None] - x[None]) / LENGTH) ** 2).sum(axis=2))
    return (1 + root + root**2 / 3) * np.exp(-root)


@pytest.mark.parametrize(("power", "sign"), [(1.0, 1), (0.4, -1)], ids=["plain", "power-maximised"])
def test_intervals_of_the_right_model_cover_what_they_say(power: float, sign: int):
    """Of 1,500 values at random places, in clusters of 5: 0.03 is over 4 deviations of a share."""
    stream = np.random.default_rng(0)
    x = stream.random((KNOWN + ASKED, 2))
    whole = covariance(x) + NOISE * np.eye(len(x))
    y = stream.normal(size=(FUNCTIONS, len(x))) @ np.linalg.cholesky(whole).T
    change = PowerTransformed(
        torch.zeros(1, KNOWN, dtype=torch.float64),
        *(torch.tensor([v], dtype=torch.float64) for v in (power, 50.0, 8.0, 0.2, 1.5, 0.0)),
    )
    losses = change.inverse(torch.from_numpy(y.reshape(1, -1)))[0].numpy().reshape(y.shape)
    space = SearchSpace(a=Float(0, 1), b=Float(0, 1))
    trials = tuple(
        Trial(i, config, "finished", 1, value=float(i))
        for i, config in enumerate(space.decode(x[:KNOWN]))
    )
    direction = "minimize" if sign > 0 else "maximize"
    base = surrogate(Bayesian(transform="standardise"), Run(space, direction, trials=trials))
    fitted = base.surfaces[0].posterior
    right = Hyperparameters(
        torch.from_numpy(LENGTH)[None],
        torch.tensor([NOISE], dtype=torch.float64),
        torch.zeros(1, dtype=torch.float64),
    )
    residuals, densities = [], []
    for own, values in zip(y, losses, strict=True):
        known = torch.zeros_like(base.batch.data.y)
        known[0, :KNOWN] = torch.from_numpy(own[:KNOWN])
        data = replace(base.batch.data, y=known)
        posterior = condition(data, fitted.kernel, right)
        surface = replace(base.surfaces[0], posterior=posterior)
        view = replace(base, transformed=change, surfaces=(surface,))
        judged = view.judge(x[KNOWN:], sign * values[KNOWN:])
        residuals.append(judged.residual)
        densities.append(judged.log_density)
    # By hand: the conditional normal, and the slope of the transform by differences.
    old, new = slice(KNOWN), slice(KNOWN, None)
    weights = whole[new, old] @ np.linalg.inv(whole[old, old])
    deviation = np.sqrt(np.diag(whole[new, new] - weights @ whole[old, new]))
    z = (y[:, new] - y[:, old] @ weights.T) / deviation
    low, high = (
        change.inverse(torch.from_numpy((y[:, new] + e).reshape(1, -1))).numpy().reshape(z.shape)
        for e in (-1e-6, 1e-6)
    )
    slope = (high - low) / 2e-6
    density = -(z**2) / 2 - math.log(2 * math.pi) / 2 - np.log(deviation) - np.log(slope)
    np.testing.assert_allclose(residuals, sign * z, atol=1e-6)
    np.testing.assert_allclose(densities, density, atol=1e-5)
    for level, end in ((0.5, 0.6745), (0.8, 1.2816), (0.95, 1.95996)):
        assert (np.abs(residuals) <= end).mean() == pytest.approx(level, abs=0.03)
