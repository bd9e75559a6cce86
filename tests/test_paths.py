"""Path arguments: every public door takes the same, and refuses the rest in our words."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from doubles import Walk
from typer.testing import CliRunner

import hpo_research as hpo
from hpo_research import paths, recording, report, tables
from hpo_research.analysis.export import export
from hpo_research.cli.app import app
from hpo_research.errors import StudyError
from hpo_research.figures.draw import draw
from hpo_research.problems import curve_table, images
from hpo_research.store import Store

LINE = hpo.SearchSpace(x=hpo.Float(0, 1))
DESIGN = recording.Design(Walk(), 2, 1)


def experiment() -> hpo.Experiment:
    return hpo.Experiment(
        name="e",
        problems=[Walk()],
        strategies={"random": hpo.Random()},
        seeds=[0],
        budget=hpo.Budget(evaluations=1),
    )


def result() -> hpo.Result:
    with hpo.Study(LINE, hpo.Random()) as study:
        return hpo.Result.of(study._store)


FOLDERS: dict[str, Callable[[object], object]] = {
    "Study": lambda path: hpo.Study(LINE, hpo.Random(), path=path).close(),
    "run": lambda path: hpo.run(experiment(), out=path, device="cpu"),
    "Result.read": hpo.Result.read,
    "export": lambda path: export(result(), path),
    "draw": lambda path: draw(result(), path),
    "tables": lambda path: tables.write(result(), path),
    "report": lambda path: report.write(result(), path),
}
FILES: dict[str, Callable[[object], object]] = {
    "Tabulated": hpo.Tabulated,
    "data": lambda path: hpo.problem("fashion-cnn", data=path),
    "images": lambda path: images.digest("fashion", path),
    "curve table": curve_table.read,
    "record": lambda path: recording.record(DESIGN, path, facts={}),
}
DOORS = FOLDERS | FILES


class Own:
    """A path of another library: `os.PathLike` is all there is to it."""

    def __init__(self, path: object) -> None:
        self._path = path

    def __fspath__(self) -> object:
        return self._path


WRONG = {
    "empty": "",
    "bytes": b"folder",
    "number": 3,
    "list": ["folder"],
    "NUL": "a\0b.npz",
    "surrogate": "\ud800.npz",
    "nobody": "~nobody-of-this-name/a.npz",
    "bytes inside": Own(b"folder"),
}


@pytest.mark.parametrize("path", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_what_is_no_path_is_refused_in_our_words(door, path: object, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(hpo.HpoError) as error:
        door(path)
    assert str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "out: expected a path, got an empty string; '.' is the current folder"),
        (b"x", r"out: expected a path as a string or a Path, got b'x'; decode it"),
        (None, "out: expected a path as a string or a Path, got None"),
        ("a\0b", "which holds a NUL"),
        ("\ud800", r"got '\\ud800', which no file can have"),
        ("~nobody-of-this-name/a", "begins with the home folder of a user unknown to this machine"),
    ],
)
def test_the_words_say_what_came_and_what_to_do(path: object, message: str):
    with pytest.raises(StudyError, match=message):
        paths.place(path, "out", StudyError)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


@pytest.mark.parametrize(
    "path", ["~/a", "~/a/", Path("~/a"), Own("~/a")], ids=["text", "slash", "Path", "own"]
)
def test_the_home_folder_is_meant_and_a_slash_at_the_end_is_nothing(home: Path, path: object):
    hpo.Study(LINE, hpo.Random(), path=path).close()
    assert hpo.Result.read(path).folder == home / "a"
    assert os.listdir(".") == []
    assert os.listdir(home) == ["a"]


def test_every_door_means_the_home_folder(home: Path):
    hpo.run(experiment(), out="~/run", device="cpu")
    (home / "tune").write_text("kept")
    with pytest.raises(hpo.HpoError, match=f"{home}/tune: is a file; expected a folder"):
        hpo.tune(lambda config: config["x"], LINE, path="~/tune")
    known = hpo.Result.read("~/run")
    export(known, "~/export")
    tables.write(known, "~/tables")
    np.savez(home / "file.npz", x_train=np.zeros((1, 2, 2)))
    assert images.digest("fashion", "~/file.npz") == images.digest(
        "fashion", str(home / "file.npz")
    )
    for door in (hpo.Tabulated, curve_table.read):
        with pytest.raises(hpo.HpoError, match=f"{home}/file.npz: is not a table"):
            door("~/file.npz")
    told = CliRunner().invoke(app, ["status", "~/run"])
    assert told.exit_code == 0, told.output
    told = CliRunner().invoke(app, ["run", "~/none.py"])
    assert f"{home}/none.py: there is no such file" in told.output
    assert os.listdir(".") == []
    assert sorted(os.listdir(home)) == ["export", "file.npz", "run", "tables", "tune"]


def test_a_table_is_recorded_in_the_home_folder(home: Path):
    recording.record(DESIGN, "~/table.npz", facts={})
    assert hpo.Tabulated("~/table.npz").name
    assert os.listdir(".") == []


@pytest.mark.parametrize("door", FOLDERS.values(), ids=FOLDERS)
@pytest.mark.parametrize("case", ["a file", "below a file", "a dangling link"])
def test_what_cannot_be_a_folder_is_refused_in_our_words(door, case: str, tmp_path: Path):
    (tmp_path / "file").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    places = {"a file": "file", "below a file": "file/below", "a dangling link": "link"}
    with pytest.raises(hpo.HpoError, match=str(tmp_path / places[case])):
        door(tmp_path / places[case])
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("door", FILES.values(), ids=FILES)
@pytest.mark.parametrize("case", ["a folder", "below a file", "in a dangling link"])
def test_what_cannot_be_a_file_is_refused_in_our_words(door, case: str, tmp_path: Path):
    (tmp_path / "a.npz").mkdir()
    (tmp_path / "file").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "gone" / "gone")
    places = {"a folder": "a.npz", "below a file": "file/a.npz", "in a dangling link": "link/a.npz"}
    with pytest.raises(hpo.HpoError, match=str(tmp_path / places[case])):
        door(str(tmp_path / places[case]))


def test_a_link_to_nowhere_is_said_to_be_one(tmp_path: Path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(hpo.HpoError, match=r"is a link to .*gone, which does not exist"):
        Store.write(tmp_path / "link")
