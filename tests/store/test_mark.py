"""Examples of the mark: copies that are whole, copies that are refused, and what it never stops."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from hpo_research.errors import StoreError
from hpo_research.store import Store, mark
from hpo_research.store.connection import FILE
from hpo_research.store.mark import Mark

LOG = f"{FILE}-wal"
DOORS = pytest.mark.parametrize("door", [Store.read, Store.write], ids=["read", "write"])


@pytest.fixture
def rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is made whole at the end alone."""
    monkeypatch.setattr(mark, "_BEGUN", 0.0)
    monkeypatch.setattr(mark, "_SHARE", 0.0)


def copied(folder: Path, to: Path, *, without: str = "") -> Path:
    """The folder as a process that is killed now leaves it, or part of it."""
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("*-shm", without))
    return to


def value(folder: Path) -> str | None:
    with Store.read(folder) as store:
        return store.meta("key")


@pytest.mark.parametrize("found", [Mark(), Mark(True, 3, 5), Mark(True, 2**14 - 1, 2**16 - 1)])
def test_a_mark_is_its_number(found: Mark):
    assert Mark.of(found.number) == found
    assert 0 <= found.number < 2**31  # what SQLite keeps is signed


@DOORS
def test_a_killed_store_without_its_log_is_refused(
    rarely: None, tmp_path: Path, door: Callable[[Path], Store]
):
    with Store.write(tmp_path / "alive") as store:
        store.set_meta({"key": "1"})
        dead = copied(tmp_path / "alive", tmp_path / "dead", without=LOG)
    before = (dead / FILE).read_bytes()
    with pytest.raises(
        StoreError,
        match=f"{FILE} does not hold the last rows: they are in {LOG}, which is missing or empty; "
        "copy the whole folder while nothing runs in it",
    ):
        door(dead)
    assert (dead / FILE).read_bytes() == before


def test_a_file_is_whole_after_every_transaction_that_is_no_burst(tmp_path: Path):
    with Store.write(tmp_path / "alive") as store:
        store.set_meta({"key": "1"})
        copy = copied(tmp_path / "alive", tmp_path / "copy", without=LOG)
    (copy / "lock").unlink()
    assert value(copy) == "1"


def test_a_log_does_not_grow_for_ever(rarely: None, tmp_path: Path):
    with Store.write(tmp_path) as store:
        sizes = []
        for _ in range(4):
            for _ in range(mark._ROWS // 50):
                store.set_meta({str(n): "text" for n in range(50)})
            sizes.append((tmp_path / LOG).stat().st_size)
    assert sizes[-1] < 1.5 * sizes[0]


@DOORS
def test_a_file_and_a_log_of_different_moments_are_refused(
    rarely: None, tmp_path: Path, door: Callable[[Path], Store]
):
    with Store.write(tmp_path / "alive") as store:
        for number in range(3):
            assert store._log is not None
            store.set_meta({"key": str(number)})
            copied(tmp_path / "alive", tmp_path / str(number))
            store._log.settle()
    assert value(tmp_path / "1") == "1"
    for other in ("0", "2"):
        shutil.copy(tmp_path / other / LOG, tmp_path / "1")
        before = [(tmp_path / "1" / name).read_bytes() for name in (FILE, LOG)]
        with pytest.raises(StoreError, match=f"{FILE} and {LOG} are from different moments"):
            door(tmp_path / "1")
        assert [(tmp_path / "1" / name).read_bytes() for name in (FILE, LOG)] == before


@DOORS
def test_a_killed_store_that_another_program_has_closed_is_whole(
    rarely: None, tmp_path: Path, door: Callable[[Path], Store]
):
    with Store.write(tmp_path / "alive") as store:
        store.set_meta({"key": "1"})
        dead = copied(tmp_path / "alive", tmp_path / "dead")
    with closing(sqlite3.connect(dead / FILE)) as other:  # as a database browser does
        other.execute("SELECT * FROM meta").fetchall()
    assert not (dead / LOG).exists()
    with door(dead) as store:
        assert store.meta("key") == "1"


def test_a_process_killed_before_its_first_row_has_lost_nothing(rarely: None, tmp_path: Path):
    with Store.write(tmp_path / "alive") as store:
        store.set_meta({"key": "1"})
    with Store.write(tmp_path / "alive") as store:
        assert store._log is not None
        store._log.precede()
        dead = copied(tmp_path / "alive", tmp_path / "dead", without=LOG)
        other = copied(tmp_path / "alive", tmp_path / "other")
    for folder in (dead, other):
        with Store.write(folder) as store:
            assert store.meta("key") == "1"
            store.set_meta({"key": "2"})
        assert value(folder) == "2"


def test_a_store_from_before_marks_is_read_and_gets_one(tmp_path: Path):
    Store.write(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as old:
        old.execute("PRAGMA user_version = 0")
    (tmp_path / "lock").write_text("process 1 on another\n")
    with Store.write(tmp_path) as store:
        store.set_meta({"key": "1"})
    assert value(tmp_path) == "1"


def test_a_disk_that_refuses_to_make_the_file_whole_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with Store.write(tmp_path / "alive") as store:
        store.set_meta({"key": "1"})
        with monkeypatch.context() as patch:
            patch.setattr(mark, "_SHARE", 1e9)
            synced = os.fsync

            def refuses(descriptor: int) -> None:
                written = os.pread(descriptor, 4, mark._PLACE)
                if not Mark.of(int.from_bytes(written, "big")).is_ahead:
                    raise OSError(28, "No space left on device")
                synced(descriptor)

            patch.setattr(os, "fsync", refuses)
            store.set_meta({"key": "2"})
            store.set_meta({"key": "3"})
        assert value(copied(tmp_path / "alive", tmp_path / "dead")) == "3"
    assert value(tmp_path / "alive") == "3"


def test_every_transaction_is_durable_and_no_checkpoint_goes_past_the_mark(tmp_path: Path):
    with Store.write(tmp_path) as store:
        found = [
            store._db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "wal_autocheckpoint")
        ]
    assert found == ["wal", 2, 0]
