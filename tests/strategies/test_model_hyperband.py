from dataclasses import replace

import numpy as np
import pytest

from hpo_research.errors import StrategyError
from hpo_research.records import Run, Trial
from hpo_research.space import Float, SearchSpace
from hpo_research.strategies.halving.hyperband import Hyperband
from hpo_research.strategies.model_hyperband import ModelHyperband
from tests.strategies.simulated import Loop, born

SPACE = SearchSpace(x=Float(0.0, 1.0), y=Float(0.0, 1.0))
RUN = Run(SPACE, max_epochs=9)


def falling(trial: Trial, epoch: int) -> float:
    """Fall towards a bowl with its bottom at (0.3, 0.6), which the first epoch shows badly."""
    x, y = trial.config["x"], trial.config["y"]
    return (x - 0.3) ** 2 + (y - 0.6) ** 2 + (1 + y) / epoch


def test_the_brackets_are_those_of_hyperband():
    assert ModelHyperband().brackets(27) == Hyperband().brackets(27)
    done = Loop(4, 17).drive(ModelHyperband(initial=4), RUN, falling)
    plain = Loop(4, 17).drive(Hyperband(), RUN, falling)
    levels = [(a.notes["bracket"], a.notes["rung"]) for a in done.asks if a.proposals]
    assert levels == [(a.notes["bracket"], a.notes["rung"]) for a in plain.asks if a.proposals]


def test_new_configurations_are_where_the_model_of_all_rungs_sees_the_best_ends():
    run = Loop(6, 24).drive(ModelHyperband(initial=9), RUN, falling)
    far = [
        np.hypot(t.config["x"] - 0.3, t.config["y"] - 0.6)
        for t in run.trials
        if t.origin == "model" and t.id >= 14  # after the first bracket
    ]
    assert len(far) >= 5
    assert np.median(far) < 0.25  # 0.4 for uniform draws


def test_with_one_epoch_it_is_bayesian_optimisation():
    run = Loop(4, 12).drive(ModelHyperband(initial=4), replace(RUN, max_epochs=1), falling)
    assert {trial.status for trial in run.trials} == {"finished"}
    assert [t.origin for t in run.trials].count("model") >= 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eta": 1}, r"ModelHyperband\(eta=1\): eta must be an integer >= 2"),
        ({"initial": 1}, r"ModelHyperband\(initial=1\): initial must be an integer >= 2"),
        ({"batch": 0}, r"ModelHyperband\(batch=0\): batch must be an integer >= 1"),
        ({"starts": 0}, r"ModelHyperband\(starts=0\): starts must be an integer >= 2"),
    ],
)
def test_a_wrong_option_is_refused(options, message):
    with pytest.raises(StrategyError, match=message):
        born(ModelHyperband, options)
