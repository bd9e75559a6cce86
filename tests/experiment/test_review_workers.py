"""Experiments over users' functions: what they cost and how long they go on."""

import time

import pytest

import hpo_research as hpo
from hpo_research.analysis.result import Result
from hpo_research.threads import processors

SPACE = hpo.SearchSpace(x=hpo.Float(0, 1))


def ran(problem: object, folder: object, parallel: int, seconds: float) -> tuple[Result, float]:
    experiment = hpo.Experiment(
        name="timed",
        problems=[problem],
        strategies={"random": hpo.Random()},
        seeds=range(1),
        parallel=parallel,
        budget=hpo.Budget(seconds=seconds),
    )
    began = time.monotonic()
    result = hpo.run(experiment, out=folder, device="cpu")
    return result, time.monotonic() - began


def test_a_budget_of_seconds_ends_where_every_trial_fails(tmp_path) -> None:
    def f(config):
        time.sleep(0.2)
        raise ValueError("bad width")

    problem = hpo.FunctionProblem(f, SPACE, workers=1)
    result, _ = ran(problem, tmp_path / "out", 1, 1.5)
    assert 4 <= len(result.frame()) <= 8


def test_a_budget_of_seconds_is_wall_time_whatever_the_workers(tmp_path) -> None:
    def f(config):
        time.sleep(0.25)
        return config["x"]

    problem = hpo.FunctionProblem(f, SPACE, workers=4)
    result, wall = ran(problem, tmp_path / "out", 4, 2.0)
    assert wall >= 2.0
    assert 20 <= len(result.frame()) <= 36
    assert result.frame()["cost_seconds"].sum() == pytest.approx(2.0, abs=0.5)


def test_processors_are_counted_where_the_system_knows_no_affinity(monkeypatch) -> None:
    assert processors() >= 1
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    assert processors() == 6
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert processors() == 1
