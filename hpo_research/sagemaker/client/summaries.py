"""Tuning jobs as a list shows them: a few counts of each, without reading its history.

What is said of a job that is over is kept for as long as its files are the same ones, to the
nanosecond, and were left alone long enough before they were read for that to mean something.
"""

import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from hpo_research.sagemaker.client import folders
from hpo_research.sagemaker.client.arns import tuning_arn
from hpo_research.sagemaker.client.pages import Key, Keyed, page
from hpo_research.sagemaker.client.processes import stands
from hpo_research.sagemaker.client.reading import created, loaded
from hpo_research.sagemaker.client.refusals import Refusal
from hpo_research.sagemaker.client.tuning_jobs import counted
from hpo_research.sagemaker.parents import DOCUMENT
from hpo_research.sagemaker.standing import ERROR, Standing
from hpo_research.sagemaker.wire import Config
from hpo_research.store import Store
from hpo_research.store.connection import FILE

Fields = dict[str, Any]
Found = TypeVar("Found")
Files = tuple[tuple[int, int, int], ...]

_QUIET = 1_000_000_000  # nanoseconds: clocks of file systems are coarser than a write is long
_MOST = 10_000  # jobs that are kept


@dataclass(frozen=True)
class _Seen:
    """A job as it was: its standing, and its summary where that was asked for."""

    standing: Standing
    summary: Fields | None


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
            if (key := _unless_gone(folder, partial(self._key, name, folder, request))) is not None
        ]
        shown, more = page(rows, request)
        found = [_unless_gone(folder, partial(self._summary, folder)) for folder in shown]
        return {"HyperParameterTuningJobSummaries": [one for one in found if one], **more}

    def _summary(self, folder: Path) -> Fields | None:
        return self._seen(folder, is_shown=True).summary

    def _key(self, name: str, folder: Path, request: Mapping[str, Any]) -> Key | None:
        """Return what a job is sorted by; None where the request's filters leave it out."""
        if request.get("NameContains", "").lower() not in name.lower():
            return None
        made, by = created(folder), request.get("SortBy", "Name")
        if not _is_between(made, request, "CreationTime"):
            return None
        if "StatusEquals" in request or by == "Status" or _asks(request, "LastModifiedTime"):
            seen = self._seen(folder, is_shown=False).standing
            if seen.status != request.get("StatusEquals", seen.status):
                return None
            if not _is_between(seen.modified or made, request, "LastModifiedTime"):
                return None
            if by == "Status":
                return (seen.status, name)
        return (made.timestamp(), name) if by == "CreationTime" else (name,)

    def _seen(self, folder: Path, *, is_shown: bool) -> _Seen:
        files = _files(folder)
        known, seen = self._kept.get(folder, ((), None))
        if seen is not None and known == files and (seen.summary or not is_shown):
            return seen
        began = time.time_ns()
        found = stands(folder)
        seen = _Seen(found, _summary(folder, found, self.region) if is_shown else None)
        is_quiet = all(began - changed > _QUIET for *_, changed in files)
        if found.is_over and is_quiet and len(self._kept) < _MOST:
            self._kept[folder] = (files, seen)
        return seen


def _unless_gone(folder: Path, ask: Callable[[], Found]) -> Found | None:
    """Return what is asked of a folder; None where the job was deleted meanwhile."""
    try:
        return folders.whole(folder, ask)
    except Refusal:
        return None


def _summary(folder: Path, found: Standing, region: str) -> Fields:
    config = _config(folder)
    made, limits = created(folder), config.ResourceLimits
    summary = {
        "HyperParameterTuningJobName": folder.name,
        "HyperParameterTuningJobArn": tuning_arn(region, folder.name),
        "HyperParameterTuningJobStatus": found.status,
        "Strategy": config.Strategy,
        "CreationTime": made,
        "LastModifiedTime": found.modified or made,
        **_counts(folder, config, found),
    }
    if found.is_over:
        summary["HyperParameterTuningEndTime"] = found.ended or found.modified or made
    if limits is not None:
        summary["ResourceLimits"] = limits.model_dump(exclude_none=True)
    return summary


def _files(folder: Path) -> Files:
    """Return the number, size and time of all files that say how a job stands."""
    found, home = [], os.fspath(folder)
    for name in (DOCUMENT, FILE, f"{FILE}-wal", "requests", ERROR):
        try:
            one = os.stat(f"{home}/{name}")
        except FileNotFoundError:
            found.append((0, 0, 0))
        else:
            found.append((one.st_ino, one.st_size, one.st_mtime_ns))
    return tuple(found)


def _config(folder: Path) -> Config:
    """Return the tuner's document; all the rest is looked at only where that is wrong."""
    try:
        whole = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
        return Config.model_validate(whole.get("HyperParameterTuningJobConfig", whole))
    except (ValueError, AttributeError):
        return loaded(folder).config  # which says what is wrong, a line a mistake


def _counts(folder: Path, config: Config, found: Standing) -> Fields:
    if found.seen is None:
        return counted({}, {})
    objective = config.HyperParameterTuningJobObjective
    metric = json.dumps(objective.MetricName if objective else "")
    with Store.read(folder) as store:
        return store.look(partial(_counted, metric=metric, is_over=found.is_over))


def _counted(db: sqlite3.Connection, metric: str, is_over: bool) -> Fields:
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
    left = begun - jobs.total()
    jobs["Stopped" if is_over else "InProgress"] += left  # nobody is at them
    values["Failed" if is_over else "Pending"] += left
    return counted(jobs, values)


def _asks(request: Mapping[str, Any], name: str) -> bool:
    return f"{name}After" in request or f"{name}Before" in request


def _is_between(at: datetime, request: Mapping[str, Any], name: str) -> bool:
    """Whether a time lies between those of a request, in seconds since 1970."""
    after, before = request.get(f"{name}After"), request.get(f"{name}Before")
    seconds = at.timestamp()
    return (after is None or seconds > after) and (before is None or seconds < before)
