"""What of the rivals is installed, where, and in which version; and engines made there."""

import atexit
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

from hpo_research.errors import MissingPackageError, StrategyError
from hpo_research.rivals import environments
from hpo_research.rivals.catalogue import CATALOGUE, Library
from hpo_research.rivals.engines.protocol import Task
from hpo_research.rivals.places import Elsewhere, Here, Seat

_ASK = "from importlib import metadata as m; print(m.version({!r}))"


@dataclass(frozen=True)
class Found:
    """Where a rival runs: its version, and the Python of its environment or None for this one."""

    version: str
    python: Path | None = None


def found(name: str) -> Found:
    """Return where a rival runs.

    In its own environment where that was made, else in this one. Raises `MissingPackageError` with
    the line that installs it where it is in neither.
    """
    entry = CATALOGUE[name]
    library = entry.library
    own = environments.python_of(library.environment) if library.environment else None
    if own is not None:
        return Found(_version_there(own, library.package), own)
    wanted = (*library.imports, *entry.needs)
    missing = [module for module in wanted if find_spec(module) is None]
    if missing:
        raise MissingPackageError(
            f"{name} needs {', '.join(missing)}, not installed here: {install_line(name)}"
        )
    return Found(metadata.version(library.package))


def install_line(name: str) -> str:
    """Return the command that installs what a rival needs."""
    entry = CATALOGUE[name]
    if entry.library.environment:
        return f"hpo rivals install {entry.library.environment}"
    return f"pip install 'hpo_research[{entry.extra or entry.library.extra}]'"


def seat(name: str, version: str, task: Task, seed: int) -> Seat:
    """Make a rival's engine where it runs.

    Raises `MissingPackageError` where it is not installed, `StrategyError` for another version.
    """
    library, there = CATALOGUE[name].library, found(name)
    if there.version != version:
        raise StrategyError(
            f"{name}: the experiment records {library.package} {version}, {there.version} is "
            "installed; install that version, or begin a new experiment"
        )
    if there.python is None:
        return Here.made(library.module, name, task, seed)
    return _process(there.python, library).made(name, task, seed)


@cache
def _version_there(python: Path, package: str) -> str:
    command = [str(python), "-P", "-c", _ASK.format(package)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise MissingPackageError(f"{python} has no {package}: {done.stderr.strip()[-300:]}")
    return done.stdout.strip()


_processes: dict[tuple[Path, str], Elsewhere] = {}
_lock = Lock()


def _process(python: Path, library: Library) -> Elsewhere:
    """Return the process that serves a module, begun where there is none."""
    key = (python, library.module)
    with _lock:
        known = _processes.get(key)
        if known is not None and not known.is_alive:
            known.close()
        if known is None or not known.is_alive:
            _processes[key] = known = Elsewhere(python, library.module)
        return known


def close() -> None:
    """End the processes that serve engines; the next ask begins them again."""
    with _lock:
        while _processes:
            _processes.popitem()[1].close()


atexit.register(close)
