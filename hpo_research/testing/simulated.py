"""A small lock-step or asynchronous loop that turns asks into trials without store or executor."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from hpo_research.records import Ask, Proposal, Run, Start, Status, Stop, Trial
from hpo_research.rows import Rows
from hpo_research.strategies.protocol import Strategy
from hpo_research.testing.laws import need

Curve = Callable[[Trial, int], float | None]
"""The value of a trial at an epoch; None where it fails."""


def accepted(run: Run, ask: Ask, most: int | None = None) -> Run:
    """Make trials of the first `most` proposals. Raises `LawError` for one that cannot be."""
    added: list[Trial] = []
    changed: dict[int, Trial] = {}
    for proposal in ask.proposals[:most]:
        need(isinstance(proposal, Proposal), "start(...), resume(...) or stop(...)", proposal)
        if isinstance(proposal, Start):
            number = len(run.trials) + len(added)
            new = Trial(number, proposal.config, "running", proposal.until)
            added.append(replace(new, origin=proposal.origin))
            continue
        need(0 <= proposal.trial < len(run.trials), "the id of a trial of the run", proposal.trial)
        known = run.trials[proposal.trial]
        need(known.id not in changed, "a trial to be told one thing at once", proposal)
        if isinstance(proposal, Stop):
            need(known.status == "running", "a stop of a running trial", known.status)
            changed[known.id] = replace(known, status="stopped")
        else:
            need(known.status == "paused", "a paused trial to resume", known.status)
            is_on = known.until < proposal.until <= run.max_epochs
            need(is_on, f"until above {known.until}, at most {run.max_epochs}", proposal.until)
            changed[known.id] = replace(known, status="running", until=proposal.until)
    asks = _changed(run.asks, {}, [ask])
    return replace(run, trials=_changed(run.trials, changed, added), asks=asks)


def _changed(rows: Sequence[Any], changed: Mapping[int, Any], added: Sequence[Any]) -> Any:
    """Change rows, sharing what is the same where they can share."""
    if isinstance(rows, Rows):
        return rows.changed(changed, added)
    return (*(changed.get(i, row) for i, row in enumerate(rows)), *added)


def trained(run: Run, trial: Trial, curve: Curve, *, most: int | None = None) -> Trial:
    """Train a running trial until the epoch it is to reach, or until it fails.

    By `most` epochs at most, if given: it then goes on running where it is not there yet.
    """
    epochs, values = list(trial.epochs), list(trial.values)
    until = trial.until if most is None else min(trial.until, trial.reached + most)
    for epoch in range(trial.reached + 1, until + 1):
        value = curve(trial, epoch)
        if value is None:
            curves = tuple(epochs), tuple(values)
            return replace(trial, status="failed", value=None, epochs=curves[0], values=curves[1])
        epochs.append(epoch)
        values.append(value)
    status: Status = "finished" if trial.until == run.max_epochs else "paused"
    status = status if until == trial.until else "running"
    return replace(
        trial, status=status, epochs=tuple(epochs), values=tuple(values), value=values[-1]
    )


def settled(run: Run, curve: Curve, only: int | None = None, *, most: int | None = None) -> Run:
    """End all running trials, or one of them; or train them by `most` epochs."""
    ending = sorted(t.id for t in run.running) if only is None else [only]
    came = 1 + max((trial.arrivals[-1] for trial in run.trials if trial.arrivals), default=-1)
    changed = {}
    for number in ending:
        known = run.trials[number]
        trial = trained(run, known, curve, most=most)
        fresh = range(came, came + len(trial.epochs) - len(known.epochs))
        came += len(fresh)
        changed[number] = replace(trial, arrivals=(*known.arrivals, *fresh))
    return replace(run, trials=_changed(run.trials, changed, []))


def reopened(run: Run) -> Run:
    """Read a run's trials back from text, as a store would."""
    text = json.loads(json.dumps([asdict(trial) for trial in run.trials]))
    curves = ("epochs", "values", "arrivals")
    rows = [{**row, **{name: tuple(row[name]) for name in curves}} for row in text]
    return replace(run, trials=tuple(Trial(**row) for row in rows))


@dataclass(frozen=True)
class Loop:
    """How a run is driven: slots, how many trials at most, and how it is disturbed.

    `order` draws which running trial ends next (asynchronous); None ends all (lock-step).
    `most` epochs are trained between two asks, all that there are to train if None: only then can
    a trial be stopped. In lock-step new work is then asked for only when nothing is running.
    `is_killed` reads the run back from text before every ask, and loses each ask once. Otherwise
    runs share what did not change, and whatever the strategy keeps of them.
    """

    parallel: int = 4
    trials: int = 40
    order: np.random.Generator | None = None
    is_killed: bool = False
    most: int | None = None

    def drive(self, strategy: Strategy, run: Run, curve: Curve) -> Run:
        """Ask and train until the strategy has finished or the trials are used up."""
        run = replace(run, trials=Rows(run.trials), asks=Rows(run.asks))
        while True:
            slots = max(self.parallel - len(run.running), 0)
            if self.order is None and run.running:
                slots = 0
            if self.is_killed:
                strategy.ask([run], [slots])
                run = reopened(run)
            (ask,) = strategy.ask([run], [slots])
            if ask.ends:
                stops = tuple(Stop(trial.id) for trial in run.running)
                return accepted(run, replace(ask, proposals=stops))
            work = [proposal for proposal in ask.proposals if proposal.kind != "stop"]
            need(len(work) <= slots, f"at most {slots} trials to start or resume", len(work))
            starts = sum(proposal.kind == "start" for proposal in ask.proposals)
            if len(run.trials) + starts > self.trials:
                return settled(run, curve)
            run = accepted(run, ask)
            if not run.running and not ask.proposals:
                return run
            if not run.running:  # all that ran was stopped: the slots are free now
                continue
            only = None
            if self.order is not None:
                only = int(self.order.choice([trial.id for trial in run.running]))
            run = settled(run, curve, only, most=self.most)
