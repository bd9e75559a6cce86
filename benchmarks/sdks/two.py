"""What users of SDK 2 do, against the local client."""

import logging
from importlib.metadata import version

import checks
from checks import IMAGE, JOBS, METRICS, ROLE, SETTINGS, check

checks.stay_here()

import sagemaker  # noqa: E402
from sagemaker.estimator import Estimator  # noqa: E402
from sagemaker.pytorch import PyTorch  # noqa: E402
from sagemaker.tuner import (  # noqa: E402
    CategoricalParameter,
    ContinuousParameter,
    HyperparameterTuner,
    IntegerParameter,
    WarmStartConfig,
    WarmStartTypes,
)

from hpo_research.sagemaker import LocalClient  # noqa: E402

logging.getLogger("sagemaker").setLevel(logging.ERROR)
RANGES = {
    "lr": ContinuousParameter(1e-4, 0.1, scaling_type="Logarithmic"),
    "size": IntegerParameter(1, 9),
    "kind": CategoricalParameter(["a", "b"]),
}
ROOT = checks.folder()
SCRIPT = checks.script(checks.folder())
client = LocalClient(ROOT, {IMAGE: SCRIPT})
session = sagemaker.Session(
    boto_session=client.session(), sagemaker_client=client, default_bucket="bucket"
)
MACHINES = {"instance_count": 1, "instance_type": "ml.m5.large", "sagemaker_session": session}
MACHINES |= {"role": ROLE}


def estimator(**settings):
    return Estimator(
        IMAGE, output_path="s3://bucket/out", hyperparameters={**SETTINGS, **settings}, **MACHINES
    )


def tuner(name, made=None, jobs=6, **options):
    return HyperparameterTuner(
        made or estimator(),
        "loss",
        RANGES,
        METRICS,
        base_tuning_job_name=name,
        max_jobs=jobs,
        strategy=options.pop("strategy", "Random"),
        **JOBS,
        **options,
    )


def main():
    print(f"sagemaker {version('sagemaker')}, boto3 {version('boto3')}")
    first = tuner("first", random_seed=1)
    first.fit(wait=False)
    first.wait()
    said = first.describe()
    counts = said["TrainingJobStatusCounters"]
    check("fit and wait", said["HyperParameterTuningJobStatus"] == "Completed", counts)
    frame = first.analytics().dataframe()
    checks.check_frame(frame, RANGES, 6)
    best = frame["FinalObjectiveValue"].min()
    final = said["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    check("best training job", final == best, first.best_training_job())
    chosen = first.best_estimator()
    check("best estimator", chosen.hyperparameters()["epochs"] == "3", chosen.model_data)
    again = HyperparameterTuner.attach(first.latest_tuning_job.name, sagemaker_session=session)
    check(
        "attach",
        again.best_training_job() == first.best_training_job(),
        again.objective_metric_name,
    )
    check("attach: ranges", again.analytics().tuning_ranges.keys() == RANGES.keys())
    warm(first, best)
    framework()
    stop()
    print(f"all held; the jobs are in {ROOT}")


def warm(first, best):
    """A child of the first job, with the same data."""
    start = WarmStartConfig(
        WarmStartTypes.IDENTICAL_DATA_AND_ALGORITHM, parents={first.latest_tuning_job.name}
    )
    child = tuner("child", jobs=4, strategy="Bayesian", warm_start_config=start, random_seed=2)
    child.fit(wait=True)
    said = child.describe()
    check("warm start", said["HyperParameterTuningJobStatus"] == "Completed")
    overall = said["OverallBestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    own = child.analytics().dataframe()["FinalObjectiveValue"].min()
    check("warm start: overall best", overall == min(best, own), overall)


def framework():
    """A framework estimator: its entry point is uploaded, and run from there."""
    source = checks.script(checks.folder() / "source")
    made = PyTorch(
        "train.py",
        source_dir=str(source.parent),
        image_uri="example/torch:2",
        framework_version="2.0",
        py_version="py310",
        hyperparameters=SETTINGS,
        **MACHINES,
    )
    uploaded = tuner("uploaded", made, jobs=3, random_seed=3)
    uploaded.fit(wait=True)
    said = uploaded.describe()["HyperParameterTuningJobStatus"]
    check("entry point", said == "Completed", uploaded.latest_tuning_job.name)
    code = ROOT / uploaded.latest_tuning_job.name / "code" / "train.py"
    check("entry point: its code", code.read_text() == source.read_text())
    checks.check_frame(uploaded.analytics().dataframe(), RANGES, 3)


def stop():
    """A job that is stopped half way."""
    long = tuner("stopped", estimator(epochs=200, pause=0.1), jobs=20, random_seed=4)
    long.fit(wait=False)

    def running():
        return long.describe()["TrainingJobStatusCounters"]["InProgress"]

    check("stop: two run at once", checks.until(lambda: running() == 2), running())
    long.stop_tuning_job()
    long.wait()
    said = long.describe()
    check(
        "stop",
        said["HyperParameterTuningJobStatus"] == "Stopped",
        said["TrainingJobStatusCounters"],
    )
    long.stop_tuning_job()
    check("stop: what has ended, SDK 2 ignores the refusal", True)


if __name__ == "__main__":
    main()
