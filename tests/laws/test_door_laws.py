"""The laws of strategies, for some that run BoTorch's parts: few examples, since each one costs."""

import math
import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from botorch.acquisition import qLogNoisyExpectedImprovement, qUpperConfidenceBound
from botorch.models import MixedSingleTaskGP, SingleTaskGP
from botorch.models.map_saas import EnsembleMapSaasSingleTaskGP

from hpo_research.records import Run, Trial
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.strategies.bayesian import Bayesian
from tests.strategies.simulated import Loop, accepted, settled

CHEAP = {"initial": 3, "samples": 8, "starts": 2}
STRATEGIES = {
    "SingleTaskGP qLogNEI": Bayesian(qLogNoisyExpectedImprovement, SingleTaskGP, **CHEAP),
    "Mixed qlogei": Bayesian("qlogei", MixedSingleTaskGP, **CHEAP),
    "own qUCB": Bayesian(partial(qUpperConfidenceBound, beta=2.0), **CHEAP),
    "ensemble ucb": Bayesian("ucb", EnsembleMapSaasSingleTaskGP, **CHEAP),
}
CHOICE = Categorical(("a", "b", "c"))
MIXED = SearchSpace(x=Float(-1.0, 2.0), n=Integer(1, 40, scale="log"), c=CHOICE)
SPACES = {
    "mixed": MIXED,
    "finite": SearchSpace(n=Integer(1, 3), c=CHOICE),
    "listed": SearchSpace(
        {"x": Float(0.0, 1.0), "c": CHOICE},
        among=[{"x": k / 8, "c": CHOICE.values[k % 3]} for k in range(7)],
    ),
}

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
every_space = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)


def curve(trial: Trial, epoch: int) -> float | None:
    """Of any space; every sixth trial fails."""
    if trial.id % 6 == 4:
        return None
    numbers = [v if isinstance(v, float | int) else "abc".index(v) for v in trial.config.values()]
    return math.sin(sum(numbers)) + 0.1 * numbers[0] ** 2


def known(space: SearchSpace, seed: int = 0, rounds: int = 2) -> Run:
    """A run after rounds of the initial design, with two trials still running."""
    run = Run(space, direction=("minimize", "maximize")[seed % 2], seed=seed)
    design = Bayesian(initial=99)
    for _ in range(rounds):
        run = settled(run, curve)
        run = accepted(run, design.ask([run], [2])[0])
    return run


@every_strategy
@every_space
def test_an_ask_is_lawful_and_the_same_again(strategy, space):
    run = known(space)
    torch.manual_seed(1)  # whatever the global generator holds
    before = torch.get_rng_state()
    (ask,) = strategy.ask([run], [2])
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert strategy.ask([run], [2]) == [ask]
    assert run == known(space)
    assert len(ask.proposals) == 2
    taken = [space.identity(trial.config) for trial in run.trials]
    for proposal in ask.proposals:
        assert space.identity(space.validate(proposal.config)) not in taken
        taken.append(space.identity(proposal.config))
    assert np.isfinite(ask.notes["acquisition"]).all()


@every_strategy
def test_a_run_does_not_see_its_neighbours(strategy):
    runs = [replace(known(MIXED, seed), id=seed) for seed in range(2)]
    together = strategy.ask(runs, [1, 1])
    alone = [strategy.ask([replace(run, id=7)], [1])[0] for run in runs]
    assert together == alone


@every_strategy
def test_killed_and_resumed_equals_uninterrupted(strategy):
    run, loop = Run(SPACES["finite"], seed=5), Loop(2, trials=7)
    whole = loop.drive(strategy, run, curve)
    reborn = pickle.loads(pickle.dumps(strategy))
    killed = replace(loop, is_killed=True).drive(reborn, run, curve)
    assert (killed.trials, killed.asks) == (whole.trials, whole.asks)


@every_strategy
def test_a_finite_space_is_never_tried_twice_and_then_the_run_ends(strategy):
    space = SPACES["finite"]
    loop = Loop(3, trials=50, order=np.random.default_rng(0))
    done = loop.drive(strategy, Run(space, seed=1), curve)
    assert len({space.identity(trial.config) for trial in done.trials}) == 9 == len(done.trials)
    assert strategy.ask([done], [3])[0].proposals == ()
