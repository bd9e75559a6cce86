"""Running times: counting by hand, with ties and targets that are never reached."""

import numpy as np
import pytest
from handmade import made

from hpo_research.analysis.pooled import pooled
from hpo_research.analysis.running_times import COCO_TARGETS, ecdf, reached_within, running_times
from hpo_research.analysis.trajectories import trajectories
from hpo_research.store import RunName


def runs(values, problem="p"):
    """Runs by strategy and seed in which each evaluation has one of these values."""
    return {
        RunName(problem, strategy, seed): [(i, 1, v) for i, v in enumerate(own)]
        for strategy, seeds in values.items()
        for seed, own in enumerate(seeds)
    }


VALUES = {"a": [[8.0, 4.0, 1.0, 1.0], [8.0, 8.0, 2.0, 3.0]], "b": [[9.0, 4.0, 4.0, 4.0], [8.0] * 4]}


def single(values=VALUES, **options):
    return made(runs(values), max_epochs=1, **options)


def test_the_first_time_that_a_loss_is_as_low_as_a_target():
    (own,) = trajectories(single())
    times = own.times(np.array([[8.0, 4.0, 1.0, 0.5], [8.0, 2.0, 1.5, 9.0]]))
    assert times[0].tolist() == [[1, 2, 3, np.inf], [1, 3, np.inf, 1]]
    assert times[1].tolist() == [[2, 2, np.inf, np.inf], [1, np.inf, np.inf, 1]]
    assert own.spent.tolist() == [[4, 4], [4, 4]]
    assert own.ends.tolist() == [[1, 2], [4, 8]]
    assert own.begins.tolist() == [[8, 8], [9, 8]]
    assert own.after(np.array([0.5, 2.0, 9.0]))[0].tolist() == [[np.inf, 4, 1], [np.inf, 8, 2]]


def test_the_expected_running_time_by_hand():
    (own,) = running_times(single(optimum=0.0))
    assert (own.rule, own.is_optimum, own.dimension) == ("between", True, 1)
    assert len(own.targets) == 51
    assert own.targets[[0, -1]] == pytest.approx([6.0, 1.0])  # b's median after 5, and a's best
    above = int(np.flatnonzero(own.targets >= 4.0)[-1])
    assert own.times[:, :, above].tolist() == [[2, 3], [2, np.inf]]
    assert own.expected[:, above].tolist() == [2.5, 6.0]  # (2 + 3) / 2 and (2 + 4) / 1
    below = int(np.flatnonzero(own.targets >= 2.0)[-1])
    assert own.expected[:, below].tolist() == [3.0, np.inf]
    assert own.reached[:, -1].tolist() == [0.5, 0.0]
    assert np.isnan(own.interval).all()  # two seeds


def test_without_an_optimum_distances_are_from_the_best_of_all_runs():
    (own,) = running_times(single())
    assert not own.is_optimum
    assert own.targets[[0, -1]] == pytest.approx([5.0, 1.0])  # 6 - 1, and 2 - 1


def test_where_more_is_better_losses_are_the_negative_values():
    turned = {name: [(i, e, -v) for i, e, v in own] for name, own in runs(VALUES).items()}
    (own,) = running_times(made(turned, max_epochs=1, direction="maximize", optimum=0.0))
    (other,) = running_times(single(optimum=0.0))
    np.testing.assert_array_equal(own.times, other.times)


def test_an_epoch_is_a_part_of_an_evaluation():
    epochs = {
        name: [(i // 2, i % 2 + 1, v) for i, _, v in own] for name, own in runs(VALUES).items()
    }
    (own,) = running_times(made(epochs, max_epochs=2, optimum=0.0))
    (other,) = running_times(single(optimum=0.0))
    np.testing.assert_array_equal(own.spent, other.spent / 2)
    above = int(np.flatnonzero(own.targets >= 4.0)[-1])
    assert own.times[:, :, above].tolist() == [[1, 1.5], [1, np.inf]]


def test_what_came_to_the_same_at_once_or_is_not_over_has_no_running_times():
    same = {"a": [[1.0, 1.0]], "b": [[1.0, 1.0]]}
    assert running_times(single(same)) == []
    assert running_times(single(over=False)) == []


def test_the_share_of_targets_within_a_cost():
    times = np.array([[[1.0, 2.0, np.inf, 2.0]]])
    shares = reached_within(times, np.array([0.5, 1.0, 2.0, 99.0]))
    assert shares.tolist() == [[[0.0, 0.25, 0.75, 0.75]]]


def test_problems_weigh_the_same_however_many_seeds_they_have():
    found = runs(VALUES) | runs({name: own[:1] for name, own in VALUES.items()}, "q")
    both = running_times(made(found, max_epochs=1, optimum=0.0))
    shown = ecdf(both)
    each = [ecdf([own]).share.center[:, -1] for own in both]
    np.testing.assert_allclose(shown.share.center[:, -1], np.mean(each, axis=0))
    assert shown.ends.tolist() == [4, 4]
    assert not shown.share.has_interval


def test_the_bootstrap_resamples_within_problems_and_holds_the_mean():
    generator = np.random.default_rng(0)
    strata = [generator.normal(size=(2, n, 3)) for n in (5, 20)]
    shown = pooled(strata)
    np.testing.assert_allclose(shown.center, (strata[0].mean(1) + strata[1].mean(1)) / 2)
    assert ((shown.low < shown.center) & (shown.center < shown.high)).all()
    # The variance of the mean of two independent means; the bootstrap's is (n - 1) / n of it.
    error = np.sqrt(sum(own.var(axis=1) / own.shape[1] for own in strata)) / 2
    np.testing.assert_allclose((shown.high - shown.low) / (2 * 1.96), error, rtol=0.08)


def test_cocos_targets():
    assert len(COCO_TARGETS) == 51
    np.testing.assert_array_equal(COCO_TARGETS[[0, 5, 50]], [100.0, 10.0, 1e-8])
