"""Sealing: every row gets its digest, every turn its links, and the store its seal.

For stores whose rows were made, or changed, by other means than appending: by a migration, and by
a rescue. What is written anew counts as right from then on.
"""

import sqlite3

from hpo_research.store import digests
from hpo_research.store.damage import DamagedRows
from hpo_research.store.digests import SEAL, SUMMED, Seal, Tail
from hpo_research.store.history import Scan
from hpo_research.store.schema import COLUMNS, INSERT, KEYS, SELECT


def seal(db: sqlite3.Connection) -> None:
    """Seal the store, in the transaction of the caller. Raises `DamagedRows` for rows of no use."""
    db.execute("DELETE FROM meta WHERE key = ?", (SEAL,))
    totals = {table: _seal_table(db, table) for table in COLUMNS if table != "turn"}
    scan = Scan(lambda table: db.execute(SELECT[table]))
    scan.collect()
    if scan.damages:
        raise DamagedRows(scan.damages)
    tail = Tail()
    rows = db.execute("SELECT id, kind FROM turn ORDER BY id").fetchall()
    for number, kind in rows:
        made, row = tail.with_turn(kind, scan.entries.pop(number, []))
        tail = Tail(made.seal, number, made.links)
        db.execute("UPDATE turn SET runs = ? WHERE id = ?", (row[2], number))
    totals["turn"] = _seal_table(db, "turn")
    sealed = Seal({table: totals[table] for table in SUMMED})
    row = (SEAL, sealed.text)
    db.execute(INSERT["meta"], (*row, digests.of_row("meta", row)))


def _seal_table(db: sqlite3.Connection, table: str) -> digests.Sum:
    keys = list(COLUMNS[table])[: KEYS[table]]
    rows = [raw[:-1] for raw in db.execute(SELECT[table])]
    made = [digests.of_row(table, row) for row in rows]
    db.executemany(
        f"UPDATE {table} SET digest = ? WHERE {' AND '.join(f'{key} = ?' for key in keys)}",
        [(digest, *row[: len(keys)]) for row, digest in zip(rows, made, strict=True)],
    )
    total = digests.Sum()
    for digest in made:
        total = total.changed(new=digest)
    return total
