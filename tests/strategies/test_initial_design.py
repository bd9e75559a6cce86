"""The initial design: the middle, then the Sobol sequence that strategies of a seed share."""

import numpy as np
import pytest

from hpo_research.errors import StrategyError
from hpo_research.records import Run, Trial
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.strategies.bayesian import Bayesian
from hpo_research.strategies.random import Random

CONTINUUM = SearchSpace(x=Float(-1.0, 3.0), rate=Float(1e-4, 1.0, scale="log"))
FINITE = SearchSpace(width=Integer(1, 3), activation=Categorical(("relu", "gelu")))
MIDDLE = Bayesian(design="middle")


def run_of(space: SearchSpace, configs: list[dict], seed: int = 7) -> Run:
    """A run whose trials have failed, so that no model takes over."""
    trials = tuple(Trial(i, config, "failed", 1) for i, config in enumerate(configs))
    return Run(space, seed=seed, trials=trials)


def designed(strategy: Bayesian, space: SearchSpace, asks: list[int]) -> list[dict]:
    """The configurations of asks of so many trials each."""
    configs: list[dict] = []
    for slots in asks:
        (ask,) = strategy.ask([run_of(space, configs)], [slots])
        configs += [proposal.config for proposal in ask.proposals]
    return configs


def test_the_middle_comes_first_and_the_sequence_of_the_seed_follows():
    (shared,) = Random("sobol").ask([run_of(CONTINUUM, [])], [6])
    found = designed(MIDDLE, CONTINUUM, [7])
    assert found[0] == pytest.approx({"x": 1.0, "rate": 0.01})
    assert found[1:] == [proposal.config for proposal in shared.proposals]


@pytest.mark.parametrize("space", [CONTINUUM, FINITE], ids=["continuum", "finite"])
def test_one_ask_for_five_equals_five_asks_for_one(space):
    assert designed(MIDDLE, space, [5]) == designed(MIDDLE, space, [1] * 5)


def test_a_point_of_the_sequence_that_is_the_middle_gives_way_in_a_finite_space():
    found = designed(MIDDLE, FINITE, [9])
    assert len(found) == 6
    assert {tuple(config.values()) for config in found} == {
        (width, activation) for width in (1, 2, 3) for activation in ("relu", "gelu")
    }


def test_who_enqueued_the_first_trial_is_not_given_the_middle():
    own = {"x": 0.5, "rate": 0.5}
    (ask,) = MIDDLE.ask([run_of(CONTINUUM, [own])], [3])
    (shared,) = Random("sobol").ask([run_of(CONTINUUM, [])], [3])
    assert [p.config for p in ask.proposals] == [p.config for p in shared.proposals]


@pytest.mark.parametrize(
    ("strategy", "trials"),
    [(MIDDLE, 4), (Bayesian(design="sobol"), 4), (Bayesian(design="middle", initial=3), 3)],
    ids=["middle", "sobol", "initial=3"],
)
def test_the_model_takes_over_after_the_initial_trials(strategy, trials):
    def origin(done: int) -> str:
        (design,) = Random("sobol").ask([run_of(CONTINUUM, [])], [done])
        trials = tuple(
            Trial(i, p.config, "finished", 1, (1,), (float(i),), float(i))
            for i, p in enumerate(design.proposals)
        )
        (ask,) = strategy.ask([Run(CONTINUUM, seed=7, trials=trials)], [1])
        return ask.proposals[0].origin

    assert (origin(trials - 1), origin(trials)) == ("sobol", "qlogei")


def test_an_unknown_design_is_refused():
    with pytest.raises(StrategyError, match=r"Bayesian\(design='center'\): .*middle, sobol"):
        Bayesian(design="center")


def test_the_middle_is_halfway_on_each_scale_and_the_first_value_of_a_category():
    space = SearchSpace(
        x=Float(0.0, 10.0),
        step=Float(0.0, 1.0, step=0.25),
        rate=Float(1e-4, 1.0, scale="log"),
        units=Integer(4, 64, scale="log"),
        depth=Categorical((2, 4, 8, 16), ordered=True),
        activation=Categorical(("relu", "gelu", "silu")),
    )
    middle = space.middle
    assert middle["x"] == 5.0
    assert middle["step"] == 0.5
    assert middle["rate"] == pytest.approx(1e-2)
    assert middle["units"] == 15  # halfway from 3.5 to 64.5, the edges of the first and last value
    assert middle["depth"] == 8
    assert middle["activation"] == "relu"
    assert space.validate(middle) == middle


def test_the_middle_of_a_list_is_the_listed_one_nearest_to_the_middle():
    listed = [{"x": value} for value in (0.0, 0.4, 0.9, 1.0)]
    space = SearchSpace(x=Float(0.0, 1.0), among=listed)
    assert space.middle == {"x": 0.4}
    space.middle["x"] = np.nan
    assert space.middle == {"x": 0.4}
