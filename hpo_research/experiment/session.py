"""Opening an experiment for writing: what is stored, what is new, what must be asked first."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from hpo_research.errors import ExperimentError
from hpo_research.executors.processes.process_tree import ProcessId, end_survivors
from hpo_research.executors.remembered import StoredTrial
from hpo_research.experiment.ending import reopened
from hpo_research.experiment.experiment import Experiment, merged
from hpo_research.experiment.notes import record
from hpo_research.experiment.provenance import Source, provenance
from hpo_research.experiment.rewinding import remembered, rewind
from hpo_research.experiment.shards import AsShard, names_of
from hpo_research.experiment.turn import Turn
from hpo_research.ledger import Ledger
from hpo_research.records import Key
from hpo_research.store import Checkpoints, RunName, Store, requests
from hpo_research.store.migration import UNDIGESTED


@dataclass(frozen=True)
class Session:
    """An experiment as its store knows it: names and books by run id, and the runs to ask first.

    `unanswered` names the runs whose last poll was not followed by an ask, those of other parts of
    the experiment included: they are kept in the store until somebody runs them. `known` is what
    was trained under a smaller budget and taken back.
    """

    names: Mapping[int, RunName]
    ledgers: Mapping[int, Ledger]
    checkpoints: Checkpoints
    ready: set[int]
    unanswered: frozenset[int] = frozenset()
    known: Mapping[Key, StoredTrial] = field(default_factory=dict)

    @property
    def answer(self) -> dict[str, str]:
        """What the store is to hold once the runs that were ready have been asked."""
        left = self.unanswered - self.ledgers.keys()
        return {"unanswered": json.dumps(sorted(left))} if self.unanswered else {}


def open_experiment(
    experiment: Experiment,
    store: Store,
    device: str,
    *,
    source: Source | None = None,
    shard: AsShard | None = None,
) -> Session:
    """Match the experiment with its store, end survivors of an earlier process, fill the books.

    Those of a shard's runs, where there is one. Raises `ExperimentError` where something that is
    stored has changed.
    """
    old = store.experiment()
    if old is not None and old["execution"] == "study":
        raise ExperimentError(f"{store.folder}: holds a study, not an experiment; choose another")
    experiment = experiment.knowing(old)
    names, texts = names_of(experiment, shard, store)
    _match(experiment, store, provenance(device, source))
    if texts:
        store.set_meta(texts)
    end_survivors([ProcessId(*row) for row in store.processes()], store.tag, everywhere=True)
    store.forget_processes()
    ids = store.add_runs(names)
    ledgers = {
        ids[name]: experiment.ledger(experiment.problem(name.problem), name.seed, ids[name])
        for name in names
    }
    rewound = rewind(experiment, store, ledgers)
    last = store.replay(ledgers)
    # A run with nothing running is asked again: it is new, or its budget grew, or it is over and
    # says so again. The runs of an unanswered poll have not been asked yet.
    ready = {run for run, ledger in ledgers.items() if not ledger.open}
    unanswered = frozenset(store.list_of("unanswered"))
    if last.kind == "poll" and not last.runs <= ledgers.keys():
        # The ask of a part would hide that the rest is unanswered.
        unanswered |= last.runs
        store.set_meta({"unanswered": json.dumps(sorted(unanswered))})
    again, answered = reopened(store.folder, {ids[n]: n for n in names}, ledgers)
    if again:
        # This turn would hide that the last poll is unanswered.
        unanswered |= last.runs if last.kind == "poll" else frozenset()
        texts = {"unanswered": json.dumps(sorted(unanswered))}
        Turn(store, ledgers).ask(again, (), texts)
    requests.done(answered)
    waiting = unanswered | (last.runs if last.kind == "poll" else frozenset())
    ready |= waiting & ledgers.keys()
    store.mark_lost(
        [
            (run, trial, segment.attempt, segment.position)
            for run, ledger in ledgers.items()
            for trial, segment in ledger.open.items()
            if run not in rewound
        ]
    )
    is_old = store.meta(UNDIGESTED) is not None
    checkpoints = Checkpoints(store.folder, store.checkpoints(), trusts_others=is_old)
    checkpoints.sweep(_ended(ledgers))
    known = remembered(store, ledgers) if experiment.execution == "lock-step" else {}
    return Session({ids[n]: n for n in names}, ledgers, checkpoints, ready, unanswered, known)


def _ended(ledgers: Mapping[int, Ledger]) -> list[Key]:
    return [
        (run, trial.id)
        for run, ledger in ledgers.items()
        for trial in ledger.trials
        if trial.status not in ("running", "paused")
    ]


def _match(experiment: Experiment, store: Store, facts: Mapping[str, object]) -> None:
    new = merged(store.experiment(), json.loads(json.dumps(experiment.description())))
    problems = {problem.name: problem for problem in experiment.problems}
    record(store, new, facts, {"problem": problems, "strategy": experiment.strategies})
