"""A program that trains the jobs of a document, as a `Script`."""

from collections.abc import Mapping, Sequence

from hpo_research.problems.script import Script
from hpo_research.sagemaker.job import TuningJob


def script_of(
    job: TuningJob,
    command: Sequence[str],
    *,
    grace_seconds: float,
    channels: Mapping[str, str],
) -> Script:
    """Return the script: the document's metrics, static hyperparameters, environment and limit.

    Without metric definitions the objective is looked for as `name=0.5` or `name: 0.5`.
    """
    definition = job.searches[0].definition
    algorithm = definition and definition.AlgorithmSpecification
    metrics = (algorithm and algorithm.MetricDefinitions) or ()
    constants = {name: str(value) for name, value in job.constants.items()}
    statics = {**job.statics, **constants}  # what is searched wins, as in the SDKs
    return Script(
        tuple(command),
        job.space,
        metric=job.metric,
        metrics={str(one.Name): str(one.Regex) for one in metrics},
        direction=job.direction,
        max_epochs=job.max_resource,
        statics={n: v for n, v in statics.items() if n not in job.space.names},
        environment=(definition and definition.Environment) or {},
        channels=channels,
        timeout_seconds=job.job_seconds,
        grace_seconds=grace_seconds,
        workers=job.parallel,
        name=job.called,
    )
