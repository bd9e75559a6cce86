"""More budget: a run goes back to where the old one began to tell.

An ask that the budget cut short is not what a larger one would have made of it: fewer trials ran
together, and the strategy saw less. So a run goes back to the moment before that ask, which is then
repeated as if it had never been made; more budget comes to what it would have come to from the
start. What was trained after that moment is remembered, and given out again as stored instead of
being trained (`executors/remembered.py`), in lock-step; simulated runs replay recordings anyway.

Where time is real (`asynchronous`) nothing of this is promised, and runs go on where they are.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from hpo_research.executors.remembered import StoredTrial
from hpo_research.experiment.experiment import Experiment
from hpo_research.ledger import Ledger
from hpo_research.records import Key, Outcome, Report, Start
from hpo_research.store import Store
from hpo_research.store.replay import RunRows
from hpo_research.store.retraction import cuts

_KEY = "remembered"


def rewind(experiment: Experiment, store: Store, ledgers: Mapping[int, Ledger]) -> set[int]:
    """Take back, in one transaction, what a smaller budget made of these runs; return which.

    Their ledgers are empty yet. The runs are to be asked first, before anything advances.
    """
    if experiment.execution == "asynchronous":
        return set()
    turns = {
        run: turn
        for run, (turn, limits) in store.look(cuts).items()
        if run in ledgers and limits != ledgers[run].limits.name
    }
    if not turns:
        return set()
    texts = {"unanswered": json.dumps(sorted({*_unanswered(store), *turns}))}
    if experiment.execution == "lock-step":
        texts[_KEY] = json.dumps(_kept(store, turns))
    store.retract(turns, texts)
    return set(turns)


def remembered(store: Store, runs: Collection[int]) -> dict[Key, StoredTrial]:
    """Return what is known of these runs' trials, beyond what their ledgers hold or not."""
    return {
        (run, int(trial)): StoredTrial(
            found["config"], tuple(_fact(run, int(trial), f) for f in facts)
        )
        for run in runs
        for trial, found in _stored(store).get(str(run), {}).items()
        if (facts := found["facts"])
    }


def _fact(run: int, trial: int, fact: list[Any]) -> Report | Outcome:
    epoch, metrics, seconds, reason = fact
    if reason is None:
        return Report(run, trial, epoch, metrics, seconds)
    return Outcome(run, trial, "failed", epoch, reason, seconds=seconds)


def _stored(store: Store) -> dict[str, dict[str, Any]]:
    """Return the facts by run and trial, as JSON has them."""
    found: dict[str, dict[str, Any]] = json.loads(store.meta(_KEY) or "{}")
    return found


def _unanswered(store: Store) -> list[int]:
    found: list[int] = json.loads(store.meta("unanswered") or "[]")
    return found


def _kept(store: Store, turns: Mapping[int, int]) -> dict[str, dict[str, Any]]:
    """Return the facts known before, and those that are about to be taken back."""
    known = _stored(store)
    found = store.history()
    for run, cut in turns.items():
        rows = found.of(run)
        configs = {
            grant.trial: grant.config
            for _, ask in rows.asks
            for grant in ask.grants
            if isinstance(grant, Start)
        }
        for row in _after(rows, cut):
            if isinstance(row, Report):
                fact = [row.epoch, dict(row.metrics), row.seconds, None]
            elif row.status == "failed":
                fact = [row.epoch, {}, row.seconds, row.reason]
            else:
                continue
            own = known.setdefault(str(run), {})
            config = configs[row.trial]
            if own.get(str(row.trial), {}).get("config") != config:
                own[str(row.trial)] = {"config": config, "facts": []}
            facts = own[str(row.trial)]["facts"]
            # What is known already stands; a failure comes after the reports up to its epoch.
            if all(f[0] != fact[0] or (f[3] is None) != (fact[3] is None) for f in facts):
                facts.append(fact)
                facts.sort(key=lambda f: (f[0], f[3] is not None))
    return known


def _after(rows: RunRows, turn: int) -> list[Report | Outcome]:
    """Return what a run reported, and how segments ended, from a turn on."""
    begin = int(np.searchsorted(rows.reports.turn[rows.reports.arrival], turn))
    came = rows.reports.rows(rows.reports.arrival[begin:])
    ended = [outcome for at, outcome in rows.outcomes if at >= turn]
    return [*(report for report, _, _ in came), *ended]
