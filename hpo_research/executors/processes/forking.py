"""The fork server: it forks workers, watches them, and ends them when the executor ends.

It imports the package once and has one thread, so that a worker is there in milliseconds, shares
its libraries with the others, and always has somebody who sees it die. It runs no code of the
user's. When the executor's process ends, even by SIGKILL, its channel closes, and the fork server
ends every worker with all that the worker has started; when the fork server is killed, the kernel
kills the workers.
"""

import contextlib
import errno
import os
import selectors
import signal
import socket
import struct
import sys
import time
import traceback
from dataclasses import dataclass
from typing import NoReturn

import psutil

from hpo_research.executors.processes import process_tree, worker
from hpo_research.executors.processes.channel import Channel
from hpo_research.executors.processes.messages import Exited, Refused, Setup, Spawned, say, told
from hpo_research.executors.processes.preloading import load

COMMAND = struct.Struct("=ci")
"""A command to the fork server: `FORK` with a channel's descriptor, `KILL` with a process, or
`LOST` with one whose channel is closed."""

FORK, KILL, LOST = b"f", b"k", b"l"
_TICK = 0.1  # seconds between looks at the workers' memory
_TREE = 10  # looks at a worker alone for each look at its children too
_LINE = 200  # characters kept of what a worker printed last
_GRACE = 0.2  # seconds that a process whose channel is closed has to be dead of something else
_CLOSED = (
    "the process closed or overwrote its connection to the experiment; a function must close only "
    "the descriptors that it has opened"
)


@dataclass
class _Child:
    """A worker that lives: where it prints, the last of that, and why it was killed."""

    output: int
    tail: bytes = b""
    cause: str = ""


def main(descriptor: int, parent: int) -> None:
    """Run the fork server over the socket with this descriptor, until it is closed."""
    control = socket.socket(fileno=descriptor)
    channel = Channel(control)
    process_tree.adopt_orphans()
    with contextlib.suppress(EOFError, ConnectionError):  # the executor ended before it began
        setup = told(channel)
        load(setup.modules)
        server = _Server(control, setup, parent)
        # From here on the end of the executor is seen below, and everybody is ended with it.
        process_tree.outlive_parent()
        try:
            server.run()
        finally:
            server.end()
    os._exit(0)  # there is nothing to tidy up, and the executor waits


class _Server:
    def __init__(self, control: socket.socket, setup: Setup, parent: int) -> None:
        self._control = control
        self._channel = Channel(control)
        self._setup = setup
        self._parent = parent
        self._children: dict[int, _Child] = {}
        self._ticks = 0
        # A child's death wakes the selector.
        self._bell, ringer = socket.socketpair()
        self._bell.setblocking(False)
        ringer.setblocking(False)
        self._ringer = ringer
        signal.set_wakeup_fd(ringer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ, self._obey)
        self._selector.register(self._bell, selectors.EVENT_READ, self._hush)

    def run(self) -> None:
        """Obey, listen and watch until the executor's process is gone."""
        tick = _TICK if self._setup.memory is not None else 1.0
        looked = time.monotonic()
        while os.getppid() == self._parent:
            for key, _ in self._selector.select(tick):
                if key.data() is False:
                    return
            self._reap()
            if self._setup.memory is not None and time.monotonic() - looked >= _TICK:
                looked = time.monotonic()
                self._weigh(self._setup.memory)

    def end(self) -> None:
        """Kill every worker and all that they have started, and wait until they are gone."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            family = psutil.Process().children()
            if not family:
                return
            for child in family:
                process_tree.kill_tree(child.pid)
            while _ended():
                pass
            time.sleep(0.005)

    def _obey(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._control, COMMAND.size, 1)
        if len(data) < COMMAND.size:
            return False
        order, pid = COMMAND.unpack(data)
        if order == FORK:
            self._bear(descriptors)
        elif pid in self._children:
            if order == LOST and not _has_ended(pid, within=_GRACE):
                self._children[pid].cause = self._children[pid].cause or _CLOSED
            process_tree.kill_tree(pid)
        return True

    def _bear(self, descriptors: list[int]) -> None:
        try:
            if not descriptors:  # the kernel drops those for which there is no room
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            pid = self._fork(descriptors[0])
        except OSError as error:
            say(self._channel, Refused(str(error)))
        else:
            say(self._channel, Spawned(pid))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _fork(self, descriptor: int) -> int:
        reader, writer = os.pipe()
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            os.close(reader)
            os.close(writer)
            raise
        if pid == 0:
            self._begin(parent, descriptor, writer)
        os.close(writer)
        os.set_blocking(reader, False)
        self._children[pid] = child = _Child(reader)
        self._selector.register(reader, selectors.EVENT_READ, lambda: self._listen(child))
        return pid

    def _begin(self, parent: int, descriptor: int, writer: int) -> NoReturn:
        code = 1
        try:
            os.setsid()
            process_tree.die_with(parent)
            process_tree.adopt_orphans()
            self._leave(writer)
            channel = Channel(socket.socket(fileno=descriptor))
            worker.serve(channel, self._setup.problem, self._setup.device)
            code = 0
        except BaseException:  # a forked process must not return into the fork server
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
            os._exit(code)

    def _leave(self, writer: int) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for held in (self._control, self._bell, self._ringer):
            held.close()
        for child in self._children.values():
            os.close(child.output)
        for stream in (1, 2):
            os.dup2(writer, stream)
        os.close(writer)
        # Lines are written at once, so that the last one is not lost in a crash.
        sys.stdout = os.fdopen(1, "w", buffering=1, errors="replace", closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, errors="replace", closefd=False)

    def _hush(self) -> None:
        self._bell.recv(4096)

    def _listen(self, child: _Child) -> None:
        with contextlib.suppress(BlockingIOError):
            printed = os.read(child.output, 65536)
            child.tail = (child.tail + printed)[-4 * _LINE :]
            if not printed:  # closed by the worker and all of its children
                self._mute(child)

    def _mute(self, child: _Child) -> None:
        if child.output in self._selector.get_map():
            self._selector.unregister(child.output)

    def _reap(self) -> None:
        while ended := _ended():
            pid, status = ended
            child = self._children.pop(pid, None)
            if child is None:
                continue
            self._bury(pid, child)
            lines = child.tail.decode(errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "")
            code = os.waitstatus_to_exitcode(status)
            cause = child.cause or (_CLOSED if code == worker.LEFT else "")
            say(self._channel, Exited(pid, code, cause, last[-_LINE:]))

    def _bury(self, pid: int, child: _Child) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        # What it started has become a child of the fork server.
        for orphan in psutil.Process().children():
            if orphan.pid not in self._children:
                process_tree.kill_tree(orphan.pid)
        self._listen(child)
        self._mute(child)
        os.close(child.output)

    def _weigh(self, limit: int) -> None:
        self._ticks += 1
        for pid, child in self._children.items():
            used = process_tree.memory_of(pid, with_children=self._ticks % _TREE == 0)
            if used > limit and not child.cause:
                child.cause = f"out of memory: it used {_size(used)}, the limit is {_size(limit)}"
                process_tree.kill_tree(pid)


def _ended() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def _has_ended(pid: int, within: float) -> bool:
    """Whether a child has ended, or does so soon; it stays to be waited for."""
    deadline = time.monotonic() + within
    while not (ended := os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)):
        if time.monotonic() >= deadline:
            break
        time.sleep(0.002)
    return ended is not None


def _size(count: int) -> str:
    return f"{count / 10**9:.2f} GB"
