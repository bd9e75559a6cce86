"""Trials in the service's words: training jobs.

A trial that a rule stopped early, or a request, is `Stopped`, and keeps its last value as the
final objective; whether the service counts early stops so is not published. `paused` has no word.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hpo_research.jobs.arguments import texts
from hpo_research.sagemaker.client.arns import training_arn, tuning_arn
from hpo_research.sagemaker.client.pages import Key
from hpo_research.sagemaker.client.reading import Look, TrainingJob
from hpo_research.sagemaker.wire import Definition

OBJECTIVE = "_tuning_objective_metric"
LONGEST = 1024  # characters of a FailureReason
_DISK = 30  # GB, what the SDKs ask for unless told otherwise

Fields = dict[str, Any]


def status(look: Look, job: TrainingJob) -> str:
    """Return a training job's status; all that run are stopping where the tuning job is."""
    is_stopping = job.status == "InProgress" and look.standing.status == "Stopping"
    return "Stopping" if is_stopping else job.status


def objective_status(job: TrainingJob) -> str:
    """Return whether the job's value counts: `Succeeded`, `Pending`, or `Failed` without one."""
    if job.ended is None:
        return "Pending"
    return "Succeeded" if job.has_value else "Failed"


def order(look: Look, job: TrainingJob, by: str) -> Key:
    """Return what a trial is sorted by; the name, which is told by its number, comes last."""
    name = f"{job.id + 1:03d}-"
    match by:
        case "CreationTime":
            return (job.begun, name)
        case "Status":
            return (status(look, job), name)
        case "FinalObjectiveMetricValue":
            return (float(job.value or 0.0), name)
    return (name,)


def summary(look: Look, job: TrainingJob, region: str) -> Fields:
    """Return a trial as `HyperParameterTrainingJobSummary`."""
    name = look.name_of(job)
    found: Fields = {
        "TrainingJobName": name,
        "TrainingJobArn": training_arn(region, name),
        "CreationTime": look.date(job.begun),
        "TrainingStartTime": look.date(job.begun),
        "TrainingJobStatus": status(look, job),
        "TunedHyperParameters": tuned(look, job),
        "ObjectiveStatus": objective_status(job),
    }
    search = look.job.searches[0]
    if search.definition and search.definition.DefinitionName:
        found["TrainingJobDefinitionName"] = search.definition.DefinitionName
    if job.ended is not None:
        found["TrainingEndTime"] = look.date(job.ended)
    if job.reason:
        found["FailureReason"] = job.reason[:LONGEST]
    if objective_status(job) == "Succeeded":
        found["FinalHyperParameterTuningJobObjectiveMetric"] = {
            "Type": "Maximize" if look.job.direction == "maximize" else "Minimize",
            "MetricName": look.job.metric,
            "Value": job.value,
        }
    return found


def tuned(look: Look, job: TrainingJob) -> dict[str, str]:
    """Return the searched hyperparameters as the job was given them, also those of one value."""
    return texts({**look.job.constants, **job.config})


def described(look: Look, job: TrainingJob, region: str) -> Fields:
    """Return a trial as `DescribeTrainingJobResponse`."""
    short = summary(look, job, region)
    began, ended = look.date(job.begun), None if job.ended is None else look.date(job.ended)
    search = look.job.searches[0]
    definition = search.definition or Definition()
    whole = definition.model_dump(exclude_none=True)
    found: Fields = {
        **{key: short[key] for key in _SHARED if key in short},
        **{key: whole[key] for key in _ALIKE if key in whole},
        "TuningJobArn": tuning_arn(region, look.name),
        "ModelArtifacts": {"S3ModelArtifacts": artifacts(look, short["TrainingJobName"])},
        "SecondaryStatus": _secondary(short["TrainingJobStatus"]),
        "SecondaryStatusTransitions": _transitions(job, short["TrainingJobStatus"], began, ended),
        "HyperParameters": {**statics(look), **tuned(look, job)},
        "OutputDataConfig": {"KmsKeyId": "", **whole.get("OutputDataConfig", {})},
        "ResourceConfig": machines(definition),
        "StoppingCondition": whole.get("StoppingCondition", {}),
        "LastModifiedTime": ended or look.standing.modified or began,
        "FinalMetricDataList": _finals(look, job),
    }
    found["OutputDataConfig"].setdefault("S3OutputPath", output_of(look))
    algorithm = {"TrainingInputMode": "File", **whole.get("AlgorithmSpecification", {})}
    found["AlgorithmSpecification"] = algorithm
    if ended is not None:
        found["TrainingTimeInSeconds"] = max(1, round((ended - began).total_seconds()))
    return found


_SHARED = (
    *("TrainingJobName", "TrainingJobArn", "TrainingJobStatus", "FailureReason"),
    *("CreationTime", "TrainingStartTime", "TrainingEndTime"),
)
_ALIKE = (
    *("RoleArn", "InputDataConfig", "VpcConfig", "EnableNetworkIsolation", "CheckpointConfig"),
    *("EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining"),
    *("Environment", "RetryStrategy"),
)


def statics(look: Look) -> dict[str, str]:
    """Return the static hyperparameters with the objective's name, which the service adds."""
    return {OBJECTIVE: look.job.metric, **look.job.statics}


def machines(definition: Definition) -> Fields:
    """Return the machines as a training job has them, also where the tuner's form was sent."""
    if definition.ResourceConfig is not None:
        return definition.ResourceConfig.model_dump(exclude_none=True)
    given = definition.HyperParameterTuningResourceConfig
    if given is None:
        return {"VolumeSizeInGB": _DISK}
    whole: Fields = given.model_dump(exclude_none=True)
    first = (whole.pop("InstanceConfigs", None) or [{}])[0]
    whole.pop("AllocationStrategy", None)
    return {"VolumeSizeInGB": _DISK, **whole, **first}


def output_of(look: Look) -> str:
    """Return where a job's results belong; a document without a place has one in no bucket."""
    definition = look.job.searches[0].definition
    output = definition.OutputDataConfig if definition else None
    return (output and output.S3OutputPath) or f"s3://local/{look.name}"


def artifacts(look: Look, name: str) -> str:
    """Return the address of what a training job saves, also before it has, as the model asks."""
    return f"{output_of(look).rstrip('/')}/{name}/output/model.tar.gz"


def _secondary(status: str) -> str:
    return "Training" if status == "InProgress" else status


def _transitions(
    job: TrainingJob, status: str, began: datetime, ended: datetime | None
) -> list[Mapping[str, Any]]:
    training: Fields = {"Status": "Training", "StartTime": began, "StatusMessage": "Training"}
    if job.attempt:
        times = "once" if job.attempt == 1 else f"{job.attempt} times"
        training["StatusMessage"] = f"Begun anew {times}: its process was lost"
    if ended is None:
        return [training]
    last = {"Status": status, "StartTime": ended, "EndTime": ended}
    message = job.reason[:LONGEST] or f"Training job {status.lower()}"
    return [{**training, "EndTime": ended}, {**last, "StatusMessage": message}]


def _finals(look: Look, job: TrainingJob) -> list[Mapping[str, Any]]:
    """Return the last value of every metric, and when it came; the model takes 40 of them."""
    found = list(look.metrics(job).items())[:40]
    return [{"MetricName": n, "Value": float(value), "Timestamp": at} for n, (value, at) in found]
