"""Asynchronous successive halving: rungs that nobody waits at.

A rung's members are the trials that were to reach it. One has passed it once it reported an epoch
that far; one that failed or was stopped on its way there counts, and ranks last.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hpo_research.records import Ask, Note, Run, Trial, ranked, resume, start
from hpo_research.strategies.halving import Choose
from hpo_research.strategies.verdicts import Verdict, judged


@dataclass(frozen=True)
class Ladders:
    """The rungs of every bracket: the epochs of each, ascending, the last one `max_epochs`.

    Trials belong to brackets by their id: the first `sizes[0]` to the first bracket, and so on,
    then again from the first. So each bracket's share is that of its size, whenever trials end.
    """

    rungs: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...] = (1,)

    def bracket(self, trial: int) -> int:
        """Return the bracket of a trial."""
        place = trial % sum(self.sizes)
        for bracket, size in enumerate(self.sizes):
            place -= size
            if place < 0:
                return bracket
        raise AssertionError("a place lies within the sum of the sizes")

    def rungs_of(self, trial: int) -> tuple[int, ...]:
        """Return the rungs that a trial is to climb."""
        return self.rungs[self.bracket(trial)]


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
            asks[i] = _resumes(promotions(runs[i], ladders[i], eta), free)
            if free > len(asks[i].proposals):
                wanted[i] = free - len(asks[i].proposals)
    if not wanted:
        return asks
    found = choose([runs[i] for i in wanted], list(wanted.values()))
    for i, own in zip(wanted, found, strict=True):
        ask = _with_starts(asks[i], own, runs[i], ladders[i], is_to_end=False)
        if not ask.proposals and not runs[i].running:  # no more configurations: empty the rungs
            last = _resumes(promotions(runs[i], ladders[i], eta, is_last=True), slots[i])
            ask = Ask(last.proposals, {**ask.notes, **last.notes}, ask.seconds)
        asks[i] = ask
    return asks


def stopping(
    runs: Sequence[Run],
    slots: Sequence[int],
    ladders: Sequence[Ladders],
    *,
    eta: int,
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
        judged(ask, "rung", verdicts(run, own, eta))
        for ask, run, own in zip(asks, runs, ladders, strict=True)
    ]


def promotions(run: Run, ladders: Ladders, eta: int, *, is_last: bool = False) -> list[Promotion]:
    """Return what may be promoted now, in the order in which slots are filled.

    First the trials that were paused below their lowest rung, by id: they have yet to reach it.
    Then by the epochs to reach, most first, and by rank: of the n that passed a rung, the best
    ⌊n/η⌋ go on (⌈n/η⌉ if it `is_last`, so that the rungs empty at the end), less those that
    have gone on already.
    """
    due: list[Promotion] = []
    waiting: list[Promotion] = []
    for bracket, rungs in enumerate(ladders.rungs):
        own = [trial for trial in run.trials if ladders.bracket(trial.id) == bracket]
        for trial in own:
            if trial.status == "paused" and trial.until < rungs[0]:
                waiting.append(Promotion(trial.id, rungs[0], bracket, 0))
        for rung in range(len(rungs) - 1):
            passed = _passed(run, own, rungs[rung])
            places = -(-len(passed) // eta) if is_last else len(passed) // eta
            due += [
                Promotion(trial.id, rungs[rung + 1], bracket, rung + 1)
                for trial in passed[:places]
                if trial.status == "paused" and trial.until < rungs[rung + 1]
            ]
    waiting.sort(key=lambda promotion: promotion.trial)
    due.sort(key=lambda promotion: -promotion.until)  # stable: brackets in order, best first
    return waiting + due


def verdicts(run: Run, ladders: Ladders, eta: int) -> list[Verdict]:
    """Judge each running trial whose last report was its first at a rung, in order of id.

    The bound is the 1/η quantile, linearly interpolated, of the values at that rung so far, its
    own included: what is worse is stopped. With fewer than two values nothing is.
    """
    return list(_verdicts(run, ladders, eta))


def _verdicts(run: Run, ladders: Ladders, eta: int) -> Iterator[Verdict]:
    sign = 1 if run.direction == "minimize" else -1
    for trial in run.running:
        rungs, bracket = ladders.rungs_of(trial.id), ladders.bracket(trial.id)
        before = trial.epochs[-2] if len(trial.epochs) > 1 else 0
        passed = [i for i, epochs in enumerate(rungs[:-1]) if before < epochs <= trial.reached]
        if not passed:
            continue
        epochs = rungs[passed[-1]]
        begun = rungs[passed[-1] - 1] if passed[-1] else 0
        own = [t for t in run.trials if ladders.bracket(t.id) == bracket]
        losses = [
            math.inf if value is None else sign * value
            for t in own
            if (value := _value_at(t, epochs)) is not None
            or (t.status == "failed" and begun <= t.reached)
        ]
        bound = _quantile(losses, eta)
        value = _value_at(trial, epochs)
        if len(losses) < 2 or not math.isfinite(bound) or value is None:
            continue
        yield Verdict(trial.id, epochs, value, sign * bound, sign * value > bound)


def _quantile(losses: Sequence[float], eta: int) -> float:
    """Return the 1/η quantile by linear interpolation, in exact positions."""
    ordered = sorted(losses)
    below, rest = divmod(len(ordered) - 1, eta)
    if rest == 0:
        return ordered[below]
    return ordered[below] + (ordered[below + 1] - ordered[below]) * rest / eta


def _passed(run: Run, trials: Sequence[Trial], epochs: int) -> list[Trial]:
    """Return the trials that were to reach a rung and no longer train for it, best first."""
    sign = 1 if run.direction == "minimize" else -1
    members = [
        trial
        for trial in trials
        if trial.until >= epochs
        and (trial.reached >= epochs or trial.status in ("failed", "stopped"))
    ]
    values = [_value_at(trial, epochs) for trial in members]
    return ranked(members, [None if value is None else sign * value for value in values])


def _value_at(trial: Trial, epochs: int) -> float | None:
    """Return the value at a rung: the latest up to it, or the first beyond; None below it."""
    if trial.reached < epochs:
        return None
    known = sum(epoch <= epochs for epoch in trial.epochs)
    return trial.values[max(known - 1, 0)]


def _resumes(due: Sequence[Promotion], slots: int) -> Ask:
    chosen = due[:slots]
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
    wanted = [p for p in found.proposals if p.kind == "start" and p.config is not None]
    first = len(run.trials)
    starts = tuple(
        start(p.config, ladders.rungs_of(first + i)[-1 if is_to_end else 0], p.origin)
        for i, p in enumerate(wanted)
        if p.config is not None
    )
    return Ask((*ask.proposals, *starts), {**found.notes, **ask.notes}, found.seconds)
