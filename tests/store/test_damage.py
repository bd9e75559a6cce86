"""A damaged or edited store is refused, saying where; what is whole of it can be rescued."""

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from campaign import stores as campaign
from doubles import SPACE, Walk
from typer.testing import CliRunner

import hpo_research as hpo
from hpo_research.analysis.result import Result
from hpo_research.cli.app import app
from hpo_research.errors import StoreError, StoreLockedError, StoreWriteError
from hpo_research.ledger import AskRow
from hpo_research.records import Outcome, Report, Start
from hpo_research.store import Store, digests
from hpo_research.store.digests import Row
from hpo_research.store.history import history
from hpo_research.store.rescue import rescue
from hpo_research.store.schema import COLUMNS, KEYS, SELECT
from hpo_research.store.store import FILE

SAMPLE = len(campaign.DAMAGES)


def experiment() -> hpo.Experiment:
    return hpo.Experiment(
        name="damaged",
        problems=[Walk()],
        strategies={"random": hpo.Random(), "hyperband": hpo.Hyperband()},
        seeds=[3, 4],
        budget=hpo.Budget(evaluations=3),
        parallel=3,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished experiment; the tests damage copies."""
    folder = tmp_path_factory.mktemp("whole")
    hpo.run(experiment(), out=folder, device="cpu")
    return folder


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def edit(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def numbers(result: Result) -> dict[object, object]:
    return {
        name: [(t.config, t.status, t.epochs, t.values) for t in run.trials]
        for name, run in result.runs.items()
    }


# -- what is seen


def test_a_sample_of_the_campaign_ends_without_a_fault():
    ends = list(campaign.damage(SAMPLE, seed=1, goes_on=SAMPLE))
    assert [end for end in ends if end.is_fault] == []
    assert {end.end for end in ends} >= {campaign.REFUSED, campaign.EQUAL}


@pytest.fixture(scope="module")
def rows(whole: Path) -> Mapping[str, list[Row]]:
    """The raw rows of a store, by table, of the first turns."""
    with closing(sqlite3.connect(whole / FILE)) as db:
        return {table: db.execute(SELECT[table]).fetchall() for table in COLUMNS}


def seen(rows: Mapping[str, list[Row]]) -> bool:
    return bool(history(rows.__getitem__, None).damages)


def changed(rows: Mapping[str, list[Row]], table: str) -> Iterator[Mapping[str, list[Row]]]:
    """The store with one change more or less anywhere in a table: columns, rows, their order."""
    own = rows[table]
    for i in range(0, len(own), max(1, len(own) // 4)):
        for j, value in enumerate(own[i]):
            other = value + 1 if isinstance(value, int | float) else b"" if j else f"{value}."
            if other != value:
                new = (*own[i][:j], other, *own[i][j + 1 :])
                yield {**rows, table: [*own[:i], new, *own[i + 1 :]]}
        yield {**rows, table: own[:i] + own[i + 1 :]}
        again = (own[i][0] + 500, *own[i][1:]) if table != "meta" else ("more", *own[i][1:])
        for new in (again, (*again[:-1], digests.of_row(table, again[:-1]))):
            yield {**rows, table: [*own, new]}
        if i > 0:
            key = KEYS[table]
            a, b = own[0], own[i]
            swapped = [(*a[:key], *b[key:]), *own[1:i], (*b[:key], *a[key:]), *own[i + 1 :]]
            yield {**rows, table: swapped}


@pytest.mark.parametrize("table", [table for table in COLUMNS if table != "lost"])
def test_every_change_to_a_row_is_seen(rows: Mapping[str, list[Row]], table: str):
    assert not seen(rows)
    changes = list(changed(rows, table))
    assert len(changes) > 10
    assert [change[table] for change in changes if not seen(change)] == []


def test_a_row_that_is_gone_is_laid_to_its_run(rows: Mapping[str, list[Row]]):
    less = {**rows, "report": [row for row in rows["report"] if row[:3] != (2, 0, 1)]}
    found = history(less.__getitem__, None)
    assert list(found.cuts) == [2]
    assert "rows of run 2 are missing" in str(found.damages[0])


# -- what is said


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "UPDATE report SET metrics = '{}' WHERE run = 1 AND trial = 0 AND epoch = 2",
            "table report, run 1, trial 0, epoch 2: the row is not as it was written",
        ),
        ("DELETE FROM meta WHERE key = 'provenance'", "table meta: 3 rows instead of 4"),
        ("DELETE FROM meta WHERE key = 'seal'", "table meta, key 'seal': the row is missing"),
        ("UPDATE meta SET value = 'x' WHERE key = 'schema'", "table meta, key 'schema'"),
        ("DROP TABLE outcome", "table outcome: no such table: outcome"),
        (
            "UPDATE outcome SET reason = CAST(x'C328' AS TEXT) WHERE run = 2",
            "table outcome: Could not decode to UTF-8",
        ),
    ],
)
def test_every_door_says_what_is_wrong_and_what_can_be_done(
    copy: Path, statement: str, message: str
):
    edit(copy, statement)
    before = (copy / FILE).read_bytes()
    for open_it in (Result.read, lambda f: hpo.run(experiment(), out=f, device="cpu")):
        with pytest.raises(StoreError, match=r"hpo rescue .* OUT") as caught:
            open_it(copy)
        assert message in str(caught.value)
    assert (copy / FILE).read_bytes() == before
    for command in ("status", "report", "export"):
        done = CliRunner().invoke(app, [command, str(copy)])
        assert (done.exit_code, "error: " in done.stderr) == (1, True)


def test_a_study_that_was_edited_is_refused(tmp_path: Path):
    with hpo.Study(SPACE, hpo.Random(), path=tmp_path) as study:
        study.tell(study.ask()[0].id, 0.5)
    edit(tmp_path, "UPDATE report SET metrics = replace(metrics, '5', '4')")
    with pytest.raises(StoreError, match="table report, run 1, trial 0, epoch 1"):
        hpo.Study(SPACE, hpo.Random(), path=tmp_path)


def test_what_is_stored_after_a_refused_write_is_whole(tmp_path: Path):
    with Store.write(tmp_path) as store:
        store.set_meta({"a": "1"})
        with pytest.raises(ZeroDivisionError), store._transaction():
            store._writer.text("a", "2")
            raise ZeroDivisionError
        store.set_meta({"b": "3"})
        assert store.history().meta["a"] == "1"


# -- what is rescued


def test_a_rescued_store_loses_the_damaged_run_alone_and_goes_on(
    copy: Path, whole: Path, tmp_path: Path
):
    edit(copy, "DELETE FROM report WHERE run = 2 AND trial = 1 AND epoch = 2")
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    found = rescue(copy, tmp_path / "out")
    assert {path: path.read_bytes() for path in before} == before
    assert list(found.cuts) == ["random on walk, seed 4"]
    assert found.left["report"] > 0
    everything, part = Result.read(whole), Result.read(tmp_path / "out")
    (cut,) = [name for name in part.runs if part.runs[name] != everything.runs[name]]
    assert (cut.strategy, cut.seed) == ("random", 4)
    assert everything.over - part.over == {cut}
    result = hpo.run(experiment(), out=tmp_path / "out", device="cpu")
    assert numbers(result) == numbers(everything)


def test_all_of_a_whole_store_is_copied(whole: Path, tmp_path: Path):
    done = CliRunner().invoke(app, ["rescue", str(whole), str(tmp_path / "out")])
    assert done.exit_code == 0
    assert "the store is intact" in done.stdout
    assert numbers(Result.read(tmp_path / "out")) == numbers(Result.read(whole))
    assert Result.read(tmp_path / "out").is_finished


def test_pages_that_cannot_be_read_cost_their_rows_alone(copy: Path, tmp_path: Path):
    data = bytearray((copy / FILE).read_bytes())
    assert len(data) > 12 * 4096
    data[:4096] = bytes(4096)
    data[-4096:] = bytes(4096)
    (copy / FILE).write_bytes(data)
    done = CliRunner().invoke(app, ["rescue", str(copy), str(tmp_path / "out")])
    assert done.exit_code == 0
    assert "the first page cannot be read" in done.stdout
    assert sum(len(run.trials) for run in Result.read(tmp_path / "out").runs.values()) > 3


def test_a_lost_description_comes_back_with_the_experiment(copy: Path, whole: Path, tmp_path: Path):
    edit(copy, "UPDATE meta SET value = '{}' WHERE key = 'experiment'")
    done = CliRunner().invoke(app, ["rescue", str(copy), str(tmp_path / "out")])
    assert "the description of the experiment is lost" in done.stdout
    result = hpo.run(experiment(), out=tmp_path / "out", device="cpu")
    assert numbers(result) == numbers(Result.read(whole))


def test_checkpoints_that_match_are_copied(tmp_path: Path):
    with Store.write(tmp_path / "a") as store:
        run = store.add_runs([hpo.store.RunName("p", "s", 0)])["p", "s", 0]
        ledger = AskRow(
            run,
            tuple(Start({"x": 0.5, "kind": "a"}, 3, "", i) for i in range(3)),
        )
        store.append_asks([ledger])
        files = {}
        for trial in range(3):
            path = tmp_path / "a" / "checkpoints" / str(run) / str(trial) / "3.safetensors"
            path.parent.mkdir(parents=True)
            path.write_bytes(bytes(range(trial, 200)))
            files[(run, trial), 3] = digests.of_file(path)
        path.write_bytes(b"damaged")
        reports = [(Report(run, i, 3, {"loss": 0.5}), 3 * i + 3) for i in range(3)]
        ended = [Outcome(run, 0, "paused", 3), Outcome(run, 1, "finished", 3)]
        store.append_poll(reports, [*ended, Outcome(run, 2, "paused", 3)], checkpoints=files)
        assert store.checkpoints().keys() == {((run, 0), 3), ((run, 2), 3)}
    assert rescue(tmp_path / "a", tmp_path / "b").files == 1
    with Store.read(tmp_path / "b") as store:
        assert store.checkpoints().keys() == {((run, 0), 3), ((run, 2), 3)}
    assert (tmp_path / "b" / "checkpoints" / "1" / "0" / "3.safetensors").is_file()


@pytest.mark.parametrize("there", ["file", "folder", "itself"])
def test_nothing_is_written_over(whole: Path, tmp_path: Path, there: str):
    out = {"file": tmp_path / "file", "folder": tmp_path, "itself": whole}[there]
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="already exists"):
        rescue(whole, out)


def test_a_store_that_is_written_to_is_left_alone(copy: Path, tmp_path: Path):
    with Store.write(copy), pytest.raises(StoreLockedError, match="a process is writing to it"):
        rescue(copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_rescue_that_cannot_write_says_so(copy: Path, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreWriteError, match="the rescue was cut short"):
        rescue(copy, tmp_path / "file" / "out")


@pytest.mark.parametrize("data", [b"", b"no store at all" * 999], ids=["empty", "text"])
def test_what_holds_nothing_is_said_to(tmp_path: Path, data: bytes):
    (tmp_path / FILE).write_bytes(data)
    with pytest.raises(StoreError, match=r"nothing of store.sqlite can be read"):
        rescue(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out" / FILE).exists()


def test_a_message_of_sqlite_that_is_no_utf8_is_damage_too(copy: Path, tmp_path: Path):
    data = (copy / FILE).read_bytes()
    broken = data[:4096].replace(b"outcome", b"outc\xdcme").replace(b"CREATE", b"CREATX")
    (copy / FILE).write_bytes(broken + data[4096:])
    with pytest.raises(StoreError, match=r"hpo rescue .* OUT"):
        Result.read(copy)
    with pytest.raises(StoreError, match=r"hpo rescue .* OUT"):
        Store.write(copy)
    assert rescue(copy, tmp_path / "out").has_experiment
    assert Result.read(tmp_path / "out").is_finished
