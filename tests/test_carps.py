"""Our strategies as optimisers of CARP-S, and its functions as problems; skipped without CARP-S."""

import importlib
from functools import partial

import pytest

import hpo_research as hpo
from hpo_research.errors import SpaceError

pytest.importorskip("carps")
pytest.importorskip("ioh")
ConfigSpace = pytest.importorskip("ConfigSpace")
carps = importlib.import_module("hpo_research.carps")
bbob = importlib.import_module("carps.objective_functions.bbob")
task = importlib.import_module("carps.utils.task")

SPHERE = partial(bbob.BBOBObjectiveFunction, fid=1, instance=1, dimension=2, seed=1)


def test_a_strategy_runs_one_of_its_tasks():
    function = SPHERE()
    own = task.Task(
        name="sphere",
        seed=3,
        objective_function=function,
        input_space=task.InputSpace(
            configuration_space=function.configspace, fidelity_space=task.FidelitySpace(False)
        ),
        output_space=task.OutputSpace(n_objectives=1),
        optimization_resources=task.OptimizationResources(n_trials=12),
        metadata=None,
    )
    best = carps.StrategyOptimizer(own, hpo.Random()).run()
    same = carps.problem_of(SPHERE, "sphere")
    result = hpo.tune(same.f, same.space, trials=12, strategy=hpo.Random(), seed=3)
    assert best[1].cost == pytest.approx(result.value)


def test_a_space_with_a_condition_is_refused():
    space = ConfigSpace.ConfigurationSpace({"a": (0.0, 1.0), "b": ["x", "y"]})
    space.add(ConfigSpace.EqualsCondition(space["a"], space["b"], "x"))
    with pytest.raises(SpaceError, match=r"(?s)has no word for:\n.*a condition"):
        carps.space_of(space)


def test_a_space_keeps_its_kinds():
    space = ConfigSpace.ConfigurationSpace({"a": (1e-3, 1.0), "b": (1, 9), "c": ["x", "y"], "d": 3})
    found = carps.space_of(space).parameters
    assert [type(found[name]).__name__ for name in "abcd"] == [
        *("Float", "Integer", "Categorical", "Categorical")
    ]
