"""Importance of hyperparameters, held against Optuna's evaluator and against what it must say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hpo_research as hpo
from hpo_research.analysis.importance import importances, ped_anova
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.rng import Stream

SPACE = hpo.SearchSpace(
    rate=hpo.Float(1e-4, 1.0, scale="log"),
    share=hpo.Float(0.0, 0.9),
    drop=hpo.Float(0.0, 0.5, step=0.1),
    width=hpo.Integer(2, 64, scale="log"),
    depth=hpo.Integer(1, 9, step=2),
    many=hpo.Integer(0, 500),
    act=hpo.Categorical(["relu", "gelu", "tanh"]),
    only=hpo.Categorical(["one"]),
)


def studied(folder, n: int, seed: int, direction: str = "minimize") -> Result:
    """A study of random configurations, of whose values `rate` and `act` are most."""
    noise = Stream(seed).at("noise").generator().normal(size=n)
    with hpo.Study(SPACE, hpo.Random(), path=folder, seed=seed, direction=direction) as study:
        for trial, extra in zip(study.ask(n), noise, strict=True):
            config = trial.config
            value = abs(np.log10(config["rate"]) + 2) + (config["act"] == "tanh") + 0.1 * extra
            if trial.id % 11 == 10:
                study.fail(trial.id, "out of memory")
            else:
                study.tell(trial.id, value if direction == "minimize" else -value)
    return Result.read(folder)


@pytest.mark.parametrize("quantile", [0.1, 0.35])
@pytest.mark.parametrize(("n", "direction"), [(60, "minimize"), (211, "maximize")])
def test_importance_is_that_of_optunas_evaluator(tmp_path, n: int, direction: str, quantile: float):
    optuna = pytest.importorskip("optuna", reason="needs Optuna")
    result = studied(tmp_path, n, seed=n, direction=direction)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantile)
    theirs = optuna.importance.get_param_importances(result.to_optuna(), evaluator=evaluator)
    ours = importances(result, "study", quantile=quantile)
    assert {own.parameter: own.share for own in ours} == pytest.approx(theirs, rel=1e-9, abs=1e-12)
    shares = [own.share for own in ours]
    assert shares == sorted(shares, reverse=True)
    assert {own.trials for own in ours} == {n - n // 11}


def test_what_decides_comes_first_and_a_single_value_decides_nothing(tmp_path):
    found = importances(studied(tmp_path, 300, seed=3), "study")
    assert found[0].parameter == "rate" and found[-1].parameter == "only"
    assert found[-1].share == 0 and sum(own.share for own in found) == pytest.approx(1)


@settings(max_examples=30)
@given(st.integers(0, 2**31), st.integers(2, 80), st.floats(0.01, 0.99))
def test_importance_depends_on_ranks_alone_and_is_never_negative(seed, n, quantile):
    configs = SPACE.decode(Stream(seed).at("cube").generator().uniform(size=(n, SPACE.dimension)))
    losses = Stream(seed).at("loss").generator().normal(size=n)
    found = ped_anova(SPACE, configs, losses, quantile=quantile)
    assert found == ped_anova(SPACE, configs, np.exp(losses), quantile=quantile)
    assert all(0 <= value < np.inf for value in found.values())


def test_few_trials_say_nothing(tmp_path):
    assert importances(studied(tmp_path, 30, seed=1), "study") == []


@pytest.mark.parametrize("quantile", [0.0, 1.0, -0.1, float("nan")])
def test_a_quantile_that_cannot_be_is_refused(quantile):
    with pytest.raises(StoreError, match="expected a number above 0 and below 1"):
        ped_anova(SPACE, [], np.zeros(0), quantile=quantile)


def test_another_problem_is_refused(tmp_path):
    with pytest.raises(StoreError, match="problem"):
        importances(studied(tmp_path, 3, seed=0), "branin")
