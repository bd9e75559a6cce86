"""Synchronous successive halving: brackets of rungs, each of which waits for all its members."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

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
from hpo_research.text import is_one_of, quoted

_MOST = 2**53  # counts that are exact as floats, and fit into a store

Bracket = list[tuple[int, int]]
"""(configurations, epochs) of each rung, from many and short to few and long."""

Choose = Callable[[Sequence[Run], Sequence[int]], list[Ask]]
"""How new configurations are chosen: the runs as they are, and how many each has places for.

Of the asks that come back only starts count, and their notes and seconds; the rung decides how
long they are trained. Called once for all runs with places, and only with places.
"""


def halved(
    runs: Sequence[Run], slots: Sequence[int], tables: Sequence[list[Bracket]], choose: Choose
) -> list[Ask]:
    """Continue each run's open rung: start or resume its members, or wait for them.

    `tables` holds each run's brackets. They follow one another, from the first to the last, then
    again with fresh configurations, so that no plan depends on a budget. A bracket's first rung
    trains its configurations; each further rung continues the best, as many as it has places for.
    A rung waits for all its members. Trials that failed or were stopped in a rung are not
    promoted; ties go to the lower id. Where no bracket has a second rung there is nothing to wait
    for: every slot is filled at once. A bracket for which there are no more configurations goes
    on with those it has.
    """
    asks = [Ask() for _ in runs]
    places = zip(tables, runs, slots, strict=True)
    tables = [_unbroken(table, run, free) for table, run, free in places]
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
    found = choose([runs[i] for i in wanted], list(wanted.values()))
    for i, own in zip(wanted, found, strict=True):
        ask = Ask(asks[i].proposals + rungs[i].starts(own), rungs[i].notes, own.seconds)
        if not ask.proposals:  # no more configurations: go on with those there are
            rung = _open_rung(tables[i], runs[i], vacant=False)
            ask = Ask() if rung is None else rung.resumes(slots[i])
        asks[i] = Ask(ask.proposals, {**own.notes, **ask.notes}, ask.seconds)
    return asks


def at_one_epoch(inner: Strategy) -> Choose:
    """Have a strategy choose that compares trials by single values: it sees `inner_view`."""

    def choose(runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        return inner.ask([inner_view(run) for run in runs], slots)

    return choose


def rung_epochs(max_epochs: int, eta: int, min_epochs: int = 1) -> tuple[int, ...]:
    """Return the epochs of the rungs, ascending: max_epochs // η^k as long as `min_epochs` allows.

    Integer arithmetic throughout. The last rung is `max_epochs`, the only one where `min_epochs`
    is not below it. Raises `StrategyError` where `max_epochs` is no whole number from 1 on.
    """
    if isinstance(max_epochs, bool) or not isinstance(max_epochs, int) or max_epochs < 1:
        raise StrategyError(
            f"rungs of {max_epochs!r} epochs: max_epochs must be a whole number from 1 on"
        )
    epochs = [max_epochs]
    while max_epochs // eta ** len(epochs) >= min_epochs:
        epochs.append(max_epochs // eta ** len(epochs))
    return tuple(reversed(epochs))


def eta_mistakes(eta: object) -> list[str]:
    """Say what is wrong with a reduction factor; empty where nothing is."""
    if isinstance(eta, bool) or not isinstance(eta, int) or eta < 2:
        return [f"eta={quoted(eta)}): eta must be a whole number from 2 on; 3 is usual"]
    if eta > _MOST:
        return [f"eta={quoted(eta)}): eta must be at most 2**53; 3 is usual"]
    return []


def whole_mistakes(name: str, value: object, least: int = 1) -> list[str]:
    """Say what is wrong with a field that counts something; empty where nothing is."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        return [f"{name}={quoted(value)}): {name} must be a whole number from {least} on"]
    if value > _MOST:
        return [f"{name}={quoted(value)}): {name} must be at most 2**53"]
    return []


def word_mistakes(name: str, value: object, legal: Iterable[str]) -> list[str]:
    """Say what is wrong with a field that is one of a few words; empty where nothing is."""
    words = list(legal)
    if is_one_of(value, words):
        return []
    return [f"{name}={quoted(value)}): expected one of {', '.join(words)}"]


def inner_mistakes(inner: object) -> list[str]:
    """Say what is wrong with a strategy inside another; empty where nothing is."""
    if not isinstance(inner, Strategy) or isinstance(inner, type):
        return [f"inner={quoted(inner)}): inner must be a strategy, such as Random()"]
    return []


def batch_of(inner: Strategy) -> int | None:
    """Return how many slots a strategy inside another wants where the experiment leaves it open."""
    batch: int | None = getattr(inner, "batch", None)
    return batch


def refuse(name: str, mistakes: Sequence[str]) -> None:
    """Raise `StrategyError` with a line for each mistake in the fields of strategy `name`."""
    if mistakes:
        raise StrategyError("\n".join(f"{name}({mistake}" for mistake in mistakes))


def _unbroken(table: list[Bracket], run: Run, slots: int) -> list[Bracket]:
    """Return the brackets; an endless one where no rung is compared with another."""
    if all(len(bracket) == 1 for bracket in table):
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
    values = [value_by(trial, epochs) for trial in members]
    healthy = [
        (trial, None if value is None else sign * value)
        for trial, value in zip(members, values, strict=True)
        # One that failed or was stopped later on has held a place above, and keeps it.
        if trial.status not in ("stopped", "failed") or (trial.until > epochs and value is not None)
    ]
    return ranked([t for t, _ in healthy], [loss for _, loss in healthy])[:size]


def value_by(trial: Trial, epoch: int) -> float | None:
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
