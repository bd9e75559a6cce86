"""Warm starts: what a tuning job knows of its parents, and where it begins.

`IdenticalDataAndAlgorithm`: the parents' jobs are of the job's own task, their values are compared
with its own. `TransferLearning`: each parent is a task of its own, related to the job's. Jobs that
were run with another value of what is static now are of a related task in both. The service leaves
open what becomes of values outside the new ranges: the model keeps them, nobody proposes them. A
parent's parents are not asked.

Source: "Run a warm start hyperparameter tuning job", developer guide.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from hpo_research import experiment
from hpo_research.analysis.result import Result
from hpo_research.entries import EarlierTask
from hpo_research.errors import DocumentError, SpaceError
from hpo_research.options import Mistakes, as_float, instance, is_real
from hpo_research.paths import Given, place
from hpo_research.records import Task, Trial, best_value, sign
from hpo_research.sagemaker import parents, quotas
from hpo_research.sagemaker.job import TuningJob
from hpo_research.sagemaker.names import training_job
from hpo_research.space import Categorical, Config, Value
from hpo_research.space.outside import extended, is_inside
from hpo_research.store import Store
from hpo_research.store.connection import FILE
from hpo_research.store.facts import facts_of

Kind = Literal["IdenticalDataAndAlgorithm", "TransferLearning"]
IDENTICAL: Kind = "IdenticalDataAndAlgorithm"
AT_OTHERS = "at other static values"
_JOB = "a job"
_Jobs = tuple[tuple[Config, float], ...]


@dataclass(frozen=True)
class Parent:
    """A parent as the child sees it: its `same` and `related` jobs with their values.

    Of its `jobs`, `silent` gave no value; `lost` have no place in the child's space (a category
    that it lacks, a number far outside its ranges) for the reasons in `why`; `outside` lie outside
    of the ranges, and are known all the same.
    """

    name: str
    folder: Path
    jobs: int
    same: _Jobs = ()
    related: _Jobs = ()
    silent: int = 0
    lost: int = 0
    outside: int = 0
    why: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f"{len(self.same)} of the same task"] if self.same else []
        parts += [f"{len(self.related)} of a related task"] if self.related else []
        parts += [f"{self.outside} of them outside the ranges"] if self.outside else []
        parts += [f"{self.silent} without a value"] if self.silent else []
        parts += [f"{self.lost} left out ({'; '.join(self.why)})"] if self.lost else []
        what = f": {', '.join(parts)}" if parts else ""
        return f"parent {self.name}: {self.jobs} job{'' if self.jobs == 1 else 's'}{what}"


@dataclass(frozen=True)
class WarmStart:
    """What a job begins with: `prior` and `enqueue` are those of an `Experiment`.

    `missing` are parents that were not found. `warnings` say what is unlike the service, or has no
    effect; `notes` what each parent had.
    """

    kind: Kind | None = None
    parents: tuple[Parent, ...] = ()
    missing: tuple[str, ...] = ()
    prior: "Sequence[experiment.Prior | EarlierTask]" = ()
    enqueue: tuple[Config, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class OverallBest:
    """The best training job of a tuning job and its parents: the trial, and whose it is."""

    tuning_job: str
    folder: Path
    seed: int
    trial: Trial

    @property
    def training_job(self) -> str:
        """The name of the training job."""
        return training_job(self.tuning_job, self.seed, self.trial.id)


def warm(job: TuningJob, root: Given, *, out: Given | None = None) -> WarmStart:
    """Return what a job begins with, from the folders of its parents in `root`.

    Where the job's own folder, `out`, has begun already, what it began with counts, whatever has
    become of the parents since; a warning says where that differs. A parent that is not there, as
    one whose results lie in the cloud, is a warning too, unless `load` has given it. Raises
    `DocumentError` for several definitions.
    """
    _check(job, "warm")
    found = looked_up(job, root)
    if out is not None and (began := _begun(place(out, "out", DocumentError))) is not None:
        return _gone_on(found, *began)
    missing = tuple(
        f"WarmStartConfig: there is no job {name} in {root}, so this one begins without what it "
        "found; name the folder of jobs that holds it as root to begin with it"
        for name in found.missing
        if not any("is no job in" in line and f"{name!r}" in line for line in job.warnings)
    )
    return replace(found, warnings=(*found.warnings, *missing))


def _check(job: object, call: str) -> None:
    mistakes = Mistakes(call)
    mistakes.check("job", job, instance(TuningJob, "a tuning job, as sagemaker.load returns it"))
    mistakes.refuse(DocumentError)


def looked_up(job: TuningJob, root: Given) -> WarmStart:
    """Return what a job would begin with, whatever parents are missing."""
    start, folder = job.request.WarmStartConfig, place(root, "root", DocumentError)
    if start is None:
        return WarmStart()
    names = parents.names_of(job.request)
    homes = {name: parents.folder_of(name, folder) for name in names}
    kind: Kind = IDENTICAL if start.WarmStartType == IDENTICAL else "TransferLearning"
    found = tuple(
        _parent(job, kind, name, home) for name, home in homes.items() if home is not None
    )
    return WarmStart(
        kind,
        found,
        tuple(name for name, home in homes.items() if home is None),
        tuple(_prior(*own) for own in _tasks(found)),
        tuple(_first(job, found)),
        tuple(_warnings(job, kind, found)),
        tuple(str(parent) for parent in found),
    )


def overall_best(job: TuningJob, folder: Given, root: Given) -> OverallBest | None:
    """Return the best of a job's own training jobs and its parents', the earliest among equals.

    None where the values of the parents mean nothing beside its own: without
    `IdenticalDataAndAlgorithm`. None before there is a value, too.
    """
    _check(job, "overall_best")
    start = job.request.WarmStartConfig
    if start is None or start.WarmStartType != IDENTICAL:
        return None
    jobs, own = place(root, "root", DocumentError), place(folder, "folder", DocumentError)
    homes = [(name, parents.folder_of(name, jobs)) for name in parents.names_of(job.request)]
    homes.append((job.name or own.name, own if (own / FILE).is_file() else None))
    ended = [
        OverallBest(name if home == own else home.name, home, seed, trial)
        for name, home in homes
        if home is not None
        for seed, trial in _jobs(home)
        if trial.value is not None
    ]
    loss = sign(job.direction)
    return min(ended, key=lambda one: loss * (one.trial.value or 0.0), default=None)


def _jobs(home: Path) -> list[tuple[int, Trial]]:
    """Return a tuning job's training jobs that have ended, with its seed; no earlier ones."""
    runs = Result.read(home).runs.values()
    return [(run.seed, trial) for run in runs for trial in run.trials if not trial.is_running]


def _parent(job: TuningJob, kind: Kind, name: str, home: Path) -> Parent:
    """Read a parent's jobs as configurations of the child's space."""
    theirs, fixed = parents.loaded(home), {**job.statics, **job.constants}
    rest = {**theirs.statics, **theirs.constants}
    jobs = [trial for _, trial in _jobs(home)]
    same: list[tuple[Config, float]] = []
    related: list[tuple[Config, float]] = []
    lost: list[str] = []
    for trial in jobs:
        if trial.value is None:
            continue
        values: Mapping[str, Value] = {**rest, **trial.config}
        try:
            config = _placed(job, values)
        except SpaceError as error:
            lost.append(str(error).split("\n")[0].removeprefix(f"{_JOB}: "))
            continue
        is_same = kind == IDENTICAL and _is_alike(fixed, values)
        (same if is_same else related).append((config, trial.value))
    return Parent(
        *(name, home, len(jobs), tuple(same), tuple(related)),
        silent=sum(trial.value is None for trial in jobs),
        lost=len(lost),
        outside=sum(not is_inside(job.space, config) for config, _ in (*same, *related)),
        why=tuple(dict.fromkeys(lost)),
    )


def _placed(job: TuningJob, values: Mapping[str, Value]) -> Config:
    """Return a parent's job in the child's space; raises `SpaceError` where it has no place."""
    config: dict[str, object] = {}
    for name, parameter in job.space.parameters.items():
        value = values.get(name)
        is_text = isinstance(value, str) and not isinstance(parameter, Categorical)
        number = _number(value) if is_text else None
        config[name] = value if number is None else number
    return extended(job.space, config, _JOB)


def _is_alike(fixed: Mapping[str, Value], values: Mapping[str, Value]) -> bool:
    """Whether a parent's job was run with what is static in the child, or constant."""
    return all(
        values.get(name) == value or _number(values.get(name)) == _number(value) is not None
        for name, value in fixed.items()
        if not parents.is_own(name)
    )


def _number(value: object) -> float | None:
    if is_real(value):
        return as_float(value)
    if not isinstance(value, str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _tasks(found: Sequence[Parent]) -> Iterator[tuple[str, Task, _Jobs]]:
    """Yield the tasks of parents: the name of each, whose it is, and its jobs."""
    for parent in found:
        if parent.same:
            yield parent.name, "same", parent.same
        if parent.related:
            name = f"{parent.name}, {AT_OTHERS}" if parent.same else parent.name
            yield name, "related", parent.related


def _prior(name: str, task: Task, jobs: _Jobs) -> "experiment.Prior":
    return experiment.Prior(list(jobs), task, name)


def _first(job: TuningJob, found: Sequence[Parent]) -> Iterator[Config]:
    """Yield where a job begins: the best of each related task that lies in its space, once.

    What is known of its own task need not be tried again: the model begins with it.
    """
    seen = {job.space.identity(c) for p in found for c, _ in p.same if is_inside(job.space, c)}
    for parent in found:
        inside = [pair for pair in parent.related if is_inside(job.space, pair[0])]
        if not inside:
            continue
        best = best_value((value for _, value in inside), job.direction)
        config = next(config for config, value in inside if value == best)
        if (identity := job.space.identity(config)) not in seen:
            seen.add(identity)
            yield config


def _warnings(job: TuningJob, kind: Kind, found: Sequence[Parent]) -> Iterator[str]:
    if job.config.Strategy == "Hyperband":
        yield (
            "WarmStartConfig: the service's guide names Bayesian and random search alone; with "
            "Hyperband the parents' best configurations are tried first, what they tried of the "
            "same task is not tried again, and nothing is learned from the rest"
        )
    before, own = sum(parent.jobs for parent in found), job.jobs or 0
    if before + own > quotas.JOBS:
        yield (
            f"WarmStartConfig: {own} jobs and the parents' {before} are more than {quotas.JOBS}, "
            "which is the quota for all of them; the service would refuse them"
        )
    for parent in found:
        if not parent.same and not parent.related:
            yield f"WarmStartConfig: {parent.name} has no job that this one can begin with"
        elif kind == IDENTICAL and parent.related:
            yield (
                f"WarmStartConfig: {len(parent.related)} jobs of {parent.name} had other values of "
                "what is static here: they are of a related task, not compared with this job's"
            )


def _begun(out: Path) -> tuple[tuple[EarlierTask, ...], tuple[Config, ...]] | None:
    """Return what a job that has begun began with, None where it has not."""
    if not (out / FILE).is_file():
        return None
    with Store.read(out) as store:
        described = store.experiment()
    if described is None:
        return None
    (facts,) = facts_of(described).problems.values()
    return facts.earlier, facts.queue


def _gone_on(
    found: WarmStart, earlier: Sequence[EarlierTask], queue: tuple[Config, ...]
) -> WarmStart:
    """Return what a job began with, and say what of it is otherwise by now."""
    counts = {own.name: len(own.trials) for own in earlier}
    now = {name: len(jobs) for name, _, jobs in _tasks(found.parents)}
    others = [
        f"WarmStartConfig: {name}: the {counts.get(name, 0)} jobs that this one began with count, "
        f"not the {now.get(name, 0)} that its folder holds now"
        for name in {**counts, **now}
        if now.get(name) != counts.get(name)
    ]
    return WarmStart(
        found.kind,
        found.parents,
        found.missing,
        tuple(earlier),
        queue,
        (*found.warnings, *others),
        found.notes,
    )
