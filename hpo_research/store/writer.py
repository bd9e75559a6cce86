"""The writer: rows that go into a store with their digests, and the tail that they leave."""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from operator import itemgetter

from hpo_research.ledger import AskRow
from hpo_research.records import Key, Outcome, Report
from hpo_research.store import digests
from hpo_research.store.digests import SEAL, SUMMED, Row, Seal, Tail
from hpo_research.store.history import Chain
from hpo_research.store.retraction import retract
from hpo_research.store.rows import RunName, ask_row, outcome_row, proposal_row, report_row
from hpo_research.store.schema import INSERT, KEYS, VERSION

_RUN = "SELECT id, problem, strategy, seed, is_over, digest FROM run WHERE id = ?"
_KEYED = {table: itemgetter(*range(KEYS[table])) for table in ("report", "outcome")}


class Writer:
    """Writes to a database inside the transactions of the caller, who keeps `tail` for `back_to`.

    `tail` is where the store ends, with everything that was written.
    """

    def __init__(self, db: sqlite3.Connection, tail: Tail) -> None:
        self._db = db
        self.tail = tail
        self._asks: int | None = None  # the last id; what is None is looked for in the database
        self._over: dict[int, bool] = {}
        self._has_checkpoints: bool | None = None

    def back_to(self, tail: Tail) -> None:
        """Take up an earlier tail, where a transaction was taken back."""
        self.tail = tail
        self._asks, self._over, self._has_checkpoints = None, {}, None

    def text(self, key: str, text: str) -> None:
        """Write a text of `meta`, for another or new."""
        old = self._db.execute("SELECT digest FROM meta WHERE key = ?", (key,)).fetchone()
        self._sum("meta", gone=old and old[0], new=self._text(key, text))

    def texts(self, texts: Mapping[str, str]) -> None:
        """Write texts of `meta` by key."""
        for key, text in texts.items():
            self.text(key, text)

    def seal(self, before: Tail) -> None:
        """Write the seal where it is no longer that of an earlier tail."""
        if self.tail.seal is not before.seal:
            self._text(SEAL, self.tail.seal.text)

    def _text(self, key: str, text: str) -> bytes:
        digest = digests.of_row("meta", (key, text))
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (key, text, digest))
        return digest

    def run(self, number: int, name: RunName) -> None:
        """Write a new run, which is not over."""
        self._insert("run", [(number, *name, 0)])

    def over(self, run: int, is_over: bool) -> None:
        """Write whether a run has come to its end."""
        if self._over.get(run) == is_over:
            return
        *known, was_over, old = self._db.execute(_RUN, (run,)).fetchone()
        self._over[run] = is_over
        if bool(was_over) == is_over:
            return
        digest = digests.of_row("run", (*known, int(is_over)))
        self._db.execute(
            "UPDATE run SET is_over = ?, digest = ? WHERE id = ?", (int(is_over), digest, run)
        )
        self._sum("run", gone=old, new=digest)

    def lost(self, attempts: Sequence[tuple[int, int, int, int]]) -> None:
        """Write attempts that were lost: run, trial, attempt, epoch."""
        first = self._next("lost")
        self._insert("lost", [(first + i, *attempt) for i, attempt in enumerate(attempts)])

    def poll(self, reports: Sequence[tuple[Report, int]], outcomes: Sequence[Outcome]) -> None:
        """Write the turn of a poll."""
        turn = self.tail.turn + 1
        rows = [report_row(report, turn, spent) for report, spent in reports]
        entries = self._keyed("report", rows)
        ended = [outcome_row(outcome, turn, self._ended(outcome.key)) for outcome in outcomes]
        self._turn("poll", entries + self._keyed("outcome", ended))

    def asks(self, asks: Sequence[AskRow]) -> None:
        """Write the turn of all asks."""
        written = sorted((ask for ask in asks if not ask.is_empty), key=lambda ask: ask.run)
        first = self._next("ask") if self._asks is None else self._asks + 1
        numbered = list(enumerate(written, first))
        grants = [
            proposal_row(number, i, grant)
            for number, ask in numbered
            for i, grant in enumerate(ask.grants)
        ]
        granted = iter(self._insert("proposal", grants))
        rows = [ask_row(ask, number, self.tail.turn + 1) for number, ask in numbered]
        entries: list[tuple[int, bytes]] = []
        for ask, digest in zip(written, self._insert("ask", rows), strict=True):
            entries += [(ask.run, own) for own in (*islice(granted, len(ask.grants)), digest)]
        self._asks = first + len(written) - 1
        self._turn("ask", entries)

    def join(self, rows: Mapping[str, Sequence[Row]]) -> None:
        """Write all rows of runs that are new here, with the turns that they came in.

        They are given without digests, in the order of their keys, and numbered to follow those
        that are here; of the turns' rows the links are made anew.
        """
        self._insert("run", rows["run"])
        self._insert("lost", rows["lost"])
        chain = Chain()
        for table in ("report", "outcome"):
            made = self._insert(table, rows[table])
            chain.add([row[3] for row in rows[table]], [row[0] for row in rows[table]], made)
        of_ask: dict[int, list[bytes]] = {}
        made = self._insert("proposal", rows["proposal"])
        for row, digest in zip(rows["proposal"], made, strict=True):
            of_ask.setdefault(row[0], []).append(digest)
        for row, digest in zip(rows["ask"], self._insert("ask", rows["ask"]), strict=True):
            own = [*of_ask.get(row[0], ()), digest]
            chain.add([row[2]] * len(own), [row[1]] * len(own), own)
        numbered = [(number, kind) for number, kind, _ in rows["turn"]]
        tail, turns = Tail(turn=self.tail.turn).with_turns(numbered, dict(chain.by_turn()))
        self._insert("turn", turns)
        self.tail = Tail(self.tail.seal, tail.turn, {**self.tail.links, **tail.links})
        self._asks = None

    def clear(self) -> None:
        """Take away everything but the version."""
        for table in (*KEYS, "checkpoint", "process"):
            self._db.execute(f"DELETE FROM {table}")
        self.back_to(Tail())
        self.text("schema", str(VERSION))

    def last(self, table: str) -> int:
        """Return the last id of a table, 0 before any."""
        return self._next(table) - 1

    def retract(self, run: int, turn: int) -> None:
        """Take back all rows of a run from a turn on, and their links; it is not over any more."""
        retract(self._db, run, turn)
        self._asks = None
        link = None
        turns = self._db.execute("SELECT id, kind, runs, digest FROM turn ORDER BY id").fetchall()
        for number, kind, runs, old in turns:
            links = digests.unpacked(runs)
            if run not in links:
                continue
            if number < turn:
                link = links[run]
                continue
            del links[run]
            row = (number, kind, digests.packed(links))
            digest = digests.of_row("turn", row)
            self._db.execute(
                "UPDATE turn SET runs = ?, digest = ? WHERE id = ?", (row[2], digest, number)
            )
            self._sum("turn", gone=old, new=digest)
        links = {other: own for other, own in self.tail.links.items() if other != run}
        self.tail = replace(self.tail, links=links if link is None else {**links, run: link})
        self.over(run, is_over=False)

    def checkpoints(self, files: Mapping[tuple[Key, int], bytes]) -> None:
        """Write the digests of checkpoint files, by trial and epoch."""
        if files:
            self._has_checkpoints = True
            self._db.executemany(
                "INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?, ?)",
                [(*key, epoch, digest) for (key, epoch), digest in files.items()],
            )

    def forget(self, keys: Collection[Key]) -> None:
        """Take away the digests of the checkpoint files of trials."""
        if self._has_checkpoints is None:
            (found,) = self._db.execute("SELECT EXISTS (SELECT 1 FROM checkpoint)").fetchone()
            self._has_checkpoints = bool(found)
        if keys and self._has_checkpoints:
            self._db.executemany("DELETE FROM checkpoint WHERE run = ? AND trial = ?", keys)

    def _ended(self, key: Key) -> int:
        counted = "SELECT count(*) FROM outcome WHERE run = ? AND trial = ?"
        return int(self._db.execute(counted, key).fetchone()[0])

    def _next(self, table: str) -> int:
        return int(self._db.execute(f"SELECT max(id) FROM {table}").fetchone()[0] or 0) + 1

    def _keyed(self, table: str, rows: list[Row]) -> list[tuple[int, bytes]]:
        """Insert rows of runs in the order of their keys, in which they are read."""
        rows.sort(key=_KEYED[table])
        made = self._insert(table, rows)
        return [(row[0], digest) for row, digest in zip(rows, made, strict=True)]

    def _turn(self, kind: str, entries: Sequence[tuple[int, bytes]]) -> None:
        by_run: dict[int, bytes] = {}
        for run, digest in entries:
            by_run[run] = by_run.get(run, b"") + digest
        self.tail, row = self.tail.with_turn(kind, by_run)
        self._insert("turn", [row])

    def _insert(self, table: str, rows: Sequence[Row]) -> list[bytes]:
        if not rows:
            return []
        made = [digests.of_row(table, row) for row in rows]
        entries = [(*row, digest) for row, digest in zip(rows, made, strict=True)]
        self._db.executemany(INSERT[table], entries)
        if table in SUMMED:
            self._sealed(self.tail.seal.with_all(table, made))
        return made

    def _sum(self, table: str, *, gone: bytes | None = None, new: bytes | None = None) -> None:
        self._sealed(self.tail.seal.changed(table, gone=gone, new=new))

    def _sealed(self, seal: Seal) -> None:
        self.tail = Tail(seal, self.tail.turn, self.tail.links)
