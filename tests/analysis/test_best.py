"""The best trial of a result, and its configuration as text that others read back."""

import argparse
import ast
import json
import shlex
from pathlib import Path

import pytest
import yaml

import hpo_research as hpo
from hpo_research.analysis.best import FORMS, best
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.problems.wrappers import Noisy
from hpo_research.store import RunName

CONFIG = {
    "learning_rate": 1e-05,
    "decay": 1.5e-07,
    "momentum": 0.9,
    "layers": 3,
    "activation": "relu",
    "is_deep": True,
    "on": "yes",
    "l 2: x": "1e3",
}


def run(out: Path, problems, strategy=hpo.Random(), *, evaluations=6, **options) -> Result:  # noqa: B008
    budget = hpo.Budget(evaluations=evaluations)
    return hpo.run(
        hpo.Experiment("own", problems, {"own": strategy}, [0], budget, **options), out=out
    )


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> Result:
    experiment = hpo.Experiment(
        "answers",
        [hpo.problem("branin"), hpo.problem("hartmann6")],
        {"random": hpo.Random(), "sobol": hpo.Random("sobol")},
        range(2),
        hpo.Budget(evaluations=5),
    )
    return hpo.run(experiment, out=tmp_path_factory.mktemp("answers"))


def test_the_best_is_that_of_all_runs_of_a_problem(result):
    for found in best(result):
        values = [
            (trial.value, name.strategy, name.seed, trial.id)
            for name, own in result.select(found.problem).items()
            for trial in own.run.trials
        ]
        assert (found.value, found.strategy, found.seed, found.trial) == min(values)
        assert found.epoch == 1 and found.recommended is None


def test_a_strategy_or_a_seed_can_be_named(result):
    found = result.best("branin", strategy="random", seed=1)
    own = result.runs[RunName("branin", "random", 1)].best()
    assert (found.trial, found.config) == (own.id, own.config)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({}, "expected the name of one problem"),
        ({"problem": "brannin"}, "problem 'brannin': expected one of the stored: branin, hart"),
        ({"problem": "branin", "strategy": "grid"}, "strategy 'grid': expected one of the stored"),
        ({"problem": "branin", "seed": 7}, "seed 7: expected one of the stored: 0, 1"),
    ],
)
def test_what_is_not_there_is_refused(result, named, said):
    with pytest.raises(StoreError, match=said):
        result.best(**named)


SPACE = hpo.SearchSpace(x=hpo.Float(0, 1))


def test_a_larger_value_may_be_the_better(tmp_path):
    problem = hpo.FunctionProblem(lambda config: config["x"], SPACE, direction="maximize")
    found = run(tmp_path, [problem])
    assert found.best().value == found.frame()["value"].max()


@pytest.mark.parametrize(("final", "epoch"), [("last", 3), ("best", 2)])
def test_the_epoch_is_the_one_that_counts(tmp_path, final, epoch):
    def curve(config, report):
        for i, loss in enumerate([3.0, 1.0, 2.0], start=1):
            report(i, loss + config["x"])

    problem = hpo.FunctionProblem(curve, SPACE, max_epochs=3)
    assert run(tmp_path, [problem], final=final).best().epoch == epoch


def test_where_values_are_noisy_the_recommended_trial_stands_beside_it(tmp_path):
    strategy = hpo.Bayesian(initial=6)
    result = run(tmp_path, [Noisy(hpo.problem("branin"), 30.0)], strategy, evaluations=8)
    found, (known,) = result.best(), result.runs.values()
    assert found.trial == known.best().id
    (trial,) = strategy.recommend([known])
    assert (found.recommended.trial, found.recommended.recommended) == (trial, None)


def test_without_values_there_is_no_best(tmp_path):
    problem = hpo.FunctionProblem(lambda config: float("nan"), SPACE)
    assert run(tmp_path, [problem]).best() is None


def test_others_read_back_what_is_written():
    assert yaml.safe_load(FORMS["yaml"](CONFIG)) == CONFIG
    assert json.loads(FORMS["json"](CONFIG)) == CONFIG
    assert ast.literal_eval(FORMS["python"](CONFIG)) == CONFIG


def test_flags_are_read_by_argparse():
    parser = argparse.ArgumentParser()
    for name, value in CONFIG.items():
        kind = json.loads if isinstance(value, bool) else type(value)
        parser.add_argument(f"--{name}", type=kind, dest=name)
    assert vars(parser.parse_args(shlex.split(FORMS["flags"](CONFIG)))) == CONFIG
