"""What the client of tuning jobs costs: a description, a page, a document, an import.

    python -m benchmarks.client [--jobs 750] [--rounds 9] [--epochs 9]

A job of so many training jobs is run here, then described and listed; `cold` is the first call of a
process, `warm` the median of the next ones. Seconds are of the wall, on one thread; the limits are
those of the issue that asked for a client. The exit code is 1 where one is missed.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import hpo_research as hpo
from hpo_research import sagemaker
from hpo_research.problems.curves import LearningCurves

_LIMITS = {"describe": 0.1, "training jobs": 0.02, "tuning jobs": 0.02, "load": 0.02, "import": 0.4}
_IMPORT = """
import time
began = time.perf_counter()
import hpo_research.sagemaker
print(time.perf_counter() - began)
"""
_QUIET = 1.1  # seconds: what has changed in the last one is read again each time, as if cold
_OTHERS = 100  # small jobs beside the large one

REQUEST = {
    "HyperParameterTuningJobName": "large",
    "HyperParameterTuningJobConfig": {
        "Strategy": "Random",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "value"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 750, "MaxParallelTrainingJobs": 10},
        "ParameterRanges": {
            "ContinuousParameterRanges": [
                {"Name": "x1", "MinValue": "-5.0", "MaxValue": "10.0"},
                {"Name": "x2", "MinValue": "0.0", "MaxValue": "15.0"},
            ]
        },
        "TrainingJobEarlyStoppingType": "Auto",
    },
    "TrainingJobDefinition": {
        "AlgorithmSpecification": {"TrainingImage": "example/curve:1", "TrainingInputMode": "File"},
        "RoleArn": "arn:aws:iam::111122223333:role/TunerRole",
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    },
}


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    options = argparse.ArgumentParser("benchmarks.client", description=__doc__)
    options.add_argument("--jobs", type=int, default=750)
    options.add_argument("--epochs", type=int, default=9)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--folder", type=Path, help="keep the jobs there, and take them up again")
    chosen = options.parse_args(arguments)
    with tempfile.TemporaryDirectory() as made:
        root = chosen.folder or Path(made)
        prepare(root, chosen.jobs, chosen.epochs)
        time.sleep(_QUIET)
        return report(root, chosen.rounds)


def prepare(root: Path, jobs: int, epochs: int) -> None:
    """Run a large job, and small ones that are copies of one."""
    made = {"large": jobs, "small-000": 2}
    for name, count in made.items():
        home = root / name
        if not home.exists():
            home.mkdir(parents=True)
            (home / "job.json").write_text(json.dumps(REQUEST))
            experiment = hpo.Experiment(
                name,
                [LearningCurves("branin", max_epochs=epochs)],
                {name: hpo.MedianStopping(hpo.Random(), kind="sagemaker")},
                seeds=[0],
                budget=hpo.Budget(trials=count),
                parallel=10,
            )
            hpo.run(experiment, out=home, progress=False)
    for i in range(1, _OTHERS):
        if not (root / f"small-{i:03d}").exists():
            shutil.copytree(root / "small-000", root / f"small-{i:03d}")


def report(root: Path, rounds: int) -> int:
    """Print what each call costs; return 1 where one costs more than it may."""
    client = sagemaker.LocalClient(root)
    name = {"HyperParameterTuningJobName": "large"}

    def describe() -> object:
        return client.describe_hyper_parameter_tuning_job(**name)

    def training_jobs(**sent: object) -> object:
        return client.list_training_jobs_for_hyper_parameter_tuning_job(**name, **sent)

    calls = {
        "describe": describe,
        "training jobs, 10": training_jobs,
        "training jobs, 100": lambda: training_jobs(MaxResults=100),
        "training jobs, by value": lambda: training_jobs(SortBy="FinalObjectiveMetricValue"),
        "tuning jobs, 10": lambda: client.list_hyper_parameter_tuning_jobs(),
        "tuning jobs, 100": lambda: client.list_hyper_parameter_tuning_jobs(MaxResults=100),
        "load": lambda: sagemaker.load(root / "large" / "job.json"),
    }
    counts = describe()["TrainingJobStatusCounters"]
    print(f"a job of {sum(counts.values())} training jobs: {counts}")
    print(f"{'milliseconds':26} {'cold':>8} {'warm':>8} {'limit':>8}")
    missed = []
    for what, call in calls.items():
        client = sagemaker.LocalClient(root)  # it has looked at nothing yet
        cold, *warm = (_seconds(call) for _ in range(rounds + 1))
        limit = next(v for key, v in _LIMITS.items() if what.startswith(key))
        _print(what, cold, statistics.median(warm), limit)
        missed += [what] if statistics.median(warm) > limit else []
    imported = [float(_python(_IMPORT)) for _ in range(rounds)]
    _print("import", imported[0], statistics.median(imported), _LIMITS["import"])
    missed += ["import"] if statistics.median(imported) > _LIMITS["import"] else []
    print(f"missed: {', '.join(missed)}" if missed else "all within their limits")
    return 1 if missed else 0


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _print(what: str, cold: float, warm: float, limit: float) -> None:
    print(f"{what:26} {cold * 1e3:8.1f} {warm * 1e3:8.1f} {limit * 1e3:8.0f}")


def _python(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
