"""Power: exact enumeration, SciPy, and statsmodels' t-test where the test is nearly as strong."""

from itertools import product

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from hpo_research.analysis.power import _holm, least_seeds, power
from hpo_research.analysis.power import signed_ranks as of_sample
from hpo_research.analysis.significance import holm
from hpo_research.errors import StoreError


def signed_ranks(rows):
    """The p-value of every row."""
    return np.array([of_sample(row, np.ones((1, len(row)), dtype=int))[0] for row in rows])


def test_a_difference_drawn_twice_is_two_equal_differences():
    generator = np.random.default_rng(8)
    values = generator.integers(-4, 5, size=9).astype(float)
    times = generator.integers(4, size=(20, 9))
    expected = signed_ranks([np.repeat(values, own) for own in times])
    np.testing.assert_allclose(of_sample(values, times), expected)


@pytest.mark.parametrize("n", [6, 9, 30, 50, 60])
def test_p_values_are_those_of_scipy(n):
    rows = np.random.default_rng(n).normal(0.3, size=(20, n))
    expected = [
        stats.wilcoxon(row, method="exact" if n <= 50 else "asymptotic").pvalue for row in rows
    ]
    np.testing.assert_allclose(signed_ranks(rows), expected, rtol=1e-9)


def test_differences_of_zero_are_dropped_and_equal_ones_share_their_ranks():
    rows = np.array([[0.0, 1.0, -2.0, 3.0, 4.0, 5.0, 6.0], [0.0] * 7, [1.0, 1.0, 1.0, 2, 2, 2, 3]])
    p = signed_ranks(rows)
    assert p[0] == pytest.approx(stats.wilcoxon(rows[0, 1:], method="exact").pvalue)
    assert p[1] == 1.0
    assert p[2] == pytest.approx(2 / 2**7)


def test_holm_by_columns_is_that_of_the_tables():
    p = np.random.default_rng(2).uniform(size=(4, 30)) ** 3
    for column, corrected in zip(p.T, _holm(p).T, strict=True):
        np.testing.assert_allclose(corrected, holm(column.tolist()))


@pytest.mark.parametrize(("tests", "least"), [(1, 6), (2, 7), (3, 7), (6, 8), (15, 10)])
def test_the_fewest_seeds_by_hand(tests, least):
    # 2 / 2^6 = 0.031; times 2 it is above 5 %. 3 · 2 / 2^7 = 0.047; 6 · 2 / 2^8 = 0.047.
    assert least_seeds(tests) == least
    assert tests * 2 / 2**least <= 0.05 < tests * 2 / 2 ** (least - 1)


def test_the_power_is_that_of_enumerating_all_draws():
    # Of ten differences, nine are 1 and one −1: a draw of 6 is significant if all are 1.
    losses = np.array([[0.0] * 10, [1.0] * 9 + [-1.0]])
    shown = power(losses, seeds=[6], simulations=4000, pilots=2)
    chances = [
        np.prod([0.9 if sign > 0 else 0.1 for sign in signs])
        for signs in product([1, -1], repeat=6)
        if signed_ranks(np.array([signs], dtype=float))[0] <= 0.05
    ]
    assert sum(chances) == pytest.approx(0.9**6 + 0.1**6)
    assert shown.power[0, 0] == pytest.approx(0.9**6, abs=0.03)  # four standard errors


def test_it_is_nearly_that_of_the_t_test_on_normal_differences():
    pilot = np.random.default_rng(4).normal(size=2000)
    pilot = (pilot - pilot.mean()) / pilot.std() + 0.6
    shown = power(np.stack([np.zeros(2000), pilot]), seeds=[12, 20, 30], pilots=2)
    theirs = TTestPower().power(0.6, np.array([12, 20, 30]), 0.05)
    np.testing.assert_allclose(shown.power[0], theirs, atol=0.09)  # 0.955 as efficient, and drawn


def test_no_difference_is_found_about_as_often_as_the_level_says():
    pilot = np.random.default_rng(5).normal(size=3000)
    losses = np.stack([np.zeros(6000), np.concatenate([pilot, -pilot])])
    assert power(losses, seeds=[20], simulations=2000, pilots=2).power[0, 0] < 0.07


def test_holm_costs_power_and_seeds_that_are_too_few_have_none():
    generator = np.random.default_rng(6)
    losses = generator.normal(size=(4, 12)) + 0.8 * np.arange(4)[:, None]
    every = power(losses, seeds=[6, 8, 30])
    alone = power(losses, [(0, 1)], seeds=[6, 8, 30])
    assert (every.family, every.least, alone.family) == (6, 8, 1)
    assert (every.power[:, 0] == 0).all()
    assert every.power[0, 1] <= alone.power[0, 1]
    assert ((every.low <= every.high) & (every.low >= 0) & (every.high <= 1)).all()
    assert every.needed(0.8)[every.pairs.index((0, 3))] in (8, 30)
    assert power(losses, [(0, 0)], seeds=[6]).needed() == [None]


def test_a_pilot_that_is_too_small_and_wrong_options_are_refused():
    with pytest.raises(StoreError, match="two strategies or more on 10 seeds or more, got 2 on 9"):
        power(np.zeros((2, 9)))
    with pytest.raises(StoreError, match="alpha must be a number > 0 and < 1"):
        power(np.zeros((2, 10)), alpha=1)
    with pytest.raises(StoreError, match="tests must be an integer >= 1"):
        least_seeds(0)
