"""A tuning job as a data frame: the service's columns, and what it does not tell."""

from collections.abc import Iterator
from pathlib import Path

from hpo_research import heavy
from hpo_research.analysis.result import Result
from hpo_research.errors import DocumentError
from hpo_research.paths import Given, place
from hpo_research.records import Ask, Run, Trial
from hpo_research.sagemaker.client import training_jobs
from hpo_research.sagemaker.client.reading import Jobs, Look, TrainingJob
from hpo_research.store.connection import FILE


def analytics(folder: Given) -> "heavy.pandas.DataFrame":
    """Return one row a training job, of the job in a folder `ROOT/NAME`, running or over.

    First the columns of the SDK's `HyperparameterTuningJobAnalytics`: one a hyperparameter (native
    numbers), `TrainingJobName`, `TrainingJobStatus`, `FinalObjectiveValue`, `TrainingStartTime`,
    `TrainingEndTime` (with time zone), `TrainingElapsedTimeSeconds`. Then `ObjectiveStatus`,
    `ObjectiveValues` (every value of the objective, in order), `Stop` (which rule stopped it, at
    which epoch, and the numbers it compared; empty for others), `Origin` (why the configuration was
    chosen) and `FailureReason`. `frame.attrs["scales"]` has the scale of each hyperparameter that
    has one, `frame.attrs["metric"]` and `["direction"]` the objective.

    Raises `DocumentError` where the folder holds no job, `StoreError` for a damaged store.
    """
    home = place(folder, "the job's folder", DocumentError)
    if not home.is_dir():
        raise DocumentError(f"{home}: there is no such folder; name that of a tuning job")
    look = Jobs().look(home)
    run, why = _run(home)
    stops = _stops(run, why)
    # The run was read last: it may have begun more trials.
    pairs = zip(look.jobs, run.trials if run else (), strict=False)
    rows = [_row(look, job, trial, stops[trial.id]) for job, trial in pairs]
    settings = [*look.job.constants, *look.job.space.parameters]
    frame = heavy.pandas.DataFrame(rows, columns=[*settings, *_COLUMNS])
    space = look.job.space.parameters
    frame.attrs["scales"] = {
        name: one.resolved.name for name, one in space.items() if hasattr(one, "resolved")
    }
    frame.attrs["metric"], frame.attrs["direction"] = look.job.metric, look.job.direction
    return frame


_COLUMNS = (
    *("TrainingJobName", "TrainingJobStatus", "FinalObjectiveValue", "TrainingStartTime"),
    *("TrainingEndTime", "TrainingElapsedTimeSeconds", "ObjectiveStatus", "ObjectiveValues"),
    *("Stop", "Origin", "FailureReason"),
)


def _run(home: Path) -> tuple[Run | None, str]:
    """Return the run of a job, held against its digests, and why it was ended; None before it."""
    if not (home / FILE).is_file():
        return None, ""
    history = next(iter(Result.read(home).histories.values()), None)
    return (None, "") if history is None else (history.run, history.ended)


def _row(look: Look, job: TrainingJob, trial: Trial, stop: str) -> dict[str, object]:
    began, ended = look.date(job.begun), None if job.ended is None else look.date(job.ended)
    return {
        **look.job.constants,
        **trial.config,
        "TrainingJobName": look.name_of(job),
        "TrainingJobStatus": training_jobs.status(look, job),
        "FinalObjectiveValue": job.value,
        "TrainingStartTime": began,
        "TrainingEndTime": ended,
        "TrainingElapsedTimeSeconds": (ended - began).total_seconds() if ended else None,
        "ObjectiveStatus": training_jobs.objective_status(job),
        "ObjectiveValues": list(trial.values),
        "Stop": stop,
        "Origin": trial.origin,
        "FailureReason": trial.reason,
    }


def _stops(run: Run | None, ended: str) -> list[str]:
    """Say of each trial what stopped it, empty where nothing did."""
    said = [""] * len(run.trials if run else ())
    for ask in run.asks if run else ():
        for trial in {p.trial for p in ask.proposals if p.kind == "stop"}:
            said[trial] = "; ".join(_compared(ask, trial)) or ended or "asked for"
    return said


def _compared(ask: Ask, trial: int) -> Iterator[str]:
    """Yield what each rule compared that stopped a trial (`strategies.stop_decisions`)."""
    for key, trials in ask.notes.items():
        rule = key.removesuffix("_trial")
        if key == rule or not isinstance(trials, list):
            continue
        said = {name: ask.notes[f"{rule}_{name}"] for name in ("epoch", "value", "bound", "stop")}
        for i, number in enumerate(trials):
            own = {name: column[i] for name, column in said.items() if isinstance(column, list)}
            if number == trial and own["stop"]:
                yield f"{rule} at epoch {own['epoch']:g}: {own['value']!r} against {own['bound']!r}"
