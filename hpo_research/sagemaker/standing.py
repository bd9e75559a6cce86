"""How a tuning job stands, from its folder alone: the store, its lock, what was asked of it.

The service's words for it: `InProgress` until its end, also while nobody runs it; `Stopping` once
somebody has asked for a stop; then `Completed` (all jobs, the deadline, or a completion criterion),
`Stopped` (somebody asked for it), or `Failed`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from hpo_research.errors import DocumentError, StoreEmptyError
from hpo_research.paths import Given, place
from hpo_research.sagemaker.parents import DOCUMENT
from hpo_research.store import Store, lock, requests
from hpo_research.store.connection import FILE
from hpo_research.store.overview import Overview, overview

Status = Literal["InProgress", "Stopping", "Completed", "Stopped", "Failed"]

FAILED = "No training job succeeded"
ERROR = "error.txt"
"""The file that says which error ended the process of a job; gone once it goes on."""


def no_success(attempts: int) -> str:
    """Return why a job failed whose first jobs all did, in the service's words; its count is 5."""
    return (
        f"{FAILED} after {attempts} attempts. For additional details, please take a look at the "
        "training job failures by listing training jobs for the hyperparameter tuning job."
    )


NO_SUCCESS = no_success(5)
"""The service's sentence."""


@dataclass(frozen=True)
class Standing:
    """How a job stands, why, and since when.

    `detail` is more than the service says: the last error and the log that shows it. `is_running`
    says whether a process is at it: a job that is not over and not running was interrupted, and
    goes on where it is run again. `modified` is when it last changed; `created` and `ended` are
    None before. All times have a time zone.
    """

    status: Status
    reason: str = ""
    detail: str = ""
    created: datetime | None = None
    modified: datetime | None = None
    ended: datetime | None = None
    is_running: bool = False
    seen: Overview | None = None

    @property
    def is_over(self) -> bool:
        """Whether the job has ended: it is `Completed`, `Stopped` or `Failed`."""
        return self.status in ("Completed", "Stopped", "Failed")

    def date(self, clock: float) -> datetime | None:
        """Return when the run's clock read so many seconds: reports and outcomes are dated so."""
        if self.seen is None or self.created is None:
            return self.created
        return self.seen.date(clock) or self.created + timedelta(seconds=clock)


def looked(home: Path) -> Overview | None:
    """Return what the store of a folder says; None of one that is being made."""
    try:
        with Store.read(home) as store:
            return store.look(overview)
    except StoreEmptyError:
        return None


def standing(folder: Given, seen: Callable[[Path], Overview | None] = looked) -> Standing:
    """Return how the job in a folder stands; nothing there is changed or waited for.

    `seen` reads the store, after it was looked whether a process is at it: one that has ended since
    has written all that it had to. Raises `DocumentError` where there is no job, `StoreError` for a
    damaged store.
    """
    home = place(folder, "the job's folder", DocumentError)
    document = home / DOCUMENT
    has_store = (home / FILE).is_file()
    if not has_store and not document.is_file():
        raise DocumentError(f"{home}: there is no tuning job ({DOCUMENT} is missing)")
    created = _touched(document if document.is_file() else home / FILE)
    is_running = lock.is_held(home)
    said = seen(home) if has_store else None
    if said is None or not said.runs:
        status, reason, detail = _begun(home, is_running=is_running)
        return Standing(status, reason, detail, created, created, None, is_running)
    created = said.sessions[0].at if said.sessions else created
    status, reason, detail = _stands(home, said, is_running=is_running)
    last = said.date(said.clock) or _touched(home / FILE)
    ended = last if said.over == said.runs else None
    modified = ended or max(last, _touched(home / FILE), _touched(home / f"{FILE}-wal"))
    if ended is None and status in ("Stopped", "Failed"):
        ended = modified
    return Standing(status, reason, detail, created, modified, ended, is_running, said)


def _begun(home: Path, *, is_running: bool) -> tuple[Status, str, str]:
    """Return how a job stands that has nothing stored yet."""
    error = _error(home)
    return ("Failed", *error) if error and not is_running else ("InProgress", "", "")


def _stands(home: Path, seen: Overview, *, is_running: bool) -> tuple[Status, str, str]:
    """Return the status of a job, why, and what more is to be said."""
    pending = requests.pending(home).values()
    asked = next((one.reason for one in pending if not one.reopens and not one.trials), "")
    if seen.over == seen.runs:
        return _over(home, seen)
    if asked or (seen.ended and seen.ended_by == "request"):
        # Whoever takes it up again ends it at once.
        return "Stopping" if is_running else "Stopped", asked or seen.ended, ""
    if is_running:
        return "InProgress", "", ""
    if error := _error(home):
        return "Failed", *error
    return "InProgress", "", "no process runs it; the same command resumes"


def _over(home: Path, seen: Overview) -> tuple[Status, str, str]:
    if seen.ended and seen.ended_by == "request":
        return "Stopped", seen.ended, ""
    if seen.ended.startswith(FAILED):
        return "Failed", seen.ended, _last_failure(home, seen)
    if seen.failed and not seen.values:
        return "Failed", f"{FAILED}.", _last_failure(home, seen)
    return "Completed", seen.ended, ""


def _last_failure(home: Path, seen: Overview) -> str:
    if seen.failed is None:
        return ""
    trial, reason = seen.failed
    log = home / "jobs" / f"{trial:03}" / "output.log"
    return f"trial {trial}: {reason}" + (f"; its log is {log}" if log.is_file() else "")


def _error(home: Path) -> tuple[str, str] | None:
    """Return the error that ended the job's process, and the way out; None where none did."""
    path = home / ERROR
    if not path.is_file():
        return None
    return path.read_text(encoding="utf-8").strip(), "the same command resumes once it is put right"


def _touched(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:  # the log of the store comes and goes
        return datetime.fromtimestamp(0, UTC)
