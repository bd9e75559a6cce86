"""The store: every ask, report and outcome of an experiment, in one SQLite file.

A turn of the loop is two transactions, each durable before it returns (WAL, synchronous=FULL):
a process killed anywhere leaves all earlier ones. One process writes, under an OS lock; any
number read, and neither waits for the other. The rows are the state: `replay` enters them, in
the order they were written, into fresh ledgers. Every row is held against its digest when it is
read (`history.py`).
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import Self

from hpo_research.errors import StoreError
from hpo_research.ledger import AskRow, Ledger
from hpo_research.records import Key, Outcome, Report
from hpo_research.store import digests, lock, migration, schema
from hpo_research.store.connection import reader, writing
from hpo_research.store.damage import Damage, damaged, reading
from hpo_research.store.digests import SEAL, SUMMED, Row, Tail
from hpo_research.store.history import History, LastTurn, history
from hpo_research.store.rows import RunName, ask_row, outcome_row, proposal_row, report_row

FILE = "store.sqlite"
_RUN = "SELECT id, problem, strategy, seed, is_over, digest FROM run"
_key = itemgetter(0, 1, 2)


class Store:
    """An open store. Use `Store.write`, `Store.read` or `Store.in_memory`, then `close`."""

    def __init__(
        self, connection: sqlite3.Connection, folder: Path | None, held: lock.Lock | None
    ) -> None:
        self._db = connection
        self._lock = held
        self.folder = folder
        self._tail = Tail()
        self._opened: History | None = None

    @classmethod
    def in_memory(cls) -> Self:
        """Return an empty store that lives as long as its object."""
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        store = cls(connection, None, None)
        store._create()
        return store

    @classmethod
    def write(cls, folder: Path) -> Self:
        """Open the folder's store for writing, making both where they are missing.

        Raises `StoreLockedError` where another process writes, `StoreError` where the folder
        cannot be written to or holds a store that this version cannot read.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder}: cannot be made ({error.strerror})") from error
        held = lock.acquire(folder)
        try:
            with writing(folder):
                connection = sqlite3.connect(folder / FILE, isolation_level=None)
                store = cls(connection, folder, held)
                store._prepare()
        except BaseException:
            held.release()
            raise
        return store

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Open the folder's store for reading; it may be written to at the same time."""
        path = folder / FILE
        if not path.is_file():
            raise StoreError(f"{folder}: holds no store ({FILE} is missing); name a results folder")
        store = cls(reader(path), folder, None)
        try:
            version = store._version()
            if version < schema.VERSION:
                with reading(folder):
                    migrated = migration.in_memory(store._db, version)
                store._db.close()
                store._db = migrated
        except BaseException:
            store._db.close()
            raise
        return store

    def _prepare(self) -> None:
        self._check_format()
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        if not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            self._create()
            return
        version = self._version()
        if version < schema.VERSION:
            self._migrate(version)
        # Nothing is written to a store that is damaged.
        self._opened = self.history()
        self._tail = self._opened.tail

    def _create(self) -> None:
        with self._transaction():
            for statement in schema.TABLES:
                self._db.execute(statement)
            self._set("schema", schema.VERSION)

    def _migrate(self, version: int) -> None:
        assert self.folder is not None
        kept = migration.keep(self._db, self.folder / FILE, version)
        with reading(self.folder), writing(self.folder):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                migration.migrate(self._db, version)
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        kept.unlink()

    def _check_format(self) -> None:
        try:
            self._db.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.folder}: {FILE} is no store ({error})") from error

    def _version(self) -> int:
        """Return the version of the tables. Raises `StoreError` for one that cannot be read."""
        self._check_format()
        try:
            row = self._db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        except sqlite3.OperationalError as error:
            raise StoreError(f"{self.folder}: {FILE} is no store of ours ({error})") from error
        try:
            found = int(row[0]) if row else 0
        except ValueError as error:
            raise damaged(self.folder, [Damage("meta", "key 'schema'", str(error))]) from error
        if found > schema.VERSION:
            raise StoreError(
                f"{self.folder}: written by a newer version (schema {found}, this version reads "
                f"{schema.VERSION}); nothing was changed: upgrade hpo_research to go on"
            )
        if found < schema.OLDEST:
            raise StoreError(
                f"{self.folder}: written by an older version (schema {found}, this version reads "
                f"{schema.OLDEST} to {schema.VERSION}); nothing was changed: run the experiment in "
                "another folder"
            )
        return found

    def close(self) -> None:
        """Close the file and give back the lock."""
        self._db.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

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

    def set_meta(self, texts: Mapping[str, str]) -> None:
        """Store texts by key in one transaction."""
        with self._transaction():
            for key, text in texts.items():
                self._set(key, text)

    def _set(self, key: str, value: object) -> None:
        old = self._db.execute("SELECT digest FROM meta WHERE key = ?", (key,)).fetchone()
        row = (key, str(value))
        digest = digests.of_row("meta", row)
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (*row, digest))
        if key != SEAL:
            self._seal("meta", gone=old and old[0], new=digest)

    def runs(self) -> dict[RunName, int]:
        """Return the id of every run."""
        with reading(self.folder, "run"):
            rows = self._db.execute("SELECT problem, strategy, seed, id FROM run ORDER BY id")
            return {RunName(*row[:3]): row[3] for row in rows}

    def add_runs(self, names: Sequence[RunName]) -> dict[RunName, int]:
        """Enter the runs that are missing and return the id of every run."""
        known = self.runs()
        first = max(known.values(), default=0) + 1
        missing = [name for name in names if name not in known]
        with self._transaction():
            self._insert("run", [(first + i, *name, 0) for i, name in enumerate(missing)])
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
        with self._transaction():
            turn = self._tail.turn + 1
            rows = sorted((report_row(r, turn, spent) for r, spent in reports), key=_key)
            ended = sorted((self._outcome_row(o, turn) for o in outcomes), key=_key)
            entries = _entries(rows, self._insert("report", rows))
            self._turn("poll", entries + _entries(ended, self._insert("outcome", ended)))
            self._db.executemany(
                "INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?, ?)",
                [(*key, epoch, digest) for (key, epoch), digest in (checkpoints or {}).items()],
            )
            self._db.executemany(
                "DELETE FROM checkpoint WHERE run = ? AND trial = ?",
                [outcome.key for outcome in outcomes if outcome.status != "paused"],
            )

    def _outcome_row(self, outcome: Outcome, turn: int) -> Row:
        (number,) = self._db.execute(
            "SELECT count(*) FROM outcome WHERE run = ? AND trial = ?", outcome.key
        ).fetchone()
        return outcome_row(outcome, turn, number)

    def over(self) -> set[int]:
        """Return the ids of the runs that have come to their end."""
        with reading(self.folder, "run"):
            return {row[0] for row in self._db.execute("SELECT id FROM run WHERE is_over")}

    def append_asks(
        self,
        rows: Sequence[AskRow],
        over: Collection[int] = (),
        texts: Mapping[str, str] | None = None,
    ) -> None:
        """Store all asks of a turn, which runs are over with it, and texts that change with it.

        Empty asks need no row, but the turn itself is stored.
        """
        with self._transaction():
            for key, text in (texts or {}).items():
                self._set(key, text)
            for row in rows:
                self._set_over(row.run, row.run in over)
            (last,) = self._db.execute("SELECT max(id) FROM ask").fetchone()
            entries: list[tuple[int, bytes]] = []
            written = sorted((row for row in rows if not row.is_empty), key=lambda row: row.run)
            for number, row in enumerate(written, (last or 0) + 1):
                grants = [proposal_row(number, i, grant) for i, grant in enumerate(row.grants)]
                asks = [ask_row(row, number, self._tail.turn + 1)]
                bound = self._insert("proposal", grants) + self._insert("ask", asks)
                entries += [(row.run, digest) for digest in bound]
            self._turn("ask", entries)

    def _set_over(self, run: int, is_over: bool) -> None:
        old = self._db.execute(f"{_RUN} WHERE id = ?", (run,)).fetchone()
        if bool(old[4]) != is_over:
            digest = digests.of_row("run", (*old[:4], int(is_over)))
            self._db.execute(
                "UPDATE run SET is_over = ?, digest = ? WHERE id = ?", (int(is_over), digest, run)
            )
            self._seal("run", gone=old[5], new=digest)

    def _turn(self, kind: str, entries: Sequence[tuple[int, bytes]]) -> None:
        self._tail, row = self._tail.with_turn(kind, entries)
        self._insert("turn", [row])

    def _insert(self, table: str, rows: Sequence[Row]) -> list[bytes]:
        """Insert rows and return their digests."""
        made = [digests.of_row(table, row) for row in rows]
        self._db.executemany(
            schema.INSERT[table],
            [(*row, digest) for row, digest in zip(rows, made, strict=True)],
        )
        for digest in made if table in SUMMED else ():
            self._seal(table, new=digest)
        return made

    def _seal(self, table: str, *, gone: bytes | None = None, new: bytes | None = None) -> None:
        seal = self._tail.seal.changed(table, gone=gone, new=new)
        self._tail = replace(self._tail, seal=seal)

    def history(self) -> History:
        """Return all that is stored as of one moment, held against its digests.

        Raises `StoreError` for a store that is damaged or was edited.
        """
        with self.snapshot(), reading(self.folder):
            found = history(lambda table: self._db.execute(schema.SELECT[table]), self.folder)
        if found.damages:
            raise damaged(self.folder, found.damages)
        return found

    def replay(self, ledgers: Mapping[int, Ledger]) -> LastTurn:
        """Enter every stored row of these runs into their ledgers, in the order of writing."""
        # What was read on opening for writing is what there is, until something is appended.
        found, self._opened = self._opened, None
        if found is None or found.tail.turn != self._tail.turn:
            found = self.history()
        return found.replay(ledgers)

    def rows(self) -> int:
        """Return how many proposals, reports and outcomes are stored."""
        counts = (f"(SELECT count(*) FROM {name})" for name in ("proposal", "report", "outcome"))
        with reading(self.folder):
            return int(self._db.execute(f"SELECT {' + '.join(counts)}").fetchone()[0])

    def mark_lost(self, attempts: Sequence[tuple[int, int, int, int]]) -> None:
        """Note attempts that were running when their process ended: run, trial, attempt, epoch."""
        if attempts:
            with self._transaction():
                (last,) = self._db.execute("SELECT max(id) FROM lost").fetchone()
                self._insert("lost", [(i, *a) for i, a in enumerate(attempts, (last or 0) + 1)])

    def lost(self) -> list[tuple[int, int, int, int]]:
        """Return the attempts that were lost: run, trial, attempt, last stored epoch."""
        return list(self.history().lost)

    # -- checkpoints

    def checkpoints(self) -> dict[tuple[Key, int], bytes]:
        """Return the digests of the checkpoint files by trial and epoch."""
        with reading(self.folder, "checkpoint"):
            rows = self._db.execute("SELECT run, trial, epoch, digest FROM checkpoint").fetchall()
        return {((run, trial), epoch): digest for run, trial, epoch, digest in rows}

    def forget_checkpoints(self, keys: Collection[Key]) -> None:
        """Forget the digests of trials whose files are removed."""
        with self._transaction():
            self._db.executemany("DELETE FROM checkpoint WHERE run = ? AND trial = ?", keys)

    # -- child processes

    def add_process(self, pid: int, created: float, host: str) -> None:
        """Remember a child process before it is given work."""
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO process VALUES (?, ?, ?)", (pid, created, host))

    def processes(self) -> list[tuple[int, float, str]]:
        """Return the child processes that were remembered."""
        return self._db.execute("SELECT pid, created, host FROM process").fetchall()

    def forget_processes(self) -> None:
        """Forget all child processes, once they have ended."""
        with self._transaction():
            self._db.execute("DELETE FROM process")

    # -- transactions

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        before = self._tail
        with reading(self.folder), writing(self.folder):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                if self._tail.seal != before.seal:
                    self._set(SEAL, self._tail.seal.text)
                self._db.execute("COMMIT")
            except BaseException:
                self._tail = before
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
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
            self._db.execute("COMMIT")


def _entries(rows: Sequence[Row], made: Sequence[bytes]) -> list[tuple[int, bytes]]:
    return [(row[0], digest) for row, digest in zip(rows, made, strict=True)]
