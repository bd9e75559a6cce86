"""How tuning jobs are told of at the command line: their status, counts and best training job."""

from collections.abc import Iterator
from pathlib import Path

from hpo_research import sagemaker
from hpo_research.analysis.result import Result
from hpo_research.errors import ExperimentError
from hpo_research.sagemaker.names import training_job
from hpo_research.sagemaker.parents import DOCUMENT
from hpo_research.sagemaker.standing import Standing, standing
from hpo_research.store.connection import FILE

COUNTED = {
    "finished": "Completed",
    "stopped": "Stopped",
    "failed": "Failed",
    "paused": "InProgress",
    "running": "InProgress",
}


def is_job(folder: Path) -> bool:
    """Return whether a folder is that of a tuning job."""
    return (folder / DOCUMENT).is_file()


def refuse_over(folder: Path) -> None:
    """Raise `ExperimentError` where a job has ended, which nobody can stop any more."""
    found = standing(folder)
    if found.is_over:
        raise ExperimentError(f"{folder}: the tuning job is {found.status}; it runs no more")


def lines(folder: Path, name: str) -> Iterator[str]:
    """Yield how a job stands, how many training jobs there are, and the best of them."""
    found = standing(folder)
    yield f"{name}: {_status(found)}"
    if found.detail:
        yield found.detail
    if found.seen is None or not (folder / FILE).is_file():
        return
    result = Result.read(folder)
    ((run_name, run),) = result.runs.items()
    counts = dict.fromkeys(COUNTED.values(), 0)
    for trial in run.trials:
        counts[COUNTED[trial.status]] += 1
    shown = ", ".join(f"{count:,} {status}" for status, count in counts.items() if count)
    yield f"training jobs: {shown or 'none yet'}"
    best = run.best()
    if best is not None:
        metric = result.facts.problems[run_name.problem].metric
        job = training_job(name, run_name.seed, best.id)
        given = ", ".join(f"{key}={value}" for key, value in best.config.items())
        yield f"best training job: {job}, {metric} = {best.value!r} ({given})"
        whole = sagemaker.overall_best(sagemaker.parents.loaded(folder), folder, folder.parent)
        if whole is not None:
            value = whole.trial.value
            yield f"with its parents': {whole.training_job}, {metric} = {value!r}"


def _status(found: Standing) -> str:
    return found.status + (f" ({found.reason})" if found.reason else "")
