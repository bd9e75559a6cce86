"""What a store says at a glance: how its runs stand, without reading and checking its history."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from hpo_research.entries import EndedBy
from hpo_research.store.damage import Damage, DamagedRows
from hpo_research.store.rows import ending_of, parsed

SESSIONS = "sessions"
"""The key of `meta` under which the times of sessions are kept."""


class Session(NamedTuple):
    """When a run was taken up, and what its clock read then, in seconds."""

    at: datetime
    clock: float


@dataclass(frozen=True)
class Overview:
    """How the runs of a store stand.

    `runs` and `over` count them; `ended` is why the last one that was ended was, and by whom (empty
    where none was), `clock` what the latest ask or outcome was dated, in seconds. `failed` is the
    last failed trial and why it failed, `values` whether any trial has ended with a value.
    """

    runs: int
    over: int
    ended: str
    ended_by: EndedBy
    clock: float
    failed: tuple[int, str] | None
    values: bool
    sessions: tuple[Session, ...]

    def date(self, clock: float) -> datetime | None:
        """Return when a run's clock read so many seconds; None where no session was noted."""
        began = [one for one in self.sessions if one.clock <= clock] or list(self.sessions[:1])
        return began[-1].at + timedelta(seconds=clock - began[-1].clock) if began else None


def overview(db: sqlite3.Connection) -> Overview:
    """Read it from a store's tables, for `Store.look`."""
    runs, over = db.execute("SELECT count(*), coalesce(sum(is_over), 0) FROM run").fetchone()
    said = db.execute("SELECT exhausted FROM ask WHERE exhausted != '' ORDER BY id DESC")
    endings = (ending for (text,) in said if (ending := ending_of(text)) is not None)
    ended, by = next(endings, ("", "request"))
    clock = db.execute(
        "SELECT max(coalesce((SELECT max(clock) FROM ask), 0), "
        "coalesce((SELECT max(clock) FROM outcome), 0))"
    ).fetchone()[0]
    failed = db.execute(
        "SELECT trial, reason FROM outcome WHERE status = 'failed' ORDER BY turn DESC, trial DESC"
    ).fetchone()
    (values,) = db.execute(
        "SELECT EXISTS (SELECT 1 FROM outcome AS own WHERE status = 'finished' OR "
        "(status != 'failed' AND EXISTS (SELECT 1 FROM report WHERE report.run = own.run "
        "AND report.trial = own.trial)))"
    ).fetchone()
    noted = db.execute("SELECT value FROM meta WHERE key = ?", (SESSIONS,)).fetchone()
    times = () if noted is None else _sessions(noted[0])
    return Overview(runs, over, ended, by, clock, failed, bool(values), times)


def last_clock(db: sqlite3.Connection) -> float:
    """Return the last clock that anything was dated, in seconds, for `Store.look`."""
    clocks = (f"coalesce((SELECT max(clock) FROM {t}), 0)" for t in ("ask", "outcome", "report"))
    return float(db.execute(f"SELECT max({', '.join(clocks)})").fetchone()[0])


def noted(sessions: Sequence[Session]) -> str:
    """Return the text that `meta` keeps of sessions."""
    return json.dumps([[one.at.isoformat(), one.clock] for one in sessions])


def _sessions(text: str) -> tuple[Session, ...]:
    try:
        found = parsed(SESSIONS, text)
        return tuple(Session(datetime.fromisoformat(at), float(clock)) for at, clock in found)
    except (ValueError, TypeError) as error:
        raise DamagedRows([Damage("meta", f"key {SESSIONS!r}", str(error))]) from error
