"""Connections to the file: what is refused in which words, and folders that can only be read."""

import ctypes
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from hpo_research.errors import StoreEmptyError, StoreError, StoreWriteError
from hpo_research.store import lock
from hpo_research.store.damage import Damage, damaged, is_damage
from hpo_research.store.holders import described, holders
from hpo_research.store.mark import Log, check
from hpo_research.store.schema import check_version

FILE = "store.sqlite"
_PATIENCE = 5.0  # seconds to wait for another program that holds the database

# What SQLite calls a refusal, by the first part of its code, and what to do about it.
_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full: make room",
    sqlite3.SQLITE_READONLY: "the file or its file system is read-only, or the file was moved: "
    "allow writing, or put it back",
    sqlite3.SQLITE_IOERR: "the disk or the network reported a fault: check both",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened: check its permissions, and how many "
    "files this process may have open",
    sqlite3.SQLITE_PERM: "this user may not write to the file: check its permissions",
    sqlite3.SQLITE_NOMEM: "there is no memory left: free some",
}
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def existing(folder: Path) -> Path:
    """Return the file of a folder's store. Raises `StoreError` where there is none."""
    path = folder / FILE
    if not folder.exists():
        raise StoreError(f"{folder}: there is no such folder; name a results folder")
    if not path.is_file():
        raise StoreError(f"{folder}: holds no store ({FILE} is missing); name a results folder")
    return path


@contextmanager
def writing(folder: Path | None) -> Iterator[None]:
    """Turn what SQLite says of a refused write into `StoreWriteError`."""
    try:
        yield
    except StoreWriteError:
        raise
    except sqlite3.OperationalError as error:
        if is_damage(error):
            raise
        raise StoreWriteError(
            f"{folder}: the store could not be written ({error}); everything stored before is "
            f"kept: {_advice(folder, error)}, and run the same command again"
        ) from error
    except OSError as error:  # of the mark that is written into the file
        raise StoreWriteError(
            f"{folder}: the store could not be written ({error.strerror}); everything stored "
            "before is kept: free some space or repair the disk, and run the same command again"
        ) from error


def begin(connection: sqlite3.Connection, log: Log | None) -> None:
    """Begin a transaction: what is done from now on is stored whole, or not at all."""
    if log is not None:
        log.precede()
    connection.execute("BEGIN IMMEDIATE")


def commit(connection: sqlite3.Connection, log: Log | None) -> None:
    """End a transaction; what was done in it is durable when this returns."""
    if log is None:
        connection.execute("COMMIT")
        return
    mark = log.enter()
    connection.execute("COMMIT")
    log.follow(mark)


def undo(connection: sqlite3.Connection) -> None:
    """Take back what was done in a transaction that has not ended."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _advice(folder: Path | None, error: sqlite3.OperationalError) -> str:
    code = _code(error)
    if code in _BUSY:
        return f"{_others(folder)} holds the database: close it there"
    return _ADVICE.get(code, "free some space or repair the disk")


def _code(error: sqlite3.Error) -> int:
    """Return the first part of SQLite's code, 0 for an error of the module itself."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _others(folder: Path | None) -> str:
    seen = [] if folder is None else holders(folder / FILE)
    return " or ".join(map(described, seen)) or "another program"


def writer(path: Path) -> sqlite3.Connection:
    """Open the file for writing, for any thread: the owner serves one at a time."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_PATIENCE)


def keep_log(connection: sqlite3.Connection) -> None:
    """Write to a log beside the file from now on, durably; `Log` brings it into the file."""
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=0"):
        connection.execute(f"PRAGMA {pragma}")


def reader(path: Path) -> sqlite3.Connection:
    """Open the file for reading, also in a folder that cannot be written to."""
    address = path.resolve().as_uri()
    connection = _read_only(f"{address}?mode=ro")
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError as error:
        connection.close()
        if _code(error) in _BUSY:
            raise StoreError(
                f"{path.parent}: cannot be read ({error}): {_others(path.parent)} holds the "
                "database; close it there"
            ) from error
        # In a folder that cannot be written to, SQLite cannot make the index of the write-ahead
        # log; without a log there is nothing to index, and the file alone is the whole store.
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise StoreError(
                f"{path.parent}: cannot be read ({error}); where the folder cannot be written to, "
                f"copy it, with {log.name}, to one that can"
            ) from error
        return _read_only(f"{address}?immutable=1")
    except sqlite3.DatabaseError:
        pass  # not a database at all: the version check says so
    return connection


def version_of(
    connection: sqlite3.Connection, folder: Path | None, *, may_be_new: bool = False
) -> int | None:
    """Return the version of the tables, None for a new file where it may be one.

    Raises `StoreError` for a version that cannot be read, `StoreEmptyError` for a new file.
    """
    try:
        (count,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if may_be_new and not count:
            return None
        if not count:
            raise StoreEmptyError(
                f"{folder}: {FILE} is not an hpo_research store yet: it is empty. Another process "
                "is about to fill it, or was killed before: run the same command again"
            )
        row = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0)
        if code not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
            raise
        raise StoreError(
            f"{folder}: {FILE} is not an hpo_research store ({error}); if it was one, "
            f"`hpo rescue {folder} OUT` copies what can be read to the folder OUT"
        ) from error
    try:
        found = int(row[0]) if row else 0
    except (ValueError, TypeError) as error:
        raise damaged(folder, [Damage("meta", "key 'schema'", str(error))]) from error
    check_version(found, folder)
    return found


def inspect(folder: Path) -> None:
    """Raise `StoreError` where a file and its log do not belong together.

    Before the file is opened for writing: to close it then would already bring the log into it.
    """
    path = folder / FILE
    if path.is_file():
        with closing(reader(path)) as connection:
            check(connection, folder, path)


def _read_only(address: str) -> sqlite3.Connection:
    return sqlite3.connect(
        address, uri=True, isolation_level=None, check_same_thread=False, timeout=_PATIENCE
    )


def let_go(
    connection: sqlite3.Connection, log: Log | None, held: lock.Lock | None, process: int
) -> None:
    """Close a connection, make its file whole, and give back its lock.

    In a forked child nothing is closed: SQLite forbids it, and the parent goes on with it all.
    """
    if process != os.getpid():
        # Collected, the connection would be closed after all: it stays until the child ends.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
        return
    try:
        if log is not None:
            log.settle()
    finally:
        connection.close()
        if log is not None:
            log.close()
        if held is not None:
            held.release()
