"""Tuning jobs as a list shows them: a few counts of each, without reading its history.

What is said of a job that is over is kept for as long as its files are the same ones, to the
nanosecond, and were left alone long enough before they were read for that to mean something.
"""

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from hpo_research.sagemaker.client import folders
from hpo_research.sagemaker.client.arns import tuning_arn
from hpo_research.sagemaker.client.pages import Key, Keyed, page
from hpo_research.sagemaker.client.reading import created
from hpo_research.sagemaker.client.tuning_jobs import counted
from hpo_research.sagemaker.parents import DOCUMENT
from hpo_research.sagemaker.standing import Standing, standing
from hpo_research.sagemaker.wire import Config
from hpo_research.store import Store
from hpo_research.store.connection import FILE

Fields = dict[str, Any]
Files = tuple[tuple[int, int, int], ...]

_QUIET = 1.0  # seconds: clocks of file systems are coarser than a write is long
_MOST = 10_000  # jobs that are kept


@dataclass(frozen=True)
class _Seen:
    """A job as it was: its standing, and its counts where they were asked for."""

    standing: Standing
    counts: Fields | None


@dataclass
class Summaries:
    """The jobs below a root as `HyperParameterTuningJobSummary`."""

    root: Path
    region: str
    _kept: dict[Path, tuple[Files, _Seen]] = field(default_factory=dict)

    def page(self, request: Mapping[str, Any]) -> Fields:
        """Answer `ListHyperParameterTuningJobs`."""
        rows = [
            Keyed(key, folder)
            for name, folder in folders.jobs(self.root).items()
            if (key := self._key(name, folder, request)) is not None
        ]
        shown, more = page(rows, request)
        return {"HyperParameterTuningJobSummaries": [self._summary(one) for one in shown], **more}

    def _key(self, name: str, folder: Path, request: Mapping[str, Any]) -> Key | None:
        """Return what a job is sorted by; None where the request's filters leave it out."""
        if request.get("NameContains", "").lower() not in name.lower():
            return None
        made, by = created(folder), request.get("SortBy", "Name")
        if not _is_between(made, request, "CreationTime"):
            return None
        if "StatusEquals" in request or by == "Status" or _asks(request, "LastModifiedTime"):
            seen = self._seen(folder, is_counted=False).standing
            if seen.status != request.get("StatusEquals", seen.status):
                return None
            if not _is_between(seen.modified or made, request, "LastModifiedTime"):
                return None
            if by == "Status":
                return (seen.status, name)
        return (made.timestamp(), name) if by == "CreationTime" else (name,)

    def _summary(self, folder: Path) -> Fields:
        config = _config(folder)
        seen, made = self._seen(folder, is_counted=True), created(folder)
        ended = seen.standing.is_over and {
            "HyperParameterTuningEndTime": seen.standing.ended or seen.standing.modified or made
        }
        limits = config.ResourceLimits
        return {
            "HyperParameterTuningJobName": folder.name,
            "HyperParameterTuningJobArn": tuning_arn(self.region, folder.name),
            "HyperParameterTuningJobStatus": seen.standing.status,
            "Strategy": config.Strategy,
            "CreationTime": made,
            "LastModifiedTime": seen.standing.modified or made,
            **(ended or {}),
            **(seen.counts or {}),
            **({"ResourceLimits": limits.model_dump(exclude_none=True)} if limits else {}),
        }

    def _seen(self, folder: Path, *, is_counted: bool) -> _Seen:
        files = _files(folder)
        known, seen = self._kept.get(folder, ((), None))
        if seen is not None and known == files and (seen.counts or not is_counted):
            return seen
        began = time.time_ns()
        found = standing(folder)
        seen = _Seen(found, _counts(folder) if is_counted else None)
        is_quiet = all(began - changed > _QUIET * 1e9 for *_, changed in files)
        if found.is_over and is_quiet and len(self._kept) < _MOST:
            self._kept[folder] = (files, seen)
        return seen


def _files(folder: Path) -> Files:
    """Return the number, size and time of all files that say how a job stands."""
    found = []
    for name in (DOCUMENT, FILE, f"{FILE}-wal", "requests", "error.txt"):
        try:
            one = (folder / name).stat()
        except FileNotFoundError:
            found.append((0, 0, 0))
        else:
            found.append((one.st_ino, one.st_size, one.st_mtime_ns))
    return tuple(found)


def _counts(folder: Path) -> Fields:
    if not (folder / FILE).is_file():
        return counted({}, {})
    metric = json.dumps(_metric(folder))
    with Store.read(folder) as store:
        return store.look(partial(_counted, metric=metric))


def _counted(db: sqlite3.Connection, metric: str) -> Fields:
    (begun,) = db.execute("SELECT count(*) FROM proposal WHERE kind = 'start'").fetchone()
    rows = db.execute(
        "SELECT o.status, EXISTS (SELECT 1 FROM report r WHERE r.run = o.run "
        "AND r.trial = o.trial AND instr(r.metrics, ?)), count(*) "
        "FROM outcome o WHERE o.status != 'paused' GROUP BY 1, 2",
        (metric,),
    )
    words = {"finished": "Completed", "stopped": "Stopped", "failed": "Failed"}
    jobs, values = Counter[str](), Counter[str]()
    for status, has_value, count in rows:
        jobs[words[status]] += count
        values["Succeeded" if has_value and status != "failed" else "Failed"] += count
    jobs["InProgress"] = values["Pending"] = begun - jobs.total()
    return counted(jobs, values)


def _config(folder: Path) -> Config:
    """Return the tuner's document, of which nothing else is looked at."""
    return Config.model_validate(_tuner(folder))


def _tuner(folder: Path) -> Any:
    whole = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
    return whole.get("HyperParameterTuningJobConfig", whole)


def _metric(folder: Path) -> str:
    objective = _tuner(folder).get("HyperParameterTuningJobObjective") or {}
    return str(objective.get("MetricName", ""))


def _asks(request: Mapping[str, Any], name: str) -> bool:
    return f"{name}After" in request or f"{name}Before" in request


def _is_between(at: datetime, request: Mapping[str, Any], name: str) -> bool:
    """Whether a time lies between those of a request, in seconds since 1970."""
    after, before = request.get(f"{name}After"), request.get(f"{name}Before")
    seconds = at.timestamp()
    return (after is None or seconds > after) and (before is None or seconds < before)
