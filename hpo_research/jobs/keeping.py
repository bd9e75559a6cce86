"""The keeper as this process sees it: its process, and the socket to it."""

import contextlib
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import NoReturn

from hpo_research.errors import MachineError
from hpo_research.jobs import keeper

_PATIENCE = 10.0  # seconds for processes to end


class Keeping:
    """The keeper's process and the socket to it."""

    def __init__(self, environment: Mapping[str, str] | None) -> None:
        self._name = secrets.token_hex(8)  # of no other keeper, on whatever machine
        with contextlib.ExitStack() as ends:
            try:
                self._socket, theirs = map(ends.enter_context, socket.socketpair())
                self._bell, self._ringer = map(ends.enter_context, socket.socketpair())
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", keeper.__file__, str(theirs.fileno()), self._name],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    env=None if environment is None else dict(environment),
                    start_new_session=True,
                )
            except OSError as error:
                _refuse(error)
            theirs.close()
            ends.pop_all()  # ours stay open
        for end in (self._bell, self._ringer):
            end.setblocking(False)
        self._received = b""
        self.pid = self._process.pid

    def tell(self, words: Mapping[str, object]) -> None:
        """Send a command."""
        # A keeper that cannot be told anything is dead: the thread is about to see that.
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(json.dumps(words).encode() + b"\n")

    def ring(self) -> None:
        """Wake whoever listens."""
        with contextlib.suppress(BlockingIOError, OSError):
            self._ringer.send(b"!")

    def listen(self, timeout: float | None) -> list[dict[str, object]] | None:
        """Return what is said, at most `timeout` seconds from now; None once it has gone."""
        poll = select.poll()
        for end in (self._socket, self._bell):
            poll.register(end, select.POLLIN)
        heard = {fd for fd, _ in poll.poll(None if timeout is None else timeout * 1000)}
        if self._bell.fileno() in heard:
            with contextlib.suppress(BlockingIOError):
                self._bell.recv(4096)
        if self._socket.fileno() not in heard:
            return []
        try:
            data = self._socket.recv(1 << 16)
        except ConnectionError:
            data = b""
        *lines, self._received = (self._received + data).split(b"\n")
        return [json.loads(line) for line in lines] if data else None

    def close(self) -> None:
        """Close the socket, at which the keeper ends everything, and wait for that."""
        self._socket.close()
        self.outlive()
        for end in (self._bell, self._ringer):
            end.close()

    def outlive(self) -> None:
        """Wait for the keeper's end, and end what it had started where it could not (Linux)."""
        try:
            self._process.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        by = time.monotonic() + _PATIENCE
        while self._process.returncode and (left := keeper.marked(self._name)):
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() >= by:
                break
            time.sleep(0.002)


def _refuse(error: OSError) -> NoReturn:
    raise MachineError(
        f"the process that starts programs could not be started ({error}); let fewer trials train "
        "at once (parallel=, workers=); nothing that is stored is lost, and the same call resumes"
    ) from error
