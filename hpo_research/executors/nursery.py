"""The executor's handle of its nursery process."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from multiprocessing.connection import Connection

from hpo_research.executors import processes
from hpo_research.executors.forking import COMMAND, FORK, KILL
from hpo_research.executors.messages import Orders, send

# The nursery imports what this process would import, and nothing is left in its environment.
_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from hpo_research.executors.forking import main; main(int(sys.argv.pop()))"
)


class Nursery:
    """A fresh interpreter that forks workers. Its messages, `Born` and `Died`, come by `channel`.

    `Born` comes in the order of `fork`. What is said to a nursery that has died is lost: its
    channel is at its end, and whoever listens to that learns of it.
    """

    def __init__(self, orders: Orders, threads: int, owner: str) -> None:
        self._control, theirs = socket.socketpair()
        arguments = [sys.executable, "-c", _CODE, str(theirs.fileno()), json.dumps(sys.path)]
        with theirs:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=processes.environment(threads, owner),
                start_new_session=True,
            )
        self.channel = Connection(os.dup(self._control.fileno()))
        self.pid = self._process.pid
        with contextlib.suppress(OSError):
            send(self.channel, orders)

    def fork(self) -> Connection:
        """Ask for a worker and return the channel to it."""
        ours, theirs = socket.socketpair()
        with theirs, contextlib.suppress(OSError):
            socket.send_fds(self._control, [COMMAND.pack(FORK, 0)], [theirs.fileno()])
        return Connection(ours.detach())

    def kill(self, pid: int) -> None:
        """Kill a worker and all that it has started; nothing happens if it has ended."""
        with contextlib.suppress(OSError):
            self._control.send(COMMAND.pack(KILL, pid))

    def close(self) -> None:
        """End the nursery and every worker."""
        self.channel.close()
        self._control.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
