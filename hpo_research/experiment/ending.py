"""Ending runs before their budget does: by a rule, at a deadline, or because somebody asks for it.

No new trial begins in a run that is ended, those that run are stopped, and the reason is stored
with the ask that says so. It stays ended whatever budget is added, until it is reopened.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from hpo_research.errors import ExperimentError
from hpo_research.ledger import AskRow, EndedBy, Ledger
from hpo_research.records import Ask, Run
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


def ending(
    folder: Path | None, names: Mapping[int, RunName], ledgers: Mapping[int, Ledger], rule: Rule
) -> tuple[dict[int, Reason], list[Path]]:
    """Return why which runs end now, by their ids, and the requests that are answered with that."""
    paths: list[Path] = []
    reasons: dict[int, Reason] = {}
    for path, request in requests.pending(folder).items():
        if request.reopens:
            continue  # on opening alone
        paths.append(path)
        for run, name in names.items():
            if name in request.runs:
                reasons.setdefault(run, (request.reason, "request"))
    for run, ledger in ledgers.items():
        is_asked = ledger.open and not ledger.ended and run not in reasons
        if is_asked and (reason := _reason(rule, ledger)):
            reasons[run] = (reason, "rule")
    return {run: why for run, why in reasons.items() if not ledgers[run].ended}, paths


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
