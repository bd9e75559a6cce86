"""Old stores are read without writing, migrated whole, and go on to the same numbers."""

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from stores import old
from typer.testing import CliRunner

import hpo_research as hpo
from hpo_research.analysis.result import Result
from hpo_research.cli.app import app
from hpo_research.device import Compute
from hpo_research.errors import StoreError, StoreWriteError
from hpo_research.experiment.loop import execute
from hpo_research.store import Store, migration, schema
from hpo_research.store.rescue import rescue
from hpo_research.store.store import FILE

STORES = Path(__file__).parents[1] / "stores" / "schema2"
NAMES = ("killed", "paused", "finished")
KEPT = "store.schema2.sqlite"


def numbers(result: hpo.Result) -> dict[object, object]:
    return {
        name: (
            [(t.config, t.status, t.epochs, t.values, t.origin) for t in run.trials],
            [ask.proposals for ask in run.asks],
        )
        for name, run in result.runs.items()
        if name.strategy in old.strategies()
    }


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith("-shm")  # SQLite's index of the log
    }


def facts(found: Result) -> tuple[object, ...]:
    return found.description, found.runs, found.history, found.over, found.undigested


@pytest.fixture(params=NAMES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(STORES / request.param, tmp_path / request.param))


@pytest.fixture(scope="module")
def whole() -> dict[object, object]:
    """The numbers of a run from the start."""
    with Store.in_memory() as store:
        execute(old.experiment(), store, Compute("cpu", 1))
        return numbers(Result.of(store))


def test_reading_writes_nothing(store: Path):
    before = files(store)
    found = Result.read(store)
    assert {key: data for key, data in files(store).items() if data} == before
    assert found.undigested > 50
    assert found.is_finished == (store.name == "finished")


def test_an_old_store_is_read_in_a_folder_that_cannot_be_written_to():
    with tempfile.TemporaryDirectory(prefix="read-only-") as name:
        shutil.copy(STORES / "finished" / FILE, name)
        Path(name).chmod(0o555)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65534)  # nobody, for a while: root may write everywhere
        try:
            assert Result.read(name).is_finished
            assert os.listdir(name) == [FILE]
        finally:
            if is_root:
                os.seteuid(0)
            Path(name).chmod(0o755)


def test_a_migrated_store_reads_as_before(store: Path):
    before = facts(Result.read(store))
    Store.write(store).close()
    assert facts(Result.read(store)) == before
    assert not (store / KEPT).exists()


def test_what_a_killed_process_kept_beside_is_removed(tmp_path: Path):
    Store.write(tmp_path).close()
    (tmp_path / KEPT).write_bytes(b"killed between the commit and this file's removal")
    Store.write(tmp_path).close()
    assert not (tmp_path / KEPT).exists()


def test_a_migration_without_room_says_so_and_changes_nothing(tmp_path: Path):
    store = Path(shutil.copytree(STORES / "paused", tmp_path / "paused"))
    (store / f"{KEPT}.part").mkdir()
    before = (store / FILE).read_bytes()
    with pytest.raises(StoreWriteError, match="could not be kept next to the new one"):
        Store.write(store)
    assert (store / FILE).read_bytes() == before


def test_an_old_store_goes_on_to_the_end_of_a_run_from_the_start(store: Path, whole):
    result = hpo.run(old.experiment(), out=store, device="cpu")
    assert numbers(result) == whole
    assert result.undigested > 50


def test_the_rule_of_asha_gets_its_new_name_wherever_it_stands(tmp_path: Path):
    copy = shutil.copytree(STORES / "finished", tmp_path / "finished")
    described = Result.read(copy).description["strategies"]
    assert (described["asha"]["kind"], described["asha"]["rule"]) == ("continual", None)
    assert described["median"]["inner"]["kind"] == "continual"
    assert described["median"]["kind"] == "sagemaker"
    assert "rule" not in described["median"]


def test_a_migrated_store_has_the_tables_of_a_new_one(store: Path, tmp_path: Path):
    Store.write(tmp_path / "new").close()
    Store.write(store).close()
    layouts = []
    for folder in (tmp_path / "new", store):
        db = sqlite3.connect(folder / FILE)
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master ORDER BY name")]
        layouts.append(
            {name: db.execute(f"PRAGMA table_info({name})").fetchall() for name in tables}
        )
        db.close()
    assert layouts[0] == layouts[1]


class Killed(BaseException):
    """Stands for SIGKILL."""


def raising(*_: object) -> None:
    raise Killed


@pytest.mark.parametrize(
    ("module", "name"),
    [(migration.os, "replace"), (migration, "seal"), (migration, "history")],
    ids=["before the copy has its name", "among the steps", "at the end"],
)
def test_a_migration_that_is_killed_leaves_a_store_that_opens(
    tmp_path: Path, whole, monkeypatch: pytest.MonkeyPatch, module: object, name: str
):
    store = Path(shutil.copytree(STORES / "paused", tmp_path / "paused"))
    before = facts(Result.read(store))
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(module, name, raising)
        Store.write(store)
    assert facts(Result.read(store)) == before
    assert numbers(hpo.run(old.experiment(), out=store, device="cpu")) == whole
    assert not (store / KEPT).exists()


def test_what_is_kept_beside_is_the_whole_old_store(tmp_path: Path, monkeypatch):
    store = Path(shutil.copytree(STORES / "killed", tmp_path / "killed"))
    before = facts(Result.read(store))
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(migration, "migrate", raising)
        Store.write(store)
    (tmp_path / "kept").mkdir()
    (store / KEPT).rename(tmp_path / "kept" / FILE)
    assert facts(Result.read(tmp_path / "kept")) == before


def edited(statement: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        db = sqlite3.connect(folder / FILE)
        with db:
            db.execute(statement)
        db.close()

    return edit


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE report SET metrics = '{' WHERE trial = 1", "table report, run 1, trial 1, epoch"),
        ("UPDATE meta SET value = '3' WHERE key = 'experiment'", "key 'experiment'"),
        ("DELETE FROM turn WHERE id = 3", "table turn, id 3: the row is missing"),
        ("DELETE FROM run WHERE id = 2", "table run, id 2: the row is missing"),
        ("UPDATE proposal SET trial = 7 WHERE ask = 1", "trial 7 is started, expected trial"),
        ("UPDATE report SET epoch = epoch + 40 WHERE run = 1", "reports epoch"),
        ("DROP TABLE outcome", "no such table: outcome"),
    ],
)
def test_a_damaged_old_store_is_refused_unchanged_and_can_be_rescued(
    tmp_path: Path, statement: str, message: str
):
    store = Path(shutil.copytree(STORES / "paused", tmp_path / "paused"))
    edited(statement)(store)
    with pytest.raises(StoreError, match=message):
        Result.read(store)
    with pytest.raises(StoreError, match=message):
        hpo.run(old.experiment(), out=store, device="cpu")
    db = sqlite3.connect(store / FILE)
    assert db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() == ("2",)
    db.close()
    assert not (store / KEPT).exists()
    found = rescue(store, tmp_path / "out")
    assert found.damages
    if found.has_experiment:
        assert Result.read(tmp_path / "out").undigested > 50


def test_status_counts_the_rows_that_cannot_be_checked(tmp_path: Path):
    store = Path(shutil.copytree(STORES / "finished", tmp_path / "finished"))
    count = Result.read(store).undigested
    shown = CliRunner().invoke(app, ["status", str(store)])
    assert f"so that they cannot be checked: {count:,} row" in shown.stdout
    Store.write(store).close()
    asked = CliRunner().invoke(app, ["status", str(store), "--json"])
    assert json.loads(asked.stdout)["rows_without_digests"] == count


def test_there_is_a_step_for_every_version():
    assert list(migration.STEPS) == list(range(schema.OLDEST, schema.VERSION))


# --- schema 3, which had digests and no attempts ---

LATER = STORES.with_name("schema3")


@pytest.fixture(params=NAMES)
def later(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(LATER / request.param, tmp_path / request.param))


def test_a_store_of_schema_3_is_migrated_whole_and_goes_on(later: Path, whole):
    before = facts(Result.read(later))
    Store.write(later).close()
    assert facts(Result.read(later)) == before
    assert not later.joinpath("store.schema3.sqlite").exists()
    result = hpo.run(old.experiment(), out=later, device="cpu")
    assert numbers(result) == whole
    assert result.undigested == 0


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE report SET spent = spent + 1 WHERE trial = 1", "the row is not as it was written"),
        ("DELETE FROM report WHERE run = 1 AND trial = 1", "rows of run 1 are missing"),
        ("DELETE FROM turn WHERE id = 3", "table turn: 23 rows instead of 24"),
    ],
)
def test_a_damaged_store_of_schema_3_is_refused_and_can_be_rescued(
    tmp_path: Path, whole, statement: str, message: str
):
    store = Path(shutil.copytree(LATER / "paused", tmp_path / "paused"))
    edited(statement)(store)
    for opening in (Result.read, Store.write):
        with pytest.raises(StoreError, match=message):
            opening(store)
    found = rescue(store, tmp_path / "out")
    assert found.damages
    assert found.has_experiment
    assert numbers(hpo.run(old.experiment(), out=tmp_path / "out", device="cpu")) == whole


def test_what_a_store_of_schema_3_lost_is_in_its_first_attempt(tmp_path: Path):
    store = Path(shutil.copytree(LATER / "lost", tmp_path / "lost"))
    before = Result.read(store)
    (run,) = before.runs.values()
    assert [(trial.status, trial.attempt) for trial in run.trials] == [("running", 0)] * 2
    Store.write(store).close()
    assert facts(Result.read(store)) == facts(before)
