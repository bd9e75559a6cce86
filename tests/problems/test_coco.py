"""BBOB and its kin beside COCO itself: values, optima, noise, grids and penalties."""

from itertools import pairwise

import numpy as np
import pytest

from hpo_research import HpoError, problem
from hpo_research.problems.coco import Bbob, MixedInteger, in_suite
from hpo_research.problems.coco_constrained import Penalised
from hpo_research.problems.coco_draws import normal, uniform
from hpo_research.problems.coco_noisy import NoisyBbob, growing, log_normal, with_outlier
from hpo_research.records import Segment
from hpo_research.rng import Stream


def printed(held, folder, monkeypatch):
    """The minimiser that COCO writes into a file of the working directory."""
    monkeypatch.chdir(folder)
    held.problem._best_parameter("print")
    return np.loadtxt(folder / "._bbob_problem_best_parameter.txt")


def drawn(own, n=6, seed=0):
    cube = np.random.default_rng(seed).random((n, own.space.dimension))
    return own.space.from_uniform(cube)


@pytest.mark.parametrize("dimension", [2, 5, 40])
def test_every_function_attains_cocos_optimum_at_cocos_minimiser(dimension):
    for function in range(1, 25):
        for instance in (1, 16, 300):
            own = Bbob(function, instance, dimension)
            assert own.at(own.minimiser) == pytest.approx(own.optimum, rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("dimension", [5, 20])
@pytest.mark.parametrize("instance", [1, 33])
def test_the_mixed_integer_minimiser_is_cocos(dimension, instance, tmp_path, monkeypatch):
    for function in range(1, 25):
        own = MixedInteger(function, instance, dimension)
        held = in_suite("bbob-mixint", function, dimension, instance)
        theirs = printed(held, tmp_path, monkeypatch)
        np.testing.assert_allclose(own.minimiser, theirs, atol=1e-12)
        np.testing.assert_array_equal(
            [p.high for p in own.space.parameters.values()], held.problem.upper_bounds
        )


@pytest.mark.parametrize(("dimension", "instance"), [(2, 1), (5, 33)])
def test_the_constrained_minimiser_is_cocos_and_feasible(
    dimension, instance, tmp_path, monkeypatch
):
    for function in range(1, 55):
        own = Penalised(function, instance, dimension)
        held = in_suite("bbob-constrained", function, dimension, instance)
        theirs = printed(held, tmp_path, monkeypatch)
        np.testing.assert_allclose(own.minimiser, theirs, atol=1e-12)
        at_best = dict(zip(own.space.names, own.minimiser, strict=True))
        assert own.parts(at_best) == (own.optimum, 0.0)


def test_a_penalised_value_is_the_larger_of_objective_and_optimum_plus_what_is_violated():
    own = Penalised(24, 1, 5, weight=2.5)
    held = in_suite("bbob-constrained", 24, 5, 1)
    seen = set()
    for config in [*drawn(own, 40), dict(zip(own.space.names, own.minimiser, strict=True))]:
        x = np.array(list(config.values()))
        violated = np.maximum(held.problem.constraint(x), 0).sum()
        objective = held.problem(x)
        expected = max(objective, own.optimum) + 2.5 * violated if violated else objective
        assert _value(own, config) == pytest.approx(expected, rel=1e-14)
        seen.add(bool(violated))
    assert seen == {True, False}


@pytest.mark.parametrize("function", range(103, 131, 3))
def test_the_noise_free_value_is_what_cocos_outliers_leave(function):
    """Most of COCO's draws add a constant alone, so the median of several is the value."""
    own = NoisyBbob(function, 7, 5)
    theirs = in_suite("bbob-noisy", function - 100, 5, 7).problem
    constant = 10 if function <= 106 else 1000
    for config in drawn(own):
        x = np.array(list(config.values()))
        middle = np.median([theirs(x) for _ in range(9)]) - constant - 1.01e-8
        assert own.noise_free(config) == pytest.approx(middle, rel=1e-9, abs=1e-9)


SEEDS = range(1, 3000)  # COCO seeds each draw with one more than the last


@pytest.mark.parametrize("function", [101, 104, 107, 116, 122])
def test_log_normal_noise_is_cocos_where_the_draws_are(function):
    own = NoisyBbob(function, 2, 5)
    (config,) = drawn(own, 1)
    theirs = in_suite("bbob-noisy", function - 100, 5, 2).problem
    regret = own.noise_free(config) - own.optimum
    beta = 0.01 if function <= 106 else 1.0
    possible = np.array([log_normal(regret, beta, normal(1, seed)[0]) for seed in SEEDS])
    for _ in range(4):
        seen = theirs(np.array(list(config.values()))) - own.optimum - 1.01e-8
        assert np.abs(possible / seen - 1).min() < 1e-9


@pytest.mark.parametrize("function", [102, 108, 126])
def test_growing_noise_is_cocos_where_the_draws_are(function):
    own = NoisyBbob(function, 2, 5)
    (config,) = drawn(own, 1)
    theirs = in_suite("bbob-noisy", function - 100, 5, 2).problem
    share = 0.01 if function <= 106 else 1.0
    regret = own.noise_free(config) - own.optimum
    draws = pairwise(uniform(1, seed)[0] for seed in SEEDS)
    possible = np.array([growing(regret, share * (0.49 + 1 / 5), share, *two) for two in draws])
    for _ in range(4):
        seen = theirs(np.array(list(config.values()))) - own.optimum - 1.01e-8
        assert np.abs(possible / seen - 1).min() < 1e-9


def test_outliers_are_cut_off_below():
    assert with_outlier(3.0, 0.01, -1e9) == 3.0
    assert with_outlier(3.0, 1.0, 0.0) == 1003.0


def test_a_trial_draws_its_own_noise():
    own = problem("bbob-noisy-f107")
    (config,) = drawn(own, 1)
    first, second = (_value(own, config, seed) for seed in (1, 2))
    assert first == _value(own, config, 1)
    assert first != second


def _value(own, config, seed=0):
    ((report,),) = own.evaluate([Segment(0, 0, config, 1, Stream(seed))])
    return report.metrics["value"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("bbob-f3", {"dimension": 41}, "dimension must be an integer from 2 to 40, got 41"),
        ("bbob-f3", {"instance": 0}, "instance must be an integer from 1 to 99,999, got 0"),
        ("bbob-f3", {"dimension": "5"}, "dimension must be an integer from 2 to 40, got '5'"),
        ("bbob-f3", {"noise": -1}, "noise must be a finite number >= 0"),
        ("bbob-mixint-f3", {"dimension": 6}, "dimension must be one of 5, 10, 20, 40, got 6"),
        ("bbob-constrained-f3", {"dimension": 2.0}, "dimension must be one of 2, 3, 5"),
        ("bbob-constrained-f3", {"weight": 0}, "weight must be a finite number > 0"),
        ("bbob-f25", {}, "did you mean bbob-f"),
    ],
)
def test_what_coco_does_not_have_is_refused(name, options, message):
    with pytest.raises(HpoError, match=message):
        problem(name, **options)
