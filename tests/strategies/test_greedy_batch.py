from dataclasses import replace

import numpy as np
import pytest

from hpo_research.records import Run, Trial
from hpo_research.space import Categorical, Float, SearchSpace
from hpo_research.strategies.bayesian import Bayesian
from hpo_research.strategies.models import greedy_batch

SQUARE = SearchSpace(x=Float(0, 1), y=Float(0, 1))
CORNER = SearchSpace(x=Float(0, 1), y=Float(0, 1), kind=Categorical(("a", "b")))


def run_of(space: SearchSpace, value, count: int = 12) -> Run:
    configs = space.from_uniform(np.random.default_rng(1).random((count, space.dimension)))
    trials = [Trial(i, c, "finished", 1, value=value(c)) for i, c in enumerate(configs)]
    return Run(space, trials=tuple(trials))


def told(run: Run, configs: list[dict], value) -> Run:
    """The run after these configurations have ended."""
    first = len(run.trials)
    new = [Trial(first + i, c, "finished", 1, value=value(c)) for i, c in enumerate(configs)]
    return Run(run.space, trials=(*run.trials, *new))


VALUES = {
    "a slope to a corner": lambda c: c["x"] + c["y"],
    "a bowl beyond a corner": lambda c: (c["x"] + 0.2) ** 2 + 3 * (c["y"] + 0.1) ** 2,
    "a constant": lambda c: 1.0,
}


@pytest.mark.parametrize("space", [SQUARE, CORNER], ids=["square", "with a category"])
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_no_configuration_of_a_continuum_is_tried_twice(space, value):
    run = run_of(space, value)
    for _ in range(5):
        (ask,) = Bayesian(starts=8).ask([run], [4])
        run = told(run, [proposal.config for proposal in ask.proposals], value)
    tried = [space.identity(trial.config) for trial in run.trials]
    assert len(set(tried)) == len(tried) == 32


def test_the_first_point_of_a_batch_is_the_best_corner_and_the_others_are_elsewhere():
    (ask,) = Bayesian().ask([run_of(SQUARE, VALUES["a slope to a corner"])], [4])
    first, *rest = [proposal.config for proposal in ask.proposals]
    assert first == {"x": 0.0, "y": 0.0}
    assert first not in rest


def test_a_finite_space_larger_than_the_table_is_searched_and_not_repeated():
    space = SearchSpace({f"c{i}": Categorical(("a", "b", "c", "d")) for i in range(9)})
    assert space.size > 100_000

    def value(config: dict) -> float:
        return float(sum(v != "b" for v in config.values()))

    run = run_of(space, value, count=30)
    before = min(trial.value for trial in run.trials)
    for _ in range(4):
        (ask,) = Bayesian(starts=8).ask([run], [4])
        run = told(run, [proposal.config for proposal in ask.proposals], value)
    tried = [space.identity(trial.config) for trial in run.trials]
    assert len(set(tried)) == len(tried)
    assert min(trial.value for trial in run.trials) < before


@pytest.mark.parametrize("model", ["matern52", "averaged"])
def test_runs_in_parts_choose_what_they_choose_together(model, monkeypatch):
    runs = [replace(run_of(CORNER, value), seed=i) for i, value in enumerate(VALUES.values())]
    together = Bayesian(model=model, starts=4).ask(runs, [2] * 3)
    monkeypatch.setattr(greedy_batch, "_KEPT", 1)
    assert Bayesian(model=model, starts=4).ask(runs, [2] * 3) == together
