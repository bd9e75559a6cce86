"""Running a tuning job: its folder, its run, and how it ends."""

import json
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hpo_research import habits
from hpo_research.analysis.result import Result
from hpo_research.device import Compute, resolve
from hpo_research.errors import DocumentError, DocumentWarning, ExperimentError
from hpo_research.experiment.ending import Rule
from hpo_research.experiment.experiment import Experiment
from hpo_research.experiment.loop import execute
from hpo_research.experiment.provenance import Source
from hpo_research.options import Mistakes, instance, number, optional, whole
from hpo_research.paths import Given, place
from hpo_research.progress.showing import Showing, Watch, asked_for, shown
from hpo_research.records import Run
from hpo_research.sagemaker.job import TuningJob
from hpo_research.sagemaker.loading import Document, load
from hpo_research.sagemaker.parents import DEFINITION, DOCUMENT
from hpo_research.sagemaker.plain import Json
from hpo_research.sagemaker.standing import ERROR, no_success
from hpo_research.sagemaker.trainers import GRACE_SECONDS, Trainer, problem_of
from hpo_research.sagemaker.warm_start import warm
from hpo_research.store import Store
from hpo_research.store.overview import SESSIONS, Session, last_clock, noted, overview

FAILURES = 5
"""After how many first jobs that all failed the service gives up."""


@habits.function
def tune(
    job: TuningJob | Document,
    trainer: Trainer,
    *,
    root: Given | None = None,
    out: Given | None = None,
    failures: int | None = FAILURES,
    grace_seconds: float = GRACE_SECONDS,
    channels: Mapping[str, Given] | None = None,
    device: str = "auto",
    threads: int = 1,
    progress: Showing = "auto",
) -> Result:
    """Run a tuning job, or go on where it stopped, and return what is known at its end.

    `job` is what `load` returns, or what it takes. `trainer` is a program's file (a Python file is
    run by this Python), its command, a function `f(config)` or `f(config, report)`, or a problem
    whose space holds the ranges. The job's folder is `out`, or `root/NAME` of a document with a
    name, by default in `results`; its store is an ordinary one.

    Parents of a warm start are looked for in `root`, by default where the job's folder is.
    `MaxRuntimeInSeconds` is a deadline at which running jobs are stopped; it counts the time that
    the job was run, over all its sessions. Where the first `failures` jobs to end all failed the
    job has failed (None: it goes on). `grace_seconds` is what a program has between SIGTERM and
    SIGKILL, `channels` where the data of its channels lie; those of the document at `file://` are
    found. Where the document has no `RandomSeed` one is drawn, and stored.

    Raises `DocumentError` where document, trainer and folder do not go together, and what `run`
    raises. `KeyboardInterrupt` (Ctrl-C) ends all that was started; the same call goes on.
    """
    if not isinstance(job, TuningJob):
        job = load(job, root=root)
    showing = asked_for("tune", progress)
    mistakes = Mistakes("tune")
    mistakes.check("failures", failures, optional(whole()))
    mistakes.check("grace_seconds", grace_seconds, number("number of seconds", least=0))
    mistakes.check("channels", channels, optional(instance(Mapping, "a dict of folders by name")))
    mistakes.refuse(DocumentError)
    if root is not None:
        place(root, "root", DocumentError)
    home = folder_of(job, root, out)
    compute = Compute(resolve(device), threads)
    with Store.write(home) as store, shown(showing) as watch, _errors_kept(home, store):
        keep(job, home, has_begun=bool(store.runs()))
        problem = problem_of(job, trainer, grace_seconds=grace_seconds, channels=channels)
        has_begun = store.experiment() is not None
        among = home.parent if root is None else root
        start = warm(job, among, out=home if has_begun else None)
        for line in start.warnings:
            warnings.warn(line, DocumentWarning, stacklevel=2)
        seed, prior = seed_of(job, store), start.prior or None
        experiment = job.experiment(problem, seed=seed, prior=prior, enqueue=start.enqueue)
        try:
            _execute(job, experiment, store, compute, watch, failures)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"{experiment.name} was interrupted; completed work is stored in {home}: "
                "run it again to resume"
            ) from None
        return Result.of(store)


def _execute(
    job: TuningJob,
    experiment: Experiment,
    store: Store,
    compute: Compute,
    watch: Watch | None,
    failures: int | None,
) -> None:
    seen, clock = store.look(overview), store.look(last_clock)
    if seen.over < max(seen.runs, 1):
        began = (*seen.sessions, Session(datetime.now(UTC), clock))
        store.set_meta({SESSIONS: noted(began)})
    source = Source(DOCUMENT, json.dumps(job.document(), indent=2))
    rule = ends(job.seconds, clock, failures, job.parallel)
    if store.folder is not None:
        (store.folder / ERROR).unlink(missing_ok=True)
    execute(experiment, store, compute, watch, source=source, ends=rule)


def ends(seconds: float | None, clock: float, failures: int | None, parallel: int) -> Rule:
    """Return the rule by which a job ends beside its strategy: no success, or its deadline.

    `clock` is what the run's clock reads now, in seconds.
    """
    by = None if seconds is None else time.monotonic() + seconds - clock

    def rule(run: Run) -> str:
        if failures is not None and have_failed(run, failures, parallel):
            return no_success(failures)
        if by is not None and time.monotonic() >= by:
            return f"MaxRuntimeInSeconds, {seconds:,} seconds, have passed"
        return ""

    return rule


def have_failed(run: Run, failures: int, parallel: int) -> bool:
    """Return whether the first trials to end all failed, so many of them.

    One that was stopped after it had reported a value has not.
    """
    # Of so many that end first all are among the first so many and those that ran beside them.
    first = [t for t in run.trials[: failures + parallel] if t.place is not None]
    first = [t for t in first if t.place < failures]  # type: ignore[operator]
    return len(first) == failures and all(trial.value is None for trial in first)


# -- the folder


def folder_of(job: TuningJob, root: Given | None, out: Given | None) -> Path:
    """Return the folder of a job: `out`, or that of its name in `root`.

    Raises `DocumentError` where another job has the name in other letters, and without a name.
    """
    if out is not None:
        return place(out, "out", DocumentError)
    if job.name is None:
        raise DocumentError(
            "tune: the document is the tuner's alone, and has no name; give out=, the job's folder"
        )
    among = place("results" if root is None else root, "root", DocumentError)
    others = sorted(among.iterdir()) if among.is_dir() else []
    for one in others:
        if one.name != job.name and one.name.lower() == job.name.lower():
            raise DocumentError(
                f"HyperParameterTuningJobName = {job.name!r}: {one} is a job of that name, which "
                "counts whatever its case; take another name"
            )
    return among / job.name


def keep(job: TuningJob, home: Path, *, has_begun: bool) -> None:
    """Put a job's documents into its folder, as they came in.

    Raises `DocumentError` where another job has begun there, or what is no tuning job.
    """
    if has_begun and not (home / DOCUMENT).is_file():
        raise DocumentError(f"{home}: holds an experiment that is no tuning job; give another out=")
    for name, own in _documents(job):
        path = home / name
        there = _json(path) if path.is_file() else None
        if there == own:
            continue
        if has_begun:
            raise DocumentError(
                f"{path}: holds another document, of a job that was begun there; run this one in "
                "another folder, or under another name"
            )
        if own is None:
            path.unlink()
            continue
        beside = home / f"{name}.part"
        beside.write_text(json.dumps(own, indent=2) + "\n", encoding="utf-8")
        beside.rename(path)


def _documents(job: TuningJob) -> Iterator[tuple[str, Json]]:
    yield DOCUMENT, job.document()
    yield DEFINITION, job.definition()


def _json(path: Path) -> Json:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DocumentError(f"{path}: cannot be read ({error}); remove it") from error


def seed_of(job: TuningJob, store: Store) -> int:
    """Return a job's seed: the document's, the one that was stored, or one that is drawn now."""
    if job.seed is not None:
        return job.seed
    known = store.experiment()
    if known is not None:
        return int(known["seeds"][0])
    return int.from_bytes(os.urandom(4))


@contextmanager
def _errors_kept(home: Path, store: Store) -> Iterator[None]:
    """Leave word in the folder of an error that ends the process: others read the folder alone.

    A call that does not go with a job that has begun says nothing about the job.
    """
    has_begun = bool(store.runs())
    try:
        yield
    except Exception as error:
        if has_begun and isinstance(error, DocumentError | ExperimentError):
            raise
        text = f"{type(error).__name__}: {error}"
        (home / ERROR).write_text(f"{text}\n", encoding="utf-8", errors="backslashreplace")
        raise
