"""A light start: which programs load nothing heavy, and that laziness can be seen nowhere else."""

import inspect
import pickle
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import hpo_research as hpo
from hpo_research import heavy

STORE = Path(__file__).parent / "stores" / "schema2" / "finished" / "store.sqlite"
HEAVY = """
import sys
from hpo_research import heavy
loaded = sorted(set(heavy.PACKAGES) & set(sys.modules))
"""

PROGRAMS = {
    "grid and random search": """
import hpo_research as hpo
space = hpo.SearchSpace(x=hpo.Float(1e-5, 1, scale="log"), n=hpo.Integer(1, 9))
run = hpo.Run(space, total=9)
for strategy in (hpo.Random(), hpo.Grid("fit")):
    (ask,) = strategy.ask([run], [3])
    assert len(ask.proposals) == 3
""",
    "a study": """
import hpo_research as hpo
space = hpo.SearchSpace(x=hpo.Float(0, 1), n=hpo.Integer(1, 9))
for path in (None, FOLDER + "/study"):
    with hpo.Study(space, hpo.MedianStopping(hpo.Random()), path=path, max_epochs=3) as study:
        for trial in study.ask(2):
            study.report(trial.id, 1, trial.config["x"])
            study.tell(trial.id, trial.config["x"])
        assert study.best.value >= 0 and study.recommended is not None
""",
    "tuning a function": """
import hpo_research as hpo
space = hpo.SearchSpace(x=hpo.Float(0, 1))
for strategy in (hpo.Random(), hpo.Grid("fit")):
    assert hpo.tune(lambda config: config["x"], space, strategy=strategy, trials=2).value >= 0
""",
    "a store": """
import hpo_research as hpo
assert hpo.Result.read(FOLDER).runs
""",
    "a tuning job": """
import hpo_research as hpo
from hpo_research import sagemaker
document = {
    "Strategy": "Random",
    "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
    "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 1},
    "ParameterRanges": {
        "ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "1"}]
    },
    "TrainingJobEarlyStoppingType": "Auto",
}
job = sagemaker.load(document)
(ask,) = job.strategy.ask([hpo.Run(job.space, total=2)], [2])
assert len(ask.proposals) == 2
""",
    "--help": "from hpo_research.cli import main\nsys.argv = ['hpo', '--help']\nmain()",
    "--version": "from hpo_research.cli import main\nsys.argv = ['hpo', '--version']\nmain()",
    "status": "from hpo_research.cli import main\nsys.argv = ['hpo', 'status', FOLDER]\nmain()",
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_light_program_loads_nothing_heavy(program, tmp_path):
    (tmp_path / "store.sqlite").write_bytes(STORE.read_bytes())
    code = f"""
import sys
FOLDER = {str(tmp_path)!r}
try:
    exec({PROGRAMS[program]!r})
except SystemExit as end:
    assert not end.code, end.code
{HEAVY}
assert loaded == [], loaded
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_what_is_heavy_is_seen_where_it_is_loaded():
    code = f"{HEAVY}\nheavy.safetensors\n{HEAVY}\nassert loaded == ['safetensors'], loaded"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", hpo.__all__)
def test_every_name_is_there_and_in_the_list(name):
    assert getattr(hpo, name) is not None
    assert name in dir(hpo)


def test_the_stub_lists_what_it_imports():
    assert sorted(hpo.__all__) == hpo.__all__
    scope = {}
    exec("from hpo_research import *", scope)
    assert set(hpo.__all__) <= set(scope)


def test_a_function_named_like_its_module_is_what_the_package_has():
    code = "import hpo_research.tune\nassert callable(hpo_research.tune), hpo_research.tune"
    exec(code, {})
    assert inspect.isfunction(hpo.tune)


@pytest.mark.parametrize("kind", [hpo.Result, hpo.Study, hpo.SearchSpace, hpo.Bayesian, hpo.Trial])
def test_the_types_of_a_class_can_be_looked_up(kind):
    for name, function in inspect.getmembers(kind, inspect.isfunction):
        if function.__module__.startswith("hpo_research"):
            assert typing.get_type_hints(function) is not None, name


def test_a_frame_is_of_pandas():
    assert typing.get_type_hints(hpo.Result.frame)["return"] is heavy.pandas.DataFrame


def test_classes_are_pickled_by_their_own_modules():
    for kind in (hpo.Random, hpo.Experiment, hpo.Float, hpo.Budget):
        assert pickle.loads(pickle.dumps(kind)) is kind


def test_a_package_that_is_not_listed_is_refused():
    with pytest.raises(AttributeError, match="lists no package jax"):
        heavy.__getattr__("jax")
