"""The store: every ask, report and outcome of an experiment, in one SQLite file.

A turn of the loop is two transactions, each durable before it returns (WAL, synchronous=FULL):
a process killed anywhere leaves all earlier ones. One process writes, under an OS lock; any
number read, and neither waits for the other. The rows are the state: `replay` enters them, in
the order they were written, into fresh ledgers.
"""

import json
import math
import os
import sqlite3
import uuid
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

from hpo_research.errors import StoreError
from hpo_research.ledger import AskRow, Grant, Ledger
from hpo_research.paths import Given, place, refusal
from hpo_research.records import Outcome, Report
from hpo_research.store import lock, schema
from hpo_research.store.connection import (
    FILE,
    inspect,
    keep_log,
    let_go,
    reader,
    transaction,
    writer,
    writing,
)
from hpo_research.store.mark import Log, check


class RunName(NamedTuple):
    """What names a run in an experiment."""

    problem: str
    strategy: str
    seed: int


@dataclass(frozen=True)
class LastTurn:
    """The last transaction: its kind (None in an empty store) and the runs that got rows."""

    kind: str | None
    runs: frozenset[int]


class Store:
    """An open store. Use `Store.write`, `Store.read` or `Store.in_memory`, then `close`.

    It is closed, and its lock given back, when nobody refers to it any more. Threads may take
    turns with it; a forked child must leave it alone.
    """

    def __init__(
        self, connection: sqlite3.Connection, folder: Path | None, held: lock.Lock | None
    ) -> None:
        self._db = connection
        self._log = Log(connection, folder / FILE, held) if folder and held else None
        self._transaction = partial(transaction, connection, self._log, folder)
        self.folder = folder
        self.tag = uuid.uuid4().hex if held is None else held.name
        self._end = weakref.finalize(self, let_go, connection, self._log, held, os.getpid())

    @classmethod
    def in_memory(cls) -> Self:
        """Return an empty store that lives as long as its object."""
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.executescript(schema.TABLES)
        store = cls(connection, None, None)
        store._set("schema", schema.VERSION)
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
        held = lock.acquire(folder)
        store: Self | None = None
        try:
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
        path = folder / FILE
        if not path.is_file():
            raise StoreError(f"{folder}: holds no store ({FILE} is missing); name a results folder")
        store = cls(reader(path), folder, None)
        try:
            store._check_format()
            check(store._db, folder, path)
            store._check_version()
        except BaseException:
            store.close()
            raise
        return store

    def _prepare(self) -> None:
        self._check_format()
        keep_log(self._db)
        if self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            self._check_version()
            return
        begin = f"INSERT INTO meta VALUES ('schema', '{schema.VERSION}');"
        self._db.executescript(f"BEGIN IMMEDIATE; {schema.TABLES} {begin} COMMIT;")

    def _check_format(self) -> None:
        try:
            self._db.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.folder}: {FILE} is no store ({error})") from error

    def _check_version(self) -> None:
        self._check_format()
        try:
            row = self._db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        except sqlite3.OperationalError as error:
            raise StoreError(f"{self.folder}: {FILE} is no store of ours ({error})") from error
        found = int(row[0]) if row else 0
        if found > schema.VERSION:
            raise StoreError(
                f"{self.folder}: written by a newer version (schema {found}, this version reads "
                f"{schema.VERSION}); nothing was changed: upgrade hpo_research to go on"
            )
        if found < schema.VERSION:
            raise StoreError(
                f"{self.folder}: written by an older version (schema {found}, this version reads "
                f"{schema.VERSION}); nothing was changed: run the experiment in another folder"
            )

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
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def metas(self, prefix: str) -> list[str]:
        """Return the stored texts whose keys begin with a prefix, in the order of their keys."""
        rows = self._db.execute("SELECT key, value FROM meta ORDER BY key")
        return [str(value) for key, value in rows if key.startswith(prefix)]

    def set_meta(self, texts: Mapping[str, str]) -> None:
        """Store texts by key in one transaction."""
        with self._transaction():
            for key, text in texts.items():
                self._set(key, text)

    def _set(self, key: str, value: object) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, str(value)))

    def runs(self) -> dict[RunName, int]:
        """Return the id of every run."""
        rows = self._db.execute("SELECT problem, strategy, seed, id FROM run ORDER BY id")
        return {RunName(*row[:3]): row[3] for row in rows}

    def add_runs(self, names: Sequence[RunName]) -> dict[RunName, int]:
        """Enter the runs that are missing and return the id of every run."""
        known = self.runs()
        with self._transaction():
            for name in names:
                if name not in known:
                    self._db.execute(
                        "INSERT INTO run (problem, strategy, seed) VALUES (?, ?, ?)", name
                    )
        return self.runs()

    # -- what happened

    def append_poll(
        self, reports: Sequence[tuple[Report, int]], outcomes: Sequence[Outcome]
    ) -> None:
        """Store one poll: reports, each with the epochs its run has spent, and outcomes."""
        with self._transaction():
            turn = self._db.execute("INSERT INTO turn (kind) VALUES ('poll')").lastrowid
            self._db.executemany(
                "INSERT INTO report VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (r.run, r.trial, r.epoch, turn, _metrics(r), spent, r.clock, r.seconds or 0.0)
                    for r, spent in reports
                ],
            )
            self._db.executemany(
                "INSERT INTO outcome VALUES (?1, ?2, (SELECT count(*) FROM outcome "
                "WHERE run = ?1 AND trial = ?2), ?3, ?4, ?5, ?6, ?7, ?8)",
                [
                    (o.run, o.trial, turn, o.status, o.epoch, o.reason, o.clock, o.seconds)
                    for o in outcomes
                ],
            )

    def over(self) -> set[int]:
        """Return the ids of the runs that have come to their end."""
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
            turn = self._db.execute("INSERT INTO turn (kind) VALUES ('ask')").lastrowid
            self._db.executemany(
                "UPDATE run SET is_over = ? WHERE id = ?",
                [(int(row.run in over), row.run) for row in rows],
            )
            for row in rows:
                if row.is_empty:
                    continue
                notes = json.dumps(dict(row.notes), sort_keys=True)
                parts = json.dumps(dict(row.parts))
                ask = self._db.execute(
                    "INSERT INTO ask (run, turn, exhausted, notes, clock, seconds, parts) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (row.run, turn, row.exhausted, notes, row.clock, row.seconds, parts),
                ).lastrowid
                self._db.executemany(
                    "INSERT INTO proposal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [_proposal(ask, i, grant) for i, grant in enumerate(row.grants)],
                )

    def replay(self, ledgers: Mapping[int, Ledger]) -> LastTurn:
        """Enter every stored row of these runs into their ledgers, in the order of writing."""
        with self.snapshot():
            polls = self.polls()
            asks = self.asks()
            turns = self._db.execute("SELECT id, kind FROM turn ORDER BY id").fetchall()
        touched: set[int] = set()
        for turn, kind in turns:
            rows: Sequence[AskRow | Report | Outcome]
            rows = asks.get(turn, []) if kind == "ask" else polls.get(turn, [])
            touched = {row.run for row in rows}
            for row in rows:
                if row.run in ledgers:
                    _enter(ledgers[row.run], row)
        return LastTurn(turns[-1][1] if turns else None, frozenset(touched))

    def polls(self) -> dict[int, list[Report | Outcome]]:
        """Return the stored reports and outcomes of all runs by their turn, in order of writing."""
        polls: dict[int, list[Report | Outcome]] = {}
        for run, trial, epoch, turn, metrics, _, clock, seconds in self._db.execute(
            "SELECT * FROM report ORDER BY turn, run, trial, epoch"
        ):
            report = Report(run, trial, epoch, json.loads(metrics), seconds, clock)
            polls.setdefault(turn, []).append(report)
        for run, trial, turn, status, epoch, reason, clock, seconds in self._db.execute(
            "SELECT run, trial, turn, status, epoch, reason, clock, seconds FROM outcome "
            "ORDER BY turn, run, trial"
        ):
            outcome = Outcome(run, trial, status, epoch, reason, clock, seconds)
            polls.setdefault(turn, []).append(outcome)
        return polls

    def asks(self) -> dict[int, list[AskRow]]:
        """Return the stored asks of all runs by their turn."""
        grants: dict[int, list[Grant]] = {}
        for ask, kind, trial, attempt, begin, until, config, origin in self._db.execute(
            "SELECT ask, kind, trial, attempt, start, until, config, origin FROM proposal "
            "ORDER BY ask, position"
        ):
            native = None if config is None else json.loads(config)
            grant = Grant(kind, trial, attempt, begin, until, native, origin)
            grants.setdefault(ask, []).append(grant)
        asks: dict[int, list[AskRow]] = {}
        for ask, run, turn, exhausted, notes, clock, seconds, parts in self._db.execute(
            "SELECT id, run, turn, exhausted, notes, clock, seconds, parts FROM ask ORDER BY id"
        ):
            granted = tuple(grants.get(ask, []))
            why, took = json.loads(notes), json.loads(parts)
            row = AskRow(run, granted, why, exhausted, clock, seconds, took)
            asks.setdefault(turn, []).append(row)
        return asks

    def reports(self) -> list[tuple[Report, int, int]]:
        """Return every report with the epochs its run had spent and its turn."""
        return [
            (Report(run, trial, epoch, json.loads(metrics), seconds, clock), spent, turn)
            for run, trial, epoch, turn, metrics, spent, clock, seconds in self._db.execute(
                "SELECT * FROM report ORDER BY run, trial, epoch"
            )
        ]

    def rows(self) -> int:
        """Return how many proposals, reports and outcomes are stored."""
        counts = (f"(SELECT count(*) FROM {name})" for name in ("proposal", "report", "outcome"))
        return int(self._db.execute(f"SELECT {' + '.join(counts)}").fetchone()[0])

    def mark_lost(self, attempts: Sequence[tuple[int, int, int, int]]) -> None:
        """Note attempts that were running when their process ended: run, trial, attempt, epoch."""
        if attempts:
            with self._transaction():
                self._db.executemany("INSERT INTO lost VALUES (?, ?, ?, ?)", attempts)

    def lost(self) -> list[tuple[int, int, int, int]]:
        """Return the attempts that were lost: run, trial, attempt, last stored epoch."""
        return self._db.execute("SELECT * FROM lost ORDER BY rowid").fetchall()

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


def _metrics(report: Report) -> str:
    # A NaN is a status, never a number: a side metric that is not finite is left out.
    finite = {name: value for name, value in report.metrics.items() if math.isfinite(value)}
    return json.dumps(finite, sort_keys=True, allow_nan=False)


def _proposal(ask: int | None, position: int, grant: Grant) -> tuple[object, ...]:
    config = None if grant.config is None else json.dumps(grant.config, allow_nan=False)
    return (
        ask,
        position,
        grant.kind,
        grant.trial,
        grant.attempt,
        grant.start,
        grant.until,
        config,
        grant.origin,
    )


def _enter(ledger: Ledger, row: AskRow | Report | Outcome) -> None:
    if isinstance(row, AskRow):
        ledger.append_ask(row)
    elif isinstance(row, Report):
        ledger.append_report(row)
    else:
        ledger.append_outcome(row)
