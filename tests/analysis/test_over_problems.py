"""Strategies over problems: SciPy, scikit-posthocs, Demšar's own example and counting by hand."""

import numpy as np
import pytest
import scikit_posthocs
from handmade import made
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hpo_research.analysis.finals import finals
from hpo_research.analysis.over_problems import friedman, over_problems, stretches
from hpo_research.errors import StoreError
from hpo_research.store import RunName

# Demšar, JMLR 2006, table 6: areas under the curve of C4.5, with m, with cf, and with both.
DEMSAR = np.array(
    [
        *([0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569]),
        *([0.954, 0.971, 0.968, 0.967], [0.628, 0.661, 0.654, 0.657]),
        *([0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931]),
        *([0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625]),
        *([0.775, 0.838, 0.866, 0.875], [1.000, 1.000, 1.000, 1.000]),
        *([0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669]),
        *([0.972, 0.981, 0.9751, 0.975], [0.957, 0.978, 0.946, 0.970]),
    ]
)


def of_values(values, *, over=True):
    """A result with a value a seed for each problem and strategy; None for a run without any."""
    return made(
        {
            RunName(problem, strategy, seed): [] if value is None else [(0, 1, value)]
            for problem, own in values.items()
            for strategy, seeds in own.items()
            for seed, value in enumerate(seeds)
        },
        over=over,
    )


def compared(result, **options):
    return over_problems(result, [finals(result, p) for p in result.facts.problems], **options)


def test_the_published_example():
    test = friedman(-DEMSAR)
    n, k = DEMSAR.shape
    np.testing.assert_allclose(test.mean_ranks, [3.143, 2.0, 2.893, 1.964], atol=5e-4)
    assert test.critical_difference == pytest.approx(1.25, abs=0.005)
    chi2 = 12 * n / (k * (k + 1)) * ((test.mean_ranks**2).sum() - k * (k + 1) ** 2 / 4)
    assert chi2 == pytest.approx(9.28, abs=0.005)  # the paper's, which leaves ties uncorrected
    assert test.statistic > (n - 1) * chi2 / (n * (k - 1) - chi2)


@settings(max_examples=20)
@given(st.integers(3, 7), st.integers(2, 12), st.integers(2, 20), st.integers(0, 99))
def test_friedman_and_nemenyi_equal_those_of_others_with_ties(k, n, values, seed):
    losses = np.random.default_rng(seed).integers(values, size=(n, k)).astype(float)
    test = friedman(losses)
    np.testing.assert_array_equal(test.mean_ranks, stats.rankdata(losses, axis=1).mean(axis=0))
    if (losses == losses[:, :1]).all():
        assert (test.statistic, test.p) == (0.0, 1.0)
        return
    chi2 = stats.friedmanchisquare(*losses.T).statistic
    if n * (k - 1) - chi2 > 1e-6:
        f = (n - 1) * chi2 / (n * (k - 1) - chi2)
        assert test.statistic == pytest.approx(f, rel=1e-6, abs=1e-9)
    else:
        assert np.isinf(test.statistic)
        assert test.p == 0
    other = scikit_posthocs.posthoc_nemenyi_friedman(losses).to_numpy()
    np.testing.assert_allclose(test.nemenyi, other, atol=2e-3)  # it reads a table


def test_bars_join_the_longest_stretches_within_a_distance():
    numbers = np.arange(5.0)
    assert stretches(numbers, 1.5) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert stretches(numbers, 2.0) == [(0, 2), (1, 3), (2, 4)]
    assert stretches(numbers, 9.0) == [(0, 4)]
    assert stretches(numbers, 0.5) == []
    assert friedman(np.tile(numbers, (3, 1))).cliques() == [(0, 3), (1, 4)]


def test_the_false_alarms_are_as_many_as_the_level_says():
    generator = np.random.default_rng(7)
    alarms = [friedman(generator.normal(size=(12, 5))).p < 0.05 for _ in range(2000)]
    assert 0.035 < np.mean(alarms) < 0.065


def test_a_problem_counts_by_the_median_over_seeds_and_a_run_without_a_value_is_the_worst():
    shown = compared(
        of_values(
            {
                "p": {"a": [1.0, 9.0, 9.0], "b": [2.0, 2.0, 2.0], "c": [3.0, 3.0, 3.0]},
                "q": {"a": [1.0, 1.0, 1.0], "b": [2.0, None, None], "c": [3.0, 3.0, 3.0]},
            }
        )
    )
    assert shown.problems == ("p", "q")
    assert shown.test.ranks.tolist() == [[3.0, 1.0, 2.0], [1.0, 3.0, 2.0]]


def test_those_that_came_to_the_same_count_once():
    own = {"a": [1.0, 2.0], "b": [2.0, 1.0], "c": [2.0, 1.0], "d": [3.0, 3.0]}
    shown = compared(of_values({"p": own, "q": own}))
    assert shown.strategies == (("a",), ("b", "c"), ("d",))
    assert shown.names == ["a", "b = c", "d"]
    assert "b, c came to the same on every seed and count once." in shown.sentences()


def test_where_nothing_is_found_no_pair_is_to_be_claimed():
    unclear = compared(
        of_values(
            {"p": {"a": [1.0], "b": [2.0], "c": [3.0]}, "q": {"a": [3.0], "b": [2.0], "c": [1.0]}}
        )
    )
    assert any("no pair is to be claimed" in sentence for sentence in unclear.sentences())


def test_what_not_every_strategy_has_is_left_out_and_too_little_is_nothing():
    own = {"a": [1.0], "b": [2.0], "c": [3.0]}
    without = {"a": [1.0], "b": [2.0]}
    assert compared(of_values({"p": own, "q": own, "r": without})).problems == ("p", "q")
    assert compared(of_values({"p": own, "r": without})) is None
    assert compared(of_values({"p": without, "q": without})) is None
    assert compared(of_values({"p": own, "q": own}, over=False)) is None


def test_a_level_that_is_none_is_refused():
    with pytest.raises(StoreError, match=r"alpha must be a number > 0 and < 1"):
        compared(of_values({"p": {"a": [1.0]}}), alpha=5)
