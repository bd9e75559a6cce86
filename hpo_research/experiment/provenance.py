"""Provenance: with what an experiment was run."""

import platform
import socket
import subprocess
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from hpo_research import heavy
from hpo_research.threads import processors

PACKAGES = ("hpo_research", "torch", "gpytorch", "botorch", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True)
class Source:
    """The file that an experiment was read from: its name without folders, and its text.

    `options` are those of the command line that made it another experiment than the file's
    (`("--seeds", "3")`).
    """

    name: str
    text: str
    options: tuple[str, ...] = ()


def provenance(device: str, source: Source | None = None) -> dict[str, object]:
    """Return package versions, the commit of the working folder, Python, the machine and file."""
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "commit": commit(),
        "device": device,
        "processor": processor(),
        "host": socket.gethostname(),
        **({} if source is None else {"file": asdict(source)}),
    }


def versions() -> dict[str, str]:
    """Return the versions of the packages that make the numbers."""
    return {name: _version(name) for name in PACKAGES}


@cache  # it takes a millisecond or two a package
def _version(name: str) -> str:
    return metadata.version(name)


@cache
def processor() -> str:
    """Return the model of the processor; where no `/proc` has it, its kind."""
    listed = Path("/proc/cpuinfo")
    rows = listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []
    models = [row.partition(":")[2].strip() for row in rows if row.startswith("model name")]
    return (models or [platform.processor() or platform.machine()])[0]


def machine(device: str) -> str:
    """Return the processor, how many of them this process may use, and the device if another."""
    there = f", {heavy.torch.cuda.get_device_name(device)}" if device.startswith("cuda") else ""
    return f"{processor()}, {processors()} usable{there}"


def commit() -> str:
    """Return the commit of the working folder, with `+changes` where files differ from it.

    Empty outside a repository or without git.
    """
    try:
        head = _git("rev-parse", "HEAD")
        return head + ("+changes" if _git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
