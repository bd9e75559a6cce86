"""Damaged and edited stores: each is read as it was, or refused with a `StoreError`.

    python -m tests.campaign.stores [--count 700] [--seed 0]

Stores (of a killed experiment with its write-ahead log, of the same with the log taken in, of a
finished one, of a study, of schema 2) are damaged in their bytes or edited through SQL, one damage
a copy. Every door must give the numbers of the undamaged store, or refuse. Where the log alone is
damaged an earlier moment is right too: it is what a crash at that moment would have left. What a
rescue brings must be a part of the undamaged numbers, and go on to the same end. Stores of schema 2
have no digests, so that other numbers cannot always be seen: they are counted as unchecked.
"""

import argparse
import contextlib
import random
import shutil
import sqlite3
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import hpo_research as hpo
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.store import RunName, Store
from hpo_research.store.rescue import rescue

FILE = "store.sqlite"
TABLES = ("meta", "run", "turn", "ask", "proposal", "report", "outcome", "lost")
SPACE = hpo.SearchSpace(x=hpo.Float(0, 1), kind=hpo.Categorical(["a", "b"]))
GO_ON_EVERY = 5  # a run to the end costs a hundred reads
REFUSED, EQUAL, EARLIER, UNCHECKED = "refused", "equal", "earlier", "unchecked"
OLD = Path(__file__).parents[1] / "stores" / "schema2" / "finished"
OTHER, RAW = "OTHER NUMBERS", "RAW EXCEPTION"


@dataclass(frozen=True)
class Ended:
    """How one damaged store ended at one door."""

    number: int
    store: str
    kind: str
    door: str
    end: str
    detail: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether it ended as it must not."""
        return self.end in (OTHER, RAW)


class Killed(BaseException):
    """Stands for SIGKILL."""


def experiment() -> hpo.Experiment:
    """A small experiment with pauses, stops and two problems."""
    return hpo.Experiment(
        name="damaged",
        problems=[hpo.problem("branin"), hpo.problem("curves", max_epochs=9)],
        strategies={
            "random": hpo.Random(),
            "hyperband": hpo.Hyperband(),
            "median": hpo.MedianStopping(hpo.Random(kind="sobol"), min_trials=2),
        },
        seeds=[0, 1],
        budget=hpo.Budget(evaluations=6),
        parallel=4,
    )


def study(folder: Path) -> hpo.Study:
    """A study in a folder, as it is opened each time."""
    return hpo.Study(SPACE, hpo.Random(), path=folder)


def made(place: Path) -> dict[str, Path]:
    """Make the undamaged stores, and return their folders by name."""
    finished = place / "finished"
    hpo.run(experiment(), out=finished, device="cpu")
    _kill(place / "begun", place / "killed")
    with study(place / "study") as own:
        own.enqueue({"x": 0.25, "kind": "b"})
        for trial in own.ask(12):
            if trial.id < 8:
                own.tell(trial.id, trial.config["x"] ** 2)
        own.fail(9, "no luck")
    shutil.copytree(place / "killed", place / "taken in")
    with closing(sqlite3.connect(place / "taken in" / FILE)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copytree(OLD, place / "old")
    names = ("finished", "killed", "study", "taken in", "old")
    return {name: place / name for name in names}


def _kill(begun: Path, killed: Path) -> None:
    """Run to the tenth poll, and keep the folder as a killed process would leave it."""
    append, count = Store.append_poll, 0

    def counted(self: Store, *arguments: object, **options: object) -> None:
        nonlocal count
        append(self, *arguments, **options)  # type: ignore[arg-type]
        count += 1
        if count == 10:
            shutil.copytree(begun, killed)
            raise Killed

    Store.append_poll = counted  # type: ignore[method-assign, assignment]
    try:
        hpo.run(experiment(), out=begun, device="cpu")
    except Killed:
        pass
    finally:
        Store.append_poll = append  # type: ignore[method-assign]


# --- numbers ---


def numbers(result: Result) -> dict[object, object]:
    """All that a reader can know, apart from seconds, by run."""
    return {
        name: (
            [(t.config, t.status, t.epochs, t.values, t.origin, t.reason) for t in run.trials],
            [(ask.proposals, ask.notes) for ask in run.asks],
            name in result.over,
            [(report.trial, report.epoch, report.metrics) for report, _, _ in result.history[name]],
        )
        for name, run in result.runs.items()
    }


def is_part(part: Result, whole: Result) -> bool:
    """Whether every run holds what the whole one held at some moment."""
    return all(name in whole.runs and _is_prefix(part, whole, name) for name in part.runs)


def _is_prefix(part: Result, whole: Result, name: RunName) -> bool:
    for own, known in zip(part.runs[name].trials, whole.runs[name].trials, strict=False):
        n = len(own.epochs)
        if (own.config, own.epochs, own.values) != (
            known.config,
            known.epochs[:n],
            known.values[:n],
        ):
            return False
    return len(part.runs[name].trials) <= len(whole.runs[name].trials)


# --- damages: each changes a folder ---

Damage = Callable[[Path, random.Random], None]


def _bytes(path: Path, change: Callable[[bytearray], object]) -> None:
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


def _flips(path: Path, rng: random.Random) -> None:
    def change(data: bytearray) -> None:
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)

    _bytes(path, change)


def flipped(folder: Path, rng: random.Random) -> None:
    """A few bits are others."""
    _flips(folder / FILE, rng)


def flipped_beginning(folder: Path, rng: random.Random) -> None:
    """One byte of the first page is another."""

    def change(data: bytearray) -> None:
        data[rng.randrange(4096)] ^= rng.randrange(1, 256)

    _bytes(folder / FILE, change)


def zeroed(folder: Path, rng: random.Random) -> None:
    """A range of bytes is zero."""

    def change(data: bytearray) -> None:
        length = rng.choice((16, 256, 4096, 8192))
        begin = rng.randrange(len(data))
        end = min(begin + length, len(data))
        data[begin:end] = bytes(end - begin)

    _bytes(folder / FILE, change)


def truncated(folder: Path, rng: random.Random) -> None:
    """The file ends early."""
    _bytes(folder / FILE, lambda data: data.__delitem__(slice(rng.randrange(len(data)), None)))


def swapped_pages(folder: Path, rng: random.Random) -> None:
    """Two pages stand in each other's place."""

    def change(data: bytearray) -> None:
        count = len(data) // 4096
        a, b = rng.sample(range(count), 2) if count > 1 else (0, 0)
        left, right = slice(a * 4096, (a + 1) * 4096), slice(b * 4096, (b + 1) * 4096)
        data[left], data[right] = data[right], data[left]

    _bytes(folder / FILE, change)


def repeated_page(folder: Path, rng: random.Random) -> None:
    """A page stands in the place of another too."""

    def change(data: bytearray) -> None:
        a, b = rng.randrange(len(data) // 4096), rng.randrange(len(data) // 4096)
        data[a * 4096 : (a + 1) * 4096] = data[b * 4096 : (b + 1) * 4096]

    _bytes(folder / FILE, change)


def without_log(folder: Path, rng: random.Random) -> None:
    """The write-ahead log was not copied."""
    (folder / f"{FILE}-wal").unlink(missing_ok=True)


def damaged_log(folder: Path, rng: random.Random) -> None:
    """The write-ahead log has other bits, or ends early."""
    path = folder / f"{FILE}-wal"
    if not path.exists() or not path.stat().st_size:
        return
    if rng.random() < 0.5:
        _flips(path, rng)
    else:
        _bytes(path, lambda data: data.__delitem__(slice(rng.randrange(len(data)), None)))


LOGS = (damaged_log,)


def _sql(edit: Callable[[sqlite3.Connection, random.Random], None]) -> Damage:
    def change(folder: Path, rng: random.Random) -> None:
        with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as db:
            edit(db, rng)

    change.__name__ = edit.__name__
    return change


def _picked(db: sqlite3.Connection, rng: random.Random) -> tuple[str, list[str], int]:
    """A table, its columns, and the position of one of its rows."""
    while True:
        table = rng.choice(TABLES)
        (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
        if count:
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            return table, columns, rng.randrange(count)


def _row(db: sqlite3.Connection, table: str, position: int) -> tuple[object, ...]:
    row: tuple[object, ...] = db.execute(
        f"SELECT * FROM {table} LIMIT 1 OFFSET {position}"
    ).fetchone()
    return row


def _delete(
    db: sqlite3.Connection, table: str, columns: list[str], row: tuple[object, ...]
) -> None:
    condition = " AND ".join(f"{column} IS ?" for column in columns)
    db.execute(f"DELETE FROM {table} WHERE {condition}", row)


def _replace(
    db: sqlite3.Connection,
    table: str,
    columns: list[str],
    old: tuple[object, ...],
    new: list[object],
) -> None:
    _delete(db, table, columns, old)
    db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(new))})", new)


def edited_value(db: sqlite3.Connection, rng: random.Random) -> None:
    """A column of a row holds another value."""
    table, columns, position = _picked(db, rng)
    row = _row(db, table, position)
    new = list(row)
    i = rng.randrange(len(columns))
    value = new[i]
    others: list[object] = [0, 1, -1, 2.5, "", "x", b"\1", 1 << 62, 1e308]
    if isinstance(value, int | float):
        others += [value + 1, value * 2, -value]
    if isinstance(value, str):
        others += [value + " ", value[: len(value) // 2], value.replace("1", "2"), value.upper()]
    new[i] = rng.choice(others)
    # Where the tables refuse it the row is gone, which is damage too.
    with contextlib.suppress(sqlite3.IntegrityError):
        _replace(db, table, columns, row, new)


def other_json(db: sqlite3.Connection, rng: random.Random) -> None:
    """A text that holds JSON holds other JSON, or none."""
    table, column = rng.choice(
        [
            *(("meta", "value"), ("report", "metrics"), ("ask", "notes"), ("ask", "parts")),
            ("proposal", "config"),
        ]
    )
    text = rng.choice(
        ["{}", "[]", "null", "NaN", '{"value": NaN}', "[" * 5000, '{"x": 1', "1e999", '"a"', "3"]
    )
    (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    if count:
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        row = _row(db, table, rng.randrange(count))
        new = list(row)
        new[columns.index(column)] = text
        _replace(db, table, columns, row, new)


def not_utf8(db: sqlite3.Connection, rng: random.Random) -> None:
    """A text holds bytes that are not UTF-8."""
    table, column = rng.choice(
        [
            *(("meta", "value"), ("report", "metrics"), ("outcome", "reason")),
            *(("run", "problem"), ("proposal", "origin"), ("ask", "exhausted")),
        ]
    )
    (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    condition = " AND ".join(f"{column} IS ?" for column in columns)
    row = _row(db, table, rng.randrange(count)) if count else ()
    if row:
        db.execute(f"UPDATE {table} SET {column} = CAST(x'C3FF28' AS TEXT) WHERE {condition}", row)


def deleted_rows(db: sqlite3.Connection, rng: random.Random) -> None:
    """One row, or a few, are gone."""
    for _ in range(rng.choice((1, 1, 3))):
        table, columns, position = _picked(db, rng)
        _delete(db, table, columns, _row(db, table, position))


def deleted_last_turn(db: sqlite3.Connection, rng: random.Random) -> None:
    """The last turn is gone with all its rows."""
    (turn,) = db.execute("SELECT max(id) FROM turn").fetchone()
    db.execute("DELETE FROM proposal WHERE ask IN (SELECT id FROM ask WHERE turn = ?)", (turn,))
    for table, column in (("ask", "turn"), ("report", "turn"), ("outcome", "turn"), ("turn", "id")):
        db.execute(f"DELETE FROM {table} WHERE {column} = ?", (turn,))


def duplicated_row(db: sqlite3.Connection, rng: random.Random) -> None:
    """A row is there a second time, under another key."""
    table, columns, position = _picked(db, rng)
    new = list(_row(db, table, position))
    shifted = 0 if table in ("run", "turn", "ask", "lost", "meta") else rng.randrange(3)
    key = new[shifted]
    new[shifted] = key + 1000 if isinstance(key, int) else f"{key}2"
    try:
        db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(new))})", new)
    except sqlite3.IntegrityError:
        _delete(db, table, columns, _row(db, table, position))


def swapped_rows(db: sqlite3.Connection, rng: random.Random) -> None:
    """Two rows of a table have exchanged what does not belong to their keys."""
    table = rng.choice(("report", "outcome", "proposal", "ask", "run"))
    rows = db.execute(f"SELECT * FROM {table}").fetchall()
    if len(rows) < 2:
        return
    keys = {"report": 3, "outcome": 3, "proposal": 2, "ask": 1, "run": 1}[table]
    a, b = rng.sample(rows, 2)
    columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    _delete(db, table, columns, a)
    _delete(db, table, columns, b)
    for new in ((*a[:keys], *b[keys:]), (*b[:keys], *a[keys:])):
        db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(new))})", new)


def dropped_table(db: sqlite3.Connection, rng: random.Random) -> None:
    """A table is gone."""
    db.execute(f"DROP TABLE IF EXISTS {rng.choice((*TABLES, 'process', 'checkpoint'))}")


def dropped_column(db: sqlite3.Connection, rng: random.Random) -> None:
    """A column is gone."""
    table, column = rng.choice(
        [
            *(("report", "seconds"), ("ask", "notes"), ("proposal", "origin"), ("turn", "kind")),
            *(("outcome", "reason"), ("lost", "epoch"), ("meta", "value")),
        ]
    )
    if table == "turn":  # its kind is checked by the table, and cannot be dropped
        db.execute("ALTER TABLE turn RENAME COLUMN kind TO sort")
        return
    db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")


DAMAGES: tuple[Damage, ...] = (
    *(
        flipped,
        flipped_beginning,
        zeroed,
        truncated,
        swapped_pages,
        repeated_page,
        without_log,
        *LOGS,
    ),
    *map(_sql, (edited_value, other_json, not_utf8, deleted_rows, deleted_last_turn)),
    *map(_sql, (duplicated_row, swapped_rows, dropped_table, dropped_column)),
)


# --- doors ---


def _try(ends: Callable[[], str]) -> tuple[str, str]:
    try:
        return ends(), ""
    except StoreError as error:
        return REFUSED, str(error)
    except Exception:
        return RAW, traceback.format_exc()


def _read(folder: Path, whole: Result, may_be_earlier: bool) -> str:
    found = Result.read(folder)
    found.frame(), found.reports(), found.messages(), found.changes()
    return _verdict(found, whole, may_be_earlier)


def _verdict(found: Result, whole: Result, may_be_earlier: bool) -> str:
    if numbers(found) == numbers(whole):
        return EQUAL
    return EARLIER if may_be_earlier and is_part(found, whole) else OTHER


def _go_on(folder: Path, name: str, end: dict[object, object]) -> str:
    """Open the store for writing, go on, and hold the end against that of the undamaged store."""
    if name == "study":
        with study(folder) as own:
            own.ask(20 - len(own.trials))
            found = [(trial.config, trial.origin) for trial in own.trials]
        return EQUAL if found == end["study"] else OTHER
    result = hpo.run(experiment(), out=folder, device="cpu")
    return EQUAL if numbers(result) == end["experiment"] else OTHER


def _rescue(folder: Path, out: Path, name: str, whole: Result, end: dict[object, object]) -> str:
    found = rescue(folder, out)
    if found.has_experiment and not is_part(Result.read(out), whole):
        return OTHER
    return _go_on(out, name, end) if end else EQUAL


def damage(n: int, seed: int, *, goes_on: int = GO_ON_EVERY) -> Iterator[Ended]:
    """Damage n stores, and yield how each ended at each door; each `goes_on`-th runs to its end."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        stores = made(place)
        whole = {name: Result.read(folder) for name, folder in stores.items()}
        end: dict[object, object] = {"experiment": numbers(whole["finished"])}
        with study(shutil.copytree(stores["study"], place / "study to its end")) as own:
            own.ask(8)
            end["study"] = [(trial.config, trial.origin) for trial in own.trials]
        for number in range(n):
            rng = random.Random(f"{seed} {number}")
            store = list(stores)[number % len(stores)]
            change = DAMAGES[number % len(DAMAGES)]  # 17 kinds and 5 stores: every pair comes up
            kind, is_log = change.__name__, change in LOGS
            folder = Path(shutil.copytree(stores[store], place / str(number)))
            change(folder, rng)
            doors: dict[str, Callable[[], str]] = {
                "rescue": lambda f=folder, s=store, i=number: _rescue(
                    f,
                    place / f"{i} out",
                    s,
                    whole[s],
                    end if i % goes_on == 0 and s != "old" else {},
                ),
                "read": lambda f=folder, s=store, log=is_log: _read(f, whole[s], log),
                "go on": lambda f=folder, s=store: _go_on(f, s, end),
            }
            verdict = ("", "")
            for door, ends in doors.items():
                # What reads as it was is run to the end now and then only.
                if door == "go on" and store == "old":
                    continue
                if door == "go on" and number % goes_on and verdict[0] != REFUSED:
                    continue
                verdict = _try(ends)
                if store == "old" and verdict[0] == OTHER:
                    verdict = UNCHECKED, ""
                yield Ended(number, store, kind, door, *verdict)
            shutil.rmtree(folder)
            shutil.rmtree(place / f"{number} out", ignore_errors=True)


def main() -> int:
    """Damage many stores, and print how they ended; 1 where one ended as it must not."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.stores")
    parser.add_argument("--count", type=int, default=700)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts: Counter[tuple[str, str, str]] = Counter()
    faults = []
    for ended in damage(options.count, options.seed):
        counts[ended.kind, ended.door, ended.end] += 1
        if ended.is_fault:
            faults.append(ended)
            print(f"fault {ended}", flush=True)
            print(ended.detail, flush=True)
    for (kind, door, end), count in sorted(counts.items()):
        print(f"{kind:20} {door:8} {end:14} {count:5}")
    print(f"{options.count} damaged stores: {len(faults)} faults")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
