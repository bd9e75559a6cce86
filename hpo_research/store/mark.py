"""The mark of a store: how the file says that its write-ahead log belongs to it.

A file whose last rows stand in its log alone is older than it looks: copied without the log, or
beside the log of another moment, it would read as an earlier experiment. So the file carries a mark
in the number that SQLite leaves to applications (`user_version`, bytes 60 to 63): whether rows are
in the log alone, how often the file was made whole, and how many transactions there were. The
writer says in the file itself, synced, that rows are missing there before the log alone gets one,
and that the file is whole once a checkpoint has brought everything over. Every transaction carries
the mark too, so that a log is known as that of its file. The lock's file notes the last
transaction: where another program has emptied the log into the file, that is known for whole.

A marker that went through the log would reach the file only when no reader holds an older state. A
checkpoint makes the file whole after every transaction, for a hundredth of the time; rollback
journals, which need none of this, let a reader hold the writer up.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from hpo_research.errors import StoreError
from hpo_research.store import lock

_PLACE = 60  # of the mark in the file
_GENERATIONS = 1 << 14
_TRANSACTIONS = 1 << 16
_COUNTED = 1 << 15  # a mark without its transactions is a number below
_SHARE = 0.01  # of the time may be spent on making the file whole
_BEGUN = 8  # transactions of a process after which the file is made whole, whatever it costs
_ROWS = 600  # after so many rows the file is made whole in any case: a log is not to grow for ever
_HEADER = 32  # bytes of a log without a row
_LOOKS = 5  # at a file that a writer may be changing, before it counts as wrong
_PAUSE = 0.02  # seconds between them


@dataclass(frozen=True)
class Mark:
    """Whether rows are in the log alone, how often the file was made whole, and transactions.

    Both counts begin again at 0 after their largest number.
    """

    is_ahead: bool = False
    generation: int = 0
    transaction: int = 0

    @classmethod
    def of(cls, number: int) -> Self:
        """Return the mark that a number stands for."""
        generation, transaction = number >> 1, number >> 15
        return cls(bool(number & 1), generation % _GENERATIONS, transaction % _TRANSACTIONS)

    @property
    def number(self) -> int:
        """The mark as a number of 31 bits."""
        return self.transaction << 15 | self.generation << 1 | int(self.is_ahead)


class Log:
    """The log of an open store, and when the file is made whole without it.

    It is after the first transactions, which open a store. After that a hundredth of the time since
    it was opened may be spent on that, and it is done when the log has grown.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, held: lock.Lock) -> None:
        self._db = connection
        self._lock = held
        self._mark = Mark()  # of the last transaction, read before the first of this process
        self._is_known = False
        # Open for as long as the connection: closing any descriptor of a file gives up all locks
        # that the process has on it, those of SQLite too.
        self._file = os.open(path, os.O_RDWR)
        self._opened = time.monotonic()
        self._spent = 0.0
        self._followed = 0
        self._rows = 0  # changed when the file was last whole

    def adopt(self) -> None:
        """Take up the mark of the last transaction: what it left in the log alone is ours now."""
        self._mark, self._is_known = _said_by(self._db), True

    def precede(self) -> None:
        """Let the file say that rows are missing, before the log alone gets one."""
        if not self._is_known:
            self.adopt()
        if not self._mark.is_ahead:
            self._mark = replace(self._mark, is_ahead=True)
        stamped = int.from_bytes(os.pread(self._file, 4, _PLACE), "big")
        if (stamped ^ self._mark.number) % _COUNTED:  # but for the transactions
            with self._timed():
                self._stamp(self._mark)

    def enter(self) -> Mark:
        """Put the next mark into the open transaction, and return it."""
        last = self._mark
        mark = Mark(last.is_ahead, last.generation, (last.transaction + 1) % _TRANSACTIONS)
        self._db.execute(f"PRAGMA user_version = {mark.number}")
        return mark

    def follow(self, mark: Mark) -> None:
        """Note a transaction that is stored, and make the file whole if that is cheap by now."""
        self._mark = mark
        with contextlib.suppress(OSError):  # an older note only makes the check milder
            self._lock.note(str(mark.transaction))
        self._followed += 1
        is_cheap = self._spent < _SHARE * (time.monotonic() - self._opened)
        if self._followed <= _BEGUN or is_cheap or self._db.total_changes - self._rows >= _ROWS:
            self.settle()

    def settle(self) -> None:
        """Bring everything into the file, and let it say so, unless something is in the way.

        That is a reader of an older state, or a disk that is full; the rows are safe in the log.
        """
        if not self._mark.is_ahead:
            return
        with self._timed(), contextlib.suppress(sqlite3.OperationalError, OSError):
            _, rows, done = self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if rows == done:
                generation = (self._mark.generation + 1) % _GENERATIONS
                whole = replace(self._mark, is_ahead=False, generation=generation)
                self._stamp(whole)
                self._mark = whole
                self._rows = self._db.total_changes

    def close(self) -> None:
        """Close the file's descriptor; only after the connection."""
        os.close(self._file)

    def _stamp(self, mark: Mark) -> None:
        os.pwrite(self._file, mark.number.to_bytes(4, "big"), _PLACE)
        os.fsync(self._file)

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self._spent += time.monotonic() - began


def check(connection: sqlite3.Connection, folder: Path, path: Path) -> None:
    """Raise `StoreError` where the file lacks the rows of a log that is not there, or not its own.

    A writer may be at work: what does not fit is looked at again before it counts.
    """
    for _ in range(_LOOKS):
        try:
            mistake = _mistake(connection, folder, path)
        except sqlite3.DatabaseError:
            return  # no database, or a damaged one: whoever reads it says so
        if not mistake:
            return
        time.sleep(_PAUSE)
    raise StoreError(f"{folder}: {mistake}")


def _mistake(connection: sqlite3.Connection, folder: Path, path: Path) -> str:
    beside = path.with_name(f"{path.name}-wal")
    alone, both, note = _alone(path), _said_by(connection), lock.note(folder)
    if not beside.exists() or beside.stat().st_size <= _HEADER:
        if not alone.is_ahead or _holds(alone, note):
            return ""
        return (
            f"{path.name} does not hold the last rows: they are in {beside.name}, which is missing "
            "or empty; copy the whole folder while nothing runs in it, or recover what is there "
            "with `hpo rescue`"
        )
    # Where the next log had not begun when the writer was killed, the last one is still there.
    is_next = alone.generation == (both.generation + 1) % _GENERATIONS
    is_last = alone.transaction == both.transaction and (not note or _holds(both, note))
    if alone.generation == both.generation or (is_next and is_last):
        return ""
    return (
        f"{path.name} and {beside.name} are from different moments: they were copied while "
        "something was writing; copy the whole folder while nothing runs in it"
    )


def _holds(found: Mark, note: str) -> bool:
    """Whether this has the transaction that was noted as the last, or one after it."""
    if not note.isdecimal():
        return False
    return (found.transaction - int(note)) % _TRANSACTIONS < _TRANSACTIONS // 2


def _alone(path: Path) -> Mark:
    """Return the mark of the file without its log."""
    # Through SQLite: to open and close the file by ourselves would give up the process's locks.
    address = f"{path.resolve().as_uri()}?immutable=1"
    with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
        return _said_by(connection)


def _said_by(connection: sqlite3.Connection) -> Mark:
    return Mark.of(int(connection.execute("PRAGMA user_version").fetchone()[0]))
