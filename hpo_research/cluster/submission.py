"""Submission: shards as the elements of one array job, by submitit, on Slurm or on this machine.

Each element runs a command of ours in a process of its own, with the number of its shard: what the
cluster calls an element, and how many there are, is never read. What submitit says of an element's
state is not either: the stores say what is done. A shard that is preempted is ended, put back into
the queue, and goes on from its store, wherever it begins again; to be killed without a word costs
no number.
"""

import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hpo_research.cluster.settings import Settings, minutes
from hpo_research.errors import MachineError, MissingPackageError
from hpo_research.executors.processes.process_tree import die_with

Where = Literal["slurm", "local"]
JOBS = "jobs"
"""Where in the folder of an experiment the logs of its jobs are."""
_TERMINATED = 128 + signal.SIGTERM
_PATIENCE = 60.0  # seconds that a command has to end by itself, and that its end has to follow
_TIMEOUTS = 1_000_000  # submitit gives up after so many; a shard goes on until its store is full
_GRACE = 90  # seconds between the warning and the end of a job's time


class Task:
    """Commands that a job runs one after another, until one fails; the last exit code is its own.

    They run apart from the process that takes the cluster's signals, which would end the workers of
    a shard before it could say so.
    """

    def __init__(self, *commands: Sequence[str]) -> None:
        self.commands = [list(command) for command in commands]
        self._child: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Run them."""
        code, parent = 0, os.getpid()

        def prepare() -> None:
            signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # sent to every process of a job
            die_with(parent)

        for command in self.commands:
            self._child = subprocess.Popen(command, preexec_fn=prepare)
            while (status := self._child.poll()) is None:
                time.sleep(0.1)
            code = status
            if code == _TERMINATED:
                # Ended by the cluster, which requeues or kills this process next.
                time.sleep(_PATIENCE)
            if code != 0:
                break
        return code

    def checkpoint(self) -> Any:
        """End what runs, and return what is to be run when the job begins again."""
        child = self._child
        if child is not None:
            deadline = time.monotonic() + _PATIENCE
            # Not by `Popen`: this may be called inside of its `poll`.
            with suppress(ChildProcessError, ProcessLookupError):
                os.kill(child.pid, signal.SIGTERM)
                while os.waitpid(child.pid, os.WNOHANG) == (0, 0):
                    if time.monotonic() > deadline:
                        os.kill(child.pid, signal.SIGKILL)
                    time.sleep(0.05)
        return _submitit().helpers.DelayedSubmission(Task(*self.commands))

    def __getstate__(self) -> dict[str, Any]:
        return {"commands": self.commands, "_child": None}


def hpo(*words: str) -> list[str]:
    """Return a command of ours, for this Python."""
    return [sys.executable, "-c", "from hpo_research.cli import main; main()", *words]


@dataclass(frozen=True)
class Submitted:
    """The jobs of the shards, by submitit, and of the merge that follows; their ids for people."""

    jobs: Sequence[Any]
    merge: Any | None

    @property
    def id(self) -> str:
        """The id of the array job, or of its only element."""
        return str(self.jobs[0].job_id).partition("_")[0]


def submit(
    where: Where,
    name: str,
    out: Path,
    tasks: Sequence[Task],
    *,
    wanted: Settings,
    after: Task | None = None,
) -> Submitted:
    """Submit tasks as one array job, and one that begins when all of them have ended.

    On this machine nothing follows (`after`): whoever submits waits. Raises `MissingPackageError`
    without submitit, `MachineError` where the cluster refuses or there is none.
    """
    library = _submitit()
    folder = out / JOBS
    try:
        executor = _executor(library, where, folder)
        executor.update_parameters(**_parameters(where, name, wanted))
        jobs = executor.submit_array(list(tasks))
        follower = None
        if after is not None and where == "slurm":
            last = _executor(library, where, folder)
            # Small, and after all elements, however they ended: the stores say whether they did.
            small = _parameters(where, f"{name}-merge", wanted, gpus=False)
            array = str(jobs[0].job_id).partition("_")[0]
            last.update_parameters(**small, dependency=f"afterany:{array}")
            follower = last.submit(after)
    except (library.core.utils.FailedJobError, library.core.utils.FailedSubmissionError) as error:
        raise MachineError(f"--on {where}: the cluster refused the job: {error}") from error
    except RuntimeError as error:  # without srun
        raise MachineError(f"--on {where}: {error}") from error
    return Submitted(jobs, follower)


def _executor(library: Any, where: Where, folder: Path) -> Any:
    kind = library.SlurmExecutor if where == "slurm" else library.LocalExecutor
    return kind(folder, max_num_timeout=_TIMEOUTS)


def _parameters(where: Where, name: str, wanted: Settings, *, gpus: bool = True) -> dict[str, Any]:
    time_, count = minutes(wanted.time), wanted.gpus if gpus else 0
    if where == "local":
        return {"timeout_min": time_, "gpus_per_node": count, "setup": list(wanted.setup)}
    found = {
        "job_name": name[:50],
        "time": time_,
        "partition": wanted.partition,
        "account": wanted.account,
        "cpus_per_task": wanted.cpus,
        "gpus_per_node": count or None,
        "array_parallelism": wanted.at_once,
        "setup": list(wanted.setup) or None,
        "signal_delay_s": _GRACE,
        "stderr_to_stdout": True,
        # Memory is among them: for an array submitit would convert it twice, and fail.
        "additional_parameters": {
            "requeue": True,
            **({"mem": wanted.memory} if wanted.memory else {}),
            **wanted.sbatch,
        },
    }
    return {key: value for key, value in found.items() if value is not None}


def _submitit() -> Any:
    try:
        importlib.import_module("submitit.helpers")
        return importlib.import_module("submitit")
    except ImportError as error:
        raise MissingPackageError(
            "--on slurm and --on local need submitit; install it: pip install 'hpo_research[slurm]'"
        ) from error
