"""Processes that cannot be started, or whose parent ends while they start."""

import errno
import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from waiting import SPACE, drain, is_gone, segment

from hpo_research.errors import MachineError, ProblemError
from hpo_research.executors.processes import fork_server, pool
from hpo_research.executors.processes.channel import Channel, pair
from hpo_research.executors.processes.executor import ProcessExecutor
from hpo_research.executors.processes.messages import Refused, say
from hpo_research.problems.function import FunctionProblem


def refuse() -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


class Full:
    """A fork server that gets no process from the machine."""

    def __init__(self, setup: object, threads: int, owner: str) -> None:
        self.channel, theirs = pair()
        self._theirs = Channel(theirs)
        self.pid = os.getpid()

    def fork(self) -> Channel:
        say(self._theirs, Refused("[Errno 11] Resource temporarily unavailable"))
        self._ours, theirs = pair()
        theirs.close()
        return self._ours

    def lost(self, pid: int) -> None:
        raise AssertionError(f"worker {pid} was never there")

    def close(self) -> None:
        self.channel.close()
        self._theirs.close()


@pytest.mark.parametrize("what", ["descriptors", "processes"])
def test_a_machine_that_is_full_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    if what == "descriptors":
        monkeypatch.setattr(fork_server, "pair", refuse)
    else:
        monkeypatch.setattr(pool, "ForkServer", Full)
    why = {"descriptors": "Too many open files", "processes": "temporarily unavailable"}[what]
    with closing(
        ProcessExecutor(FunctionProblem(lambda config: 0.0, SPACE), workers=2)
    ) as executor:
        executor.submit([segment(i) for i in range(3)])
        with pytest.raises(MachineError, match=rf"{why}.*raise that \(ulimit -n 1024\)") as error:
            drain(executor)
    assert isinstance(error.value, OSError)


def test_a_program_that_a_child_imports_does_not_start_its_experiment_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "multiprocessing.current_process", lambda: type("P", (), {"_inheriting": 1})
    )
    with closing(
        ProcessExecutor(FunctionProblem(lambda config: 0.0, SPACE), workers=1)
    ) as executor:
        executor.submit([segment(0)])
        with pytest.raises(ProblemError, match="put that under `if __name__ == '__main__':`"):
            executor.poll()


PARENT = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:-1] + [str(__import__("os").getpid()), sys.argv[-1]])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_a_fork_server_that_is_still_importing_ends_with_its_parent(tmp_path: Path) -> None:
    package = tmp_path / "hpo_research"
    package.mkdir()
    (package / "__init__.py").write_text(
        f"import pathlib, time\npathlib.Path({str(tmp_path / 'began')!r}).touch()\ntime.sleep(600)"
    )
    command = [
        sys.executable,
        "-P",
        "-c",
        fork_server._CODE,
        json.dumps([str(tmp_path), *sys.path]),
    ]
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *command, "0"], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        while not (tmp_path / "began").exists():
            assert parent.poll() is None
        assert not is_gone(child, within=0.1)
        parent.kill()
    assert is_gone(child)


def test_a_fork_server_whose_parent_is_gone_already_ends_at_once() -> None:
    command = [sys.executable, "-P", "-c", fork_server._CODE, json.dumps([]), "1", "0"]
    assert subprocess.run(command, timeout=60).returncode == 1
