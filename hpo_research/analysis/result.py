"""A result: what a store holds, rebuilt for reading, with the experiment that it came from."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hpo_research.analysis import frames
from hpo_research.errors import StoreError
from hpo_research.ledger import Ledger, Limits, RunInfo
from hpo_research.paths import Given
from hpo_research.records import Outcome, Report, Run
from hpo_research.space import SearchSpace
from hpo_research.space.documents import from_document
from hpo_research.store import RunName, Store


@dataclass(frozen=True)
class Cost:
    """What a run has cost: epochs (those of failures included), its seconds, and its clock.

    `seconds` is the run's share of the time that training and asking took, `clock` the time since
    the experiment began, or of the run's simulated clock.
    """

    epochs: int = 0
    seconds: float = 0.0
    clock: float = 0.0


@dataclass(frozen=True)
class Result:
    """Everything known about an experiment, read at one moment.

    `description` is the resolved experiment as plain JSON, `provenance` the versions, commit and
    device of every sitting it ran in. `history` holds each run's reports by trial and epoch, each
    with the epochs that the run had spent and its turn. `over` names the runs that have ended.
    `asked` holds the turns in which each run was asked, ascending, with the seconds that this took
    (the run's share where several were asked together); asks that changed nothing are not stored.
    `outcomes` holds how each run's segments ended, each with its turn, in the order of writing.
    """

    description: Mapping[str, Any]
    provenance: Sequence[Mapping[str, Any]]
    runs: Mapping[RunName, Run]
    history: Mapping[RunName, list[tuple[Report, int, int]]]
    over: frozenset[RunName]
    costs: Mapping[RunName, Cost]
    asked: Mapping[RunName, Sequence[tuple[int, float]]]
    outcomes: Mapping[RunName, Sequence[tuple[int, Outcome]]]
    folder: Path | None = None

    @classmethod
    def read(cls, folder: Given) -> "Result":
        """Read the store of a results folder; it may be written to at the same time.

        Raises `StoreError` where there is no store, or one of a newer version.
        """
        with Store.read(folder) as store:
            return cls.of(store)

    @classmethod
    def of(cls, store: Store) -> "Result":
        """Read an open store."""
        with store.snapshot():  # a writer may add runs in between
            text = store.meta("experiment")
            if text is None:
                raise StoreError(f"{store.folder}: the store holds no experiment yet; run it first")
            description = json.loads(text)
            provenance = tuple(json.loads(store.meta("provenance") or "[]"))
            names = store.runs()
            # A list of a thousand configurations takes long to check: once a problem, not a run.
            spaces = {
                problem: from_document(facts["space"])
                for problem, facts in description["problems"].items()
            }
            infos = {i: _info(description, name, i, spaces) for name, i in names.items()}
            ledgers = {i: Ledger(info, Limits()) for i, info in infos.items()}
            store.replay(ledgers)
            reports, over = store.reports(), store.over()
            asks, polls = store.asks(), store.polls()
        history: dict[int, list[tuple[Report, int, int]]] = {i: [] for i in names.values()}
        for report, spent, turn in reports:
            history[report.run].append((report, spent, turn))
        asked: dict[int, list[tuple[int, float]]] = {i: [] for i in names.values()}
        for turn, rows in sorted(asks.items()):
            for row in rows:
                asked[row.run].append((turn, row.seconds))
        outcomes: dict[int, list[tuple[int, Outcome]]] = {i: [] for i in names.values()}
        for turn, poll in sorted(polls.items()):
            for entry in poll:
                if isinstance(entry, Outcome):
                    outcomes[entry.run].append((turn, entry))
        return cls(
            description,
            provenance,
            {name: ledgers[i].run() for name, i in names.items()},
            {name: history[i] for name, i in names.items()},
            frozenset(name for name, i in names.items() if i in over),
            {name: _cost(ledgers[i]) for name, i in names.items()},
            {name: asked[i] for name, i in names.items()},
            {name: outcomes[i] for name, i in names.items()},
            store.folder,
        )

    def __repr__(self) -> str:
        over = f"{len(self.over)} of {len(self.runs)} runs over"
        return f"<Result of {self.description['name']!r}: {over}, in {self.folder or 'memory'}>"

    def frame(self) -> pd.DataFrame:
        """Return one row a trial, sorted; the columns are those of `frames.trials`."""
        return frames.trials(self.runs)

    def reports(self) -> pd.DataFrame:
        """Return one row a report, sorted; the columns are those of `frames.reports`."""
        return frames.reports(self.history)

    @property
    def is_finished(self) -> bool:
        """Whether every run has come to its end."""
        return len(self.over) == len(self.runs)

    def messages(self, names: Collection[RunName] | None = None) -> list[str]:
        """Return what a person should know: the runs (of `names`) that gave no value, and why."""
        lines = []
        for name, run in sorted(self.runs.items()):
            if names is not None and name not in names:
                continue
            who = f"{name.strategy} on {name.problem}, seed {name.seed}"
            failed = [trial for trial in run.trials if trial.status == "failed"]
            if failed and len(failed) == len(run.trials):
                lines.append(
                    f"{who}: all {len(failed)} trials failed; the first: {failed[0].reason}"
                )
            if not run.trials and name in self.over:
                lines.append(
                    f"{who}: no trial was started; the strategy proposed none that fits the budget"
                )
        return lines

    def changes(self) -> list[str]:
        """Say which functions changed their source between the sittings of the experiment."""
        digests: dict[str, list[str]] = {}
        for note in self.provenance:
            for function, digest in note.get("sources", {}).items():
                digests.setdefault(function, []).append(digest)
        return [
            f"the source of {function} changed between sittings, and runs from before and after "
            "stand side by side; if its values changed too, run it in another folder"
            for function, own in digests.items()
            if len(set(own)) > 1
        ]


def _cost(ledger: Ledger) -> Cost:
    return Cost(ledger.spent, ledger.seconds, ledger.clock)


def _info(
    description: Mapping[str, Any], name: RunName, number: int, spaces: Mapping[str, SearchSpace]
) -> RunInfo:
    problem = description["problems"][name.problem]
    return RunInfo(
        id=number,
        space=spaces[name.problem],
        metric=problem["metric"],
        direction=problem["direction"],
        max_epochs=problem["max_epochs"],
        seed=name.seed,
        final=description["final"],
    )
