"""The wreck: what SQLite can still read of a damaged store, row by row around the damage.

It works on a copy, so that the folder of the store is not touched. Where a table breaks off it is
read from its other end, and then key by key between the two. Where the first page is gone, which
says where the tables lie, that of a new store is put in its place: tables are always made in the
same order.
"""

import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from hpo_research.errors import StoreError
from hpo_research.store.connection import FILE, existing
from hpo_research.store.damage import Damage
from hpo_research.store.digests import Row
from hpo_research.store.schema import COLUMNS, KEYS, TABLES, VERSION

_UNREADABLE = (sqlite3.Error, UnicodeDecodeError)  # also of SQLite's messages, that quote the file
_TEXTS = (
    *("experiment", "provenance", "code", "queue", "seal", "undigested", "unanswered"),
    *("remembered", "shard", "merged"),
)
_GAP = 200  # keys in a row without an answer, after which no more are tried


class Wreck:
    """A copy of a damaged store, open for reading; `damages` is what could not be read so far."""

    def __init__(self, db: sqlite3.Connection, version: int, damages: list[Damage]) -> None:
        self._db = db
        self.version = version
        self.damages = damages

    def rows(self, table: str) -> list[Row]:
        """Return the rows that can be read, by key: the columns of this version, and the digest.

        The digest is None, and `turn.runs` empty, where the version has none.
        """
        found: dict[Row, Row] = {}
        keys = list(COLUMNS[table])[: KEYS[table]]
        for direction in ("ASC", "DESC"):
            order = ", ".join(f"{key} {direction}" for key in keys)
            error = self._collect(table, f"ORDER BY {order}", (), found)
            if error is None:
                break
            if direction == "ASC":
                self.damages.append(Damage(table, "", str(error)))
        else:
            for condition, values in self._probes(table, found):
                self._collect(table, condition, values, found)
        return [found[key] for key in sorted(found, key=_by_type)]

    def _collect(
        self, table: str, condition: str, values: Sequence[object], found: dict[Row, Row]
    ) -> Exception | None:
        """Read rows into `found` until the end, or until the error that is returned."""
        try:
            for row in self._db.execute(f"{self._select(table)} {condition}", values):
                key = row[: KEYS[table]]
                found[(*key, row[-2]) if table == "report" else key] = row
        except _UNREADABLE as error:
            return error
        return None

    def _select(self, table: str) -> str:
        columns = list(COLUMNS[table])
        if self.version < 3:
            old = {"runs": "x''", "id": "rowid AS id"} if table in ("turn", "lost") else {}
            if table == "report":
                old = {"attempt": "0 AS attempt"}
            return f"SELECT {', '.join(old.get(c, c) for c in columns)}, NULL FROM {table}"
        if self.version < 4 and table == "report":
            columns[-1] = "0 AS attempt"
        return f"SELECT {', '.join(columns)}, digest FROM {table}"

    def _probes(self, table: str, found: Iterable[Row]) -> Iterator[tuple[str, Sequence[object]]]:
        """Yield conditions for keys that may lie in the unreadable part of a table."""
        known = {key for key in found if all(type(part) is int for part in key)}
        if table == "meta":
            for key in _TEXTS:
                yield "WHERE key = ?", (key,)
        elif KEYS[table] == 1 or table == "proposal":
            name = next(iter(COLUMNS[table]))
            last = max((key[0] for key in known), default=_GAP)
            for number in range(last + _GAP):
                yield f"WHERE {name} = ?", (number,)
        else:
            for run in range(max((key[0] for key in known), default=1) + 2):
                last = max((key[1] for key in known if key[0] == run), default=0)
                for trial in range(last + _GAP):
                    yield "WHERE run = ? AND trial = ?", (run, trial)

    def checkpoints(self) -> dict[tuple[int, int, int], bytes]:
        """Return the digests of the checkpoint files that can be read."""
        if self.version < 3:
            return {}
        try:
            rows = self._db.execute("SELECT run, trial, epoch, digest FROM checkpoint").fetchall()
        except _UNREADABLE as error:
            self.damages.append(Damage("checkpoint", "", str(error)))
            return {}
        return {row[:3]: row[3] for row in rows}


def _by_type(key: Row) -> list[tuple[str, object]]:
    return [(type(part).__name__, part) for part in key]


@contextmanager
def wreck(folder: Path, workplace: Path) -> Iterator[Wreck]:
    """Open what can be read of a store. Raises `StoreError` where nothing can."""
    existing(folder)
    copy = workplace / FILE
    for name in (FILE, f"{FILE}-wal"):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, workplace / name)
    damages: list[Damage] = []
    version = _version(copy)
    if version is None:
        damages.append(Damage("of contents", "", "the first page cannot be read"))
        _replace_first_page(copy)
        version = _version(copy)
    if version is None:
        raise StoreError(f"{folder}: nothing of {FILE} can be read; is it an hpo_research store?")
    with closing(sqlite3.connect(copy, isolation_level=None)) as db:
        # A text that is not UTF-8 is one damaged row, and not the end of the table.
        db.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        yield Wreck(db, version, damages)


def _version(path: Path) -> int | None:
    """Return the version by what the tables look like, None where they cannot be read."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
            if not tables & COLUMNS.keys():
                return None
            turn, report = (
                [row[1] for row in db.execute(f"PRAGMA table_info({name})")]
                for name in ("turn", "report")
            )
            if turn and "digest" not in turn:
                return 2
            return 3 if report and "attempt" not in report else VERSION
    except _UNREADABLE:
        return None


def _replace_first_page(path: Path) -> None:
    """Put the first page of a new store into a file."""
    fresh = path.with_name("fresh.sqlite")
    with closing(sqlite3.connect(fresh, isolation_level=None)) as db:
        for statement in TABLES:
            db.execute(statement)
    page = bytearray(fresh.read_bytes()[:4096])
    # The counters at 24 and 92 differ, so SQLite takes the number of pages from the file's size.
    page[24:28], page[92:96] = b"\0\0\0\2", b"\0\0\0\1"
    page[18:20] = b"\2\2"  # a write-ahead log may lie beside it
    with open(path, "r+b") as file:
        file.write(page)
