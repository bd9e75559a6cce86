"""Rivals elsewhere and here: the pipe to another environment, versions, and what each is given."""

import importlib
import sys
from functools import partial

import numpy as np
import pytest

import hpo_research as hpo
from benchmarks.regret import __main__ as command
from benchmarks.regret import elsewhere
from benchmarks.regret.declared import Task
from benchmarks.regret.problems import Bbob, HpoTable
from benchmarks.regret.record import Record
from hpo_research.errors import MissingPackageError, StrategyError
from hpo_research.space import Float, SearchSpace

for needed in ("optuna", "ax", "egobox"):
    pytest.importorskip(needed)
rivals = importlib.import_module("benchmarks.regret.rivals")

TASKS = {
    "numbers": Task(Bbob(1, 1, 2), 3, 2, 5),
    "grids": Task(HpoTable("hpolib", "protein_structure"), 3, 2, 5),
}

PROGRAM = """
import random, sys
from benchmarks.regret import served

class Search:
    def __init__(self, space, seed, evaluations):
        print("said on standard output")
        assert (seed, evaluations) == (3, 5)
        self.space, self.told = space, []
    def ask(self, count):
        if len(self.told) >= {dies}:
            raise RuntimeError("out of ideas")
        return [[p["low"] if "low" in p else p["size"] - 1 for p in self.space]] * count
    def tell(self, losses):
        self.told += losses

served.SEARCHES["hebo"] = Search
served.PACKAGES["hebo"] = ("HEBO",)
served.metadata.version = lambda name: "{version}"
served.main("hebo")
"""


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """Return what makes an environment whose HEBO is a few lines of ours."""
    python = tmp_path / "hebo" / "bin" / "python"
    python.parent.mkdir(parents=True)
    # `-P` hides the working directory, which is where the benchmarks are.
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv(elsewhere.FOLDER, str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", ".")

    def make(dies: int = 99, version: str = "0.3.6") -> None:
        program = tmp_path / "program.py"
        program.write_text(PROGRAM.format(dies=dies, version=version))
        monkeypatch.setattr(elsewhere, "PROGRAM", program)

    return make


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_search_elsewhere_is_asked_and_told(environment, task):
    environment()
    found = rivals.searched("hebo", task)
    assert len(found.line.regrets) == 5
    assert found.line.strategy == "hebo"
    assert found.versions["HEBO"] == "0.3.6"
    last = {
        n: p.low if isinstance(p, Float) else p.values[-1]
        for n, p in task.problem.space.parameters.items()
    }
    sign = 1 if task.problem.direction == "minimize" else -1
    expected = sign * (task.problem.value(last) - task.problem.optimum)
    assert found.line.regrets == pytest.approx([expected] * 5, rel=1e-6)


def test_another_version_elsewhere_is_refused_by_name(environment):
    environment(version="0.3.5")
    with pytest.raises(StrategyError, match=r"hebo is recorded with HEBO 0\.3\.6.*has 0\.3\.5"):
        rivals.searched("hebo", TASKS["numbers"])


def test_a_search_that_dies_elsewhere_is_quoted(environment):
    environment(dies=4)
    with pytest.raises(
        StrategyError, match=r"(?s)hebo ended of itself.*standard output.*out of ideas"
    ):
        rivals.searched("hebo", TASKS["numbers"])


def test_without_its_environment_a_search_says_how_to_make_it(tmp_path, monkeypatch):
    monkeypatch.delenv(elsewhere.FOLDER, raising=False)
    with pytest.raises(MissingPackageError, match=r"make\.sh smac FOLDER, then set HPO_RIVALS"):
        elsewhere.Elsewhere("smac-rf", TASKS["numbers"])
    monkeypatch.setenv(elsewhere.FOLDER, str(tmp_path))
    with pytest.raises(MissingPackageError, match=f"there is no {tmp_path}"):
        elsewhere.Elsewhere("smac-rf", TASKS["numbers"])


def test_another_version_here_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(rivals.metadata, "version", lambda package: "4.9")
    with pytest.raises(StrategyError, match=r"optuna-tpe .*with optuna 5\.0\.0, 4\.9 is there"):
        rivals.searched("optuna-tpe", TASKS["numbers"])


def test_without_what_it_needs_a_search_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(rivals, "find_spec", lambda module: None)
    with pytest.raises(MissingPackageError, match=r"ax-quality needs numpyro: pip install .*saas"):
        rivals.require("ax-quality")


def test_what_cannot_be_run_is_refused_before_anything_is(tmp_path, monkeypatch):
    monkeypatch.delenv(elsewhere.FOLDER, raising=False)
    monkeypatch.setattr(command, "Record", partial(Record, folder=tmp_path))
    options = command._parser().parse_args(["rivals", "--only", "random", "hebo"])
    with pytest.raises(MissingPackageError, match="hebo needs an environment"):
        options.run(options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["optuna-gp-our-design", "botorch-our-design"])
@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_what_begins_with_our_design_meets_the_points_that_ours_meets(name, task, tmp_path):
    n = len(rivals.our_design(task.problem.space, task.seed))
    task = Task(task.problem, task.seed, task.q, n)
    experiment = hpo.Experiment(
        "x", [task.problem], {"ours": hpo.Bayesian()}, [task.seed], hpo.Budget(evaluations=n)
    )
    result = hpo.run(experiment, out=tmp_path, device="cpu")
    (run,) = result.runs.values()
    theirs = rivals.searched(name, task).line.regrets
    ours = np.array(run.losses) - task.problem.optimum * (
        1 if task.problem.direction == "minimize" else -1
    )
    assert theirs == pytest.approx(ours.tolist(), rel=1e-5)


@pytest.mark.parametrize("name", ["egobox", "optuna-tpe"])
@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_run_is_the_same_when_made_again(name, task):
    one, other = (rivals.searched(name, task).line.regrets for _ in range(2))
    assert one == other and len(one) == 5


def test_annealing_takes_numbers_one_at_a_time():
    alone = Task(Bbob(1, 1, 2), 3, 1, 20)
    assert len(rivals.searched(rivals.ANNEALING, alone).line.regrets) == 20
    takes = [rivals.can(rivals.ANNEALING, task) for task in (alone, *TASKS.values())]
    assert takes == [True, False, False]


def test_a_space_that_cannot_be_described_is_refused():
    space = SearchSpace({"x": Float(1e-3, 1.0, "log")})
    with pytest.raises(StrategyError, match="x: expected a linear Float or a Categorical"):
        elsewhere._described(space)
