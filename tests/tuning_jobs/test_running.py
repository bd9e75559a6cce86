"""Tuning jobs run: the five documents, criteria, deadline, failures, folders, and the commands."""

import importlib
import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

import pytest
from doubles import Walk
from tuning_jobs.examples import CONFIG, DEFINITION, DOCUMENTS, FILES, SEVERAL, changed
from typer.testing import CliRunner

import hpo_research as hpo
from hpo_research import sagemaker
from hpo_research.analysis.result import Result
from hpo_research.cli import app
from hpo_research.errors import DocumentError, ExperimentError
from hpo_research.executors.lock_step import LockStepExecutor
from hpo_research.experiment import loop
from hpo_research.records import Run, Trial
from hpo_research.sagemaker.running import ends, have_failed, seed_of
from hpo_research.sagemaker.standing import ERROR, NO_SUCCESS, standing
from hpo_research.store import Store

running = importlib.import_module("hpo_research.sagemaker.running")
QUIET = {"progress": False}


@pytest.fixture
def here(monkeypatch):
    """Training in this process, of which no test needs to know; the numbers of slots in use."""
    used: list[int] = []

    @dataclass
    class Counting(LockStepExecutor):
        def __init__(self, problem, *_):
            LockStepExecutor.__init__(self, problem)

        def poll(self, timeout=None):
            used.append(len(self._running.segments))
            return LockStepExecutor.poll(self, timeout)

    monkeypatch.setattr(loop, "executor_for", lambda problem, *_: Counting(problem))
    return used


def bowl(config, report):
    """Nearer with every epoch to a value that hangs on the numbers alone."""
    numbers = [float(v) for v in config.values() if not isinstance(v, str)]
    worth = 0.9 / (1 + sum(abs(n) for n in numbers) / len(numbers or [1]) / 1000)
    worth = config.get("eta", worth)
    for epoch in range(1, min(report.until, 4) + 1):
        if not report(epoch, worth * (1 - 0.5**epoch)):
            return


def line(config, report):
    """Little more than 1, twice."""
    for epoch in (1, 2):
        if not report(epoch, 1 + config["lr"]):
            return


def broken(config):
    raise OSError("no data")


def echo(config):
    """Which hyperparameters there are, and of which types."""
    kinds = {name: type(value).__name__ for name, value in config.items()}
    print(kinds)
    assert kinds == {
        "lr": "float",
        "depth": "int",
        "kind": "str",
        "epochs": "str",
        "momentum": "str",
    }
    return config["lr"]


def job(*changes, base="request"):
    return sagemaker.load(changed(base, *changes))


CRITERIA = "HyperParameterTuningJobConfig.TuningJobCompletionCriteria"
LIMITS = "HyperParameterTuningJobConfig.ResourceLimits"
STATIC = "TrainingJobDefinition.StaticHyperParameters"


# --- the five documents ---

ENDS = {
    "bayesian": (None, "converged: at 6 asks in a row"),
    "grid": (24, ""),
    "hyperband": (150, ""),
    "random": (None, "the target 0.118 is reached"),
    "request_with_warm_start": (20, ""),
}


@pytest.mark.filterwarnings("ignore:WarmStartConfig. there is no job resnet-tune-round1")
@pytest.mark.parametrize("name", FILES)
def test_a_document_runs_to_its_end(name, here, tmp_path):
    own = sagemaker.load(FILES[name])
    if own.request.WarmStartConfig is not None:
        parent = {**DOCUMENTS[name], "HyperParameterTuningJobName": "resnet-tune-round1"}
        del parent["WarmStartConfig"]
        sagemaker.tune(parent, bowl, root=tmp_path, **QUIET)
    result = sagemaker.tune(own, bowl, out=tmp_path / "job", **QUIET)
    found = standing(tmp_path / "job")
    (run,) = result.runs.values()
    count, reason = ENDS[name]
    assert found.status == "Completed"
    assert found.reason.startswith(reason)
    assert bool(found.reason) == bool(reason)
    assert len(run.trials) == count or (count is None and len(run.trials) < own.jobs)
    assert max(here) <= own.parallel
    if own.request.WarmStartConfig is not None:
        assert len(run.prior) == 20
    best = result.best()
    worth = [t.values[-1] for t in run.trials if t.values]
    assert best.value == (max if own.direction == "maximize" else min)(worth)
    assert best.metric == own.metric


# --- how it ends ---


def test_each_criterion_ends_a_job_for_its_own_reason(here, tmp_path):
    target = {"TargetObjectiveMetricValue": 1.05}
    stale = {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3}}
    calm = {"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}}
    reasons = {"the target": target, "no improvement": stale, "converged": calm}
    for i, (begin, criteria) in enumerate(reasons.items()):
        own = job((CRITERIA, criteria), (f"{LIMITS}.MaxNumberOfTrainingJobs", 200))
        sagemaker.tune(own, line, out=tmp_path / str(i), **QUIET)
        assert standing(tmp_path / str(i)).reason.startswith(begin)
        assert standing(tmp_path / str(i)).status == "Completed"


def test_convergence_of_a_grid_is_refused():
    calm = {"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}}
    own = sagemaker.load({**DOCUMENTS["grid"], "TuningJobCompletionCriteria": calm})
    with pytest.raises(DocumentError, match=r"Convergence = 'Enabled': is not judged for"):
        assert own.strategy


def test_a_deadline_counts_the_time_of_earlier_sessions(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    run = Run(hpo.SearchSpace(x=hpo.Float(0, 1)))
    rule = ends(120, 100.0, None, 2)
    now[0] += 19.9
    assert rule(run) == ""
    now[0] += 0.1
    assert rule(run) == "MaxRuntimeInSeconds, 120 seconds, have passed"
    assert ends(None, 100.0, None, 2)(run) == ""


def test_a_deadline_stops_what_runs(here, tmp_path, monkeypatch):
    own = job((f"{LIMITS}.MaxRuntimeInSeconds", 120))
    now, real = [0.0], time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + now[0])

    def late(config, report):
        report(1, 0.5)
        now[0] += 50
        report(2, 0.5)

    sagemaker.tune(own, late, out=tmp_path, **QUIET)
    found = standing(tmp_path)
    assert (found.status, found.reason) == (
        "Completed",
        "MaxRuntimeInSeconds, 120 seconds, have passed",
    )
    (run,) = Result.read(tmp_path).runs.values()
    assert len(run.trials) < 20
    assert not run.running


def test_a_job_whose_first_five_jobs_failed_has_failed(here, tmp_path):
    sagemaker.tune(job(), broken, out=tmp_path / "five", **QUIET)
    found = standing(tmp_path / "five")
    assert (found.status, found.reason) == ("Failed", NO_SUCCESS)
    assert "OSError: no data" in found.detail
    result = sagemaker.tune(job(), broken, out=tmp_path / "all", failures=None, **QUIET)
    assert [len(run.trials) for run in result.runs.values()] == [20]
    assert standing(tmp_path / "all").reason == "No training job succeeded."


@pytest.mark.parametrize(
    ("statuses", "has_failed"),
    [
        (["failed"] * 5, True),
        (["failed"] * 4 + ["finished"], False),
        (["failed"] * 4 + ["running", "failed"], True),
        (["failed"] * 4 + ["stopped", "failed"], False),
        (["failed"] * 4, False),
        (["finished"] + ["failed"] * 9, False),
    ],
)
def test_the_first_five_to_end_count(statuses, has_failed):
    place, trials = 0, []
    for i, status in enumerate(statuses):
        value = 1.0 if status in ("finished", "stopped") else None
        own = None if status == "running" else place
        place += own is not None
        trials.append(Trial(i, {"x": 0.5}, status, 1, value=value, place=own))
    run = Run(hpo.SearchSpace(x=hpo.Float(0, 1)), trials=tuple(trials))
    assert have_failed(run, 5, 3) == has_failed


# --- seeds, folders, hyperparameters ---


def test_a_seed_of_zero_is_a_seed_and_without_one_it_is_drawn_once(here, tmp_path):
    zero = job(("HyperParameterTuningJobConfig.RandomSeed", 0))
    assert [name.seed for name in sagemaker.tune(zero, line, out=tmp_path / "0", **QUIET).runs] == [
        0
    ]
    (first,) = sagemaker.tune(job(), line, out=tmp_path / "drawn", **QUIET).runs
    (again,) = sagemaker.tune(job(), line, out=tmp_path / "drawn", **QUIET).runs
    assert first == again
    with Store.in_memory() as one, Store.in_memory() as other:
        assert seed_of(job(), one) != seed_of(job(), other)


def test_a_folder_holds_the_document_as_it_came_and_one_job(here, tmp_path):
    pair = sagemaker.load(CONFIG, DEFINITION)
    home = tmp_path / "pair"
    sagemaker.tune(pair, line, out=home, **QUIET)
    assert json.loads((home / "job.json").read_text()) == CONFIG
    assert json.loads((home / "definition.json").read_text()) == DEFINITION
    other = sagemaker.load({**CONFIG, "RandomSeed": 1}, DEFINITION)
    with pytest.raises(DocumentError, match="holds another document, of a job that was begun"):
        sagemaker.tune(other, line, out=home, **QUIET)
    with pytest.raises(ExperimentError, match="has changed since"):
        sagemaker.tune(pair, bowl, out=home, **QUIET)
    assert standing(home).status == "Completed"
    assert not (home / ERROR).exists()
    assert len(Result.read(home).runs) == 1


def test_a_job_that_never_began_leaves_its_folder_to_a_corrected_document(here, tmp_path):
    calm = {"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}}
    wrong = {**DOCUMENTS["grid"], "TuningJobCompletionCriteria": calm}
    with pytest.raises(DocumentError, match="is not judged for"):
        sagemaker.tune(wrong, bowl, out=tmp_path, **QUIET)
    assert standing(tmp_path).status == "Failed"
    sagemaker.tune(DOCUMENTS["grid"], bowl, out=tmp_path, **QUIET)
    assert standing(tmp_path).status == "Completed"


def test_an_experiment_of_another_kind_is_left_alone(here, tmp_path):
    space = hpo.SearchSpace(x=hpo.Float(0, 1))
    with hpo.Study(space, hpo.Random(), path=tmp_path):
        pass
    with pytest.raises(DocumentError, match="holds an experiment that is no tuning job"):
        sagemaker.tune(job(), line, out=tmp_path, **QUIET)
    assert not (tmp_path / "job.json").exists()


def test_several_definitions_say_what_is_missing(tmp_path):
    with pytest.raises(DocumentError, match="the job has 2 definitions, each with its own"):
        sagemaker.tune(SEVERAL, line, out=tmp_path, **QUIET)


def test_a_name_is_taken_whatever_its_case(here, tmp_path):
    sagemaker.tune(job(), line, root=tmp_path, **QUIET)
    assert standing(tmp_path / "child").status == "Completed"
    with pytest.raises(DocumentError, match="is a job of that name, which counts whatever"):
        sagemaker.tune(job(("HyperParameterTuningJobName", "Child")), line, root=tmp_path, **QUIET)
    with pytest.raises(DocumentError, match="has no name; give out="):
        sagemaker.tune(CONFIG, line, root=tmp_path, **QUIET)


def test_a_function_is_given_native_types_and_statics_as_strings(here, tmp_path):
    own = job(
        (f"{STATIC}.sagemaker_program", "x.py"), (f"{STATIC}._tuning_objective_metric", "loss")
    )
    result = sagemaker.tune(own, echo, out=tmp_path, **QUIET)
    (run,) = result.runs.values()
    assert {trial.status for trial in run.trials} == {"finished"}, run.trials[0].reason


@pytest.mark.filterwarnings("ignore::hpo_research.errors.DocumentWarning")
def test_a_range_of_one_value_has_the_type_of_its_range(here, tmp_path):
    ranges = "HyperParameterTuningJobConfig.ParameterRanges.IntegerParameterRanges"
    own = job((ranges, [{"Name": "depth", "MinValue": "3", "MaxValue": "3"}]))
    result = sagemaker.tune(own, echo, out=tmp_path, **QUIET)
    (run,) = result.runs.values()
    assert run.trials[0].status == "finished", run.trials[0].reason


def test_hyperband_needs_a_function_that_reports(tmp_path):
    with pytest.raises(DocumentError, match="write it as f\\(config, report\\)"):
        sagemaker.tune(FILES["hyperband"], broken, out=tmp_path / "job", **QUIET)
    assert "write it as f(config, report)" in (tmp_path / "job" / ERROR).read_text()
    assert standing(tmp_path / "job").status == "Failed"


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        ("nowhere.py", "nowhere.py: there is no such file; name the program that trains"),
        ([], "trainer: expected a program's file, its command"),
        (3, "trainer: expected a program's file, its command"),
    ],
)
def test_what_cannot_train_is_refused(trainer, message, tmp_path):
    with pytest.raises(DocumentError, match=message):
        sagemaker.tune(job(), trainer, out=tmp_path / "job", **QUIET)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"channels": [1]}, "tune(channels=[1]): channels must be a dict of folders by name"),
        ({"root": 3}, "root: expected a path as a string or a Path, got 3"),
        ({"failures": 0}, "tune(failures=0): failures must be an integer >= 1, or None"),
    ],
)
def test_options_that_are_none_are_refused(given, message, tmp_path):
    with pytest.raises(DocumentError) as caught:
        sagemaker.tune(job(), ["train"], out=tmp_path / "job", **given, **QUIET)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sagemaker.load(CONFIG, root=3), "root: expected a path as a string or a Path"),
        (lambda: sagemaker.load(CONFIG, strict="no"), "load(strict='no'): strict must be True or"),
        (lambda: sagemaker.warm(CONFIG, "jobs"), "job must be a tuning job, as sagemaker.load"),
        (lambda: sagemaker.overall_best(None, "a", "b"), "overall_best(job=None): job must be a"),
        (lambda: sagemaker.warm(job(), 3), "root: expected a path as a string or a Path, got 3"),
    ],
)
def test_what_is_no_job_and_no_folder_is_refused(call, message):
    with pytest.raises(DocumentError) as caught:
        call()
    assert message in str(caught.value)


# --- a problem of ours over the document's ranges ---


@dataclass(frozen=True)
class Layers(Walk):
    space: hpo.SearchSpace = field(
        default=hpo.SearchSpace(
            x=hpo.Float(0, 1), kind=hpo.Categorical(["a", "b", "c"]), depth=hpo.Categorical([2, 4])
        )
    )


OVER = {
    "ContinuousParameterRanges": [{"Name": "x", "MinValue": "0.2", "MaxValue": "0.4"}],
    "CategoricalParameterRanges": [
        {"Name": "depth", "Values": ["4", "2"]},
        {"Name": "kind", "Values": ["a", "b"]},
    ],
}


def over(**changes):
    limits = {"MaxNumberOfTrainingJobs": 6, "MaxParallelTrainingJobs": 2}
    return sagemaker.load(
        {**CONFIG, "ParameterRanges": {**OVER, **changes}, "ResourceLimits": limits}
    )


def test_a_problem_is_searched_over_a_part_of_its_space(here, tmp_path):
    result = sagemaker.tune(over(), Layers(), out=tmp_path, **QUIET)
    (run,) = result.runs.values()
    assert len(run.trials) == 6
    assert all(0.2 <= trial.config["x"] <= 0.4 for trial in run.trials)
    assert {trial.config["depth"] for trial in run.trials} <= {"2", "4"}
    assert run.max_epochs == 9


def test_a_problem_that_has_other_hyperparameters_is_refused_with_all_lines(tmp_path):
    wrong = over(
        ContinuousParameterRanges=[{"Name": "y", "MinValue": "0", "MaxValue": "1"}],
        CategoricalParameterRanges=[{"Name": "depth", "Values": ["4", "8"]}],
    )
    with pytest.raises(DocumentError) as error:
        sagemaker.tune(wrong, Layers(metric="score"), out=tmp_path, **QUIET)
    lines = str(error.value).splitlines()
    assert lines[0] == "MetricName = 'loss': walk reports 'score'; name that"
    assert "y: is no hyperparameter of walk; it has x, kind, depth" in lines
    assert "x: walk needs it; add a range" in lines
    assert "depth = '8': walk takes one of 2, 4" in lines
    wide = over(ContinuousParameterRanges=[{"Name": "x", "MinValue": "0.2", "MaxValue": "2"}])
    with pytest.raises(DocumentError, match="walk does not take all of them"):
        sagemaker.tune(wide, Layers(), out=tmp_path / "wide", **QUIET)


# --- the command line ---

SCRIPT = """
import argparse, signal, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
options, _ = parser.parse_known_args()
for epoch in range(3):
    time.sleep(0.03)
    print(f"epoch {epoch} loss={options.lr:.5f}", flush=True)
"""


def files(folder, *changes):
    (folder / "train.py").write_text(SCRIPT)
    (folder / "request.json").write_text(json.dumps(changed("request", *changes)))
    return str(folder / "request.json"), str(folder / "train.py")


def command(*arguments):
    return [sys.executable, "-c", "from hpo_research.cli import main; main()", *arguments]


def test_the_command_runs_resumes_after_a_kill_and_describes(tmp_path):
    """Killed in the middle by SIGKILL: nothing is lost, nothing is trained twice."""
    document, script = files(tmp_path, (f"{LIMITS}.MaxNumberOfTrainingJobs", 8))
    home = tmp_path / "jobs" / "child"
    line = command("tune", document, "--script", script, "--root", str(tmp_path / "jobs"))
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        while not (home / "jobs" / "002").is_dir():
            assert first.poll() is None, first.stderr.read()
            time.sleep(0.02)
        first.send_signal(signal.SIGKILL)
    before = standing(home)
    assert (before.status, before.is_running) == ("InProgress", False)
    done = CliRunner().invoke(
        app, ["tune", str(home / "job.json"), "--script", script, "--out", str(home)]
    )
    assert done.exit_code == 0, done.output
    assert "child: Completed" in done.output
    assert "training jobs: 8 Completed" in done.output
    assert "best training job: child-00" in done.output
    found = standing(home)
    assert len(found.seen.sessions) == 2
    assert found.created < found.ended
    described = CliRunner().invoke(app, ["describe", str(home)])
    assert described.exit_code == 0
    assert "child: Completed" in described.output
    stopped = CliRunner().invoke(app, ["stop", str(home)])
    assert stopped.exit_code == 1
    assert "the tuning job is Completed; it runs no more" in stopped.stderr


def test_a_job_is_stopped_by_request_and_interrupted_by_a_signal(tmp_path):
    document, script = files(tmp_path, (f"{LIMITS}.MaxNumberOfTrainingJobs", 200))
    home = tmp_path / "job"
    line = command("tune", document, "--script", script, "--out", str(home))
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as first:
        while not (home / "jobs" / "000").is_dir():
            assert first.poll() is None, first.stderr.read()
            time.sleep(0.02)
        first.send_signal(signal.SIGTERM)
        output, error = first.communicate()
    assert first.returncode == 143, output
    assert "run the same command again to resume" in error
    assert not (home / ERROR).exists()
    asked = CliRunner().invoke(app, ["stop", str(home), "--reason", "enough"])
    assert asked.exit_code == 0
    assert standing(home).status == "Stopped"  # nobody runs it
    done = CliRunner().invoke(app, ["tune", document, "--script", script, "--out", str(home)])
    assert done.exit_code == 0
    assert "child: Stopped (enough)" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected one of --script, --objective and --problem"),
        (["--script", "a", "--problem", "b"], "expected one of --script, --objective"),
        (["--objective", "train.py"], "expected FILE:function, as in train.py:loss"),
        (["--objective", "nowhere.py:f"], "nowhere.py: there is no such file"),
        (["--script", "nowhere.py"], "nowhere.py: there is no such file"),
        (["--script", "train.py", "--channel", "train"], "expected NAME=FOLDER, got 'train'"),
    ],
)
def test_wrong_calls_are_refused(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    document, _ = files(tmp_path)
    done = CliRunner().invoke(app, ["tune", document, *arguments])
    assert done.exit_code in (1, 2)
    shown = " ".join(done.stderr.replace("│", " ").split())
    assert message in shown


def test_an_objective_is_a_function_of_a_file(here, tmp_path):
    document, _ = files(tmp_path, (f"{LIMITS}.MaxNumberOfTrainingJobs", 2))
    (tmp_path / "own.py").write_text("def loss(config):\n    return config['lr']\n")
    named = ["tune", document, "--objective", f"{tmp_path}/own.py", "--out", str(tmp_path / "job")]
    wrong = CliRunner().invoke(app, [*named[:3], f"{tmp_path}/own.py:cost", *named[4:]])
    assert "has no function 'cost'; it defines loss" in wrong.stderr
    done = CliRunner().invoke(app, [*named[:3], f"{tmp_path}/own.py:loss", *named[4:], "--quiet"])
    assert done.exit_code == 0, done.output
    assert "child: Completed" in done.output
