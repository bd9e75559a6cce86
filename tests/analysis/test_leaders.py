"""Who leads beyond chance: the test of the best against each other, as SciPy and statsmodels."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from hpo_research.analysis.leaders import Leaders, explained, leaders
from hpo_research.rng import Stream

N = 12


def losses(*shifts: float, n: int = N) -> dict[str, np.ndarray]:
    """Losses of a, b, ... at random, each farther by its shift."""
    drawn = Stream(3).generator().normal(size=(len(shifts), n))
    return {name: own + s for name, own, s in zip("abcdefghijkl", drawn, shifts, strict=False)}


def led_by_median(found: dict[str, np.ndarray]) -> Leaders:
    led = leaders(found, {name: float(np.median(own)) for name, own in found.items()})
    assert led is not None
    return led


def test_p_values_are_scipys_with_the_correction_of_statsmodels():
    found = losses(0.0, 0.3, 1.5, 4.0)
    raw = [stats.wilcoxon(found[name] - found["a"]).pvalue for name in "bcd"]
    corrected = multipletests(raw, method="holm")[1]
    led = led_by_median(found)
    assert list(led.p) == ["b", "c", "d"]
    np.testing.assert_allclose(list(led.p.values()), corrected, rtol=1e-12)
    assert (led.pairs, led.tests) == (N, 3)
    assert (led.best, led.tied) == (set(), {"a", "b"})


def test_what_is_told_apart_from_every_other_is_best_and_nothing_is_tied():
    led = led_by_median(losses(0.0, 4.0, 5.0))
    assert (led.best, led.tied) == ({"a"}, set())
    assert [led.mark(name) for name in "abc"] == ["best", "", ""]


def test_where_nothing_is_told_apart_nothing_is_marked():
    led = led_by_median(losses(0.0, 0.01, 0.02))
    assert (led.best, led.tied) == (set(), set())


@pytest.mark.parametrize(("n", "is_marked"), [(5, False), (6, True)])
def test_six_pairs_that_all_agree_are_the_fewest_that_tell_apart(n, is_marked):
    # By hand: the least two-sided p of n pairs is 2 / 2^n, 0.0625 for five and 0.03125 for six.
    led = led_by_median({"a": np.arange(n) * 1.0, "b": np.arange(n) * 1.1 + 1})
    assert bool(led.best) is is_marked
    assert led.p["b"] == pytest.approx(0.03125) if is_marked else np.isnan(led.p["b"])


def test_more_strategies_need_more_pairs():
    # By hand: nine tests need 9 * 2 / 2^n < 0.05, nine pairs.
    for n, is_marked in ((8, False), (9, True)):
        led = led_by_median({f"s{i}": i + np.arange(n) * (1 + i / 99) for i in range(10)})
        assert (led.tests, led.least) == (9, 9)
        assert led.best == ({"s0"} if is_marked else set())


def test_strategies_that_came_to_the_same_are_one_test_and_share_a_mark():
    apart = losses(0.0, 4.0)
    led = led_by_median({"a": apart["a"], "twin": apart["a"], "b": apart["b"], "c": apart["b"]})
    assert led.tests == 1
    assert led.best == {"a", "twin"}
    assert led.p == {"b": 2 / 2**N, "c": 2 / 2**N}
    same = np.arange(8.0)
    assert leaders({"a": same, "b": same}, {"a": 3.5, "b": 3.5}) is None


def test_a_tie_by_hand():
    # Differences +1 +1 +1 +1 +1 −1, all of rank 3.5: of 64 signs, 14 are as far from even.
    found = {"a": np.zeros(6), "b": np.array([1.0, 1, 1, 1, 1, -1])}
    led = leaders(found, {"a": 0.0, "b": 1.0})
    assert led is not None
    assert led.p["b"] == pytest.approx(14 / 64)


def test_a_run_without_a_value_is_the_worst():
    found = {"a": np.arange(8.0), "b": np.arange(8.0) + 0.5}
    found["b"][:] = np.inf
    assert led_by_median(found).best == {"a"}
    half = np.where(np.arange(8) < 4, np.inf, found["a"] - 9)
    led = leaders({"a": found["a"], "half": half}, {"a": 3.5, "half": -4.0})
    assert led is not None
    assert (led.best, led.tied) == (set(), set())


def test_one_that_the_test_holds_for_better_than_the_best_center_is_no_loser():
    found = {"a": np.arange(9.0) + 1, "b": np.arange(9.0), "c": np.arange(9.0) + 20}
    led = leaders(found, {"a": 0.0, "b": 1.0, "c": 2.0})
    assert led is not None
    assert led.p["b"] < 0.05
    assert led.tied == {"a", "b"}


def test_the_test_and_its_pairs_are_said_or_why_there_is_none():
    assert explained({}) == ""
    told = explained({"p": led_by_median(losses(0.0, 4.0))})
    assert "at 5% by the two-sided Wilcoxon signed-rank test" in told
    assert "paired seeds (n = 12), with Holm's correction" in told
    few = led_by_median(losses(0.0, 4.0, n=5))
    assert explained({"p": few}) == (
        "Nothing is marked: with 5 paired seeds no difference can be significant at 5% (the "
        "two-sided Wilcoxon signed-rank test of the best against each other one); 1 test needs 6."
    )
    both = explained({"p": led_by_median(losses(0.0, 4.0)), "q": few})
    assert both.startswith(told)
    assert "Nothing is marked on q: with 5 paired seeds" in both
