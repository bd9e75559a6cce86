"""A storage of Optuna's over results folders: for reading, also while they are written to.

A run is a study. Ids are given in the order in which studies and trials are first seen, folder by
folder and run by run, and stay while the storage lives: of a store that nobody writes to they are
those that a storage of Optuna's would give, filled in that order.
"""

import threading
import time
from collections.abc import Container, Sequence
from copy import deepcopy as copied
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy  # what `get_all_studies` returns; it has no other door
from optuna.trial import FrozenTrial, TrialState

from hpo_research.analysis.optuna_view.dates import Dates, stamps
from hpo_research.analysis.optuna_view.studies import (
    directions,
    prefixes,
    study_name,
    system_attributes,
    translation,
    user_attributes,
)
from hpo_research.analysis.optuna_view.trials import Translation, begun_at, ended_at
from hpo_research.analysis.result import Reading, Result
from hpo_research.errors import StoreError
from hpo_research.paths import Given, place
from hpo_research.records import Trial
from hpo_research.store import RunName

_UNSURE = 1.0  # seconds; a file that changed so lately may change again under the same time


@dataclass
class _Folder:
    """A results folder: how its files were when it was last read, and when, in seconds."""

    path: Path
    reading: Reading
    result: Result | None = None
    seen: tuple[tuple[int, int], ...] = ()
    at: float = 0.0
    dates: Dates = field(default_factory=Dates)

    def look(self) -> bool:
        """Read the folder if it may have changed, and return whether it was read."""
        found, now = stamps(self.path), time.time()
        latest = max((stamp[0] for stamp in self.seen), default=0) / 1e9
        if self.result is not None and found == self.seen and latest < self.at - _UNSURE:
            return False
        self.result = self.reading.look()
        self.seen, self.at = found, now
        last = max((stamp[0] for stamp in found), default=now * 1e9) / 1e9
        self.dates = self.dates.renewed(last, self.result.histories.values())
        return True


@dataclass
class _Study:
    """A study as it was last seen: its trials in both forms, and the translation between them."""

    id: int
    frozen: FrozenStudy
    translation: Translation | None = None
    known: list[Trial] = field(default_factory=list)
    trials: list[FrozenTrial] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)


class StoreStorage(BaseStorage):
    """The runs of results folders as studies of Optuna's, read anew where a folder has changed.

    `every` is the least time between two looks at the folders, in seconds. For `optuna.load_study`,
    `optuna.visualization` and optuna-dashboard; threads may share it. Whatever would write raises
    `StoreError`, and so does a folder that cannot be read.
    """

    def __init__(self, folders: Given | Sequence[Given], *, every: float = 0.5) -> None:
        given = [folders] if isinstance(folders, str | Path) else list(folders)  # type: ignore[arg-type]
        if not given:
            raise StoreError("expected one results folder or more, got none")
        paths = list(dict.fromkeys(place(one, "DIR", StoreError).absolute() for one in given))
        self._folders = [_Folder(path, Reading(path)) for path in paths]
        self._every, self._looked = every, -float("inf")
        self._lock = threading.RLock()
        self._studies: dict[tuple[Path, RunName], _Study] = {}
        self._ids, self._numbers = count(), count()
        self._by_id: dict[int, _Study] = {}
        self._places: dict[int, tuple[_Study, int]] = {}
        self._look()

    # -- what is read

    def _look(self) -> None:
        """Read what has changed since the last look."""
        with self._lock:
            if time.monotonic() - self._looked < self._every:
                return
            changed = [folder for folder in self._folders if folder.look()]
            self._looked = time.monotonic()
            results = {f.path: f.result for f in self._folders if f.result is not None}
            begin = prefixes(results)
            for folder in changed:
                self._enter(folder, begin[folder.path])

    def _enter(self, folder: _Folder, prefix: str) -> None:
        result = folder.result
        assert result is not None
        for name in result.histories:
            study = self._study(folder.path, name)
            study.frozen = FrozenStudy(
                study_name(name, prefix),
                None,
                user_attrs=user_attributes(result, name),
                system_attrs=system_attributes(result, name),
                study_id=study.id,
                directions=directions(result.facts.problems[name.problem].direction),
            )
            self._translate(study, result, name, folder.dates)

    def _study(self, path: Path, name: RunName) -> _Study:
        found = self._studies.get((path, name))
        if found is None:
            number = next(self._ids)
            frozen = FrozenStudy(str(name), StudyDirection.NOT_SET, {}, {}, number)
            found = self._studies[path, name] = self._by_id[number] = _Study(number, frozen)
        return found

    def _translate(self, study: _Study, result: Result, name: RunName, dates: Dates) -> None:
        """Translate the trials of a run that are not as they were."""
        history, how = result.histories[name], translation(result, name, dates)
        is_same = study.translation == how
        known = study.known if is_same else []
        now = list(history.run.trials)
        while len(study.numbers) < len(now):
            self._places[number := next(self._numbers)] = (study, len(study.numbers))
            study.numbers.append(number)
        begun, ended = begun_at(history), ended_at(history)
        study.trials = [
            study.trials[i]
            if i < len(known) and known[i] is trial
            else how.trial(trial, study.numbers[i], begun=begun[i], ended=ended.get(i, 0.0))
            for i, trial in enumerate(now)
        ]
        study.translation, study.known = how, now

    def _of(self, study_id: int) -> _Study:
        self._look()
        if study_id not in self._by_id:
            raise KeyError(f"No study with study_id {study_id} exists.")
        return self._by_id[study_id]

    # -- studies

    def get_study_id_from_name(self, study_name: str) -> int:
        """Return the id of a study."""
        with self._lock:
            self._look()
            for own in self._by_id.values():
                if own.frozen.study_name == study_name:
                    return own.id
        raise KeyError(f"No such study {study_name}.")

    def get_study_name_from_id(self, study_id: int) -> str:
        """Return the name of a study."""
        with self._lock:
            return str(self._of(study_id).frozen.study_name)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """Return whether a study's metric is minimised or maximised, in a list."""
        with self._lock:
            return list(self._of(study_id).frozen.directions)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """Return which run a study is, and how it stands."""
        with self._lock:
            return dict(self._of(study_id).frozen.user_attrs)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Return the name of a study's metric, as Optuna keeps it."""
        with self._lock:
            return dict(self._of(study_id).frozen.system_attrs)

    def get_all_studies(self) -> list[FrozenStudy]:
        """Return all studies, in order of id."""
        with self._lock:
            self._look()
            return [copied(own.frozen) for own in self._by_id.values()]

    # -- trials

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Return a trial."""
        with self._lock:
            self._look()
            study, number = self._places.get(trial_id, (None, 0))
            # Trials that were taken back for a larger budget are not there until they come again.
            if study is None or number >= len(study.trials):
                raise KeyError(f"No trial with trial_id {trial_id} exists.")
            return study.trials[number]

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """Return the trials of a study, of all states or of some."""
        with self._lock:
            found = self._of(study_id).trials
            wanted = [t for t in found if states is None or t.state in states]
            return copied(wanted) if deepcopy else wanted

    # -- what would write

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        """Refuse."""
        _refuse()

    def delete_study(self, study_id: int) -> None:
        """Refuse."""
        _refuse()

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Refuse."""
        _refuse()

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Refuse."""
        _refuse()

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Refuse."""
        _refuse()

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: Any
    ) -> None:
        """Refuse."""
        _refuse()

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Refuse."""
        _refuse()

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        """Refuse."""
        _refuse()

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Refuse."""
        _refuse()

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Refuse."""
        _refuse()


READ_ONLY = (
    "these are results of hpo_research, which Optuna may read and not change; for a storage of "
    "your own: hpo export --format optuna, or Result.to_optuna()"
)


def _refuse() -> NoReturn:
    raise StoreError(READ_ONLY)
