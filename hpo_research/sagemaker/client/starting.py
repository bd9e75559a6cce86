"""How a job begins: which trainer its training jobs run, and where.

A script is run by a process of its own, which outlives the client; a function in a thread of the
client's process, with which it ends.
"""

import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo_research import sagemaker
from hpo_research.errors import DocumentError, MachineError
from hpo_research.executors.processes.process_tree import identity
from hpo_research.paths import place
from hpo_research.sagemaker.client import code, processes
from hpo_research.sagemaker.client.buckets import located
from hpo_research.sagemaker.client.refusals import Refusal
from hpo_research.sagemaker.job import TuningJob
from hpo_research.sagemaker.parents import DOCUMENT
from hpo_research.text import quoted

Function = Callable[..., Any]
Trainer = str | os.PathLike[str] | Sequence[str] | Function
"""A script, a command as its arguments, or a function `f(config)` or `f(config, report)`."""

OTHERS = "*"
COMMAND = "command.sh"
_MAIN = "import sys; from hpo_research.cli import main; sys.argv[0] = 'hpo'; main()"
# The process between is gone at once: the job is nobody's child, and nobody must wait for it.
_DETACH = (
    "import subprocess, sys; log = open(sys.argv[1], 'ab'); print(subprocess.Popen(sys.argv[2:], "
    "stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True).pid, flush=True)"
)


@dataclass(frozen=True)
class Trainers:
    """What runs in place of images and algorithms: trainers by name, `*` for all others."""

    by_name: Mapping[str, Trainer]

    def __post_init__(self) -> None:
        """Check every trainer, so that a wrong one is said before a job needs it."""
        wrong = [
            f"trainers[{quoted(name)}]: {mistake}"
            for name, one in self.by_name.items()
            if (mistake := _mistake(name, one))
        ]
        if wrong:
            raise DocumentError("\n".join(wrong))
        # The program may go elsewhere before a job needs its script.
        object.__setattr__(self, "by_name", {k: _absolute(v) for k, v in self.by_name.items()})

    def of(self, job: TuningJob) -> Trainer | None:
        """Return a job's trainer; None for the code that came with it.

        The trainer named after its definition, image or algorithm goes before that code, the code
        before the one for all others. Raises `Refusal` where there is none of these.
        """
        definition = job.searches[0].definition
        algorithm = definition and definition.AlgorithmSpecification
        known = (
            definition and definition.DefinitionName,
            algorithm and algorithm.TrainingImage,
            algorithm and algorithm.AlgorithmName,
        )
        names = [name for name in known if name]
        for name in names:
            if name in self.by_name:
                return self.by_name[name]
        if code.has_code(job):
            return None
        if OTHERS in self.by_name:
            return self.by_name[OTHERS]
        what = " or ".join(map(repr, names)) or "this job"
        raise Refusal(
            "ValidationException",
            f"no trainer is known for {what}; give LocalClient(trainers={{NAME: script or "
            f"function}}) one, or {OTHERS!r} for all",
        )


def _absolute(trainer: Trainer) -> Trainer:
    if isinstance(trainer, str | os.PathLike):
        return place(trainer, "trainers", DocumentError).resolve()
    return trainer


def _mistake(name: object, trainer: object) -> str:
    if not isinstance(name, str) or not name:
        return "the name must be that of an image, an algorithm or a definition, or '*'"
    if callable(trainer):
        return ""
    if isinstance(trainer, str | os.PathLike):
        path = place(trainer, f"trainers[{name!r}]", DocumentError)
        return "" if path.is_file() else f"there is no script {path}"
    is_command = isinstance(trainer, Sequence) and all(isinstance(p, str) for p in trainer)
    if is_command and trainer and not isinstance(trainer, bytes):
        return ""
    return f"must be a script's path, a command as a list of strings or a function, got {trainer!r}"


def start(job: TuningJob, trainer: Trainer | None, root: Path, folder: Path) -> None:
    """Begin a job in its folder. Raises `Refusal` where the code that came with it is no code."""
    given = code.unpacked(job, root, folder) if trainer is None else trainer
    if callable(given):
        _in_thread(job, given, root, folder)
    else:
        _detached(job, given, root, folder)


def _in_thread(job: TuningJob, function: Function, root: Path, folder: Path) -> None:
    own = identity(os.getpid())
    assert own is not None  # it is this process
    processes.note(folder, own)

    def run() -> None:
        sagemaker.tune(job, function, root=root, progress=False)

    threading.Thread(target=run, name=f"tuning job {folder.name}", daemon=True).start()


def _detached(
    job: TuningJob, script: str | os.PathLike[str] | Sequence[str], root: Path, folder: Path
) -> None:
    """Begin `hpo tune` in a process that is nobody's child; the same command resumes it."""
    if isinstance(script, str | os.PathLike):
        program = Path(script)
    else:
        program = folder / COMMAND
        program.write_text(f'#!/bin/sh\nexec {shlex.join(script)} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    options = ["--script", str(program), "--root", str(root)]
    for name, data in _channels(job, root):
        options += ["--channel", f"{name}={data}"]
    command = [*_hpo(), "tune", str(folder / DOCUMENT), *options]
    between = [sys.executable, "-I", "-S", "-c", _DETACH, str(folder / processes.LOG)]
    began = subprocess.run([*between, *command, "--quiet"], capture_output=True, text=True)
    if began.returncode:
        raise MachineError(f"no process could be begun for the job: {began.stderr.strip()}")
    own = identity(int(began.stdout))
    if own is not None:  # else it has ended already, and the log says why
        processes.note(folder, own, command)


def _hpo() -> list[str]:
    """Return the command `hpo` of this Python, also where none is installed beside it."""
    beside = Path(sys.executable).with_name("hpo")
    return [str(beside)] if beside.is_file() else [sys.executable, "-c", _MAIN]


def _channels(job: TuningJob, root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the channels whose data were uploaded through the client, and where they lie."""
    definition = job.searches[0].definition
    for channel in (definition and definition.InputDataConfig) or ():
        source = channel.DataSource.S3DataSource if channel.DataSource else None
        data = located(root, (source and source.S3Uri) or "")
        if channel.ChannelName and data is not None and data.exists():
            yield channel.ChannelName, data
