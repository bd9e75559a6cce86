"""Joining: the rows of a store, renumbered to follow those of another.

What belongs together stays: every run keeps its rows in their order, turn by turn. Turns of one
store come after those of the one before it, as if one process had run their runs one after another.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo_research.store import schema
from hpo_research.store.damage import damaged
from hpo_research.store.digests import Row
from hpo_research.store.history import History, history
from hpo_research.store.store import Store
from hpo_research.store.writer import Writer


@dataclass(frozen=True)
class Content:
    """All that a store holds, at one moment: its history, the rows, the checkpoints.

    `rows` have their digests at the end; checkpoints are run, trial, epoch and digest.
    """

    history: History
    rows: Mapping[str, Sequence[Row]]
    checkpoints: Sequence[tuple[int, int, int, bytes]]


def content(store: Store) -> Content:
    """Return all that a store holds. Raises `StoreError` for a damaged or edited one."""

    def read(db: sqlite3.Connection) -> Content:
        rows = {table: list(db.execute(schema.SELECT[table])) for table in schema.COLUMNS}
        known = list(db.execute("SELECT run, trial, epoch, digest FROM checkpoint"))
        return Content(history(rows.__getitem__, store.folder), rows, known)

    found = store.look(read)
    if found.history.damages:
        raise damaged(store.folder, found.history.damages)
    return found


def join(writer: Writer, own: Content, runs: Mapping[int, int]) -> int:
    """Write all runs of a store, under new ids by their old, and return after which turn.

    The texts are left to the caller.
    """
    turn, ask, lost = writer.tail.turn, writer.last("ask"), writer.last("lost")
    rows = {table: [row[:-1] for row in found] for table, found in own.rows.items()}
    new = {
        "run": [(runs[row[0]], *row[1:]) for row in rows["run"]],
        "turn": [(row[0] + turn, *row[1:]) for row in rows["turn"]],
        "ask": [(row[0] + ask, runs[row[1]], row[2] + turn, *row[3:]) for row in rows["ask"]],
        "proposal": [(row[0] + ask, *row[1:]) for row in rows["proposal"]],
        "lost": [(row[0] + lost, runs[row[1]], *row[2:]) for row in rows["lost"]],
        **{
            table: [(runs[row[0]], *row[1:3], row[3] + turn, *row[4:]) for row in rows[table]]
            for table in ("report", "outcome")
        },
    }
    writer.join(new)
    files = {((runs[run], trial), epoch): digest for run, trial, epoch, digest in own.checkpoints}
    writer.checkpoints(files)
    return turn
