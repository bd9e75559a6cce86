"""Asynchronous successive halving: rungs that nobody waits at.

A rung's members are the trials that were to reach it. One has passed it once it reported an epoch
that far; one that failed or was stopped on its way there counts, and ranks last.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from hpo_research.records import Ask, Direction, Note, Run, Start, Trial, resume, sign, start
from hpo_research.rows import kept
from hpo_research.strategies.halving.rungs import Ladders, value_at
from hpo_research.strategies.halving.synchronous import Choose
from hpo_research.strategies.ordered import Ordered
from hpo_research.strategies.stop_decisions import StopDecision, judged

Judged = Callable[[Run, Ladders], list[StopDecision]]
"""A rule of stopping: its decisions on the running trials."""


@dataclass(frozen=True)
class Promotion:
    """A paused trial that may go on to a rung, `rung` counted from the lowest of its bracket."""

    trial: int
    until: int
    bracket: int
    rung: int


def promoting(
    runs: Sequence[Run],
    slots: Sequence[int],
    ladders: Sequence[Ladders],
    *,
    eta: int,
    choose: Choose,
) -> list[Ask]:
    """Fill every slot: resume what may be promoted, else start a new trial in its lowest rung."""
    asks = [Ask() for _ in runs]
    wanted: dict[int, int] = {}
    for i, free in enumerate(slots):
        if free > 0:
            asks[i] = _resumes(promotions(runs[i], ladders[i], eta, most=free))
            if free > len(asks[i].proposals):
                wanted[i] = free - len(asks[i].proposals)
    if not wanted:
        return asks
    found = choose([runs[i] for i in wanted], list(wanted.values()))
    for i, own in zip(wanted, found, strict=True):
        ask = _with_starts(asks[i], own, runs[i], ladders[i], is_to_end=False)
        if not ask.proposals and not runs[i].running:  # no more configurations: empty the rungs
            last = _resumes(promotions(runs[i], ladders[i], eta, most=slots[i], is_last=True))
            ask = Ask(last.proposals, {**ask.notes, **last.notes}, ask.seconds, ask.ends)
        asks[i] = ask
    return asks


def stopping(
    runs: Sequence[Run],
    slots: Sequence[int],
    ladders: Sequence[Ladders],
    *,
    rule: Judged,
    choose: Choose,
) -> list[Ask]:
    """Stop what falls behind at a rung; fill every slot with a trial that is to go to the end."""
    asks = [Ask() for _ in runs]
    wanted = {i: free for i, free in enumerate(slots) if free > 0}
    if wanted:
        found = choose([runs[i] for i in wanted], list(wanted.values()))
        for i, own in zip(wanted, found, strict=True):
            asks[i] = _with_starts(Ask(), own, runs[i], ladders[i], is_to_end=True)
    return [
        judged(ask, "rung", rule(run, own))
        for ask, run, own in zip(asks, runs, ladders, strict=True)
    ]


def promotions(
    run: Run, ladders: Ladders, eta: int, *, most: int, is_last: bool = False
) -> list[Promotion]:
    """Return what may be promoted now, `most` at most, in the order in which slots are filled.

    First the trials that were paused below their lowest rung, by id: they have yet to reach it.
    Then by the epochs to reach, most first, and by rank: of the n that passed a rung, the best
    ⌊n/η⌋ go on (⌈n/η⌉ if it `is_last`, so that the rungs empty at the end), less those that
    have gone on already.
    """
    name = (Climbers, run.direction, ladders)
    with kept(run.trials, name, lambda: Climbers(ladders, run.direction)) as climbers:
        return list(islice(climbers.due(eta, most, is_last=is_last), most))


Place = tuple[bool, float, int]
"""Where a trial ranks at a rung: whether it has no value there, its loss, its id."""


class Climbers:
    """Who passed each rung, from best to worst, and who of them waits there: an index of trials."""

    def __init__(self, ladders: Ladders, direction: Direction) -> None:
        self._ladders = ladders
        self._sign = sign(direction)
        self._below: set[tuple[int, int]] = set()
        self._passed: list[list[Ordered[Place]]] = [
            [Ordered() for _ in rungs] for rungs in ladders.rungs
        ]
        self._waiting: list[list[Ordered[Place]]] = [
            [Ordered() for _ in rungs] for rungs in ladders.rungs
        ]

    def enter(self, number: int, old: Trial | None, new: Trial) -> bool:
        """Take in that a trial is new or changed."""
        bracket = self._ladders.bracket(number)
        rungs = self._ladders.rungs[bracket]
        self._below.discard((number, bracket))
        if new.status == "paused" and new.until < rungs[0]:
            self._below.add((number, bracket))
        for rung in range(len(rungs) - 1):
            before = None if old is None else self._place(old, rungs[rung])
            after = self._place(new, rungs[rung])
            _move(self._passed[bracket][rung], before, after)
            if old is not None and not _waits(old, rungs[rung + 1]):
                before = None
            if not _waits(new, rungs[rung + 1]):
                after = None
            _move(self._waiting[bracket][rung], before, after)
        return True

    def due(self, eta: int, most: int, *, is_last: bool) -> Iterator[Promotion]:
        """Yield what may be promoted, in the order in which slots are filled."""
        for trial, bracket in heapq.nsmallest(most, self._below):
            yield Promotion(trial, self._ladders.rungs[bracket][0], bracket, 0)
        steps = [
            (rungs[rung + 1], bracket, rung)
            for bracket, rungs in enumerate(self._ladders.rungs)
            for rung in range(len(rungs) - 1)
        ]
        for epochs, bracket, rung in sorted(steps, key=lambda step: -step[0]):
            passed = self._passed[bracket][rung]
            places = -(-len(passed) // eta) if is_last else len(passed) // eta
            if not places:
                continue
            last = passed[places - 1]
            for place in self._waiting[bracket][rung]:
                if place > last:
                    break
                yield Promotion(place[2], epochs, bracket, rung + 1)

    def _place(self, trial: Trial, epochs: int) -> Place | None:
        """Return where a trial ranks that was to reach a rung and no longer trains for it."""
        value = value_at(trial, epochs)
        if trial.until < epochs or (value is None and trial.status not in ("failed", "stopped")):
            return None
        return (value is None, 0.0 if value is None else self._sign * value, trial.id)


def _waits(trial: Trial, epochs: int) -> bool:
    return trial.status == "paused" and trial.until < epochs


def _move(places: Ordered[Place], before: Place | None, after: Place | None) -> None:
    if before != after:
        if before is not None:
            places.remove(before)
        if after is not None:
            places.add(after)


def _resumes(chosen: Sequence[Promotion]) -> Ask:
    if not chosen:
        return Ask()
    notes: dict[str, Note] = {
        "promoted": [float(promotion.trial) for promotion in chosen],
        "promoted_to": [float(promotion.until) for promotion in chosen],
        "bracket": [float(promotion.bracket) for promotion in chosen],
        "rung": [float(promotion.rung) for promotion in chosen],
    }
    return Ask(tuple(resume(promotion.trial, promotion.until) for promotion in chosen), notes)


def _with_starts(ask: Ask, found: Ask, run: Run, ladders: Ladders, *, is_to_end: bool) -> Ask:
    """Add the trials that an inner strategy wants to start, each to its own rung."""
    wanted = [p for p in found.proposals if isinstance(p, Start)]
    first = len(run.trials)
    starts = tuple(
        start(p.config, run.max_epochs if is_to_end else ladders.rungs_of(first + i)[0], p.origin)
        for i, p in enumerate(wanted)
    )
    notes = {**found.notes, **ask.notes}
    return Ask((*ask.proposals, *starts), notes, found.seconds, found.ends)
