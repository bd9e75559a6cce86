"""The keeper as this process sees it: its process, and the socket to it."""

import contextlib
import json
import select
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import NoReturn

from hpo_research.errors import MachineError
from hpo_research.jobs import keeper


class Keeping:
    """The keeper's process and the socket to it."""

    def __init__(self, environment: Mapping[str, str] | None) -> None:
        with contextlib.ExitStack() as ends:
            try:
                self._socket, theirs = map(ends.enter_context, socket.socketpair())
                self._bell, self._ringer = map(ends.enter_context, socket.socketpair())
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", keeper.__file__, str(theirs.fileno())],
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
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for end in (self._bell, self._ringer):
            end.close()


def _refuse(error: OSError) -> NoReturn:
    raise MachineError(
        f"the process that starts programs could not be started ({error}); let fewer trials train "
        "at once (parallel=, workers=); nothing that is stored is lost, and the same call resumes"
    ) from error
