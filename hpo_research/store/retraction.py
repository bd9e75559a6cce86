"""Taking back: what was written of some runs from a turn on, so that they go on from before it."""

import sqlite3

from hpo_research.store.rows import ending_of


def cuts(db: sqlite3.Connection) -> dict[int, tuple[int, str]]:
    """Return where the budget of each run began to tell: the turn of that ask, and the limits.

    Of runs alone that nobody ended, and that were granted no work after it, so that larger limits
    would go on from there. What a strategy makes of a run, its end too, follows from the run.
    """
    work = dict(
        db.execute(
            "SELECT ask.run, max(ask.id) FROM ask JOIN proposal ON proposal.ask = ask.id "
            "WHERE proposal.kind != 'stop' GROUP BY ask.run"
        ).fetchall()
    )
    found: dict[int, tuple[int, str]] = {}
    ended: set[int] = set()
    for ask, run, turn, limits in db.execute(
        "SELECT id, run, turn, exhausted FROM ask WHERE exhausted != '' ORDER BY id"
    ):
        if (ending := ending_of(limits)) is not None:
            reason, by = ending
            if by == "strategy":
                continue
            # What was ended stays so under any budget, and goes on from there when it is reopened.
            found.pop(run, None)
            ended = ended | {run} if reason else ended - {run}
        elif ask >= work.get(run, 0) and run not in ended:
            found.setdefault(run, (turn, limits))
    return found


def retract(db: sqlite3.Connection, run: int, turn: int) -> None:
    """Delete every row of a run from a turn on, in the transaction of the caller; turns stay.

    Checkpoints of the trials that had such rows are not known any more.
    """
    where = "WHERE run = ?1 AND turn >= ?2"
    touched = (
        f"SELECT trial FROM report {where} UNION SELECT trial FROM outcome {where} UNION "
        f"SELECT trial FROM proposal WHERE ask IN (SELECT id FROM ask {where})"
    )
    db.execute(f"DELETE FROM checkpoint WHERE run = ?1 AND trial IN ({touched})", (run, turn))
    db.execute(f"DELETE FROM proposal WHERE ask IN (SELECT id FROM ask {where})", (run, turn))
    for table in ("ask", "report", "outcome"):
        db.execute(f"DELETE FROM {table} {where}", (run, turn))
