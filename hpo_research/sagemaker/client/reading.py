"""What a job's folder holds at one moment, read straight from its document and its store.

Of a store only what is told is read, by its keys, and not held against its digests, which
`Result.read` does: a job of 750 training jobs is read in some milliseconds. Nothing that was
answered before is kept; kept are documents, and rows for as long as no transaction has come.
"""

import json
import sqlite3
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Literal, NamedTuple

from hpo_research.errors import DocumentWarning
from hpo_research.records import Direction, best_value, sign
from hpo_research.sagemaker import loading, names
from hpo_research.sagemaker.client.processes import stands
from hpo_research.sagemaker.job import TuningJob
from hpo_research.sagemaker.parents import DEFINITION, DOCUMENT
from hpo_research.sagemaker.standing import Standing
from hpo_research.space.parameters import Value
from hpo_research.store import Store
from hpo_research.store.connection import FILE

Status = Literal["InProgress", "Stopping", "Completed", "Stopped", "Failed"]
LEFT = "its tuning job ended without it; resumed, it is begun anew"
_WORDS: Mapping[str, Status] = {
    "finished": "Completed",
    "stopped": "Stopped",
    "failed": "Failed",
}


@dataclass(frozen=True)
class TrainingJob:
    """A trial as the store has it: `begun` and `ended` are the run's clock, in seconds.

    `config_text` is its configuration as JSON, `value` the final value of the objective, None
    before there is one and for a failed trial; `place` is its place among those that have ended,
    and `attempt` counts how often it was begun anew after its process was lost.
    """

    id: int
    config_text: str
    origin: str
    begun: float
    status: Status = "InProgress"
    value: float | None = None
    reason: str = ""
    ended: float | None = None
    place: int | None = None
    attempt: int = 0

    @property
    def config(self) -> dict[str, Value]:
        """The configuration."""
        found: dict[str, Value] = json.loads(self.config_text)
        return found

    @property
    def has_value(self) -> bool:
        """Whether it has ended with a value: whether its objective `Succeeded`."""
        return self.value is not None and self.ended is not None


class Rows(NamedTuple):
    """The run of a store: its seed, and its training jobs by id."""

    seed: int = 0
    jobs: Sequence[TrainingJob] = ()


@dataclass(frozen=True)
class Look:
    """A tuning job at one moment: its document, how it stands, and what its store holds."""

    folder: Path
    job: TuningJob
    created: datetime
    standing: Standing
    rows: Rows = field(default_factory=Rows)

    @property
    def name(self) -> str:
        """The tuning job's name; a deleted one's folder has a number behind it."""
        return self.folder.name.partition(".")[0]

    @property
    def jobs(self) -> Sequence[TrainingJob]:
        """The training jobs, by trial."""
        return self.rows.jobs

    @cached_property
    def best(self) -> TrainingJob | None:
        """The one with the best value of those that have ended, the first of equals."""
        known = [job for job in self.jobs if job.has_value]
        flip = sign(self.job.direction)
        return min(known, key=lambda job: (flip * float(job.value or 0.0), job.id), default=None)

    def name_of(self, job: TrainingJob) -> str:
        """Return the name of a training job."""
        return names.training_job(self.name, self.rows.seed, job.id)

    def job_of(self, name: str) -> TrainingJob | None:
        """Return the training job of a name; None where none has it."""
        found = names.trial_of(name, self.name, self.rows.seed)
        return None if found is None or found >= len(self.jobs) else self.jobs[found]

    def date(self, clock: float) -> datetime:
        """Return when the run's clock read so many seconds."""
        return self.standing.date(clock) or self.created

    def metrics(self, job: TrainingJob) -> Mapping[str, tuple[float, datetime]]:
        """Return the last value of every metric of a training job, and when it came."""
        with Store.read(self.folder) as store:
            rows = store.look(partial(_reports, job=job))
        return {
            name: (value, self.date(clock))
            for text, clock in rows
            for name, value in json.loads(text).items()
        }


def created(folder: Path) -> datetime:
    """Return when a job was created: when its document was written."""
    return datetime.fromtimestamp((folder / DOCUMENT).stat().st_mtime, UTC)


def loaded(folder: Path) -> TuningJob:
    """Load a job's document, without the warnings that were said when it was created."""
    beside = folder / DEFINITION
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DocumentWarning)
        return loading.load(folder / DOCUMENT, beside if beside.is_file() else None)


Version = tuple[int, int, int]
"""A store's file, the mark of its last transaction (`store.mark`), and its last turn."""


class Jobs:
    """The jobs that were looked at: their documents, and their rows with the version read."""

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        self._known: dict[tuple[Path, int], tuple[TuningJob, Version | None, Rows]] = {}

    def look(self, folder: Path) -> Look:
        """Return what a job's folder holds now."""
        # A folder whose document is another file is that of another job.
        key = (folder, (folder / DOCUMENT).stat().st_ino)
        known = self._known.pop(key, None)
        job, version, rows = known or (loaded(folder), None, Rows())
        found = stands(folder)
        if found.seen is not None:
            file = (folder / FILE).stat().st_ino
            with Store.read(folder) as store:
                version, rows = store.look(partial(_read, file, version, rows, job))
        while len(self._known) >= self._most:
            self._known.pop(next(iter(self._known)))
        self._known[key] = job, version, rows
        return Look(folder, job, created(folder), found, _settled(rows, found))


def _settled(rows: Rows, found: Standing) -> Rows:
    """Return rows of which none runs any more where the tuning job is over: nobody is at it."""
    if not found.is_over or found.seen is None:
        return rows
    jobs = [
        replace(job, status="Stopped", reason=LEFT, ended=max(job.begun, found.seen.clock))
        if job.ended is None
        else job
        for job in rows.jobs
    ]
    return Rows(rows.seed, jobs)


def _read(
    file: int, version: Version | None, known: Rows, job: TuningJob, db: sqlite3.Connection
) -> tuple[Version, Rows]:
    """Read a store's rows, or return those that are known where nothing was written since."""
    (mark,) = db.execute("PRAGMA user_version").fetchone()
    (turn,) = db.execute("SELECT coalesce(max(id), 0) FROM turn").fetchone()
    now = (file, mark, turn)
    return now, known if now == version else _rows(db, job.metric, job.direction)


def _rows(db: sqlite3.Connection, metric: str, direction: Direction) -> Rows:
    """Read the first run of a store."""
    run = db.execute("SELECT id, seed FROM run ORDER BY id").fetchone()
    if run is None:
        return Rows()
    own = "FROM proposal p JOIN ask a ON a.id = p.ask WHERE a.run = ? AND p.kind"
    begun = f"SELECT p.trial, p.config, p.origin, a.clock {own} = 'start' ORDER BY p.trial"
    anew = f"SELECT p.trial, max(p.attempt) {own} = 'restart' GROUP BY p.trial"
    stopped = f"SELECT p.trial {own} = 'stop'"
    attempts = dict(db.execute(anew, run[:1]))
    stopping = {trial for (trial,) in db.execute(stopped, run[:1])}
    values = partial(_value, db, metric, None if _counts_last(db) else direction)
    ends = {
        row[0]: (place, *row)
        for place, row in enumerate(
            db.execute(
                "SELECT trial, status, reason, clock, epoch FROM outcome "
                "WHERE run = ? AND status != 'paused' ORDER BY turn, trial",
                run[:1],
            ).fetchall()
        )
    }
    jobs = []
    for trial, text, origin, clock in db.execute(begun, run[:1]).fetchall():
        attempt = attempts.get(trial, 0)
        job = TrainingJob(trial, text, origin, clock, attempt=attempt)
        if trial in ends:
            place, _, status, reason, ended, epoch = ends[trial]
            value = None if status == "failed" else values((run[0], trial, attempt), epoch)
            word = _WORDS[status]
            job = TrainingJob(
                trial, text, origin, clock, word, value, reason, ended, place, attempt
            )
        elif trial in stopping:
            job = TrainingJob(trial, text, origin, clock, "Stopping", attempt=attempt)
        jobs.append(job)
    return Rows(run[1], jobs)


def _counts_last(db: sqlite3.Connection) -> bool:
    """Whether a trial counts by its last value, as the service has it; else by its best."""
    (text,) = db.execute("SELECT value FROM meta WHERE key = 'experiment'").fetchone()
    return bool(json.loads(text)["final"] == "last")


def _value(
    db: sqlite3.Connection,
    metric: str,
    best: Direction | None,
    attempt: tuple[int, int, int],
    epoch: int,
) -> float | None:
    """Return the value of a trial that ended at an epoch: its last one, or its best."""
    own = "SELECT metrics FROM report WHERE run = ? AND trial = ? AND attempt = ?"
    if best is None:
        last = db.execute(f"{own} AND epoch = ?", (*attempt, epoch)).fetchone()
        if last is not None and (found := json.loads(last[0]).get(metric)) is not None:
            return float(found)
    texts = db.execute(f"{own} ORDER BY epoch", attempt).fetchall()
    known = [value for (text,) in texts if (value := json.loads(text).get(metric)) is not None]
    if not known:
        return None
    return float(known[-1] if best is None else best_value(known, best))


def _reports(db: sqlite3.Connection, job: TrainingJob) -> list[tuple[str, float]]:
    return db.execute(
        "SELECT metrics, clock FROM report WHERE trial = ? AND attempt = ? "
        "AND run = (SELECT min(id) FROM run) ORDER BY epoch",
        (job.id, job.attempt),
    ).fetchall()
