"""Brackets that follow one another, and the rung of them that a run stands at."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from hpo_research.records import Direction, Note, Run, Trial, sign
from hpo_research.rows import kept
from hpo_research.strategies.halving.rungs import value_by
from hpo_research.strategies.ordered import Ordered

Bracket = list[tuple[int, int]]
"""(configurations, epochs) of each rung, from many and short to few and long."""


@dataclass(frozen=True)
class Rung:
    """The rung that a run stands at: who waits below it, best first, and places yet to fill."""

    bracket: int
    level: int
    epochs: int
    waiting: tuple[int, ...]
    vacancies: int

    @property
    def notes(self) -> dict[str, Note]:
        """Where the run stands, as numbers."""
        return {
            "bracket": float(self.bracket),
            "rung": float(self.level),
            "epochs": float(self.epochs),
        }


def open_rung(table: Sequence[Bracket], run: Run, slots: int, *, vacant: bool) -> Rung | None:
    """Return the first rung that has not ended, None where nothing is left.

    Brackets own consecutive trial ids. A bracket that is short of configurations has vacancies
    in its first rung if `vacant`; otherwise it makes do with its members and is the last. Where no
    bracket has a second rung nothing is compared, and one rung has room for all. `waiting` names
    `slots` trials at most.
    """
    if all(len(bracket) == 1 for bracket in table):
        with kept(run.trials, (Paused, run.max_epochs), lambda: Paused(run.max_epochs)) as paused:
            waiting = tuple(heapq.nsmallest(slots, paused.below))
        return Rung(0, 0, run.max_epochs, waiting, slots if vacant else 0)
    name = (Standing, tuple(map(tuple, table)), run.direction, vacant)
    with kept(run.trials, name, lambda: Standing(table, run.direction, vacant=vacant)) as standing:
        return standing.rung(slots)


class Paused:
    """The trials that are paused below some epochs, by id: an index of trials."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self.below: set[int] = set()

    def enter(self, number: int, old: Trial | None, new: Trial) -> bool:
        """Take in that a trial is new or changed."""
        self.below.discard(number)
        if new.status == "paused" and new.until < self._epochs:
            self.below.add(number)
        return True


class Standing:
    """How far a run has come in its brackets: an index of trials.

    Rungs that have ended are looked at no more, so it is built anew where a trial changes in a way
    that they depend on.
    """

    def __init__(self, table: Sequence[Bracket], direction: Direction, *, vacant: bool) -> None:
        self._table, self._vacant = table, vacant
        self._sign = sign(direction)
        self._trials: dict[int, Trial] = {}  # from the open bracket on
        self._first = self._number = 0
        self._open(0, [])

    @property
    def _bracket(self) -> Bracket:
        return self._table[self._number % len(self._table)]

    def enter(self, number: int, old: Trial | None, new: Trial) -> bool:
        """Take in that a trial is new or changed; False where a rung that has ended knew it."""
        if number < self._first:
            return False
        self._trials[number] = new
        if number >= self._first + self._bracket[0][0]:
            return True
        if self._level == 0:
            if old is None:
                self._rank[number] = len(self._members)
                self._members.append(number)
        else:
            ended = self._bracket[: self._level]
            if old is None or any(
                self._fate(old, epochs) != self._fate(new, epochs) for _, epochs in ended
            ):
                return False
        if number in self._rank:
            self._note(new)
        return True

    def rung(self, slots: int) -> Rung | None:
        """Return the first rung that has not ended, None where nothing is left."""
        while True:
            bracket = self._bracket
            short = max(bracket[0][0] - len(self._trials), 0)
            vacancies = short if self._vacant and self._level == 0 else 0
            if vacancies or self._training:
                waiting = tuple(self._members[rank] for rank in islice(self._waiting, slots))
                epochs = bracket[self._level][1]
                return Rung(self._number, self._level, epochs, waiting, vacancies)
            if self._level + 1 < len(bracket):
                self._open(self._level + 1, self._promoted())
            elif short:
                return None
            else:
                self._next_bracket()

    def _next_bracket(self) -> None:
        last = self._first + self._bracket[0][0]
        for number in range(self._first, last):
            del self._trials[number]
        self._first, self._number = last, self._number + 1
        own = range(last, last + self._bracket[0][0])
        self._open(0, [number for number in own if number in self._trials])

    def _open(self, level: int, members: list[int]) -> None:
        """Stand at a rung with these members, best first."""
        self._level = level
        self._members = members
        self._rank = {number: rank for rank, number in enumerate(members)}
        self._training: set[int] = set()
        self._waiting: Ordered[int] = Ordered()  # ranks
        self._waits: set[int] = set()
        for number in members:
            self._note(self._trials[number])

    def _note(self, trial: Trial) -> None:
        """Note whether a member still has to pass the rung, and whether it waits below it."""
        epochs, rank = self._bracket[self._level][1], self._rank[trial.id]
        if _has_passed(trial, epochs):
            self._training.discard(trial.id)
        else:
            self._training.add(trial.id)
        waits = trial.status == "paused" and trial.until < epochs
        if waits and trial.id not in self._waits:
            self._waits.add(trial.id)
            self._waiting.add(rank)
        elif not waits and trial.id in self._waits:
            self._waits.discard(trial.id)
            self._waiting.remove(rank)

    def _promoted(self) -> list[int]:
        """Return the members that go on to the next rung, as many as it has places for."""
        epochs, size = self._bracket[self._level][1], self._bracket[self._level + 1][0]
        fates = ((self._fate(self._trials[number], epochs), number) for number in self._rank)
        places = ((has_no, loss, number) for (_, healthy, has_no, loss), number in fates if healthy)
        return [number for _, _, number in heapq.nsmallest(size, places)]

    def _fate(self, trial: Trial, epochs: int) -> tuple[bool, bool, bool, float]:
        """Return what a trial is to a rung: whether it passed, may go on, has no loss; its loss."""
        value = value_by(trial, epochs)
        # One that failed or was stopped later on has held a place above, and keeps it.
        healthy = trial.status not in ("stopped", "failed") or (
            trial.until > epochs and value is not None
        )
        loss = 0.0 if value is None else self._sign * value
        return (_has_passed(trial, epochs), healthy, value is None, loss)


def _has_passed(trial: Trial, epochs: int) -> bool:
    if trial.until > epochs or trial.status in ("finished", "stopped", "failed"):
        return True
    return trial.until == epochs and not trial.is_running
