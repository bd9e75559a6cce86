"""Connections to the file: what the disk refuses, and folders that can only be read."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hpo_research.errors import StoreError, StoreWriteError
from hpo_research.store.damage import is_damage


@contextmanager
def writing(folder: Path | None) -> Iterator[None]:
    """Turn what SQLite says of a refused write into `StoreWriteError`."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if is_damage(error):
            raise
        raise StoreWriteError(
            f"{folder}: the store could not be written ({error}); everything stored before is "
            "kept: make room or mend the disk, and run the same command again"
        ) from error


def reader(path: Path) -> sqlite3.Connection:
    """Open the file for reading, also in a folder that cannot be written to."""
    address = path.resolve().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError as error:
        # In a folder that cannot be written to, SQLite cannot make the index of the write-ahead
        # log; without a log there is nothing to index, and the file alone is the whole store.
        connection.close()
        if path.with_name(path.name + "-wal").exists():
            raise StoreError(f"{path.parent}: cannot be read ({error})") from error
        return sqlite3.connect(f"{address}?immutable=1", uri=True, isolation_level=None)
    except sqlite3.DatabaseError:
        pass  # not a database at all: the version check says so
    return connection
