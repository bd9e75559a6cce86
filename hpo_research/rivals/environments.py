"""Environments of their own, for libraries whose pins conflict with ours.

Each is a folder with a virtual environment, in the folder that the environment variable
`HPO_RIVALS` names, or else in `.rivals` of the working directory, beside the results.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from hpo_research.errors import MissingPackageError, StrategyError
from hpo_research.rivals.catalogue import CATALOGUE
from hpo_research.text import quoted

VARIABLE = "HPO_RIVALS"
_DEFAULT = ".rivals"
_READY = "ready"  # a file that is there when all is installed


def folder() -> Path:
    """Return the folder that holds the environments."""
    return Path(os.environ.get(VARIABLE) or _DEFAULT)


def names() -> list[str]:
    """Return the names of the environments there can be."""
    found = (entry.library.environment for entry in CATALOGUE.values())
    return list(dict.fromkeys(name for name in found if name))


def python_of(environment: str) -> Path | None:
    """Return the Python of an environment, None where it has not been made."""
    place = folder() / environment
    python = place / "bin" / "python"
    return python if (place / _READY).exists() and python.exists() else None


def install(name: str, into: Path | None = None, say: Callable[[str], None] = print) -> Path:
    """Make the environment of a rival, and return its folder; one that is there stays as it is.

    Its packages are pinned one by one. Raises `StrategyError` for a rival that needs none, or an
    unknown one, and `MissingPackageError` where pip cannot install it.
    """
    environment = _environment(name)
    place = (into or folder()) / environment
    if (place / _READY).exists():
        say(f"{place} is there already; remove it to make it anew")
        return place
    pins = resources.files("hpo_research.rivals") / "pins" / f"{environment}.txt"
    _called([sys.executable, "-m", "venv", str(place)], say)
    python = str(place / "bin" / "python")
    with resources.as_file(pins) as file:
        # Without dependencies: what conflicts with what is installed here are their pins.
        _called([python, "-m", "pip", "install", "--no-deps", "-r", str(file)], say)
    (place / _READY).touch()
    hint = "" if into is None else f"; set {VARIABLE}={into} to use it"
    say(f"{place} holds what {name} needs{hint}")
    return place


def _environment(name: str) -> str:
    known = names()
    if name in known:
        return name
    if name not in CATALOGUE:
        raise StrategyError(f"{quoted(name)}: expected one of {', '.join(known)}")
    entry = CATALOGUE[name]
    if not entry.library.environment:
        extra = entry.extra or entry.library.extra
        raise StrategyError(
            f"{name} needs no environment of its own: pip install 'hpo_research[{extra}]'"
        )
    return entry.library.environment


def _called(command: Sequence[str], say: Callable[[str], None]) -> None:
    say(" ".join(command))
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise MissingPackageError(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr.strip()[-2000:]}"
        )
