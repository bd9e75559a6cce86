"""The output transforms against SciPy and scikit-learn, and on targets that want to break them."""

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.preprocessing import PowerTransformer, StandardScaler

from hpo_research.gp import TRANSFORMS
from hpo_research.gp.transforms import POWERS, ranked, standardised, yeo_johnson
from hpo_research.rng import Stream

NORMAL = Stream(0).at("targets").generator().standard_normal(24)
SHAPES = {
    "normal": NORMAL,
    "log-normal": np.exp(1.5 * NORMAL),
    "minus log-normal": -np.exp(1.5 * NORMAL),
    "squares": NORMAL**2,
    "two heaps": np.sign(NORMAL) * 5 + NORMAL,
    "uniform": stats.norm.cdf(NORMAL),
    "seven": NORMAL[:7],
}
HARD = {
    "two values": np.array([0.0, 0, 1, 0, 1]),
    "two rows": np.array([1.0, 2.0]),
    "huge": NORMAL * 1e12,
    "tiny": NORMAL * 1e-12,
    "far from zero": 1e6 + 1e-7 * NORMAL,
    "one outlier": np.append(NORMAL, 1e20),
    "outliers on both sides": np.append(NORMAL, [1e6, -1e6]),
    "nearly all equal": np.array([1.0] * 20 + [2.0]),
    "a diverged loss beside equal ones": np.array([1.0] * 20 + [1e30]),
}
HARDER = {  # for which squares do not fit into a float
    "1e300": NORMAL * 1e300,
    "1e160": NORMAL * 1e160,
    "1e-200": NORMAL * 1e-200,
    "denormal": np.round(NORMAL * 100) * 5e-324,
}
CONSTANT = {"0": [0.0] * 5, "0.1": [0.1] * 7, "-1e12": [-1e12] * 3, "one row": [7.0]}


def of(values):
    t = torch.tensor(np.asarray(values), dtype=torch.float64)[None]
    return t, torch.ones_like(t, dtype=torch.bool)


def prescaled(values):
    """Centre at the median, and scale by half the interquartile range."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return (values - middle) / ((high - low) / 2)


@pytest.mark.parametrize("values", SHAPES.values(), ids=list(SHAPES))
def test_the_power_is_scikit_learns_or_likelier(values):
    scaled, found = prescaled(values), yeo_johnson(*of(values))
    sklearn = PowerTransformer("yeo-johnson").fit(scaled[:, None])
    power = float(found.power)
    ours, theirs = (stats.yeojohnson_llf(p, scaled) for p in (power, sklearn.lambdas_[0]))
    if POWERS[0] < sklearn.lambdas_[0] < POWERS[1]:
        assert ours >= theirs - 1e-9
        assert power == pytest.approx(sklearn.lambdas_[0], abs=1e-4)
    assert ours >= stats.yeojohnson_llf(1.0, scaled)


@pytest.mark.parametrize("values", SHAPES.values(), ids=list(SHAPES))
def test_the_targets_are_scipys_at_that_power(values):
    found = yeo_johnson(*of(values))
    expected = stats.zscore(stats.yeojohnson(prescaled(values), lmbda=float(found.power)))
    np.testing.assert_allclose(found.y[0].numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("values", SHAPES.values(), ids=list(SHAPES))
def test_standardised_targets_are_scikit_learns(values):
    expected = StandardScaler().fit_transform(values[:, None])[:, 0]
    found = standardised(*of(values))
    np.testing.assert_allclose(found.y[0].numpy(), expected, rtol=1e-12, atol=1e-12)
    assert float(found.power) == 1


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("values", [*SHAPES.values(), *HARD.values()], ids=[*SHAPES, *HARD])
def test_targets_have_mean_0_and_variance_1_and_their_order(values, name):
    found = TRANSFORMS[name](*of(values))
    y = found.y[0].numpy()
    assert np.isfinite(y).all()
    # Far from zero the mean of the raw targets is a rounded number.
    limit = 1e-9 if name == "yeo-johnson" else 0.01
    assert y.mean() == pytest.approx(0, abs=limit)
    assert y.var() == pytest.approx(1, abs=limit)
    assert (np.diff(y[np.argsort(values, kind="stable")]) >= 0).all()


@pytest.mark.parametrize("values", HARDER.values(), ids=list(HARDER))
def test_the_power_transform_bears_any_scale(values):
    y = yeo_johnson(*of(values)).y[0].numpy()
    np.testing.assert_allclose([y.mean(), y.var()], [0, 1], rtol=0, atol=1e-9)
    assert (np.diff(y[np.argsort(values, kind="stable")]) >= 0).all()


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("values", CONSTANT.values(), ids=list(CONSTANT))
def test_constant_targets_become_0(values, name):
    found = TRANSFORMS[name](*of(values))
    assert found.y.abs().max() <= 1e-15
    assert found.power.item() == 1


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("values", SHAPES.values(), ids=list(SHAPES))
def test_the_inverse_leads_back(values, name):
    t, mask = of(values)
    found = TRANSFORMS[name](t, mask)
    torch.testing.assert_close(found.inverse(found.y), t, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found.forward(t)[0], found.y, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["standardise", "yeo-johnson"])
@pytest.mark.parametrize("values", SHAPES.values(), ids=list(SHAPES))
def test_the_jacobian_is_that_of_the_inverse(values, name):
    """Σ ln dy/dt by central differences of the way back."""
    found, step = TRANSFORMS[name](*of(values)), 1e-6
    slope = (found.inverse(found.y + step) - found.inverse(found.y - step)) / (2 * step)
    torch.testing.assert_close(found.log_jacobian, -slope.log().sum(dim=1), rtol=1e-6, atol=1e-6)
    own = found.forward(of(values)[0])[1]
    torch.testing.assert_close(own, -slope.log(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("values", [*SHAPES.values(), *HARD.values()], ids=[*SHAPES, *HARD])
def test_ranks_become_scipys_normal_scores(values):
    scores = stats.norm.ppf((stats.rankdata(values) - 0.5) / len(values))
    expected = (scores - scores.mean()) / scores.std()
    np.testing.assert_allclose(ranked(*of(values)).y[0].numpy(), expected, rtol=0, atol=1e-9)


def test_beyond_all_targets_the_inverse_of_ranks_is_the_least_or_greatest():
    t, mask = of(NORMAL)
    found = ranked(t, mask)
    beyond = found.inverse(torch.tensor([[-9.0, 9.0]], dtype=torch.float64))
    assert beyond[0].tolist() == [t.min().item(), t.max().item()]


@pytest.mark.parametrize("scale", [1e-12, 1e12, 1e100])
def test_the_power_transform_does_not_see_units(scale):
    values = SHAPES["log-normal"]
    plain, scaled = yeo_johnson(*of(values)), yeo_johnson(*of(values * scale + 3 * scale))
    torch.testing.assert_close(scaled.y, plain.y, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("garbage", [0.0, 1e300, float("nan"), float("-inf")])
def test_padded_rows_change_no_bit(name, garbage):
    t, mask = (torch.cat([part] * 3) for part in of(NORMAL))
    mask = mask & (torch.arange(24) < torch.tensor([[24], [16], [1]]))
    before = TRANSFORMS[name](t, mask)
    after = TRANSFORMS[name](t.masked_fill(~mask, garbage), mask)
    assert torch.equal(before.y, after.y)
    assert torch.equal(before.power, after.power)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_gp_without_rows_gets_zeros(name):
    t, mask = of(NORMAL)
    assert torch.equal(TRANSFORMS[name](t, ~mask).y, torch.zeros_like(t))
