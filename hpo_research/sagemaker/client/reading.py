"""What a job's folder holds at one moment, read straight from its document and its store.

A look at a job goes on where the last one ended; nothing that was answered before is kept.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from hpo_research.analysis.history import RunHistory
from hpo_research.analysis.result import Reading
from hpo_research.errors import DocumentWarning
from hpo_research.records import Run, Trial
from hpo_research.sagemaker import loading, names
from hpo_research.sagemaker.job import TuningJob
from hpo_research.sagemaker.parents import DEFINITION, DOCUMENT
from hpo_research.sagemaker.standing import Standing, standing
from hpo_research.store.connection import FILE


@dataclass(frozen=True)
class Look:
    """A tuning job at one moment: its document, how it stands, and its run once that has begun."""

    folder: Path
    job: TuningJob
    created: datetime
    standing: Standing
    history: RunHistory | None = None

    @property
    def name(self) -> str:
        """The tuning job's name; a deleted one's folder has a number behind it."""
        return self.folder.name.partition(".")[0]

    @property
    def run(self) -> Run | None:
        """The run, None before it has begun."""
        return None if self.history is None else self.history.run

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The trials, by id."""
        return tuple(self.run.trials) if self.run else ()

    @cached_property
    def begun(self) -> Mapping[int, datetime]:
        """When each trial was begun, by id."""
        if self.history is None:
            return {}
        asks = zip(self.history.run.asks, self.history.clocks, strict=True)
        clocks = [clock for ask, clock in asks for p in ask.proposals if p.kind == "start"]
        return {trial: self._date(clock) for trial, clock in enumerate(clocks)}

    @cached_property
    def ended(self) -> Mapping[int, datetime]:
        """When each trial ended that has, by id."""
        outcomes = self.history.outcomes if self.history else ()
        return {one.trial: self._date(one.clock) for _, one in outcomes if one.status != "paused"}

    @cached_property
    def stopping(self) -> frozenset[int]:
        """The trials that were told to stop."""
        asks = self.run.asks if self.run else ()
        return frozenset(p.trial for ask in asks for p in ask.proposals if p.kind == "stop")

    def name_of(self, trial: int) -> str:
        """Return the name of a trial's training job."""
        assert self.run is not None  # it has trials
        return names.training_job(self.name, self.run.seed, trial)

    def trial_of(self, name: str) -> Trial | None:
        """Return the trial whose training job has a name; None where none has."""
        if self.run is None:
            return None
        found = names.trial_of(name, self.name, self.run.seed)
        return None if found is None or found >= len(self.trials) else self.trials[found]

    def _date(self, clock: float) -> datetime:
        return self.standing.date(clock) or self.created


def created(folder: Path) -> datetime:
    """Return when a job was created: when its document was written."""
    return datetime.fromtimestamp((folder / DOCUMENT).stat().st_mtime, UTC)


def loaded(folder: Path) -> TuningJob:
    """Load a job's document, without the warnings that were said when it was created."""
    beside = folder / DEFINITION
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DocumentWarning)
        return loading.load(folder / DOCUMENT, beside if beside.is_file() else None)


class Jobs:
    """The jobs that were looked at: their documents, and how far their stores were read."""

    def __init__(self, most: int = 32) -> None:
        self._most = most
        self._known: dict[tuple[Path, int], tuple[TuningJob, Reading]] = {}

    def look(self, folder: Path) -> Look:
        """Return what a job's folder holds now."""
        # A folder whose document is another file is that of another job.
        key = (folder, (folder / DOCUMENT).stat().st_ino)
        known = self._known.pop(key) if key in self._known else (loaded(folder), Reading(folder))
        job, reading = known
        while len(self._known) >= self._most:
            self._known.pop(next(iter(self._known)))
        self._known[key] = job, reading
        found = standing(folder)
        history = _only(reading) if (folder / FILE).is_file() and found.seen else None
        return Look(folder, job, created(folder), found, history)


def _only(reading: Reading) -> RunHistory | None:
    """Return the run of a job's store; None before there is one."""
    return next(iter(reading.look().histories.values()), None)
