"""What users of SDK 3 do, against the local client's session."""

import logging
from importlib.metadata import version

import checks
from checks import IMAGE, JOBS, METRICS, ROLE, SETTINGS, check

checks.stay_here()

from botocore.exceptions import ClientError  # noqa: E402
from sagemaker.core.helper.session_helper import Session  # noqa: E402
from sagemaker.core.parameter import (  # noqa: E402
    CategoricalParameter,
    ContinuousParameter,
    IntegerParameter,
)
from sagemaker.core.resources import HyperParameterTuningJob, TrainingJob  # noqa: E402
from sagemaker.train import ModelTrainer  # noqa: E402
from sagemaker.train.configs import (  # noqa: E402
    Compute,
    OutputDataConfig,
    SourceCode,
    StoppingCondition,
)
from sagemaker.train.tuner import HyperparameterTuner  # noqa: E402

from hpo_research.sagemaker import LocalClient  # noqa: E402

logging.getLogger("sagemaker").setLevel(logging.ERROR)
RANGES = {
    "lr": ContinuousParameter(1e-5, 0.1, scaling_type="Logarithmic"),
    "size": IntegerParameter(1, 9),
    "kind": CategoricalParameter(["a", "b"]),
}
ROOT = checks.folder()
SCRIPT = checks.script(checks.folder())
client = LocalClient(ROOT, {IMAGE: SCRIPT})
session = Session(boto_session=client.session(), default_bucket="bucket")


def tuner(name, jobs=6, ranges=RANGES, image=IMAGE, source=None, **options):
    settings = {**SETTINGS, **options.pop("settings", {})}
    trainer = ModelTrainer(
        training_image=image,
        role=ROLE,
        sagemaker_session=session,
        base_job_name=name,
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
        hyperparameters=settings,
        source_code=source,
        stopping_condition=StoppingCondition(max_runtime_in_seconds=3600),
        output_data_config=OutputDataConfig(s3_output_path="s3://bucket/out"),
    )
    return HyperparameterTuner(
        trainer,
        "loss",
        ranges,
        METRICS,
        max_jobs=jobs,
        base_tuning_job_name=name,
        strategy=options.pop("strategy", "Random"),
        **JOBS,
        **options,
    )


def main():
    print(f"sagemaker {version('sagemaker')}, boto3 {version('boto3')}")
    first = tuner("first", random_seed=1)
    first.tune(wait=False)
    first.wait()
    said = first.describe()
    status = said.hyper_parameter_tuning_job_status
    check("tune and wait", status == "Completed", said.training_job_status_counters.completed)
    frame = first.analytics().dataframe()
    checks.check_frame(frame, RANGES, 6)
    best = said.best_training_job.final_hyper_parameter_tuning_job_objective_metric.value
    check(
        "best training job", best == frame["FinalObjectiveValue"].min(), first.best_training_job()
    )
    resources(said.hyper_parameter_tuning_job_name, said.best_training_job.training_job_name)
    grid = tuner(
        "grid", None, {"kind": RANGES["kind"]}, settings={"lr": 0.1, "size": 3}, strategy="Grid"
    )
    grid.tune(wait=True)
    check("grid without a number of jobs", len(grid.analytics().dataframe()) == 2)
    uploaded()
    refused()
    stop()
    print(f"all held; the jobs are in {ROOT}")


def resources(name, best):
    """The resources of sagemaker-core, which build clients of their own from the session."""
    found = HyperParameterTuningJob.get(name, session=client.session())
    listed = [one.get_name() for one in HyperParameterTuningJob.get_all(session=client.session())]
    check("core: get and get_all", listed == [name] == [found.get_name()], listed)
    jobs = list(found.get_all_training_jobs(session=client.session()))
    check("core: get_all_training_jobs", len(jobs) == 6, len(jobs))
    job = TrainingJob.get(best, session=client.session())
    check("core: TrainingJob.get", job.training_job_status == "Completed", job.hyper_parameters)


def uploaded():
    """Source code: the SDK uploads it, and it is run from there."""
    source = checks.script(checks.folder() / "source")
    code = SourceCode(source_dir=str(source.parent), entry_script="train.py")
    made = tuner("uploaded", 3, image="example/none:1", source=code, random_seed=3)
    made.tune(wait=True)
    said = made.describe()
    check("source code", said.hyper_parameter_tuning_job_status == "Completed")
    own = ROOT / said.hyper_parameter_tuning_job_name / "code" / "train.py"
    check("source code: its code", own.read_text() == source.read_text())


def refused():
    """What this SDK sends without a look is refused with the line that helps."""
    for name, options, line in (
        ("crossed", {"ranges": {"lr": ContinuousParameter(0.1, 0.001)}}, "swap the bounds"),
        ("unknown", {"strategy": "Annealing"}, "choose one of them"),
    ):
        try:
            tuner(name, **options).tune(wait=False)
        except ClientError as error:
            said = error.response["Error"]
            check(
                f"refused: {name}",
                said["Code"] == "ValidationException" and line in said["Message"],
            )
        else:
            check(f"refused: {name}", False)


def stop():
    """A job that is stopped half way."""
    long = tuner("stopped", 20, settings={"epochs": 200, "pause": 0.1}, random_seed=4)
    long.tune(wait=False)

    def running():
        return long.describe().training_job_status_counters.in_progress

    check("stop: two run at once", checks.until(lambda: running() == 2), running())
    long.stop_tuning_job()
    long.wait()
    status = long.describe().hyper_parameter_tuning_job_status
    check("stop", status == "Stopped", status)
    try:
        long.stop_tuning_job()
    except ClientError as error:
        check(
            "stop: what has ended is refused",
            error.response["Error"]["Code"] == "ValidationException",
        )
    else:
        check("stop: what has ended is refused", False)


if __name__ == "__main__":
    main()
