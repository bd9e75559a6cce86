"""Tests of pairs: brute force, SciPy and statsmodels."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from hpo_research.analysis.significance import FEWEST, alike, holm, rank_biserial, signed_rank


def by_brute_force(differences):
    """All assignments of signs to the ranks of the differences that are not 0."""
    differing = differences[differences != 0]
    ranks = stats.rankdata(np.abs(differing))
    expected = ranks.sum() / 2
    seen = abs(ranks[differing > 0].sum() - expected)
    sums = [
        abs(ranks[np.array(signs)].sum() - expected)
        for signs in product([False, True], repeat=len(ranks))
    ]
    return np.mean([total >= seen - 1e-9 for total in sums])


@pytest.mark.parametrize(
    "differences",
    [
        [1.0, -2.0, 3.0, 4.0, 5.0, 6.0],
        [1.0, 1.0, -1.0, 2.0, 2.0, 3.0, 0.0],
        [1.0, -2.0, np.inf, np.inf, 5.0, 6.0, -np.inf],
    ],
    ids=["distinct", "tied", "infinite"],
)
def test_the_p_value_is_that_of_all_assignments_of_signs(differences):
    differences = np.array(differences)
    assert signed_rank(differences) == pytest.approx(by_brute_force(differences), abs=1e-12)


@pytest.mark.parametrize("differences", [[], [0.0] * 9, [1.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0, 0.0]])
def test_fewer_than_six_differing_pairs_give_no_p_value(differences):
    assert np.isnan(signed_rank(np.array(differences)))


@pytest.mark.parametrize(
    ("p", "corrected"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, 0.9], [1.0, 1.0]),
        ([0.02, np.nan], [0.02, np.nan]),
        ([], []),
    ],
)
def test_holm_multiplies_the_least_by_the_number_of_tests_and_never_decreases(p, corrected):
    np.testing.assert_allclose(holm(p), corrected)


@pytest.mark.parametrize("n", [1, 8, 40])  # few: each call of theirs collects all garbage
def test_holm_equals_that_of_statsmodels(n):
    p = [*np.round(0.1 * np.random.default_rng(n).random(n), 4), 0.0, 1.0, 0.02, 0.02]
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], atol=1e-15)


@given(st.lists(st.integers(-6, 6).map(float), min_size=6, max_size=30))
def test_the_effect_belongs_to_the_statistic_of_the_test(differences):
    own = np.array(differences)
    n = int((own != 0).sum())
    if n < FEWEST:
        assert np.isnan(rank_biserial(own))
        return
    above = stats.wilcoxon(own, alternative="greater", method="approx").statistic
    total = n * (n + 1) / 2
    assert rank_biserial(own) == pytest.approx((above - (total - above)) / total, abs=1e-12)


def test_the_first_of_those_with_the_same_values_stands_for_all():
    nothing, one = np.array([np.nan, 1.0]), np.array([2.0, 1.0])
    found = alike({"a": one, "b": nothing, "c": nothing.copy(), "d": one.copy()})
    assert found == {"a": "a", "b": "b", "c": "b", "d": "a"}
