"""Migration: a store of an older version becomes one of this version, a step a version.

For writing, all steps are one transaction, and the file as it was stays beside it until that is
durable: `store.schema2.sqlite`. A process killed anywhere leaves the one or the other version,
whole. For reading nothing is written: a copy in memory is migrated.

Whoever changes the tables adds a step here and a store of the version before to `tests/stores/`.

Rows of before there were digests get theirs when they are migrated: what happened to them until
then is unchecked, and damage from then on is seen.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

from hpo_research.errors import StoreError, StoreWriteError
from hpo_research.store.damage import Damage, DamagedRows
from hpo_research.store.described import breaks
from hpo_research.store.digests import before_attempts
from hpo_research.store.history import history
from hpo_research.store.rows import parsed
from hpo_research.store.schema import COLUMNS, SELECT, TABLES, VERSION
from hpo_research.store.sealing import seal

UNDIGESTED = "undigested"
"""The key of `meta` that says how many rows were stored before there were digests."""


def kept_beside(path: Path, version: int) -> Path:
    """Return where a store is kept while it is migrated from a version."""
    return path.with_name(f"{path.stem}.schema{version}{path.suffix}")


def keep(db: sqlite3.Connection, path: Path, version: int) -> Path:
    """Keep a copy of the store beside it, what is in its write-ahead log included.

    Raises `StoreWriteError` where the disk refuses, and `sqlite3.Error`.
    """
    kept = kept_beside(path, version)
    beside = kept.with_name(f"{kept.name}.part")
    try:
        beside.unlink(missing_ok=True)  # of a migration that was killed
        with closing(sqlite3.connect(beside)) as copy:
            db.backup(copy)
        descriptor = os.open(beside, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(beside, kept)
    except OSError as error:
        raise StoreWriteError(
            f"{path.parent}: the store, of an older version, could not be kept next to the new one "
            f"({error.strerror}); nothing was changed: make room for both, or repair the disk"
        ) from error
    return kept


def upgrade(
    db: sqlite3.Connection,
    path: Path,
    version: int,
    transaction: Callable[[], AbstractContextManager[None]],
) -> None:
    """Bring a store to this version in one transaction, keeping it beside as it was until then."""
    keep(db, path, version)
    try:
        with transaction():
            migrate(db, version)
    except StoreError:
        sweep(path)  # the store is as it was
        raise


def sweep(path: Path) -> None:
    """Remove what a process left that was killed when its migration was done."""
    for version in STEPS:
        kept_beside(path, version).unlink(missing_ok=True)


def in_memory(db: sqlite3.Connection, version: int) -> sqlite3.Connection:
    """Return a migrated copy of a store, which is only read."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    try:
        db.backup(copy)
        copy.execute("BEGIN")
        migrate(copy, version)
        copy.execute("COMMIT")
    except BaseException:
        copy.close()
        raise
    return copy


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring a store from a version to this one, in the transaction of the caller.

    Raises `DamagedRows` where rows are of no use, and `sqlite3.Error`.
    """
    if version > 2:  # before that there were no digests
        _check(db)
    for number in range(version, VERSION):
        STEPS[number](db)
    db.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (str(VERSION),))
    seal(db)
    found = history(lambda table: db.execute(SELECT[table]), None)
    damages = [*found.damages, *breaks(found, {})[1]]
    if damages:
        raise DamagedRows(damages)


def _digests(db: sqlite3.Connection) -> None:
    """Step from 2 to 3: digests and checkpoints; the rule of ASHA gets its own name."""
    counts = (f"(SELECT count(*) FROM {table})" for table in COLUMNS)
    (undigested,) = db.execute(f"SELECT {' + '.join(counts)}").fetchone()
    for index in ("report_turn", "outcome_turn", "ask_turn"):
        db.execute(f"DROP INDEX {index}")
    for table in ("meta", "run", "ask", "proposal", "report", "outcome"):
        db.execute(f"ALTER TABLE {table} ADD COLUMN digest BLOB")
    db.execute("ALTER TABLE turn ADD COLUMN runs BLOB NOT NULL DEFAULT x''")
    db.execute("ALTER TABLE turn ADD COLUMN digest BLOB")
    db.execute("ALTER TABLE lost RENAME TO lost_before")
    db.execute(
        "CREATE TABLE lost (id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run, "
        "trial INTEGER NOT NULL, attempt INTEGER NOT NULL, epoch INTEGER NOT NULL, digest BLOB)"
    )
    db.execute("INSERT INTO lost SELECT rowid, *, NULL FROM lost_before")
    db.execute("DROP TABLE lost_before")
    db.execute(
        "CREATE TABLE checkpoint (run INTEGER NOT NULL, trial INTEGER NOT NULL, "
        "epoch INTEGER NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (run, trial, epoch)) "
        "WITHOUT ROWID"
    )
    for key, text in db.execute("SELECT key, value FROM meta").fetchall():
        try:
            new = changed_text(key, text)
        except ValueError as error:
            raise DamagedRows([Damage("meta", f"key {key!r}", str(error))]) from error
        db.execute("UPDATE meta SET value = ?2 WHERE key = ?1", new)
    db.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (UNDIGESTED, str(undigested)))


def _check(db: sqlite3.Connection) -> None:
    """Raise `DamagedRows` where a store of schema 3 is not as it was written."""
    select = {**SELECT, "report": BEFORE_ATTEMPTS}
    found = history(lambda table: db.execute(select[table]), None, digested=before_attempts)
    if found.damages:
        raise DamagedRows(found.damages)


BEFORE_ATTEMPTS = (
    "SELECT run, trial, epoch, turn, metrics, spent, clock, seconds, 0 AS attempt, digest "
    "FROM report ORDER BY run, trial, epoch"
)
"""Every report of schema 2 or 3 in the order of its key, in its first attempt."""


def _attempts(db: sqlite3.Connection) -> None:
    """Step from 3 to 4: reports say their attempt; an attempt is no segment any more."""
    for table in ("report", "proposal"):
        db.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
        (statement,) = (text for text in TABLES if text.startswith(f"CREATE TABLE {table} "))
        db.execute(statement)
    db.execute(
        "INSERT INTO report SELECT run, trial, epoch, turn, metrics, spent, clock, seconds, 0, "
        "NULL FROM report_before"
    )
    db.execute("INSERT INTO proposal SELECT * FROM proposal_before")
    for table in ("report", "proposal"):
        db.execute(f"DROP TABLE {table}_before")
    for table in ("proposal", "lost"):
        db.execute(f"UPDATE {table} SET attempt = 0")


def changed_text(key: str, text: str) -> tuple[str, str]:
    """Return a row of `meta` as step 2 makes it. Raises `ValueError` for what is no JSON."""
    if key != "experiment":
        return key, text
    return key, json.dumps(_with_continual(parsed(key, text)))


_ASHA = {f"hpo_research.strategies.asha.{name}" for name in ("ASHA", "AsynchronousHyperband")}


def _with_continual(described: Any) -> Any:
    """Return a description in which the rule that was called "stop" is called "continual"."""
    if isinstance(described, list):
        return [_with_continual(item) for item in described]
    if not isinstance(described, dict):
        return described
    changed = {key: _with_continual(item) for key, item in described.items()}
    if described.get("class") in _ASHA:
        changed["kind"] = "continual" if described.get("kind") == "stop" else described.get("kind")
        changed["rule"] = None
    return changed


STEPS: Mapping[int, Callable[[sqlite3.Connection], None]] = {2: _digests, 3: _attempts}
