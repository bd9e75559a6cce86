"""The rescue: all that is whole of a damaged store, in a new one that can be reported and go on.

A run is kept up to its first turn that is not whole: what came after it cannot be replayed. It is
then asked again, and goes on from there. The damaged store is not touched.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from hpo_research.errors import StoreError, StoreWriteError
from hpo_research.store import digests, lock, migration
from hpo_research.store.connection import FILE, writing
from hpo_research.store.damage import Damage, reading
from hpo_research.store.described import breaks
from hpo_research.store.digests import Row, before_attempts
from hpo_research.store.history import history
from hpo_research.store.kept import Kept, kept
from hpo_research.store.schema import COLUMNS, INSERT, TABLES, VERSION
from hpo_research.store.sealing import sealed
from hpo_research.store.undigested import undigested
from hpo_research.store.wreck import Wreck, wreck


@dataclass(frozen=True)
class Rescued:
    """What a rescue brought: rows copied and left by table, and why.

    `cuts` says of each run that lacks rows in which turn it breaks off; `files` counts checkpoints.
    """

    folder: Path
    copied: Mapping[str, int]
    left: Mapping[str, int]
    damages: Sequence[Damage]
    cuts: Mapping[str, int]
    files: int
    has_experiment: bool


def rescue(folder: str | Path, out: str | Path) -> Rescued:
    """Copy what is whole of a damaged store to a new folder, and say what was left.

    Raises `StoreError` where nothing can be read, or where `out` is there and not empty;
    `StoreLockedError` while a process writes to it; `StoreWriteError` where the disk refuses.
    """
    source, target = Path(folder), Path(out)
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise StoreError(f"{target}: already exists; name a folder that is new or empty")
        with lock.idle(source):
            pass
        target.mkdir(parents=True, exist_ok=True)
        return _rescue(source, target)
    except StoreWriteError:
        raise
    except OSError as error:
        raise StoreWriteError(f"{target}: the rescue was cut short ({error})") from error


def _rescue(source: Path, target: Path) -> Rescued:
    # What is half done is never seen as a store: the file is moved to its name at the end.
    with tempfile.TemporaryDirectory(dir=target, prefix=".rescue-") as name:
        workplace = Path(name)
        with reading(source), wreck(source, workplace) as found:
            rows, broken, notes = _rows_of(found)
            digested = before_attempts if found.version == 3 else digests.of_rows
            checkpoints = found.checkpoints()
            notes += found.damages
        what = history(rows.__getitem__, None, digested=digested)
        cuts, illegal = breaks(what, broken)
        keep = kept(rows, what, cuts, checkpoints, digested=digested)
        if found.version < VERSION:
            keep = replace(keep, rows=_in_first_attempts(keep.rows))
        with writing(target):
            _write(workplace / "new.sqlite", keep)
        files = _copy_files(source, workplace / "checkpoints", keep)
        if files:
            (workplace / "checkpoints").rename(target / "checkpoints")
        (workplace / "new.sqlite").rename(target / FILE)
    names = {number: name for name, number in what.runs.items()}
    return Rescued(
        target,
        {table: len(own) for table, own in keep.rows.items()},
        {table: len(own) - len(keep.rows[table]) for table, own in rows.items()},
        [*notes, *what.damages, *illegal],
        {
            f"{names[run].strategy} on {names[run].problem}, seed {names[run].seed}": turn
            for run, turn in sorted(cuts.items())
            if run in names
        },
        files,
        any(row[0] == "experiment" for row in keep.rows["meta"]),
    )


def _rows_of(found: Wreck) -> tuple[dict[str, list[Row]], dict[int, int], list[Damage]]:
    """Return all rows that can be read, with digests; where runs break off; what is wrong."""
    rows = {table: found.rows(table) for table in COLUMNS}
    if found.version > 2:
        return rows, {}, []
    whole, cuts, notes = undigested({table: [r[:-1] for r in own] for table, own in rows.items()})
    count = sum(map(len, rows.values()))
    whole["meta"] = [_changed(*row) for row in whole["meta"]]
    whole["meta"].append((migration.UNDIGESTED, str(count)))
    return sealed(whole), cuts, notes


def _in_first_attempts(rows: Mapping[str, Sequence[Row]]) -> dict[str, Sequence[Row]]:
    """Return rows of earlier versions, which counted segments, with all attempts the first."""
    found = dict(rows)
    for table in ("proposal", "lost"):
        place = list(COLUMNS[table]).index("attempt")
        found[table] = [(*row[:place], 0, *row[place + 1 :]) for row in rows[table]]
    return found


def _changed(key: str, text: str) -> Row:
    try:
        return migration.changed_text(key, text)
    except ValueError:
        return key, text  # it is no description, and is left out as such


def _write(path: Path, keep: Kept) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("BEGIN IMMEDIATE")
        for statement in TABLES:
            db.execute(statement)
        for table, own in sealed(keep.rows).items():
            db.executemany(INSERT[table], own)
        db.executemany(
            "INSERT INTO checkpoint VALUES (?, ?, ?, ?)",
            [(*key, digest) for key, digest in keep.checkpoints.items()],
        )
        db.execute("COMMIT")


def _copy_files(source: Path, target: Path, keep: Kept) -> int:
    """Copy the checkpoints of kept trials that are as they were written; return how many."""
    count = 0
    for run, trial in keep.resumable:
        for path in sorted((source / "checkpoints" / str(run) / str(trial)).glob("*.safetensors")):
            if not path.is_file() or not path.stem.isdecimal():
                continue
            digest = keep.checkpoints.get((run, trial, int(path.stem)))
            if digest == digests.of_file(path) or (digest is None and keep.is_undigested):
                place = target / str(run) / str(trial)
                place.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place / path.name)
                count += 1
    return count
