"""Hyperband: successive halving at several trade-offs between breadth and depth."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from hpo_research.errors import StrategyError
from hpo_research.records import (
    Ask,
    Direction,
    Note,
    Proposal,
    Run,
    Status,
    Trial,
    ranked,
    resume,
    start,
)
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.random import Random

Bracket = list[tuple[int, int]]
"""(configurations, epochs) of each rung, from many and short to few and long."""


@dataclass(frozen=True)
class Hyperband:
    """Hyperband as published (Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar; JMLR 2018).

    Brackets run one after another, from the most aggressive to the most cautious, then again with
    fresh configurations. A bracket's first rung trains its configurations for a few epochs; each
    further rung continues the best 1/η of them. A rung waits for all its members. Trials that
    failed or were stopped in a rung are not promoted; ties go to the lower id.

    `rounding="ceil"`: n = ⌈(s_max+1)·η^s/(s+1)⌉ configurations in bracket s (Algorithm 1 of the
    JMLR paper); `"floor"`: ⌊(s_max+1)/(s+1)⌋·η^s (arXiv:1603.06560v1). `inner` chooses the
    configurations; it sees values at the largest epoch that at least d+2 trials have reached,
    d counting parameters, and every other healthy trial as running. With fewer than η epochs
    there is one rung and nothing to compare: Hyperband is then its inner strategy.
    A bracket for which `inner` has no more configurations goes on with those it has.
    """

    eta: int = 3
    rounding: Literal["ceil", "floor"] = "ceil"
    inner: Strategy = field(default_factory=Random)

    def __post_init__(self) -> None:
        if isinstance(self.eta, bool) or not isinstance(self.eta, int) or self.eta < 2:
            raise StrategyError(
                f"Hyperband(eta={self.eta!r}): eta must be a whole number from 2 on; 3 is usual"
            )
        if self.rounding not in ("ceil", "floor"):
            raise StrategyError(
                f"Hyperband(rounding={self.rounding!r}): rounding must be 'ceil' or 'floor'"
            )
        if not isinstance(self.inner, Strategy) or isinstance(self.inner, type):
            raise StrategyError(
                f"Hyperband(inner={self.inner!r}): inner must be a strategy, such as Random()"
            )

    def brackets(self, max_epochs: int) -> list[Bracket]:
        """Return the table: for each bracket its rungs as (configurations, epochs).

        Integer arithmetic throughout; a rung k steps below the last has ⌊max_epochs / η^k⌋ epochs.
        """
        if isinstance(max_epochs, bool) or not isinstance(max_epochs, int) or max_epochs < 1:
            raise StrategyError(
                f"brackets({max_epochs!r}): max_epochs must be a whole number from 1 on"
            )
        eta, deepest = self.eta, 0
        while eta ** (deepest + 1) <= max_epochs:
            deepest += 1
        table = []
        for s in range(deepest, -1, -1):
            if self.rounding == "ceil":
                widest = -(-(deepest + 1) * eta**s // (s + 1))
            else:
                widest = (deepest + 1) // (s + 1) * eta**s
            table.append([(widest // eta**i, max_epochs // eta ** (s - i)) for i in range(s + 1)])
        return table

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Continue each run's open rung: start or resume its members, or wait for them."""
        asks = [Ask() for _ in runs]
        tables = [self._table(run, free) for run, free in zip(runs, slots, strict=True)]
        rungs: dict[int, Rung] = {}
        wanted: dict[int, int] = {}
        for i, free in enumerate(slots):
            rung = _open_rung(tables[i], runs[i], vacant=True) if free > 0 else None
            if rung is None:
                continue
            asks[i] = rung.resumes(free)
            if rung.vacancies and free > len(asks[i].proposals):
                rungs[i] = rung
                wanted[i] = min(rung.vacancies, free - len(asks[i].proposals))
        if not wanted:
            return asks
        views = [inner_view(runs[i]) for i in wanted]
        for i, found in zip(wanted, self.inner.ask(views, list(wanted.values())), strict=True):
            ask = Ask(asks[i].proposals + rungs[i].starts(found), rungs[i].notes, found.seconds)
            if not ask.proposals:  # no more configurations: go on with those there are
                rung = _open_rung(tables[i], runs[i], vacant=False)
                ask = Ask() if rung is None else rung.resumes(slots[i])
            asks[i] = Ask(ask.proposals, {**found.notes, **ask.notes}, ask.seconds)
        return asks

    def _table(self, run: Run, slots: int) -> list[Bracket]:
        table = self.brackets(run.max_epochs)
        if len(table) == 1:  # one rung: no comparison to wait for, so the bracket is endless
            return [[(len(run.trials) + slots, run.max_epochs)]]
        return table


@dataclass(frozen=True)
class Rung:
    """The rung that a run stands at: its members from best to worst, and places yet to fill."""

    bracket: int
    level: int
    epochs: int
    members: Sequence[Trial]
    vacancies: int

    def resumes(self, slots: int) -> Ask:
        """Continue the members that wait below the rung, the best first."""
        waiting = [t for t in self.members if t.status == "paused" and t.until < self.epochs]
        proposals = tuple(resume(trial.id, self.epochs) for trial in waiting[:slots])
        return Ask(proposals, self.notes if proposals else {})

    def starts(self, found: Ask) -> tuple[Proposal, ...]:
        """Return what an inner strategy wants to start, trained to this rung only."""
        return tuple(
            start(proposal.config, self.epochs, proposal.origin)
            for proposal in found.proposals
            if proposal.kind == "start" and proposal.config is not None
        )

    @property
    def notes(self) -> dict[str, Note]:
        """Where the run stands, as numbers."""
        return {
            "bracket": float(self.bracket),
            "rung": float(self.level),
            "epochs": float(self.epochs),
        }


def _open_rung(table: list[Bracket], run: Run, *, vacant: bool) -> Rung | None:
    """Return the first rung that has not ended, None where nothing is left.

    Brackets own consecutive trial ids. A bracket that is short of configurations has vacancies
    in its first rung if `vacant`; otherwise it makes do with its members and is the last.
    """
    first, number = 0, -1
    while True:
        number += 1
        bracket = table[number % len(table)]
        members = list(run.trials[first : first + bracket[0][0]])
        short = bracket[0][0] - len(members)
        first += bracket[0][0]
        for level, (size, epochs) in enumerate(bracket):
            if level > 0:
                members = _promoted(members, size, bracket[level - 1][1], run.direction)
            vacancies = short if vacant and level == 0 else 0
            if vacancies or not all(_has_passed(trial, epochs) for trial in members):
                return Rung(number, level, epochs, members, vacancies)
        if short:
            return None


def _has_passed(trial: Trial, epochs: int) -> bool:
    if trial.until > epochs or trial.status in ("finished", "stopped", "failed"):
        return True
    return trial.until == epochs and not trial.is_running


def _promoted(members: list[Trial], size: int, epochs: int, direction: Direction) -> list[Trial]:
    """Return at most `size` members that passed a rung, best first."""
    sign = 1 if direction == "minimize" else -1
    values = [_value_by(trial, epochs) for trial in members]
    healthy = [
        (trial, None if value is None else sign * value)
        for trial, value in zip(members, values, strict=True)
        # One that failed or was stopped later on has held a place above, and keeps it.
        if trial.status not in ("stopped", "failed") or (trial.until > epochs and value is not None)
    ]
    return ranked([t for t, _ in healthy], [loss for _, loss in healthy])[:size]


def _value_by(trial: Trial, epoch: int) -> float | None:
    """Return the latest value reported at or before an epoch."""
    pairs = zip(trial.epochs, trial.values, strict=True)
    return next((value for known, value in reversed(list(pairs)) if known <= epoch), None)


def inner_view(run: Run) -> Run:
    """Return the run as the inner strategy sees it: values at one epoch, the rest running."""
    reached = sorted((t.reached for t in run.trials if t.status != "failed"), reverse=True)
    enough = run.space.dimension + 2
    epoch = reached[enough - 1] if len(reached) >= enough else 0
    return replace(run, trials=tuple(_seen(trial, epoch) for trial in run.trials))


def _seen(trial: Trial, epoch: int) -> Trial:
    if trial.status == "failed":
        return trial
    if epoch == 0 or trial.reached < epoch:
        pending: Status = "running"
        return replace(trial, status=pending, epochs=(), values=(), value=None)
    known = sum(e <= epoch for e in trial.epochs)
    if known == 0:  # its first report came later
        return replace(trial, status="running", epochs=(), values=(), value=None)
    seen: Status = "finished"
    return replace(
        trial,
        status=seen,
        epochs=trial.epochs[:known],
        values=trial.values[:known],
        value=trial.values[known - 1],
    )
