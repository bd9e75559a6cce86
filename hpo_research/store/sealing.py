"""Sealing: every row gets its digest, every turn its links, and the store its seal.

For rows that were made, or changed, by other means than appending: by a migration, and by a rescue.
What is sealed counts as right from then on.
"""

import sqlite3
from collections.abc import Mapping, Sequence

from hpo_research.store import digests
from hpo_research.store.damage import DamagedRows
from hpo_research.store.digests import SEAL, SUMMED, Row, Seal, Sum, Tail
from hpo_research.store.history import Scan
from hpo_research.store.schema import COLUMNS, INSERT, SELECT


def sealed(rows: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    """Return the rows of all tables, in the order of their keys, with their digests.

    What `turn.runs` and the seal hold is made anew. Raises `DamagedRows` for rows of no use.
    """
    plain = {**rows, "meta": [row for row in rows["meta"] if row[0] != SEAL]}
    made = {table: _digested(table, plain[table]) for table in COLUMNS}
    scan = Scan(made.__getitem__)
    scan.collect()
    if scan.damages:
        raise DamagedRows(scan.damages)
    numbered = [row[:2] for row in plain["turn"]]
    _, turns = Tail().with_turns(numbered, dict(scan.chain.by_turn()))
    made["turn"] = _digested("turn", turns)
    totals = {table: Sum().with_all([row[-1] for row in made[table]]) for table in SUMMED}
    made["meta"] += _digested("meta", [(SEAL, Seal(totals).text)])
    return made


def _digested(table: str, rows: Sequence[Row]) -> list[Row]:
    return [(*row, digests.of_row(table, row)) for row in rows]


def seal(db: sqlite3.Connection) -> None:
    """Seal all rows of a store, in the transaction of the caller. Raises as `sealed`."""
    rows = {table: [row[:-1] for row in db.execute(SELECT[table])] for table in COLUMNS}
    for table, own in sealed(rows).items():
        db.execute(f"DELETE FROM {table}")
        db.executemany(INSERT[table], own)
