"""Examples of the lock: who holds it, who cannot, and what happens when a handle is lost."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hpo_research.errors import StoreLockedError
from hpo_research.store import Store
from hpo_research.store.lock import FILE, Lock, acquire, note


def in_a_child(act: Callable[[], None]) -> int:
    """The exit status of a forked child that acts: 0, or 1 where it raised."""
    pid = os.fork()
    if pid == 0:
        try:
            act()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_forked_child_cannot_give_the_lock_back(tmp_path: Path):
    held = acquire(tmp_path)
    assert in_a_child(held.release) == 0
    with pytest.raises(StoreLockedError, match="that is this process"):
        acquire(tmp_path)
    held.release()
    held.release()
    acquire(tmp_path).release()


def test_a_forked_child_does_not_hold_the_lock_of_a_parent_that_was_killed(tmp_path: Path):
    def parent() -> None:
        kept.append(acquire(tmp_path))
        if os.fork() == 0:
            os.close(theirs)
            os.read(ours, 1)  # as long as the test goes on
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)

    kept: list[Lock] = []
    ours, theirs = os.pipe()
    assert in_a_child(parent) == -signal.SIGKILL
    acquire(tmp_path).release()
    os.close(ours)
    os.close(theirs)


def test_a_lock_inherited_past_python_is_given_back_by_its_owner(tmp_path: Path):
    held = acquire(tmp_path)
    with subprocess.Popen(["sleep", "60"], pass_fds=[held._descriptor]) as child:
        held.release()
        acquire(tmp_path).release()
        child.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="who has a file open is read from /proc")
def test_who_holds_the_lock_of_a_process_that_is_gone_is_named(tmp_path: Path):
    def parent() -> None:
        held = acquire(tmp_path)
        child = subprocess.Popen(["sleep", "60"], pass_fds=[held._descriptor])
        os.write(theirs, f"{os.getpid()} {child.pid}".encode())
        os.kill(os.getpid(), signal.SIGKILL)

    ours, theirs = os.pipe()
    assert in_a_child(parent) == -signal.SIGKILL
    holder, child = map(int, os.read(ours, 100).split())
    try:
        with pytest.raises(
            StoreLockedError,
            match=rf"process {child} \(sleep 60\) holds its lock, inherited from process {holder} "
            r"on .*, which has ended; end the holder",
        ):
            acquire(tmp_path)
    finally:
        os.kill(child, signal.SIGKILL)
        os.close(ours)
        os.close(theirs)


def test_a_lost_lock_is_given_back(tmp_path: Path):
    acquire(tmp_path)
    acquire(tmp_path).release()


def test_a_lost_store_is_closed_and_its_lock_given_back(tmp_path: Path):
    def lost() -> None:
        store = Store.write(tmp_path)
        store.set_meta({"kept": "yes"})
        raise ValueError

    try:
        lost()
    except ValueError:
        with pytest.raises(StoreLockedError, match=r"close\(\) what has it open"):
            Store.write(tmp_path)  # the traceback still holds it
    with Store.write(tmp_path) as store:
        assert store.meta("kept") == "yes"


def test_a_note_outlives_its_writer_and_not_the_next_note(tmp_path: Path):
    assert note(tmp_path) == ""
    for text in ("1", "65535", "7"):
        held = acquire(tmp_path)
        held.note(text)
        held.release()
        acquire(tmp_path).release()
        assert note(tmp_path) == text
    assert (tmp_path / FILE).read_text().startswith(f"process {os.getpid()} on ")
