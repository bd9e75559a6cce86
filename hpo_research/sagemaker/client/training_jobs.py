"""Trials in the service's words: training jobs.

A trial that a rule stopped early, or a request, is `Stopped`, and keeps its last value as the
final objective; whether the service counts early stops so is not published. `paused` has no word.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from hpo_research.records import Trial
from hpo_research.sagemaker.client.arns import training_arn, tuning_arn
from hpo_research.sagemaker.client.pages import Key
from hpo_research.sagemaker.client.reading import Look
from hpo_research.sagemaker.wire import Definition
from hpo_research.space.parameters import Value
from hpo_research.store.reports import as_reports

OBJECTIVE = "_tuning_objective_metric"
LONGEST = 1024  # characters of a FailureReason
_STATUS = {"finished": "Completed", "stopped": "Stopped", "failed": "Failed"}
_DISK = 30  # GB, what the SDKs ask for unless told otherwise

Fields = dict[str, Any]


def status(look: Look, trial: Trial) -> str:
    """Return a trial's status in the service's words."""
    if trial.status in _STATUS:
        return _STATUS[trial.status]
    is_stopping = trial.id in look.stopping or look.standing.status == "Stopping"
    return "Stopping" if is_stopping else "InProgress"


def objective_status(trial: Trial) -> str:
    """Return whether the trial's value counts: `Succeeded`, `Pending`, or `Failed` without one."""
    if trial.status not in _STATUS:
        return "Pending"
    return "Failed" if trial.value is None else "Succeeded"


def order(look: Look, trial: Trial, by: str) -> Key:
    """Return what a trial is sorted by; the name, which is told by its number, comes last."""
    name = f"{trial.id + 1:03d}-"
    match by:
        case "CreationTime":
            return (look.begun[trial.id].timestamp(), name)
        case "Status":
            return (status(look, trial), name)
        case "FinalObjectiveMetricValue":
            return (float(trial.value or 0.0), name)
    return (name,)


def summary(look: Look, trial: Trial, region: str) -> Fields:
    """Return a trial as `HyperParameterTrainingJobSummary`."""
    name = look.name_of(trial.id)
    found: Fields = {
        "TrainingJobName": name,
        "TrainingJobArn": training_arn(region, name),
        "CreationTime": look.begun[trial.id],
        "TrainingStartTime": look.begun[trial.id],
        "TrainingJobStatus": status(look, trial),
        "TunedHyperParameters": tuned(look, trial),
        "ObjectiveStatus": objective_status(trial),
    }
    search = look.job.searches[0]
    if search.definition and search.definition.DefinitionName:
        found["TrainingJobDefinitionName"] = search.definition.DefinitionName
    if trial.id in look.ended:
        found["TrainingEndTime"] = look.ended[trial.id]
    if trial.reason:
        found["FailureReason"] = trial.reason[:LONGEST]
    if objective_status(trial) == "Succeeded":
        found["FinalHyperParameterTuningJobObjectiveMetric"] = {
            "Type": "Maximize" if look.job.direction == "maximize" else "Minimize",
            "MetricName": look.job.metric,
            "Value": trial.value,
        }
    return found


def tuned(look: Look, trial: Trial) -> dict[str, str]:
    """Return the searched hyperparameters as texts, those of a single value among them."""
    values = {**look.job.constants, **trial.config}
    return {name: text_of(value) for name, value in values.items()}


def text_of(value: Value) -> str:
    """Return a value as it is given to a training job: a number as Python prints it."""
    return value if isinstance(value, str) else repr(value)


def described(look: Look, trial: Trial, region: str) -> Fields:
    """Return a trial as `DescribeTrainingJobResponse`."""
    short = summary(look, trial, region)
    began, ended = look.begun[trial.id], look.ended.get(trial.id)
    search = look.job.searches[0]
    definition = search.definition or Definition()
    whole = definition.model_dump(exclude_none=True)
    found: Fields = {
        **{key: short[key] for key in _SHARED if key in short},
        **{key: whole[key] for key in _ALIKE if key in whole},
        "TuningJobArn": tuning_arn(region, look.name),
        "ModelArtifacts": {"S3ModelArtifacts": artifacts(look, short["TrainingJobName"])},
        "SecondaryStatus": _secondary(short["TrainingJobStatus"]),
        "SecondaryStatusTransitions": _transitions(trial, short["TrainingJobStatus"], began, ended),
        "HyperParameters": {**statics(look), **tuned(look, trial)},
        "OutputDataConfig": {"KmsKeyId": "", **whole.get("OutputDataConfig", {})},
        "ResourceConfig": machines(definition),
        "StoppingCondition": whole.get("StoppingCondition", {}),
        "LastModifiedTime": ended or look.standing.modified or began,
        "FinalMetricDataList": _finals(look, trial),
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
    trial: Trial, status: str, began: datetime, ended: datetime | None
) -> list[Mapping[str, Any]]:
    training: Fields = {"Status": "Training", "StartTime": began, "StatusMessage": "Training"}
    if trial.attempt:
        times = "once" if trial.attempt == 1 else f"{trial.attempt} times"
        training["StatusMessage"] = f"Begun anew {times}: its process was lost"
    if ended is None:
        return [training]
    last = {"Status": status, "StartTime": ended, "EndTime": ended}
    message = trial.reason[:LONGEST] or f"Training job {status.lower()}"
    return [{**training, "EndTime": ended}, {**last, "StatusMessage": message}]


def _finals(look: Look, trial: Trial) -> list[Mapping[str, Any]]:
    """Return the last value of every metric, and when it came."""
    reports = as_reports(look.history.reports if look.history else ())
    own = reports.rows(np.flatnonzero(reports.trial == trial.id))
    found: list[Mapping[str, Any]] = []
    for name in own.metrics.names[:40]:
        values = own.metrics.of(name)
        (known,) = np.nonzero(~np.isnan(values))
        if len(known):
            at = look.standing.date(float(own.clock[known[-1]])) or look.created
            found.append({"MetricName": name, "Value": float(values[known[-1]]), "Timestamp": at})
    return found
