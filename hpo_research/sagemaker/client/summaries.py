"""Tuning jobs as a list shows them: a few counts of each, without reading its history.

What a store said is kept for as long as the job's files are the same ones, to the nanosecond, and
were left alone long enough before they were read for that to mean something. Whether a process is
at it is looked at each time, unless the job is over.
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
from typing import Any, NamedTuple, TypeVar

from hpo_research.errors import StoreEmptyError
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
from hpo_research.store.overview import Overview, overview

Fields = dict[str, Any]
Found = TypeVar("Found")
Files = tuple[tuple[int, int, int], ...]

_QUIET = 1_000_000_000  # nanoseconds: clocks of file systems are coarser than a write is long
_MOST = 10_000  # jobs that are kept


class _Counts(NamedTuple):
    """How many training jobs have begun, have ended how, and with which status of the objective."""

    begun: int = 0
    jobs: Mapping[str, int] = {}
    values: Mapping[str, int] = {}


class _Said(NamedTuple):
    """What a job's files say: its document, and how its store stands."""

    config: Config
    overview: Overview | None
    counts: _Counts


class _Kept(NamedTuple):
    """What files said, and how a job stands that is over."""

    files: Files
    said: _Said
    standing: Standing | None = None


@dataclass
class Summaries:
    """The jobs below a root as `HyperParameterTuningJobSummary`."""

    root: Path
    region: str
    _kept: dict[Path, _Kept] = field(default_factory=dict)

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

    def _key(self, name: str, folder: Path, request: Mapping[str, Any]) -> Key | None:
        """Return what a job is sorted by; None where the request's filters leave it out."""
        if request.get("NameContains", "").lower() not in name.lower():
            return None
        made, by = created(folder), request.get("SortBy", "Name")
        if not _is_between(made, request, "CreationTime"):
            return None
        if "StatusEquals" in request or by == "Status" or _asks(request, "LastModifiedTime"):
            seen, _ = self._look(folder)
            if seen.status != request.get("StatusEquals", seen.status):
                return None
            if not _is_between(seen.modified or made, request, "LastModifiedTime"):
                return None
            if by == "Status":
                return (seen.status, name)
        return (made.timestamp(), name) if by == "CreationTime" else (name,)

    def _look(self, folder: Path) -> tuple[Standing, _Said | None]:
        """Return how a job stands, and what its files said then; None where it has no store yet."""
        kept = self._kept.get(folder)
        if kept is not None and kept.standing is not None and kept.files == _files(folder):
            return kept.standing, kept.said
        last: list[_Said] = []

        def seen(home: Path) -> Overview | None:
            last[:] = [self._said(home)]
            return last[0].overview

        found, said = stands(folder, seen), last[0] if last else None
        kept = self._kept.get(folder)
        if kept is not None and kept.said is said and found.is_over:
            self._kept[folder] = kept._replace(standing=found)
        return found, said

    def _said(self, folder: Path) -> _Said:
        files = _files(folder)
        kept = self._kept.get(folder)
        if kept is not None and kept.files == files:
            return kept.said
        began = time.time_ns()
        said = _read(folder)
        is_quiet = all(began - changed > _QUIET for *_, changed in files)
        if is_quiet and (folder in self._kept or len(self._kept) < _MOST):
            self._kept[folder] = _Kept(files, said)
        return said

    def _summary(self, folder: Path) -> Fields:
        found, said = self._look(folder)
        config = _config(folder) if said is None else said.config
        made, limits = created(folder), config.ResourceLimits
        summary = {
            "HyperParameterTuningJobName": folder.name,
            "HyperParameterTuningJobArn": tuning_arn(self.region, folder.name),
            "HyperParameterTuningJobStatus": found.status,
            "Strategy": config.Strategy,
            "CreationTime": made,
            "LastModifiedTime": found.modified or made,
            **_counters(_Counts() if said is None else said.counts, is_over=found.is_over),
        }
        if found.is_over:
            summary["HyperParameterTuningEndTime"] = found.ended or found.modified or made
        if limits is not None:
            summary["ResourceLimits"] = limits.model_dump(exclude_none=True)
        return summary


def _unless_gone(folder: Path, ask: Callable[[], Found]) -> Found | None:
    """Return what is asked of a folder; None where the job was deleted meanwhile."""
    try:
        return folders.whole(folder, ask)
    except Refusal:
        return None


def _files(folder: Path) -> Files:
    """Return the number, size and time of all files that say how a job stands.

    An empty log is none: to read a store makes one.
    """
    found, home = [], os.fspath(folder)
    for name in (DOCUMENT, FILE, f"{FILE}-wal", "requests", ERROR):
        try:
            one = os.stat(f"{home}/{name}")
        except FileNotFoundError:
            found.append((0, 0, 0))
        else:
            is_there = one.st_size > 0
            found.append((one.st_ino, one.st_size, one.st_mtime_ns) if is_there else (0, 0, 0))
    return tuple(found)


def _config(folder: Path) -> Config:
    """Return the tuner's document; all the rest is looked at only where that is wrong."""
    try:
        whole = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
        return Config.model_validate(whole.get("HyperParameterTuningJobConfig", whole))
    except (ValueError, AttributeError):
        return loaded(folder).config  # which says what is wrong, a line a mistake


def _read(folder: Path) -> _Said:
    config = _config(folder)
    objective = config.HyperParameterTuningJobObjective
    metric = json.dumps(objective.MetricName if objective else "")
    try:
        with Store.read(folder) as store:
            return _Said(config, *store.look(partial(_overview_and_counts, metric=metric)))
    except StoreEmptyError:
        return _Said(config, None, _Counts())


def _overview_and_counts(db: sqlite3.Connection, metric: str) -> tuple[Overview, _Counts]:
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
    return overview(db), _Counts(begun, jobs, values)


def _counters(counts: _Counts, *, is_over: bool) -> Fields:
    """Return both counters; where the tuning job is over, nobody is at what has not ended."""
    left = counts.begun - sum(counts.jobs.values())
    jobs = Counter(counts.jobs) + Counter({"Stopped" if is_over else "InProgress": left})
    values = Counter(counts.values) + Counter({"Failed" if is_over else "Pending": left})
    return counted(jobs, values)


def _asks(request: Mapping[str, Any], name: str) -> bool:
    return f"{name}After" in request or f"{name}Before" in request


def _is_between(at: datetime, request: Mapping[str, Any], name: str) -> bool:
    """Whether a time lies between those of a request, in seconds since 1970."""
    after, before = request.get(f"{name}After"), request.get(f"{name}Before")
    seconds = at.timestamp()
    return (after is None or seconds > after) and (before is None or seconds < before)
