"""Who has a file open: the processes of this machine that this user may look at (Linux)."""

import contextlib
import os
from pathlib import Path

_PROCESSES = Path("/proc")


def holders(path: Path) -> list[int]:
    """Return the numbers of the other processes that have a file open; none where none can say."""
    try:
        wanted = path.stat()
    except OSError:
        return []
    return [pid for pid in _others() if _holds(pid, wanted)]


def is_open_in(pid: int, path: Path) -> bool:
    """Return whether a process of this machine has a file open; elsewhere than on Linux, is there.

    Also true of a living process of another user's, who may not be looked at.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    if not _PROCESSES.is_dir():
        return True
    try:
        wanted = path.stat()
        return _holds(pid, wanted)
    except FileNotFoundError:
        return False


def described(pid: int) -> str:
    """Return `process 12 (python train.py)`, without the command where it cannot be read."""
    try:
        words = (
            (_PROCESSES / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
        )
    except OSError:
        words = []
    command = " ".join(words).strip()
    return f"process {pid} ({command[:60]})" if command else f"process {pid}"


def _others() -> list[int]:
    if not _PROCESSES.is_dir():  # not Linux
        return []
    named = [int(entry.name) for entry in _PROCESSES.iterdir() if entry.name.isdecimal()]
    return sorted(set(named) - {os.getpid()})


def _holds(pid: int, wanted: os.stat_result) -> bool:
    # A process that has ended since, or another user's, says nothing.
    with contextlib.suppress(OSError):
        for entry in (_PROCESSES / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                found = entry.stat()
                if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                    return True
    return False
