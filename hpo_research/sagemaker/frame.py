"""A tuning job as a data frame: the service's columns, and what it does not tell."""

from collections.abc import Iterator

from hpo_research import heavy
from hpo_research.errors import DocumentError
from hpo_research.paths import Given, place
from hpo_research.records import Ask, Trial
from hpo_research.sagemaker.client import training_jobs
from hpo_research.sagemaker.client.reading import Jobs, Look


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
    rows = [
        _row(look, trial, stops) for trial, stops in zip(look.trials, _stops(look), strict=True)
    ]
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


def _row(look: Look, trial: Trial, stop: str) -> dict[str, object]:
    began, ended = look.begun[trial.id], look.ended.get(trial.id)
    return {
        **look.job.constants,
        **trial.config,
        "TrainingJobName": look.name_of(trial.id),
        "TrainingJobStatus": training_jobs.status(look, trial),
        "FinalObjectiveValue": trial.value if trial.id in look.ended else None,
        "TrainingStartTime": began,
        "TrainingEndTime": ended,
        "TrainingElapsedTimeSeconds": (ended - began).total_seconds() if ended else None,
        "ObjectiveStatus": training_jobs.objective_status(trial),
        "ObjectiveValues": list(trial.values),
        "Stop": stop,
        "Origin": trial.origin,
        "FailureReason": trial.reason,
    }


def _stops(look: Look) -> list[str]:
    """Say of each trial what stopped it, empty where nothing did."""
    said = [""] * len(look.trials)
    for ask in look.run.asks if look.run else ():
        stopped = {p.trial for p in ask.proposals if p.kind == "stop"}
        for trial in stopped:
            compared = "; ".join(_compared(ask, trial))
            ended = (look.history and look.history.ended) or ""
            said[trial] = compared or ended or "asked for"
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
