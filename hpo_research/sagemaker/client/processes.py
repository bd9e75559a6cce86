"""The process of a job that a client began, noted in its folder, and whether it lives.

A job whose process has ended before the job has is told as `Failed`: nobody would wait for its end
otherwise. Resumed, by the command that the reason names, it is in progress again.
"""

import json
import shlex
import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import psutil

from hpo_research.executors.processes.process_tree import ProcessId, identity
from hpo_research.sagemaker.standing import Standing, looked, standing
from hpo_research.store.overview import Overview

PROCESS, LOG = "process.json", "process.log"
_CLOCK = 2.0  # seconds by which the start time of a process may shift when the clock is set


def note(folder: Path, process: ProcessId, command: Sequence[str] = ()) -> None:
    """Note which process is at a job, and the command that resumes it; none runs a function."""
    text = json.dumps({**asdict(process), "command": command})
    (folder / PROCESS).write_text(text + "\n", encoding="utf-8")


def stands(folder: Path, seen: Callable[[Path], Overview | None] = looked) -> Standing:
    """Return how a job stands, `Failed` where the process that a client began for it is gone."""
    found = standing(folder, seen)
    if found.is_over or found.is_running or not (why := _lost(folder)):
        return found
    # It may have ended the job, or another may have taken it up, since the first look.
    found = standing(folder, seen)
    if found.is_over or found.is_running:
        return found
    return replace(found, status="Failed", reason=why, detail="", ended=found.modified)


def _lost(folder: Path) -> str:
    """Say that a job's process has ended; empty where it lives, or where nothing is known of it."""
    try:
        noted = json.loads((folder / PROCESS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    command, known = noted.pop("command"), ProcessId(**noted)
    if known.host != socket.gethostname() or _lives(known):
        return ""
    if not command:
        return (
            f"process {known.pid} has ended, in which the job ran: its trainer is a function; "
            "sagemaker.tune with the same document, function and root resumes it"
        )
    log = folder / LOG
    return (
        f"process {known.pid} has ended before the job; {log} says why where it could, and this "
        f"resumes it: {shlex.join(command)}"
    )


def _lives(known: ProcessId) -> bool:
    now = identity(known.pid)
    if now is None or abs(now.created - known.created) > _CLOCK:
        return False
    try:
        return bool(psutil.Process(known.pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
