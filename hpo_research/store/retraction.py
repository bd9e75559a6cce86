"""Taking back: what was written of some runs from a turn on, so that they go on from before it."""

import sqlite3
from collections.abc import Mapping


def cuts(db: sqlite3.Connection) -> dict[int, tuple[int, str]]:
    """Return where the budget of each run began to tell: the turn of that ask, and the limits.

    Of runs alone that were granted no work after it, so that larger limits would go on from there.
    """
    work = dict(
        db.execute(
            "SELECT ask.run, max(ask.id) FROM ask JOIN proposal ON proposal.ask = ask.id "
            "WHERE proposal.kind != 'stop' GROUP BY ask.run"
        ).fetchall()
    )
    found: dict[int, tuple[int, str]] = {}
    for ask, run, turn, limits in db.execute(
        "SELECT id, run, turn, exhausted FROM ask WHERE exhausted != '' ORDER BY id"
    ):
        if ask >= work.get(run, 0):
            found.setdefault(run, (turn, limits))
    return found


def retract(db: sqlite3.Connection, turns: Mapping[int, int]) -> None:
    """Delete every row of these runs from the given turns on, in the transaction of the caller.

    The turns stay, and the runs are not over any more.
    """
    for run, turn in turns.items():
        where = "WHERE run = ? AND turn >= ?"
        db.execute(f"DELETE FROM proposal WHERE ask IN (SELECT id FROM ask {where})", (run, turn))
        for table in ("ask", "report", "outcome"):
            db.execute(f"DELETE FROM {table} {where}", (run, turn))
        db.execute("UPDATE run SET is_over = 0 WHERE id = ?", (run,))
