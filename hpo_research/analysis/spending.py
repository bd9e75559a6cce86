"""Spending: the ledger of what each run cost, in epochs and in seconds, and what for."""

import math
from collections import Counter
from dataclasses import asdict, dataclass

import pandas as pd

from hpo_research.analysis.rebuild import answers_of
from hpo_research.analysis.result import Result
from hpo_research.records import Run
from hpo_research.store import RunName
from hpo_research.store.facts import Facts


@dataclass(frozen=True)
class Spending:
    """What one run cost.

    `epochs` are those charged. They are the reported ones of trials that by now are `finished`,
    `stopped` (by the strategy), `paused`, `running` or `failed`, and the `unreported`: those in
    which trials failed, and those trained again where a problem cannot resume. A report stands for
    all epochs since the one before. Across these, `continued` counts the reported epochs that came
    after a pause, in trials that were resumed. Part of a budget may be left: a run ends where a
    proposal no longer fits beside what running trials are promised, and these may yet be stopped.

    `search_seconds` and `training_seconds` are the run's share of the time that its batches took,
    or the recorded time. `waiting_seconds` is what its slots stood idle, slots times clock less
    training: by a real clock (search included) or a simulated one; NaN in lock-step, where nothing
    is refilled on its own, and where the number of slots is open. The part of an epoch that a stop
    cut off is no training.
    """

    problem: str
    strategy: str
    seed: int
    epochs: int
    finished: int
    stopped: int
    paused: int
    running: int
    failed: int
    unreported: int
    continued: int
    search_seconds: float
    training_seconds: float
    waiting_seconds: float


def ledger(result: Result) -> pd.DataFrame:
    """Return the ledger as a frame: a row a run, sorted, the columns those of `Spending`."""
    return pd.DataFrame([asdict(spending(result, name)) for name in sorted(result.runs)])


def spending(result: Result, name: RunName) -> Spending:
    """Return what a run cost."""
    run, cost = result.runs[name], result.histories[name].cost
    by_status: Counter[str] = Counter()
    for trial in run.trials:
        by_status[trial.status] += trial.reached
    first = _first_segments(run)
    continued = sum(max(t.reached - first.get(t.id, t.reached), 0) for t in run.trials)
    training = sum(trial.seconds for trial in run.trials)
    return Spending(
        *name,
        epochs=cost.epochs,
        finished=by_status["finished"],
        stopped=by_status["stopped"],
        paused=by_status["paused"],
        running=by_status["running"],
        failed=by_status["failed"],
        unreported=cost.epochs - by_status.total(),
        continued=continued,
        search_seconds=max(cost.seconds - training, 0.0),
        training_seconds=training,
        waiting_seconds=_waiting(result.facts, name, training, cost.clock),
    )


def _first_segments(run: Run) -> dict[int, int]:
    """Return the epoch that each trial was first to reach, by its id."""
    starts = [p.until for ask in run.asks for p in ask.proposals if p.kind == "start"]
    return dict(enumerate(starts))


def _waiting(facts: Facts, name: RunName, training: float, clock: float) -> float:
    slots = facts.parallel
    if slots is None:
        slots = answers_of(facts, name.strategy).batch
    if facts.execution == "lock-step" or slots is None:
        return math.nan
    return max(slots * clock - training, 0.0)
