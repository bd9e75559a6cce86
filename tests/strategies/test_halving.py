"""Successive halving and early discarding: tables for the mechanism that Hyperband has."""

import pytest

from hpo_research.errors import StrategyError
from hpo_research.records import Run
from hpo_research.strategies.bayesian import Bayesian
from hpo_research.strategies.halving.early_discarding import EarlyDiscarding
from hpo_research.strategies.halving.hyperband import Hyperband
from hpo_research.strategies.halving.successive_halving import SuccessiveHalving
from hpo_research.strategies.random import Random
from tests.strategies.simulated import Loop, born
from tests.strategies.test_hyperband import SPACE


@pytest.mark.parametrize(
    ("options", "max_epochs", "bracket"),
    [
        ({}, 81, [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)]),
        ({"min_epochs": 4}, 81, [(9, 9), (3, 27), (1, 81)]),
        ({"candidates": 10, "eta": 2}, 9, [(10, 1), (5, 2), (2, 4), (1, 9)]),
        ({"candidates": 4}, 27, [(4, 1), (1, 3), (1, 9), (1, 27)]),
        ({}, 2, [(1, 2)]),
    ],
)
def test_the_bracket_is_the_table(options, max_epochs, bracket):
    assert SuccessiveHalving(**options).brackets(max_epochs) == [bracket]


@pytest.mark.parametrize("max_epochs", [9, 27, 100])
def test_it_is_the_first_bracket_of_hyperband_again_and_again(max_epochs):
    assert SuccessiveHalving().brackets(max_epochs) == Hyperband().brackets(max_epochs)[:1]
    run = Run(SPACE, max_epochs=9, seed=3)
    curve = lambda trial, epoch: float((trial.id * 7) % 9)  # noqa: E731
    done = Loop(4, trials=18).drive(SuccessiveHalving(), run, curve)
    first = Loop(4, trials=9).drive(Hyperband(), run, curve)
    assert done.trials[:9] == first.trials
    assert sorted(t.reached for t in done.trials[9:]) == [1] * 6 + [3, 3, 9]


def test_the_best_few_after_one_epoch_are_trained_to_the_end_and_then_come_fresh_ones():
    run = Run(SPACE, max_epochs=27, seed=3)
    strategy = EarlyDiscarding(candidates=5, top=2)
    done = Loop(3, trials=10).drive(strategy, run, lambda trial, epoch: -float(trial.id % 5))
    assert [trial.reached for trial in done.trials] == [1, 1, 1, 27, 27] * 2
    assert strategy.brackets(27) == [[(5, 1), (2, 27)]]


@pytest.mark.parametrize("strategy", [SuccessiveHalving(), EarlyDiscarding(epochs=2)])
def test_with_nothing_to_compare_they_are_random_search(strategy):
    run = Run(SPACE, max_epochs=2, seed=8)
    (ask,), (random,) = strategy.ask([run], [4]), Random().ask([run], [4])
    assert ask.proposals == random.proposals


@pytest.mark.parametrize(
    ("made", "options", "message"),
    [
        (SuccessiveHalving, {"candidates": 0}, r"SuccessiveHalving\(candidates=0\): candidates"),
        (SuccessiveHalving, {"min_epochs": 1.5}, r"\(min_epochs=1\.5\): min_epochs must be a"),
        (SuccessiveHalving, {"eta": 1, "inner": 3}, r"eta=1\): .*\n.*\(inner=3\): inner must be"),
        (EarlyDiscarding, {"top": 0}, r"EarlyDiscarding\(top=0\): top must be an integer"),
        (EarlyDiscarding, {"epochs": 0}, r"EarlyDiscarding\(epochs=0\): epochs must be"),
        (EarlyDiscarding, {"top": 31}, r"\(candidates=30, top=31\): top must not be above"),
    ],
)
def test_wrong_options_are_refused(made, options, message):
    with pytest.raises(StrategyError, match=message):
        born(made, options)


@pytest.mark.parametrize("made", [Hyperband, SuccessiveHalving, EarlyDiscarding])
def test_as_many_train_at_once_as_the_inner_strategy_wants(made):
    assert made(inner=Bayesian(batch=7)).batch == 7
    assert made().batch is None
