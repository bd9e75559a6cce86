"""Warm starts: what a tuning job knows of its parents, and where it begins."""

import json
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tuning_jobs.examples import changed
from typer.testing import CliRunner

import hpo_research as hpo
from hpo_research import sagemaker
from hpo_research.cli import app
from hpo_research.records import Report
from hpo_research.space.outside import is_inside

STATIC = "TrainingJobDefinition.StaticHyperParameters"
RANGES = "HyperParameterTuningJobConfig.ParameterRanges"
LIMIT = "HyperParameterTuningJobConfig.ResourceLimits.MaxNumberOfTrainingJobs"


@dataclass(frozen=True)
class Trained:
    """(lr − 0.03)² of what a job trains, deeper being a little worse: no process."""

    space: hpo.SearchSpace
    shift: float = 0.0
    fails: tuple[int, ...] = ()
    max_epochs: int = 1
    name: ClassVar[str] = "job"
    metric: ClassVar[str] = "loss"
    direction: ClassVar[str] = "minimize"
    optimum: ClassVar[float | None] = None
    can_resume: ClassVar[bool] = True
    has_recorded_seconds: ClassVar[bool] = False

    def evaluate(self, segments, device="cpu"):
        for epoch in range(1, self.max_epochs + 1):
            yield [
                Report(s.run, s.trial, epoch, {"loss": self.loss(s.trial, s.config)})
                for s in segments
                if s.start < epoch <= s.until
            ]

    def loss(self, trial: int, config) -> float:
        if trial in self.fails:
            return float("nan")
        lr, depth = float(config.get("lr", 0.03)), config.get("depth", 2)
        return self.shift + (1e3 * (lr - 0.03)) ** 2 + depth / 100


def begin(root: Path, document, configs=(), **given) -> sagemaker.TuningJob:
    """Run a parent: a folder of jobs gets its document, and a store."""
    home = root / document["HyperParameterTuningJobName"]
    home.mkdir(parents=True)
    (home / "job.json").write_text(json.dumps(document))
    job = sagemaker.load(document)
    run(job, home, Trained(job.space, **given), enqueue=configs)
    return job


def run(job: sagemaker.TuningJob, home: Path, problem: Trained, **given) -> hpo.Run:
    """Run a job as the loop does."""
    experiment = hpo.Experiment(
        name="job",
        problems=[problem],
        strategies={"job": given.pop("strategy", None) or job.strategy},
        seeds=[0],
        budget=hpo.Budget(trials=job.jobs),
        parallel=1,
        **given,
    )
    return next(iter(hpo.run(experiment, out=home).runs.values()))


def named(name: str, *changes, jobs: int = 4):
    return changed("request", ("HyperParameterTuningJobName", name), (LIMIT, jobs), *changes)


def child(kind: str, *changes, parents=("first",), jobs: int = 6, **given):
    start = {
        "WarmStartType": kind,
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": p} for p in parents],
    }
    return named("child", ("WarmStartConfig", start), *changes, jobs=jobs, **given)


def lists(*rates: float) -> list[dict[str, object]]:
    return [{"depth": 2, "lr": rate, "kind": "a"} for rate in rates]


IDENTICAL, TRANSFER = "IdenticalDataAndAlgorithm", "TransferLearning"


def groups(start: sagemaker.WarmStart) -> list[tuple[str, str, list[float]]]:
    return [(p.name, p.task, [c["lr"] for c, _ in p.source]) for p in start.prior]


def test_an_identical_parent_is_of_the_jobs_own_task(tmp_path: Path):
    begin(tmp_path, named("first"), lists(0.01, 0.02, 0.04, 0.09), fails=(1,))
    start = sagemaker.warm(sagemaker.load(child(IDENTICAL), root=tmp_path), tmp_path)
    assert groups(start) == [("first", "same", [0.01, 0.04, 0.09])]
    assert start.enqueue == ()
    assert start.notes == ("parent first: 4 jobs: 3 of the same task, 1 without a value",)
    assert start.warnings == ()


def test_parents_of_a_transfer_are_tasks_each_and_their_best_come_first(tmp_path: Path):
    begin(tmp_path, named("first"), lists(0.01, 0.02, 0.04, 0.09))
    begin(tmp_path, named("second"), lists(0.05, 0.031, 0.07, 0.08), shift=70.0)
    job = sagemaker.load(child(TRANSFER, parents=("second", "First")), root=tmp_path)
    start = sagemaker.warm(job, tmp_path)
    assert [(name, task) for name, task, _ in groups(start)] == [
        ("second", "related"),
        ("First", "related"),
    ]
    assert [config["lr"] for config in start.enqueue] == [0.031, 0.02]
    done = run(
        job, tmp_path / "child", Trained(job.space), prior=start.prior, enqueue=start.enqueue
    )
    assert [t.config["lr"] for t in done.trials[:2]] == [0.031, 0.02]
    assert [len(own) for own in done.related] == [4, 4]
    assert len(done.trials) == job.jobs


def test_jobs_at_other_static_values_are_of_a_related_task(tmp_path: Path):
    begin(
        tmp_path,
        named("first"),
        [*lists(0.01, 0.02), *({**c, "kind": "b"} for c in lists(0.03, 0.04))],
    )
    fixed = [(f"{RANGES}.CategoricalParameterRanges", []), (f"{STATIC}.kind", "a")]
    job = sagemaker.load(child(IDENTICAL, *fixed), root=tmp_path)
    start = sagemaker.warm(job, tmp_path)
    assert groups(start) == [
        ("first", "same", [0.01, 0.02]),
        ("first, at other static values", "related", [0.03, 0.04]),
    ]
    assert [config["lr"] for config in start.enqueue] == [0.03]
    assert "2 jobs of first had other values of what is static here" in start.warnings[0]
    number = child(IDENTICAL, (f"{STATIC}.momentum", "0.90"))
    assert [own.task for own in sagemaker.warm(sagemaker.load(number), tmp_path).prior] == ["same"]


def test_what_was_static_is_a_constant_column(tmp_path: Path):
    fixed = [(f"{RANGES}.ContinuousParameterRanges", []), (f"{STATIC}.lr", "0.05")]
    begin(tmp_path, named("first", *fixed), [{"depth": d, "kind": "a"} for d in (2, 3, 4, 5)])
    start = sagemaker.warm(sagemaker.load(child(IDENTICAL), root=tmp_path), tmp_path)
    assert groups(start) == [("first", "same", [0.05] * 4)]
    assert isinstance(start.prior[0].source[0][0]["lr"], float)


def test_what_lies_outside_is_known_and_never_proposed(tmp_path: Path):
    begin(tmp_path, named("first", jobs=6), lists(0.01, 0.02, 0.03, 0.04, 0.09, 0.001))
    narrow = (f"{RANGES}.ContinuousParameterRanges.0.MaxValue", "0.025")
    bayesian = ("HyperParameterTuningJobConfig.Strategy", "Bayesian")
    job = sagemaker.load(child(IDENTICAL, narrow, bayesian, jobs=3), root=tmp_path)
    start = sagemaker.warm(job, tmp_path)
    assert "6 of the same task, 3 of them outside the ranges" in start.notes[0]
    model = hpo.Bayesian(initial=3, starts=4, samples=4)
    done = run(
        *(job, tmp_path / "child", Trained(job.space)),
        prior=start.prior,
        enqueue=start.enqueue,
        strategy=model,
    )
    assert [t.origin for t in done.trials] == ["qlogei"] * 3  # what lies inside is the beginning
    assert all(is_inside(job.space, t.config) for t in done.trials)
    assert max(t.config["lr"] for t in done.trials) > 0.02  # the model saw how it goes on
    assert done.best().value < 100.02


def test_categories_that_the_child_lacks_are_left_out_and_counted(tmp_path: Path):
    configs = [
        {**config, "kind": k}
        for config, k in zip(lists(0.01, 0.02, 0.03, 0.04), "abab", strict=True)
    ]
    begin(tmp_path, named("first"), configs)
    other = (f"{RANGES}.CategoricalParameterRanges.0.Values", ["a", "c"])
    start = sagemaker.warm(sagemaker.load(child(IDENTICAL, other), root=tmp_path), tmp_path)
    assert groups(start) == [("first", "same", [0.01, 0.03])]
    assert "2 left out (kind: expected one of ['a', 'c'], got 'b')" in start.notes[0]


def test_a_child_goes_on_near_what_its_parents_found(tmp_path: Path):
    """An identical parent's best is known: the model proposes beside it, and not again itself."""
    rates = (0.002, 0.01, 0.02, 0.029, 0.05, 0.09)
    begin(tmp_path, named("first", jobs=6), lists(*rates))
    bayesian = ("HyperParameterTuningJobConfig.Strategy", "Bayesian")
    job = sagemaker.load(child(IDENTICAL, bayesian, jobs=2), root=tmp_path)
    start = sagemaker.warm(job, tmp_path)
    done = run(
        *(job, tmp_path / "child", Trained(job.space)), prior=start.prior, enqueue=start.enqueue
    )
    for trial in done.trials:
        assert abs(trial.config["lr"] - 0.03) < 0.02  # of 0.1; a draw is there in 3 of 10
        assert trial.value < min(500.0, 61.0**2)
        assert trial.config not in lists(*rates)


def test_the_overall_best_is_that_of_child_and_identical_parents(tmp_path: Path):
    begin(tmp_path, named("first"), lists(0.01, 0.02, 0.04, 0.03))
    begin(tmp_path, named("second"), lists(0.03, 0.02, 0.04, 0.09))
    job = sagemaker.load(child(IDENTICAL, parents=("first", "second")), root=tmp_path)
    alone = sagemaker.overall_best(job, tmp_path / "child", tmp_path)
    assert (alone.tuning_job, alone.trial.id) == ("first", 3)  # the earliest of equals
    assert alone.training_job.startswith("first-004-")
    run(job, tmp_path / "child", Trained(job.space, shift=-1e6))
    mine = sagemaker.overall_best(job, tmp_path / "child", tmp_path)
    assert (mine.tuning_job, mine.folder) == ("child", tmp_path / "child")
    other = sagemaker.load(child(TRANSFER, parents=("first",)), root=tmp_path)
    assert sagemaker.overall_best(other, tmp_path / "child", tmp_path) is None
    assert sagemaker.overall_best(sagemaker.load(named("first")), tmp_path, tmp_path) is None


def test_grid_and_random_do_not_repeat_what_an_identical_parent_did(tmp_path: Path):
    cells = [
        (
            RANGES,
            {
                "CategoricalParameterRanges": [
                    {"Name": "lr", "Values": ["0.01", "0.02", "0.03"]},
                    {"Name": "kind", "Values": ["a", "b"]},
                ]
            },
        ),
        (f"{STATIC}.depth", "2"),
    ]
    known = [{"lr": "0.01", "kind": "a"}, {"lr": "0.03", "kind": "b"}]
    begin(tmp_path, named("first", *cells, jobs=2), known)
    for i, strategy in enumerate(("Grid", "Random")):
        how = ("HyperParameterTuningJobConfig.Strategy", strategy)
        job = sagemaker.load(child(IDENTICAL, *cells, how, jobs=6), root=tmp_path)
        start = sagemaker.warm(job, tmp_path)
        done = run(job, tmp_path / f"child{i}", Trained(job.space), prior=start.prior)
        configs = [dict(trial.config) for trial in done.trials]
        assert len(configs) == 4
        assert all(config not in configs for config in known)


def test_hyperband_and_the_quota_of_all_jobs_are_warnings(tmp_path: Path):
    begin(tmp_path, named("first"), lists(0.01, 0.02, 0.04, 0.09))
    hyperband = ("HyperParameterTuningJobConfig.Strategy", "Hyperband")
    job = sagemaker.load(child(TRANSFER, hyperband, jobs=748), root=tmp_path)
    first, second = sagemaker.warm(job, tmp_path).warnings
    assert "with Hyperband the parents' best configurations are tried first" in first
    assert "748 jobs and the parents' 4 are more than 750" in second


def test_a_parent_that_is_missing_is_a_warning_and_none_is_needed_to_go_on(tmp_path: Path):
    begin(tmp_path, named("first"), lists(0.01, 0.02, 0.04, 0.09))
    job = sagemaker.load(child(TRANSFER), root=tmp_path)
    (said,) = sagemaker.warm(job, tmp_path / "nowhere").warnings
    assert said.startswith("WarmStartConfig: there is no job first in ")
    home = tmp_path / "child"
    start = sagemaker.warm(job, tmp_path, out=home)
    problem = Trained(job.space)
    whole = run(job, home, problem, prior=start.prior, enqueue=start.enqueue)
    again = sagemaker.warm(job, tmp_path / "nowhere", out=home)
    said = "first: the 4 jobs that this one began with count, not the 0 that its folder holds now"
    assert again.warnings == (f"WarmStartConfig: {said}",)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = run(job, home, problem, prior=again.prior, enqueue=again.enqueue)
    assert done == whole


def test_a_job_without_a_warm_start_begins_with_nothing(tmp_path: Path):
    assert sagemaker.warm(sagemaker.load(named("first")), tmp_path) == sagemaker.WarmStart()


def test_the_command_line_says_what_was_found_and_loads_no_torch(tmp_path: Path):
    begin(tmp_path, named("first"), lists(0.01, 0.02, 0.04, 0.09), fails=(1,))
    (tmp_path / "job.json").write_text(json.dumps(child(TRANSFER, parents=("first", "other"))))
    code = (
        "import sys; from hpo_research.cli import app; "
        "app(['describe', 'job.json', '--root', '.'], standalone_mode=False); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "parent first: 4 jobs: 3 of a related task, 1 without a value" in done.stdout
    assert "'other': is no job in" in done.stderr
    assert done.stdout.endswith("False\n")
    job = sagemaker.load(child(TRANSFER))
    start = sagemaker.warm(job, tmp_path)
    run(job, tmp_path / "child", Trained(job.space), prior=start.prior, enqueue=start.enqueue)
    shown = CliRunner().invoke(app, ["status", str(tmp_path / "child")]).output
    assert "job began with 3 trials of a related task (first), the best 100.02" in shown
    as_json = json.loads(
        CliRunner().invoke(app, ["status", str(tmp_path / "child"), "--json"]).output
    )
    assert len(as_json["earlier"]) == 1
    (known,) = hpo.Result.read(tmp_path / "child").earlier["job"]
    assert (known.name, known.task, len(known.trials)) == ("first", "related", 3)
