"""The executor's handle of its fork server."""

import contextlib
import errno
import json
import multiprocessing
import os
import resource
import subprocess
import sys

from hpo_research.errors import MachineError, ProblemError
from hpo_research.executors.processes import process_tree
from hpo_research.executors.processes.channel import Channel, pair
from hpo_research.executors.processes.forking import COMMAND, FORK, KILL, LOST
from hpo_research.executors.processes.messages import Setup, packed

# From the first instruction on the fork server is ended with this process: to import what workers
# want (`Setup.modules`) may take seconds. It imports what this process would import, and nothing is
# left in its environment.
_CODE = """
import os, signal, sys
paths, parent, descriptor = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
if os.getppid() != parent:
    os._exit(1)
import json
sys.path[:], sys.argv[:] = json.loads(paths), ["-c"]
from hpo_research.executors.processes.forking import main
main(descriptor, parent)
"""


class ForkServer:
    """A fresh interpreter that forks workers. What it says comes by `channel`.

    `Spawned` or `Refused` comes in the order of `fork`. What is said to a fork server that has
    died is lost: its channel is at its end, and whoever listens to that learns of it. Raises
    `MachineError` where the machine gives no process or no descriptor.
    """

    def __init__(self, setup: Setup, threads: int, owner: str) -> None:
        _check_not_imported()
        try:
            self.channel, theirs = pair()
        except OSError as error:
            raise refused(str(error), 0) from error
        arguments = [json.dumps(sys.path), str(os.getpid()), str(theirs.fileno())]
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", _CODE, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    env=process_tree.environment(threads, owner),
                    start_new_session=True,
                )
        except OSError as error:
            self.channel.close()
            raise refused(str(error), 0) from error
        self.pid = self._process.pid
        with contextlib.suppress(OSError):
            self.channel.post(packed(setup))

    def fork(self) -> Channel:
        """Ask for a worker and return the channel to it. Raises `OSError` where it cannot ask."""
        ours, theirs = pair()
        try:
            self.channel.hand(COMMAND.pack(FORK, 0), theirs)
        except OSError as error:
            if error.errno == errno.ETOOMANYREFS:  # too many descriptors are on their way
                ours.close()
                raise
        return ours

    def kill(self, pid: int) -> None:
        """Kill a worker and all that it has started; nothing happens if it has ended."""
        self._tell(KILL, pid)

    def lost(self, pid: int) -> None:
        """Say that a worker's channel is closed: end it, unless it has ended of something else."""
        self._tell(LOST, pid)

    def close(self) -> None:
        """End the fork server and every worker."""
        self.channel.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tell(self, order: bytes, pid: int) -> None:
        with contextlib.suppress(OSError):
            self.channel.hand(COMMAND.pack(order, pid))


def _check_not_imported() -> None:
    # As multiprocessing itself does: its children run a main program again up to its main guard.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise ProblemError(
            "a process started by multiprocessing imports this program, and would start its "
            "experiment again; put that under `if __name__ == '__main__':`"
        )


def refused(why: str, running: int) -> MachineError:
    """Return what is raised where no further process can be had."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MachineError(
        f"a worker process could not be started ({why}) alongside {running} others. Each needs a "
        f"file descriptor here and one in the process that starts them, and {limit} may be open in "
        "either: raise that (ulimit -n 1024), or let fewer trials train at once (parallel=, "
        "workers=); nothing that is stored is lost, and the same call resumes"
    )
