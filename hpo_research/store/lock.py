"""The lock of a store: an OS lock that dies with its process, and a file that names it."""

import fcntl
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from hpo_research.errors import StoreError, StoreLockedError


@dataclass(frozen=True)
class Lock:
    """An exclusive lock on a folder, held until `release` or the end of the process."""

    descriptor: int

    def release(self) -> None:
        """Give the lock back."""
        os.close(self.descriptor)


def acquire(folder: Path) -> Lock:
    """Lock the folder for writing, or raise `StoreLockedError` naming who holds it."""
    path = folder / "lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be written to ({error.strerror}); choose another folder"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 1000).decode(errors="replace").strip() or "another process"
        os.close(descriptor)
        if holder == _name():
            raise StoreLockedError(
                f"{folder}: {holder} is writing to it, and that is this process; "
                "close() what has it open"
            ) from error
        raise StoreLockedError(
            f"{folder}: {holder} is writing to it; wait until it ends, or stop it"
        ) from error
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{_name()}\n".encode(), 0)
    except OSError:
        os.close(descriptor)
        raise
    return Lock(descriptor)


def _name() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"
