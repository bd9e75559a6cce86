"""A result: what a store holds, rebuilt for reading, with the experiment that it came from."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from hpo_research import analysis, habits, heavy
from hpo_research.analysis.changes import History, lines
from hpo_research.analysis.history import Cost, RunHistory
from hpo_research.entries import EarlierTask
from hpo_research.errors import StoreError
from hpo_research.ledger import Ledger, Limits
from hpo_research.paths import Given
from hpo_research.records import Outcome, Report, Run
from hpo_research.store import RunName, Store
from hpo_research.store.damage import reading
from hpo_research.store.described import code_of, experiment_of, infos_of, provenance_of
from hpo_research.store.facts import Facts, facts_of
from hpo_research.store.history import History as Stored
from hpo_research.store.migration import UNDIGESTED
from hpo_research.text import count


@habits.attributes
@dataclass(frozen=True)
class Result:
    """Everything known about an experiment, read at one moment.

    `description` is the resolved experiment as plain JSON, `facts` what it says, `provenance` the
    versions, commit and device of every session it ran in. `histories` holds all that is known of
    each run; `runs`, `history`, `over`, `costs`, `asked`, `outcomes` and `ended` are views of it by
    name. `undigested` counts the rows that were stored before there were digests: what happened to
    them until then cannot be checked.
    `code` holds the digests of the user's code, session by session (see `analysis.changes`).
    Of several results that were merged, `parts` are these by the names of their folders.
    """

    description: Mapping[str, Any]
    provenance: Sequence[Mapping[str, Any]]
    histories: Mapping[RunName, RunHistory]
    folder: Path | None = None
    undigested: int = 0
    code: History = ()
    parts: Mapping[str, "Result"] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Given) -> "Result":
        """Read the store of a results folder; it may be written to at the same time.

        Raises `StoreError` where there is no store, one of a newer version, or one that is damaged.
        """
        return Reading(folder).look()

    @classmethod
    def of(cls, store: Store) -> "Result":
        """Read an open store."""
        return _result(_read(store, None), store.folder)

    def merge(self, *others: "Result", apart: bool = False) -> "Result":
        """Return this and other results as one comparison: see `analysis.merging.merged`."""
        return analysis.merging.merged([self, *others], apart=apart)

    def arrange(
        self,
        *,
        only: Collection[str] = (),
        order: Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
    ) -> "Result":
        """Return a part of it, in an order and under other names: see `analysis.arranging`."""
        return analysis.arranging.arranged(self, only=only, order=order, labels=labels)

    def run_history(self, name: RunName) -> RunHistory:
        """Return all that is known of a run."""
        return self.histories[name]

    def select(
        self, problem: str | None = None, strategy: str | None = None
    ) -> dict[RunName, RunHistory]:
        """Return the runs of a problem, of a strategy, of both or of all, sorted by name."""
        names = self._sorted if problem is None else self._by_problem.get(problem, ())
        return {name: self.histories[name] for name in names if strategy in (None, name.strategy)}

    @cached_property
    def _sorted(self) -> Sequence[RunName]:
        return sorted(self.histories)

    @cached_property
    def _by_problem(self) -> Mapping[str, Sequence[RunName]]:
        found: dict[str, list[RunName]] = {}
        for name in self._sorted:
            found.setdefault(name.problem, []).append(name)
        return found

    @cached_property
    def runs(self) -> Mapping[RunName, Run]:
        """Each run as a strategy would see it now."""
        return {name: own.run for name, own in self.histories.items()}

    @cached_property
    def over(self) -> frozenset[RunName]:
        """The runs that have ended."""
        return frozenset(name for name, own in self.histories.items() if own.is_over)

    @cached_property
    def history(self) -> Mapping[RunName, Sequence[tuple[Report, int, int]]]:
        """Each run's reports by trial and epoch, the epochs that it had spent, and the turn."""
        return {name: own.reports for name, own in self.histories.items()}

    @cached_property
    def costs(self) -> Mapping[RunName, Cost]:
        """What each run has cost."""
        return {name: own.cost for name, own in self.histories.items()}

    @cached_property
    def asked(self) -> Mapping[RunName, Sequence[tuple[int, float]]]:
        """The turns in which each run was asked, ascending, with the seconds that this took."""
        return {name: own.asked for name, own in self.histories.items()}

    @cached_property
    def outcomes(self) -> Mapping[RunName, Sequence[tuple[int, Outcome]]]:
        """How each run's segments ended, with the turn, in the order of writing."""
        return {name: own.outcomes for name, own in self.histories.items()}

    @cached_property
    def earlier(self) -> Mapping[str, tuple[EarlierTask, ...]]:
        """What earlier runs found, by problem: data that is no trial of any run here."""
        return {name: own.earlier for name, own in self.facts.problems.items() if own.earlier}

    @cached_property
    def ended(self) -> Mapping[RunName, str]:
        """Why runs were ended before their budget, of those that were."""
        return {name: own.ended for name, own in self.histories.items() if own.ended}

    @cached_property
    def facts(self) -> Facts:
        """What the description says, with types. Raises `ValueError` where it is none."""
        return facts_of(self.description)

    def __repr__(self) -> str:
        over = f"{len(self.over)} of {count(len(self.runs), 'run')} finished"
        return f"<Result of {self.facts.name!r}: {over}, in {self.folder or 'memory'}>"

    def _repr_html_(self) -> str:
        return analysis.shown.result_html(self)

    def frame(self) -> "heavy.pandas.DataFrame":
        """Return one row a trial, sorted; the columns are those of `frames.trials`."""
        return analysis.frames.trials(self.runs)

    def reports(self) -> "heavy.pandas.DataFrame":
        """Return one row a report, sorted; the columns are those of `frames.reports`."""
        return analysis.frames.reports(self.history)

    def earlier_frame(self) -> "heavy.pandas.DataFrame":
        """Return one row a trial of `earlier`; the columns are those of `frames.earlier`."""
        return analysis.frames.earlier(self.earlier)

    def best(
        self,
        problem: str | None = None,
        *,
        strategy: str | None = None,
        seed: int | None = None,
    ) -> "analysis.best.Best | None":
        """Return the best trial, of all runs or of those named; None where none has a value.

        Raises `StoreError` where trials of several problems have values, which are not compared.
        """
        found = analysis.best.best(self, problem, strategy=strategy, seed=seed)
        if len(found) > 1:
            names = ", ".join(one.problem for one in found)
            raise StoreError(f"best: expected the name of one problem, best(problem=...): {names}")
        return found[0] if found else None

    def scores(
        self, baselines: "Mapping[str, analysis.baselines.Baseline] | None" = None
    ) -> "list[analysis.scores.Scores]":
        """Return scores, 0 a simple start and 100 the optimum: see `analysis.scores`."""
        return analysis.scores.scores(self, baselines)

    def to_optuna(
        self,
        problem: str | None = None,
        *,
        strategy: str | None = None,
        seed: int | None = None,
    ) -> "heavy.optuna.Study":
        """Return one run as a study of Optuna's in memory, for its plots, say.

        The study is a copy and the caller's own. Raises `MissingPackageError` without Optuna,
        `StoreError` where what is named is no run, or several.
        """
        view = analysis.optuna_view
        view.needed.need()
        return view.studies.in_memory(self, view.studies.selected(self, problem, strategy, seed))

    @cached_property
    def choices(self) -> "Sequence[analysis.choices.Choices]":
        """What the runs of noisy problems stood for as they went on: see `analysis.choices`."""
        return analysis.choices.choices(self)

    @property
    def single(self) -> RunName | None:
        """The one run of a study; None where there are several, or none."""
        return next(iter(self.histories)) if len(self.histories) == 1 else None

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
                every = f"all {len(failed)} trials failed; the first"
                every = "the only trial failed" if len(failed) == 1 else every
                lines.append(f"{who}: {every}: {failed[0].reason}")
            again = [trial for trial in run.trials if trial.attempt]
            if again:
                lines.append(
                    f"{who}: restarted after the process was lost: {count(len(again), 'trial')}; "
                    "the lost epochs are charged, but are in no curve"
                )
            if not run.trials and name in self.over and name not in self.ended:
                lines.append(
                    f"{who}: no trial was started; the strategy proposed none that fits the budget"
                )
        return lines

    def endings(self) -> list[str]:
        """Say which runs were ended before their budget, and why; once for those alike."""
        names: dict[str, list[RunName]] = {}
        for name, why in sorted(self.ended.items()):
            names.setdefault(why, []).append(name)
        return [
            f"{', '.join(f'{n.strategy} on {n.problem}, seed {n.seed}' for n in own[:3])}"
            + (f" and {count(len(own) - 3, 'more run')}" if len(own) > 3 else "")
            + (" was" if len(own) == 1 else " were")
            + f" ended: {why}"
            for why, own in names.items()
        ]

    def changes(self) -> list[str]:
        """Say which code changed between the sessions, and which trials were begun before."""
        if self.parts:
            own = [f"{label}: {line}" for label, r in self.parts.items() for line in r.changes()]
            code = {label: part.code for label, part in self.parts.items()}
            return [*own, *analysis.merging.code_that_differs(code)]
        begun = {name: own.begun for name, own in self.histories.items()}
        return [*_noted_before(self.provenance), *lines(self.code, begun)]


def _noted_before(provenance: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say the same of sessions under the first versions, which noted the text of functions."""
    digests: dict[str, list[str]] = {}
    for note in provenance:
        for function, digest in note.get("sources", {}).items():
            digests.setdefault(function, []).append(digest)
    return [
        f"the source of {function} changed between sessions, and this folder mixes runs from "
        "before and after; if its values changed too, run it in another folder"
        for function, own in digests.items()
        if len(set(own)) > 1
    ]


@dataclass(frozen=True)
class _Known:
    """What one look at a store found: all rows, and the books of its runs that they came to."""

    stored: Stored
    ledgers: Mapping[int, Ledger]
    description: Mapping[str, Any]


class Reading:
    """A results folder that is looked at again and again, also while it is written to.

    A look reads on where the last one ended. Where rows that were read have been taken back, and
    after one that failed, everything is read anew.
    """

    def __init__(self, folder: Given) -> None:
        self._folder = folder
        self._known: _Known | None = None

    def look(self) -> Result:
        """Return all that the folder holds now; raises as `Result.read`."""
        known, self._known = self._known, None
        with Store.read(self._folder) as store:
            self._known = _read(store, known)
            return _result(self._known, store.folder)


def _read(store: Store, known: _Known | None) -> _Known:
    found = store.history(known.stored if known else None)
    if "experiment" not in found.meta:
        raise StoreError(f"{store.folder}: the store holds no experiment yet; run it first")
    with reading(store.folder):
        description = experiment_of(found.meta["experiment"])
        infos = infos_of(facts_of(description), found.runs)
    books: Mapping[int, Ledger] = {}
    if known is not None and description == known.description and found.since:
        books = known.ledgers
    else:
        found = replace(found, since=0)
    ledgers = {run: books.get(run) or Ledger(info, Limits()) for run, info in infos.items()}
    found.replay(ledgers)
    return _Known(found, ledgers, description)


def _result(known: _Known, folder: Path | None) -> Result:
    found, names = known.stored, known.stored.runs
    with reading(folder):
        provenance = tuple(provenance_of(found.meta.get("provenance", "[]")))
        code = tuple(code_of(found.meta.get("code", "[]")))
    return Result(
        known.description,
        provenance,
        {name: _history(known, number) for name, number in names.items()},
        folder,
        int(found.meta.get(UNDIGESTED, 0)),
        code,
    )


def _history(known: _Known, number: int) -> RunHistory:
    rows, ledger = known.stored.of(number), known.ledgers[number]
    run = ledger.run()
    return RunHistory(
        run,
        rows.reports.of_attempts([trial.attempt for trial in run.trials]),
        rows.outcomes,
        [(turn, row.seconds) for turn, row in rows.asks if row.is_ask],  # as `Run.asks`
        Cost(ledger.spent, ledger.seconds, ledger.clock),
        number in known.stored.over,
        ledger.info.final,
        ledger.ended,
        ledger.ended_by,
        [row.clock for _, row in rows.asks if row.is_ask],
    )
