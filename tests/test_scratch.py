"""What can be computed again is kept where it can be, and where it cannot be, that is said."""

import errno
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from hpo_research import compiled
from hpo_research.cli.doctor import NOWHERE, _facts
from hpo_research.figures.fonts import lend_folder
from hpo_research.scratch import scratch

UNWRITABLE = Path("/proc")  # by anyone, root included
needs_proc = pytest.mark.skipif(not UNWRITABLE.is_dir(), reason="needs a /proc")


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """Another temporary folder, and a home that cannot be made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("HOME", str(UNWRITABLE / "none"))
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "NUMBA_CACHE_DIR", "MPLCONFIGDIR"):
        monkeypatch.delenv(name, raising=False)
    compiled._warn.cache_clear()
    yield tmp_path
    compiled._warn.cache_clear()


def unwritable_loop() -> Callable[[float], float]:
    """A function whose file lies in a folder that cannot be written to."""
    place: dict[str, Callable[[float], float]] = {}
    exec(compile("def loop(x):\n    return x + 1.0\n", UNWRITABLE / "version", "exec"), place)
    return place["loop"]


@needs_proc
def test_loops_are_kept_in_the_temporary_folder_where_nothing_else_can_be_written(temporary):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loop = compiled.compiled(unwritable_loop())
    assert loop(1.0) == 2.0
    kept = Path(loop.stats.cache_path)
    assert kept.parent == temporary / f"hpo_research-{os.getuid()}"
    assert {path.suffix for path in kept.iterdir()} == {".nbi", ".nbc"}
    again = compiled.compiled(unwritable_loop())
    assert again(1.0) == 2.0
    assert sum(again.stats.cache_hits.values()) == 1


@needs_proc
def test_loops_that_can_be_kept_nowhere_are_compiled_and_it_is_said_once(temporary, monkeypatch):
    monkeypatch.setattr(compiled, "scratch", lambda: None)
    with pytest.warns(RuntimeWarning, match="cannot be cached, since neither the") as said:
        loops = [compiled.compiled(unwritable_loop()) for _ in range(3)]
    assert len(said) == 1
    assert [loop(1.0) for loop in loops] == [2.0] * 3


@needs_proc
def test_a_disk_that_refuses_what_was_compiled_stops_nothing(temporary, monkeypatch):
    loop = compiled.compiled(unwritable_loop())

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(loop._cache._cache_file, "save", full)
    with pytest.warns(RuntimeWarning, match=r"the disk refused \(No space left on device\)"):
        assert loop(1.0) == 2.0


def test_the_folder_is_the_users_alone(temporary):
    place = scratch()
    assert place is not None and place.stat().st_mode & 0o777 == 0o700
    place.chmod(0o777)
    assert scratch() is None  # another could put code there that we would run
    place.rmdir()
    place.symlink_to(temporary)
    assert scratch() is None
    place.unlink()
    place.write_text("")
    assert scratch() is None


def test_a_folder_of_another_user_is_not_taken(temporary, monkeypatch):
    user = os.getuid()
    (temporary / f"hpo_research-{user + 1}").mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    assert scratch() is None


def test_without_a_temporary_folder_there_is_none(monkeypatch):
    def none() -> str:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    assert scratch() is None


@needs_proc
def test_matplotlib_is_lent_a_folder_where_it_has_none(temporary, monkeypatch):
    lend_folder()
    assert os.environ["MPLCONFIGDIR"] == str(scratch() / "matplotlib")
    monkeypatch.setenv("MPLCONFIGDIR", "mine")
    lend_folder()
    assert os.environ["MPLCONFIGDIR"] == "mine"
    monkeypatch.delenv("MPLCONFIGDIR")
    monkeypatch.setenv("HOME", str(temporary / "home"))
    lend_folder()
    assert "MPLCONFIGDIR" not in os.environ


def test_the_doctor_says_where_loops_are_kept(monkeypatch):
    def cells() -> list[str]:
        return [str(cell) for column in _facts().columns for cell in column._cells]

    assert f"cached in {compiled.place()}" in cells()
    monkeypatch.setattr(compiled, "place", lambda: "")
    assert NOWHERE in cells()
