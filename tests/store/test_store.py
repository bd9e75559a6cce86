"""Examples of the store: locks, versions, refusals, and a disk that is full."""

import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hpo_research.errors import StoreError, StoreLockedError, StoreWriteError
from hpo_research.ledger import AskRow
from hpo_research.records import Outcome, Report, Start
from hpo_research.store import RunName, Store, connection
from hpo_research.store.rows import metrics_of, report_row
from hpo_research.store.store import FILE
from hpo_research.store.writer import Writer

NAME = RunName("p", "s", 0)
BIG = [AskRow(1, (Start({"x": "y" * 400_000}, 1, "", 0),))]


def test_a_second_writer_is_refused_and_told_who_holds_the_folder(tmp_path: Path):
    with Store.write(tmp_path), pytest.raises(StoreLockedError, match=f"process {os.getpid()} on"):
        Store.write(tmp_path)


def test_the_lock_dies_with_its_process(tmp_path: Path):
    code = (
        "import os, sys, pathlib; from hpo_research.store import Store;"
        "Store.write(pathlib.Path(sys.argv[1])); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == 9
    Store.write(tmp_path).close()


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (99, r"newer version \(schema 99, this version reads 4\)"),
        (1, r"older version \(schema 1, this version reads 2 to 4\)"),
    ],
)
def test_a_store_of_another_version_is_refused_and_left_as_it_was(
    tmp_path: Path, version: int, message: str
):
    Store.write(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (version,))
    db.close()
    before = (tmp_path / FILE).read_bytes()
    for door in (Store.read, Store.write):
        with pytest.raises(StoreError, match=message):
            door(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_folder_without_a_store_cannot_be_read(tmp_path: Path):
    with pytest.raises(StoreError, match="holds no store"):
        Store.read(tmp_path)


@pytest.mark.parametrize("door", [Store.read, Store.write], ids=["read", "write"])
def test_a_file_that_is_no_store_is_refused(door, tmp_path: Path):
    (tmp_path / FILE).write_text("not a database, but long enough to be mistaken for one" * 9)
    with pytest.raises(StoreError, match=r"is not an hpo_research store .file is not a database"):
        door(tmp_path)


@pytest.mark.parametrize("door", [Store.read, Store.write], ids=["read", "write"])
def test_a_database_of_something_else_is_refused(door, tmp_path: Path):
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("CREATE TABLE other (x)")
    db.close()
    with pytest.raises(StoreError, match="is not an hpo_research store"):
        door(tmp_path)


def test_a_path_that_is_a_file_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is a file; expected a folder"):
        Store.write(tmp_path / "file")


@pytest.fixture
def refused() -> Iterator[Path]:
    """A folder that the user of this test cannot write to; root becomes nobody for a while."""
    folder = Path(tempfile.mkdtemp(prefix="read-only-"))
    with Store.write(folder) as store:
        store.add_runs([NAME])
    folder.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    yield folder
    if is_root:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_read_only_folder_is_refused_for_writing(refused: Path):
    with pytest.raises(StoreError, match="cannot be written to"):
        Store.write(refused)


def test_a_read_only_folder_can_be_read(refused: Path):
    with Store.read(refused) as store:
        assert store.runs() == {NAME: 1}


def test_a_full_disk_is_said_and_loses_nothing_stored(tmp_path: Path):
    with Store.write(tmp_path) as store:
        store.add_runs([NAME])
        store.set_meta({"experiment": json.dumps({"kept": True})})
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StoreWriteError, match=r"full.*everything stored before is kept"):
            store.append_asks(BIG)
        assert store.rows() == 0
    with Store.write(tmp_path) as store:
        assert json.loads(store.meta("experiment") or "") == {"kept": True}
        store.append_asks(BIG)
        assert store.rows() == 1


# --- what is refused, and in which words ---


def test_another_program_that_holds_the_database_is_named_and_no_disk_is_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connection, "_PATIENCE", 0.05)
    with Store.write(tmp_path) as store:
        store.add_runs([NAME])
        ours, theirs = os.pipe()
        code = (
            "import os, sqlite3, sys, time\n"
            "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            "db.execute('BEGIN IMMEDIATE'); os.write(int(sys.argv[2]), b'!'); time.sleep(60)"
        )
        arguments = [sys.executable, "-S", "-c", code, str(tmp_path / FILE), str(theirs)]
        with subprocess.Popen(arguments, pass_fds=[theirs]) as other:
            os.read(ours, 1)
            with pytest.raises(StoreWriteError) as error:
                store.set_meta({"key": "value"})
            other.kill()
        os.close(ours)
        os.close(theirs)
        assert "database is locked" in str(error.value)
        who = f"process {other.pid} (" if sys.platform == "linux" else "another program"
        assert who in str(error.value)
        assert "holds the database: close it there, and run the same command" in str(error.value)
        assert "disk" not in str(error.value)
        store.set_meta({"key": "value"})
        assert store.meta("key") == "value"


def test_a_reader_is_told_who_holds_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "_PATIENCE", 0.05)
    Store.write(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        for door in (Store.read, Store.write):
            with pytest.raises(StoreError, match=r"locked.*another program holds the database"):
                door(tmp_path)
        other.execute("ROLLBACK")


REFUSALS = {
    "a file that can only be read": (
        "PRAGMA query_only = 1",
        "readonly database.*is read-only, or the file was moved: allow writing, or put it back",
    ),
    "a full disk": ("PRAGMA max_page_count = 1", "is full.*the disk is full: make room"),
}


@pytest.mark.parametrize(("refused", "words"), REFUSALS.values(), ids=REFUSALS)
def test_what_the_disk_refuses_has_its_own_words(tmp_path: Path, refused: str, words: str):
    with Store.write(tmp_path) as store:
        store.add_runs([NAME])
        store._db.execute(refused)
        with pytest.raises(StoreWriteError, match=words):
            store.append_asks(BIG)


def test_a_folder_in_the_place_of_the_file_is_said_not_to_open(tmp_path: Path):
    (tmp_path / FILE).mkdir()
    with pytest.raises(StoreWriteError, match="the file cannot be opened: check its permissions"):
        Store.write(tmp_path)


@pytest.mark.parametrize(
    "metrics",
    [
        {"loss": 0.1, "accuracy": -0.0},
        {"b%s": 5e-324, "a": 1.7e308, 'ü\n"': 1e22},
        {"loss": 1, "accuracy": 0.5},
        {"loss": 0.5, "gap": float("nan"), "far": float("inf")},
        {},
    ],
    ids=["floats", "odd names", "an integer", "not finite", "nothing"],
)
def test_metrics_are_written_as_json_writes_them(metrics):
    finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
    row = report_row(Report(1, 0, 1, metrics), 1, 1)
    assert row[4] == json.dumps(finite, sort_keys=True, allow_nan=False)


@pytest.mark.parametrize(
    "texts",
    [
        ['{"a": 1.0', '"b": 2.0}', '{"c": 1.0},{"d": 1.0}'],
        ['{"a', '": 1.0}', '{"b": 1.0}],[{"c": 1.0}'],
        ["[", '{"a": 1.0}]', '{"b": 1.0}],[{"c": 1.0}'],
        ["", '{"a": 1.0},{"b": 1.0}'],
        ['{"a": 1.0}', "[1.0]"],
        ['{"a": 1.0}', '{"b": true}'],
    ],
)
def test_texts_that_are_json_only_together_are_not_read(texts):
    assert metrics_of([(1, 0, 1, 1, text, 1, 0.0, 0.0) for text in texts]) is None


def _three_turns(store: Store) -> Store:
    store.add_runs([NAME])
    store.append_asks([AskRow(1, (Start({"x": 0.5}, 2, "", 0),), {"note": 1.0})])
    store.append_poll([(Report(1, 0, 1, {"loss": 0.25}), 1)], [])
    store.append_poll([], [Outcome(1, 0, "failed", 1, "why")], {((1, 0), 1): b"x"})
    return store


def _rows(store: Store) -> list[str]:
    return list(store._db.iterdump())


def test_turns_in_memory_are_written_when_something_is_read_and_as_on_disk(tmp_path: Path):
    late = _three_turns(Store.in_memory())
    assert late._connection.execute("SELECT count(*) FROM turn").fetchone() == (0,)
    assert late.last_turn() == 3
    with _three_turns(Store.write(tmp_path)) as store:
        assert _rows(late) == _rows(store)
    late.append_asks([AskRow(1)], over=[1])
    assert late.over() == {1}


def test_an_interrupt_while_turns_are_written_late_loses_none(monkeypatch):
    store, expected = _three_turns(Store.in_memory()), _rows(_three_turns(Store.in_memory()))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Writer, "poll", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        store.rows()
    assert _rows(store) == expected
