"""The lock of a store: an OS lock that dies with its process, and a file that names it.

The file's first line names the process that holds the lock; further lines are notes of the holder,
kept until the next one writes its own.

A process belongs to a folder by the number of the lock's file, which its writer holds open: a moved
folder keeps it, a copy has another, and no number is used twice while the writer lives.
"""

import fcntl
import os
import re
import socket
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakSet

from hpo_research.errors import StoreError, StoreLockedError
from hpo_research.store.holders import described, holders, is_open_in

FILE = "lock"


class Lock:
    """An exclusive lock on a folder, held until `release` or until nobody refers to it.

    A forked child neither holds it nor can it give it back. `name` tells this folder from its
    copies for as long as the lock is held: device and number of the lock's file, which stays
    when the folder is moved.
    """

    def __init__(self, descriptor: int, place: int) -> None:
        self._descriptor = descriptor
        self._place = place  # of the notes
        found = os.fstat(descriptor)
        self.name = f"{found.st_dev}:{found.st_ino}"
        self._end = weakref.finalize(self, _release, descriptor, os.getpid())
        _HELD.add(self)

    def release(self) -> None:
        """Give the lock back; nothing happens the second time, nor in a forked child."""
        self._end()
        _HELD.discard(self)

    def note(self, text: str) -> None:
        """Write a line below the name of the holder, in the place of the last; not synced."""
        os.pwrite(self._descriptor, f"{text:<{_NOTE}}\n".encode(), self._place)

    def leave(self) -> None:
        """Close what a fork has copied: only the process that took the lock holds it."""
        if self._end.detach() is not None:
            os.close(self._descriptor)


_HELD: WeakSet[Lock] = WeakSet()
_NOTE = 20  # characters of a note
_SIGNED = re.compile(r"process (\d+) on (.*)")


def _leave_all() -> None:
    for held in list(_HELD):
        held.leave()
    _HELD.clear()


os.register_at_fork(after_in_child=_leave_all)


def _release(descriptor: int, process: int) -> None:
    if process == os.getpid():
        # Closing alone would leave it to a child that has inherited the descriptor past Python.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def acquire(folder: Path) -> Lock:
    """Lock the folder for writing, or raise `StoreLockedError` naming who holds it."""
    path = folder / FILE
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be written to ({error.strerror}); choose another folder"
        ) from error
    try:
        _lock(descriptor, path)
        place = _sign(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return Lock(descriptor, place)


@contextmanager
def idle(folder: Path) -> Iterator[None]:
    """Keep everybody from writing to a folder. Raises `StoreLockedError` where somebody does."""
    path = folder / FILE
    if not path.is_file():
        yield
        return
    with open(path, "rb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreLockedError(
                f"{folder}: a process is writing to it; wait until it ends, or stop it"
            ) from error
        yield


def note(folder: Path) -> str:
    """Return the last note of who holds, or held, the folder; empty where there is none."""
    try:
        lines = (folder / FILE).read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return lines[1].strip() if len(lines) > 1 else ""


def is_held(folder: Path) -> bool:
    """Return whether somebody writes to the folder, as far as this machine can tell.

    Without taking the lock even for a moment, which would turn away who begins just then. Of a
    process of another machine nothing is known, and it is believed.
    """
    path = folder / FILE
    try:
        found, said = path.stat(), path.read_text(errors="replace").partition("\n")[0]
    except OSError:
        return False
    if any(held.name == f"{found.st_dev}:{found.st_ino}" for held in _HELD):
        return True
    name = _SIGNED.fullmatch(said)
    if name is None or name[2] != socket.gethostname():
        return name is not None
    return is_open_in(int(name[1]), path)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        said = os.read(descriptor, 1000).decode(errors="replace").partition("\n")[0]
        raise StoreLockedError(f"{path.parent}: {_held_by(descriptor, path, said)}") from error
    except OSError as error:
        raise StoreError(
            f"{path.parent}: cannot be locked ({error.strerror}); choose a folder on a file system "
            "with locks"
        ) from error


def _held_by(descriptor: int, path: Path, said: str) -> str:
    """Say who holds the lock: the process that took it, or one that has it from there."""
    found = os.fstat(descriptor)
    if any(held.name == f"{found.st_dev}:{found.st_ino}" for held in _HELD):
        return (
            f"{_name(os.getpid())} is writing to it, and that is this process; close() what has "
            "it open (the traceback that a notebook keeps of an error keeps it open too)"
        )
    seen = holders(path)
    is_gone = said.endswith(f" on {socket.gethostname()}") and said not in map(_name, seen)
    if seen and is_gone:
        who = " and ".join(map(described, seen))
        return f"{who} holds its lock, inherited from {said}, which has ended; end the holder"
    return f"{said or 'another process'} is writing to it; wait until it ends, or stop it"


def _sign(descriptor: int) -> int:
    """Write the holder's name, keep the notes of the one before, and return where they begin."""
    notes = os.pread(descriptor, 1000, 0).partition(b"\n")[2]
    line = f"{_name(os.getpid())}\n".encode()
    os.pwrite(descriptor, line + notes, 0)
    os.ftruncate(descriptor, len(line + notes))
    return len(line)


def _name(pid: int) -> str:
    return f"process {pid} on {socket.gethostname()}"
