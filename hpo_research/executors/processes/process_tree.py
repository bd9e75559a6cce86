"""Processes: who they are beyond their number, and how they end with all their children."""

import contextlib
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import psutil

TAG = "HPO_RESEARCH_PROCESS"
"""In the environment of every process that we start, and of all they start: whose they are."""

_CLOCK = 2.0  # seconds by which the start time of a process may shift when the clock is set
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_BADNESS = 500  # of 1000: the kernel, out of memory, ends a worker before the experiment


@dataclass(frozen=True)
class ProcessId:
    """A process: its number, when it was created (seconds since 1970), and on which host."""

    pid: int
    created: float
    host: str


def identity(pid: int) -> ProcessId | None:
    """Return the identity of a process, None if it has ended."""
    try:
        return ProcessId(pid, psutil.Process(pid).create_time(), socket.gethostname())
    except psutil.NoSuchProcess:
        return None


def end_survivors(
    ids: Iterable[ProcessId], owner: str, *, everywhere: bool = False
) -> list[ProcessId]:
    """End those that still run on this host, with all their children; return which did run.

    A process is ended only where number and start time agree and its tag names the owner, the very
    folder and not a copy of it; of a process that is gone, the members of its session that are
    tagged so are ended, or `everywhere` all that are, this process and its ancestors apart: only
    before anything is started.
    """
    here = [known for known in ids if known.host == socket.gethostname()]
    gone = {known.pid for known in here if identity(known.pid) is None}
    ended = [known for known in here if known.pid not in gone and _end(known, owner)]
    sessions = _end_sessions(gone, owner, everywhere=everywhere) if gone else set()
    psutil.wait_procs(list(_running(ended)), timeout=5)
    return ended + [known for known in here if known.pid in sessions]


def _end(known: ProcessId, owner: str) -> bool:
    now = identity(known.pid)
    if now is None or abs(now.created - known.created) > _CLOCK:
        return False
    if not _is_tagged(psutil.Process(known.pid), owner):
        return False
    kill_tree(known.pid)
    return True


def _end_sessions(leaders: set[int], owner: str, *, everywhere: bool) -> set[int]:
    # No new process gets the number of a leader while its session lives.
    found = set()
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            session = os.getsid(process.pid)
            is_near = session in leaders or (everywhere and process.pid not in own)
            if is_near and _is_tagged(process, owner):
                process.kill()
                found.add(session)
    return found


def _running(ids: Sequence[ProcessId]) -> Iterator[psutil.Process]:
    for known in ids:
        with contextlib.suppress(psutil.NoSuchProcess):
            yield psutil.Process(known.pid)


def _is_tagged(process: psutil.Process, owner: str) -> bool:
    try:
        return bool(process.environ().get(TAG) == owner)
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return False  # another user's, or gone


def kill_tree(pid: int) -> None:
    """Kill a process, its group, and all its descendants."""
    try:
        family = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    for kill in (os.killpg, os.kill):  # it may have no group yet, when it has just begun
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()


def memory_of(pid: int, with_children: bool) -> int:
    """Return the resident memory of a process in bytes, 0 if it has ended."""
    try:
        process = psutil.Process(pid)
        family = process.children(recursive=True) if with_children else []
        used = process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            used += member.memory_info().rss
    return int(used)


def environment(threads: int, owner: str) -> Mapping[str, str]:
    """Return the environment of our processes: this one's, the tag, and the thread counts."""
    libraries = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "BLIS")
    counts = {f"{library}_NUM_THREADS": str(threads) for library in libraries}
    return {**os.environ, **counts, "VECLIB_MAXIMUM_THREADS": str(threads), TAG: owner}


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent has ended (Linux)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with(parent: int) -> None:
    """Be killed when the parent ends, even by SIGKILL (Linux), and before it for want of memory.

    Linux means the thread of the parent that started this process.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    if sys.platform == "linux":
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(str(_BADNESS))


def outlive_parent() -> None:
    """Take back that this process is killed when its parent ends."""
    _prctl(_PR_SET_PDEATHSIG, 0)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux" and ctypes.CDLL(None).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(f"prctl({option}, {value}) was refused")
