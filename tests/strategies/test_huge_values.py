"""Strategies with models, told values up to the largest float: what they propose is legal."""

import sys

import pytest

import hpo_research as hpo

MAX = sys.float_info.max
SPACE = hpo.SearchSpace(x=hpo.Float(0, 1), n=hpo.Integer(1, 9))
STRATEGIES = {
    "q-EI": hpo.Bayesian(initial=4, samples=8, starts=2),
    "freeze-thaw": hpo.FreezeThaw(initial=4),
}
VALUES = {
    "the largest as a penalty": [MAX, 0.1, MAX, 0.2],
    "both ends": [MAX, -MAX, 1e307, 1.0],
    "nothing else": [MAX, MAX, MAX, MAX],
    "large": [1e307, 2e307, 3e307, 1e200],
    "subnormal": [5e-324, 1e-310, 0.0, 1e-320],
}


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_what_is_proposed_after_huge_values_is_legal_and_new(strategy, values):
    epochs = 2 if isinstance(strategy, hpo.FreezeThaw) else 1
    study = hpo.Study(SPACE, strategy, seed=0, max_epochs=epochs)
    for trial, value in zip(study.ask(4), values, strict=True):
        study.tell(trial.id, value)
    tried = [SPACE.identity(trial.config) for trial in study.ask(2)]
    assert len(set(tried)) == 2
    for trial in study.pending:
        assert SPACE.validate(trial.config) == trial.config
