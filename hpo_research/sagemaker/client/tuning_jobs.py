"""Tuning jobs in the service's words: what they are, how they stand, and their best."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from hpo_research.records import sign
from hpo_research.sagemaker.client import training_jobs
from hpo_research.sagemaker.client.arns import tuning_arn
from hpo_research.sagemaker.client.reading import Look
from hpo_research.sagemaker.client.training_jobs import LONGEST, Fields, objective_status, status
from hpo_research.sagemaker.draft import Search

_CONVERGED = "converged: "  # how `strategies.completion` begins to say it


def described(look: Look, region: str, parents: list[Look]) -> Fields:
    """Return a tuning job as `DescribeHyperParameterTuningJobResponse`.

    `parents` are those of a warm start with the same data, as far as they are known.
    """
    request, seen = look.job.request.model_dump(exclude_none=True), look.standing.seen
    found: Fields = {
        "HyperParameterTuningJobName": look.name,
        "HyperParameterTuningJobArn": tuning_arn(region, look.name),
        "HyperParameterTuningJobConfig": request["HyperParameterTuningJobConfig"],
        **_times(look),
        **counters(look),
        "TuningJobCompletionDetails": _completion(look),
        "ConsumedResources": {"RuntimeInSeconds": int(seen.clock) if seen else 0},
    }
    for key in ("WarmStartConfig", "Autotune"):
        if key in request:
            found[key] = request[key]
    if (one := request.get("TrainingJobDefinition")) is not None:
        found["TrainingJobDefinition"] = _definition(one, look.job.searches[0])
    if (several := request.get("TrainingJobDefinitions")) is not None:
        pairs = zip(several, look.job.searches, strict=True)
        found["TrainingJobDefinitions"] = [_definition(one, search) for one, search in pairs]
    if look.best is not None:
        found["BestTrainingJob"] = training_jobs.summary(look, look.best, region)
    if (overall := _overall(look, region, parents)) is not None:
        found["OverallBestTrainingJob"] = overall
    return found


def _times(look: Look) -> Fields:
    standing = look.standing
    found: Fields = {
        "HyperParameterTuningJobStatus": standing.status,
        "CreationTime": look.created,
        "LastModifiedTime": standing.modified or look.created,
    }
    if standing.is_over:
        found["HyperParameterTuningEndTime"] = standing.ended or standing.modified or look.created
    if standing.status == "Failed":
        reason = ": ".join(text for text in (standing.reason, standing.detail) if text)
        found["FailureReason"] = reason[:LONGEST]
    return found


def counters(look: Look) -> Fields:
    """Return how many training jobs have which status, and which status of the objective."""
    jobs = Counter(status(look, job) for job in look.jobs)
    values = Counter(objective_status(job) for job in look.jobs)
    return counted(jobs, values)


def counted(jobs: Mapping[str, int], values: Mapping[str, int]) -> Fields:
    """Return both counters; a job that is being stopped is still in progress."""
    return {
        "TrainingJobStatusCounters": {
            "Completed": jobs.get("Completed", 0),
            "InProgress": jobs.get("InProgress", 0) + jobs.get("Stopping", 0),
            "RetryableError": 0,  # a lost job is begun anew at once, and is in progress
            "NonRetryableError": jobs.get("Failed", 0),
            "Stopped": jobs.get("Stopped", 0),
        },
        "ObjectiveStatusCounters": {
            name: values.get(name, 0) for name in ("Succeeded", "Pending", "Failed")
        },
    }


def _overall(look: Look, region: str, parents: list[Look]) -> Fields | None:
    """Return the best of a job and of its parents, the earliest of equals; see `overall_best`."""
    start = look.job.request.WarmStartConfig
    if start is None or start.WarmStartType != "IdenticalDataAndAlgorithm":
        return None
    found = [(one, best) for one in (*parents, look) if (best := one.best) is not None]
    if not found:
        return None
    flip = sign(look.job.direction)
    owner, best = min(found, key=lambda pair: flip * float(pair[1].value or 0.0))
    return {**training_jobs.summary(owner, best, region), "TuningJobName": owner.name}


def _completion(look: Look) -> Fields:
    """Return how many jobs have ended with a value since the best one, and when it converged."""
    best = look.best
    since = best.place if best is not None and best.place is not None else 0
    later = [job for job in look.jobs if job.has_value and (job.place or 0) > since]
    found: Fields = {"NumberOfTrainingJobsObjectiveNotImproving": len(later)}
    seen = look.standing.seen
    if seen and seen.ended_by == "strategy" and seen.ended.startswith(_CONVERGED):
        found["ConvergenceDetectedTime"] = look.standing.ended or look.date(seen.clock)
    return found


def _definition(one: Mapping[str, Any], search: Search) -> Fields:
    """Return a definition with what the service adds: machines, and the objective's name."""
    assert search.definition is not None  # it was sent
    metric = (search.objective and search.objective.MetricName) or ""
    statics = {training_jobs.OBJECTIVE: metric, **search.statics}
    machines = training_jobs.machines(search.definition)
    return {**one, "ResourceConfig": machines, "StaticHyperParameters": statics}
