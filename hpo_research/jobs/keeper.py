"""The keeper: it starts programs, each in a session of its own, and ends all that they started.

Run as a program, with Python's standard library alone, so that it starts in a few milliseconds.
Commands and what is said come as lines of JSON over a socket. Processes whose own parent has ended
become the keeper's children (Linux), wherever they went, `setsid` included, so that it finds them;
in their environment stands whose they are. Where the socket is closed, by whatever end of the
process that holds the other side, the keeper kills everything and ends.
"""

import contextlib
import ctypes
import errno
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from typing import Any

JOB = "HPO_RESEARCH_JOB"
"""In the environment of a program and of all that it starts: its keeper's name and its number.

Where the keeper itself was killed, that is how others find what it had started.
"""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_BADNESS = b"500"  # of 1000: the kernel, out of memory, ends a program before the experiment
_RETRY = 0.01


class Keeper:
    """The programs that were started and have not gone, by job."""

    def __init__(self, control: socket.socket, name: str) -> None:
        self._control = control
        self._name = name
        self._received = b""
        self._leaders: dict[int, int] = {}  # job by process, until that has ended
        self._ending: dict[int, tuple[int, int]] = {}  # of those: process and status, by job
        self._bell, ringer = socket.socketpair()
        for end in (self._bell, ringer):
            end.setblocking(False)
        self._ringer = ringer
        signal.set_wakeup_fd(ringer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._selector.register(self._bell, selectors.EVENT_READ)

    def run(self) -> None:
        """Obey and watch until the socket is closed; then end everything."""
        try:
            while self._turn():
                pass
        except ConnectionError:
            pass  # the experiment has ended
        finally:
            self._end()

    def _turn(self) -> bool:
        for key, _ in self._selector.select(_RETRY if self._ending else None):
            if key.fileobj is self._bell:
                self._bell.recv(4096)
            elif not self._obey():
                return False
        self._reap()
        for job in list(self._ending):
            self._bury(job)
        return True

    def _obey(self) -> bool:
        data = self._control.recv(1 << 16)
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            command = json.loads(line)
            if command["do"] == "start":
                self._start(command)
            else:
                self._signal(command["job"], command["signal"])
        return bool(data)

    def _start(self, command: dict[str, Any]) -> None:
        job, parent = command["job"], os.getpid()

        def prepare() -> None:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            if sys.platform == "linux":
                with open("/proc/self/oom_score_adj", "wb") as file:
                    file.write(_BADNESS)

        try:
            with open(command["log"], "ab") as log:
                process = subprocess.Popen(
                    command["command"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**command["environment"], JOB: self._mark(job)},
                    start_new_session=True,
                    preexec_fn=prepare,
                )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self._say(job, "why", str(error) or type(error).__name__)
            return
        process.returncode = 0  # it is waited for below, not by this object
        self._leaders[process.pid] = job
        self._say(job, "pid", process.pid)

    def _signal(self, job: int, number: int) -> None:
        for pid, own in self._leaders.items():
            if own == job:
                _kill_group(pid, number)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            job = self._leaders.pop(pid, None)
            if job is not None:
                self._ending[job] = pid, os.waitstatus_to_exitcode(status)

    def _bury(self, job: int) -> None:
        """Kill what a program that has ended left behind; say so once nothing is left."""
        pid, status = self._ending[job]
        is_left = _kill_group(pid, signal.SIGKILL)
        for orphan in self._orphans(job):
            _kill_group(orphan, signal.SIGKILL)
            _kill(orphan)
            is_left = True
        if is_left:
            self._reap()
        if not _is_group(pid) and not self._orphans(job):
            del self._ending[job]
            self._say(job, "status", status)

    def _orphans(self, job: int) -> list[int]:
        """Return the children that are no programs and are this job's, or nobody else's."""
        lives = (*self._leaders.values(), *self._ending)
        others = {self._mark(own) for own in lives if own != job}
        found = []
        for child in _children():
            if child not in self._leaders:
                owner = _owner(child)
                if owner == self._mark(job) or not (others and (owner is None or owner in others)):
                    found.append(child)
        return found

    def _mark(self, job: int) -> str:
        return f"{self._name}.{job}"

    def _end(self) -> None:
        signal.set_wakeup_fd(-1)
        for pid in [*self._leaders, *(pid for pid, _ in self._ending.values())]:
            _kill_group(pid, signal.SIGKILL)
        # All that runs becomes a child in the end, since its parents are killed.
        while children := _children() or list(self._leaders):
            for child in children:
                _kill(child)
            self._reap()
            time.sleep(0.002)

    def _say(self, job: int, what: str, value: int | str) -> None:
        self._control.sendall(json.dumps({"job": job, what: value}).encode() + b"\n")


def marked(name: str) -> list[int]:
    """Return the processes that a keeper's programs have started, and that live (Linux)."""
    try:
        numbers = [int(entry) for entry in os.listdir("/proc") if entry.isdecimal()]
    except OSError:
        return []
    return [pid for pid in numbers if (_owner(pid) or "").startswith(f"{name}.")]


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:  # not Linux: the process group is all that can be found
        return []


def _owner(pid: int) -> str | None:
    """Return the job in a process's environment, None where it has none or cannot be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            pairs = file.read().split(b"\0")
    except OSError:
        return None
    mark = f"{JOB}=".encode()
    return next(
        (own[len(mark) :].decode(errors="replace") for own in pairs if own.startswith(mark)), None
    )


def _kill_group(pid: int, number: int) -> bool:
    """Whether there was anybody to take the signal."""
    try:
        os.killpg(pid, number)
    except OSError as error:
        if error.errno in (errno.ESRCH, errno.EPERM):
            return False
        raise
    return True


def _is_group(pid: int) -> bool:
    return _kill_group(pid, 0)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux" and ctypes.CDLL(None).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(f"prctl({option}, {value}) was refused")


if __name__ == "__main__":
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    Keeper(socket.socket(fileno=int(sys.argv[1])), sys.argv[2]).run()
