"""Damage: whatever a damaged or edited store brings, said in one way.

A `StoreError` that says what is wrong, in which table and row, and that `hpo rescue` saves the
rest.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hpo_research.errors import StoreError
from hpo_research.store.digests import Row
from hpo_research.store.schema import COLUMNS, KEYS

_SHOWN = 5
# What SQLite says of the machine and not of the file: a busy or full disk, memory, permissions.
_MACHINE = {
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY),
    *(sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_PERM),
    *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS),
}


@dataclass(frozen=True)
class Damage:
    """One thing that is wrong: in which table, at which row, and what."""

    table: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"table {self.table}{', ' if self.where else ''}{self.where}: {self.what}"


@dataclass(eq=False)
class DamagedRows(Exception):
    """Rows that are of no use; whoever knows the folder says so with `damaged`."""

    damages: Sequence[Damage]


def place_of(table: str, row: Row) -> str:
    """Return the key of a row for people: `run 1, trial 3, epoch 9`."""
    names = list(COLUMNS[table])[: KEYS[table]]
    return ", ".join(f"{name} {value!r:.40}" for name, value in zip(names, row, strict=False))


def damaged(folder: Path | None, damages: Sequence[Damage]) -> StoreError:
    """Return the error that names the damages, the first ones of many."""
    shown = [str(damage) for damage in damages[:_SHOWN]]
    if len(damages) > _SHOWN:
        shown.append(f"and {len(damages) - _SHOWN} more")
    lines = "\n".join(f"  {line}" for line in shown)
    return StoreError(
        f"{folder}: the store is damaged or was edited:\n{lines}\n"
        f"nothing was changed; `hpo rescue {folder} OUT` copies what is intact to the folder OUT"
    )


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error of SQLite tells of the file, and not of the machine or of a bug."""
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return False
    # Without a code it comes from Python's module: text that is not UTF-8.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF not in _MACHINE


@contextmanager
def reading(folder: Path | None, table: str = "") -> Iterator[None]:
    """Turn what SQLite says of an unreadable file into `StoreError`."""
    try:
        yield
    except DamagedRows as error:
        raise damaged(folder, error.damages) from error
    except sqlite3.Error as error:
        if is_damage(error):
            raise damaged(folder, [Damage(table or "of contents", "", str(error))]) from error
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.ProgrammingError
        ):
            raise StoreError(f"{folder}: the store could not be read ({error})") from error
        raise
    except UnicodeDecodeError as error:  # of SQLite's own message, which quotes the file
        raise damaged(folder, [Damage(table or "of contents", "", str(error))]) from error
