"""Ending runs before their budget does: by a rule, at a deadline, or because somebody asks for it.

No new trial begins in a run that is ended, those that run are stopped, and the reason is stored
with the ask that says so. It stays ended whatever budget is added, until it is reopened.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hpo_research.errors import ExperimentError
from hpo_research.ledger import AskRow, EndedBy, Ledger
from hpo_research.records import Ask, Run, Stop
from hpo_research.store import RunName, requests
from hpo_research.text import quoted

Rule = Callable[[Run], str]
"""Says why a run is to end now; an empty string where it goes on.

What it says of equal runs must be equal, or a killed experiment goes on to other numbers.
"""
Reason = tuple[str, EndedBy]
"""Why a run ends, and by whom."""


def never(run: Run) -> str:
    """Let a run go on to its budget."""
    return ""


def deadline(seconds: float) -> Rule:
    """Return the rule that ends every run so many seconds from now, running trials included."""
    by = time.monotonic() + seconds
    return lambda run: f"the deadline, after {seconds:g} seconds" if time.monotonic() >= by else ""


@dataclass
class Wanted:
    """Why which runs end now, and which of their trials are stopped in runs that go on, by ids.

    `answered` are the requests that are answered with that.
    """

    reasons: dict[int, Reason] = field(default_factory=dict)
    stops: dict[int, set[int]] = field(default_factory=dict)
    answered: list[Path] = field(default_factory=list)


def ending(
    folder: Path | None, names: Mapping[int, RunName], ledgers: Mapping[int, Ledger], rule: Rule
) -> Wanted:
    """Return which runs and trials are to end now."""
    wanted = Wanted()
    reasons = wanted.reasons
    for path, request in requests.pending(folder).items():
        if request.reopens:
            continue  # on opening alone
        wanted.answered.append(path)
        for run, name in names.items():
            if name in request.runs and request.trials:
                running = ledgers[run].open.keys() & set(request.trials)
                wanted.stops.setdefault(run, set()).update(running - ledgers[run].stopping)
            elif name in request.runs:
                reasons.setdefault(run, (request.reason, "request"))
    for run, ledger in ledgers.items():
        is_asked = ledger.open and not ledger.ended and run not in reasons
        if is_asked and (reason := _reason(rule, ledger)):
            reasons[run] = (reason, "rule")
    wanted.reasons = {run: why for run, why in reasons.items() if not ledgers[run].ended}
    wanted.stops = {run: own for run, own in wanted.stops.items() if own}
    return wanted


def with_stops(ask: Ask, stops: Collection[int]) -> Ask:
    """Return the ask of a run with the stops that somebody asked for, each once."""
    known = {p.trial for p in ask.proposals if isinstance(p, Stop)}
    more = tuple(Stop(trial) for trial in sorted(set(stops) - known))
    return replace(ask, proposals=(*more, *ask.proposals)) if more else ask


def granted(rule: Rule, ledger: Ledger, ask: Ask, clock: float, seconds: float) -> AskRow:
    """Return what an ask is granted, or the run's end where nothing is to begin any more."""
    row = ledger.grant(ask, clock, seconds)
    if row.begun and not ledger.open and (reason := _reason(rule, ledger)):
        return ledger.end(reason, "rule", clock=clock)
    return row


def _reason(rule: Rule, ledger: Ledger) -> str:
    """Return why a rule ends a run, empty where it does not.

    Raises `ExperimentError` where it says neither.
    """
    reason = rule(ledger.run())
    if not isinstance(reason, str):
        raise ExperimentError(f"ends: expected why the run ends, as a string, got {quoted(reason)}")
    return reason


def reopened(
    folder: Path | None, names: Mapping[int, RunName], ledgers: Mapping[int, Ledger]
) -> tuple[list[AskRow], list[Path]]:
    """Return the rows that reopen runs which were ended, and the requests that ask for it."""
    found = {path: r for path, r in requests.pending(folder).items() if r.reopens}
    wanted = {name for request in found.values() for name in request.runs}
    rows = [
        AskRow(run, ended="", clock=ledgers[run].clock)
        for run, name in sorted(names.items())
        if name in wanted and ledgers[run].ended
    ]
    return rows, list(found)
