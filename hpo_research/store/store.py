"""The store: every ask, report and outcome of an experiment, in one SQLite file.

A turn of the loop is two transactions, each durable before it returns (WAL, synchronous=FULL):
a process killed anywhere leaves all earlier ones. One process writes, under an OS lock; any
number read, and neither waits for the other. The rows are the state: `replay` enters them, in
the order they were written, into fresh ledgers. Every row is held against its digest when it is
read (`history.py`).
"""

import os
import sqlite3
import uuid
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from hpo_research.errors import StoreError
from hpo_research.ledger import AskRow, Ledger
from hpo_research.paths import Given, place, refusal
from hpo_research.records import Key, Outcome, Report
from hpo_research.store import file_systems, lock, migration, schema
from hpo_research.store.connection import (
    FILE,
    begin,
    commit,
    existing,
    inspect,
    keep_log,
    let_go,
    reader,
    undo,
    version_of,
    writer,
    writing,
)
from hpo_research.store.damage import damaged, reading
from hpo_research.store.described import code_of, experiment_of, list_of, parsed_of
from hpo_research.store.digests import Row, Tail
from hpo_research.store.history import History, LastTurn, history
from hpo_research.store.mark import Log, check
from hpo_research.store.rows import RunName
from hpo_research.store.writer import Writer

Found = TypeVar("Found")


class Store:
    """An open store. Use `Store.write`, `Store.read` or `Store.in_memory`, then `close`.

    It is closed, and its lock given back, when nobody refers to it any more. Threads may take
    turns with it; a forked child must leave it alone.
    """

    def __init__(
        self, connection: sqlite3.Connection, folder: Path | None, held: lock.Lock | None
    ) -> None:
        self._connection = connection
        self._log = Log(connection, folder / FILE, held) if folder and held else None
        self.folder = folder
        self.tag = uuid.uuid4().hex if held is None else held.name
        self._open_writer = Writer(connection, Tail())
        self._late: list[Callable[[Writer], None]] = []  # what was appended in memory
        self._opened: History | None = None
        self._end = weakref.finalize(self, let_go, connection, self._log, held, os.getpid())

    @classmethod
    def in_memory(cls) -> Self:
        """Return an empty store, which lives as long as its object; read, it writes its turns."""
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        (store := cls(connection, None, None))._create()
        return store

    @classmethod
    def write(cls, given: Given) -> Self:
        """Open the folder's store for writing, making both where they are missing.

        Raises `StoreLockedError` where another process writes, `StoreError` where the folder
        cannot be written to or holds a store that this version cannot read.
        """
        folder = place(given, "the results folder", StoreError)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder}: {refusal(folder, error)}") from error
        file_systems.warn(folder)
        held = lock.acquire(folder)
        store: Self | None = None
        try:
            with reading(folder):
                inspect(folder)
                with writing(folder):
                    store = cls(writer(folder / FILE), folder, held)
                    store._prepare()
        except BaseException:
            (store.close if store else held.release)()
            raise
        return store

    @classmethod
    def read(cls, given: Given) -> Self:
        """Open the folder's store for reading; it may be written to at the same time."""
        folder = place(given, "the results folder", StoreError)
        path = existing(folder)
        with reading(folder):
            store = cls(reader(path), folder, None)
            try:
                check(store._db, folder, path)
                version = version_of(store._db, folder)
                if version is not None and version < schema.VERSION:
                    old, store = store, cls(migration.in_memory(store._db, version), folder, None)
                    old.close()
            except BaseException:
                store.close()
                raise
        return store

    def _prepare(self) -> None:
        version = version_of(self._db, self.folder, may_be_new=True)
        keep_log(self._db)
        if version is None:
            self._create()
            return
        if version < schema.VERSION and self.folder is not None:
            migration.upgrade(self._db, self.folder / FILE, version, self._transaction)
        # Nothing is written to a store that is damaged.
        self._opened = self.history()
        self._writer.tail = self._opened.tail
        if self._log is not None:
            self._log.adopt()
        if self.folder is not None:
            migration.sweep(self.folder / FILE)

    def _create(self) -> None:
        with self._transaction():
            for statement in schema.TABLES:
                self._db.execute(statement)
            self._writer.text("schema", str(schema.VERSION))

    def close(self) -> None:
        """Close the file and give back the lock; nothing happens in a forked child."""
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what the experiment is

    def meta(self, key: str) -> str | None:
        """Return a stored text, None where there is none."""
        with reading(self.folder, "meta"):
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def experiment(self) -> dict[str, Any] | None:
        """Return the description of the experiment, None where there is none yet."""
        text = self.meta("experiment")
        with reading(self.folder):
            return None if text is None else experiment_of(text)

    def code(self) -> list[dict[str, Any]]:
        """Return the digests of the user's code, session by session."""
        text = self.meta("code")
        with reading(self.folder):
            return [] if text is None else code_of(text)

    def list_of(self, key: str) -> list[Any]:
        """Return a stored JSON list, an empty one where there is none."""
        text = self.meta(key)
        with reading(self.folder):
            return [] if text is None else list_of(key, text)

    def series(self, prefix: str) -> list[Any]:
        """Return what the texts hold whose keys begin with a prefix, in order of key."""
        with reading(self.folder, "meta"):
            rows = self._db.execute("SELECT key, value FROM meta ORDER BY key")
            return [parsed_of(key, value) for key, value in rows if key.startswith(prefix)]

    def set_meta(self, texts: Mapping[str, str]) -> None:
        """Store texts by key in one transaction."""
        self.change(lambda writer: writer.texts(texts))

    def runs(self) -> dict[RunName, int]:
        """Return the id of every run."""
        wanted = "SELECT problem, strategy, seed, id FROM run ORDER BY id"
        return {RunName(*row[:3]): row[3] for row in self.look(lambda db: list(db.execute(wanted)))}

    def add_runs(self, names: Sequence[RunName]) -> dict[RunName, int]:
        """Enter the runs that are missing and return the id of every run."""
        known = self.runs()
        missing = [name for name in names if name not in known]
        with self._transaction():
            for number, name in enumerate(missing, max(known.values(), default=0) + 1):
                self._writer.run(number, name)
        return self.runs()

    # -- what happened

    def append_poll(
        self,
        reports: Sequence[tuple[Report, int]],
        outcomes: Sequence[Outcome],
        checkpoints: Mapping[tuple[Key, int], bytes] | None = None,
    ) -> None:
        """Store one poll: reports, each with the epochs its run has spent, and outcomes.

        `checkpoints` holds the digests (`digests.of_file`) of the files that were written for it,
        by trial and epoch; those of trials that nothing can resume go.
        """

        def write(writer: Writer) -> None:
            writer.poll(reports, outcomes)
            writer.checkpoints(checkpoints or {})
            writer.forget([o.key for o in outcomes if o.status != "paused"])

        self._append(write)

    def over(self) -> set[int]:
        """Return the ids of the runs that have come to their end."""
        rows = self.look(lambda db: db.execute("SELECT id FROM run WHERE is_over").fetchall())
        return {row[0] for row in rows}

    def append_asks(
        self,
        rows: Sequence[AskRow],
        over: Collection[int] = (),
        texts: Mapping[str, str] | None = None,
        told: tuple[Sequence[tuple[Report, int]], Sequence[Outcome]] | None = None,
    ) -> None:
        """Store all asks of a turn, which runs are over with it, and texts that change with it.

        Empty asks need no row, but the turn is stored. `told` is a poll that follows at once.
        """

        def write(writer: Writer) -> None:
            writer.texts(texts or {})
            for row in rows:
                writer.over(row.run, row.run in over)
            writer.asks(rows)
            if told is not None:
                writer.poll(*told)

        self._append(write)

    def history(self, known: History | None = None) -> History:
        """Return all that is stored as of one moment, held against its digests.

        With one that was read before, only what came since: `History.since` says from where on, 0
        where known rows have been taken back. Raises `StoreError` for a damaged or edited store.
        """
        with reading(self.folder), self.snapshot():
            if known is not None:
                more = history(partial(self._rows, after=known.tail.turn), self.folder, known)
                if not more.damages:
                    return more
            found = history(self._rows, self.folder)
        if found.damages:
            raise damaged(self.folder, found.damages)
        return found

    def _rows(self, table: str, after: int = 0) -> Iterator[Row]:
        with reading(self.folder, table):
            later = schema.SELECT_AFTER.get(table) if after else None
            yield from self._db.execute(later or schema.SELECT[table], (after,) if later else ())

    def look(self, read: Callable[[sqlite3.Connection], Found]) -> Found:
        """Return what a function reads from the file as of one moment, unheld against digests."""
        with reading(self.folder), self.snapshot():
            return read(self._db)

    def retract(self, turns: Mapping[int, int], texts: Mapping[str, str]) -> None:
        """Take back all rows of some runs from a turn on, and store texts, in one transaction."""
        with self._transaction():
            for run, turn in turns.items():
                self._writer.retract(run, turn)
            self._writer.texts(texts)
        self._opened = None

    def replay(self, ledgers: Mapping[int, Ledger]) -> LastTurn:
        """Enter every stored row of these runs into their ledgers, in the order of writing."""
        # What was read on opening for writing is what there is, until something is appended.
        found, self._opened = self._opened, None
        if found is None or found.tail.turn != self._writer.tail.turn:
            found = self.history()
            self._writer.tail = found.tail
        return found.replay(ledgers)

    def last_turn(self) -> int:
        """Return the id of the last transaction of the loop, 0 before any."""
        return self._writer.tail.turn

    def rows(self) -> int:
        """Return how many proposals, reports and outcomes are stored."""
        tables = ("proposal", "report", "outcome")
        counted = "SELECT " + " + ".join(f"(SELECT count(*) FROM {table})" for table in tables)
        return self.look(lambda db: int(db.execute(counted).fetchone()[0]))

    def mark_lost(self, attempts: Sequence[tuple[int, int, int, int]]) -> None:
        """Note attempts that were running when their process ended: run, trial, attempt, epoch."""
        if attempts:
            self.change(lambda writer: writer.lost(attempts))

    def lost(self) -> list[tuple[int, int, int, int]]:
        """Return the attempts that were lost: run, trial, attempt, last stored epoch."""
        return list(self.history().lost)

    # -- checkpoints

    def checkpoints(self) -> dict[tuple[Key, int], bytes]:
        """Return the digests of the checkpoint files by trial and epoch."""
        with reading(self.folder, "checkpoint"):
            rows = self._db.execute("SELECT run, trial, epoch, digest FROM checkpoint")
            return {((run, trial), epoch): digest for run, trial, epoch, digest in rows}

    def forget_checkpoints(self, keys: Collection[Key]) -> None:
        """Forget the digests of trials whose files are removed."""
        self.change(lambda writer: writer.forget(keys))

    # -- child processes

    def add_process(self, pid: int, created: float, host: str) -> None:
        """Remember a child process before it is given work."""
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO process VALUES (?, ?, ?)", (pid, created, host))

    def processes(self) -> list[tuple[int, float, str]]:
        """Return the child processes that were remembered."""
        return self.look(lambda db: list(db.execute("SELECT pid, created, host FROM process")))

    def forget_processes(self) -> None:
        """Forget all child processes, once they have ended."""
        with self._transaction():
            self._db.execute("DELETE FROM process")

    # -- transactions

    @property
    def _db(self) -> sqlite3.Connection:
        self._write_late()
        return self._connection

    @property
    def _writer(self) -> Writer:
        self._write_late()
        return self._open_writer

    def _append(self, write: Callable[[Writer], None]) -> None:
        if self._log is None:
            self._late.append(write)
            return
        self.change(write)

    def change(self, write: Callable[[Writer], object]) -> None:
        """Let a function write in one transaction: all of it, or nothing."""
        with self._transaction():
            write(self._writer)

    def _write_late(self) -> None:
        late, self._late = self._late, []
        if not late:
            return
        try:
            with self._transaction():
                for write in late:
                    write(self._writer)
        except BaseException:
            self._late = late
            raise

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        before = self._writer.tail
        try:
            begin(self._db, self._log)
            yield
            self._writer.seal(before)
            commit(self._db, self._log)
        except BaseException:
            self._writer.back_to(before)
            with reading(self.folder), writing(self.folder):
                undo(self._db)
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read everything inside the block as of one moment; blocks may be nested."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")  # nothing was written; also right where reading failed
