"""Settings: what a cluster is asked for, for each shard; by flags, or a small TOML file."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from hpo_research import options
from hpo_research.errors import ExperimentError
from hpo_research.text import quoted

_TIME = re.compile(r"(?:(\d+)-)?(\d{1,3}):(\d{2})(?::(\d{2}))?")
_MEMORY = re.compile(r"\d+(\.\d+)?\s*[KMGT]B?", re.IGNORECASE)


@dataclass(frozen=True)
class Settings:
    """What each shard gets: a partition, time, memory, GPUs, processors, and an account.

    `time` is as Slurm writes it (`4:00:00`, `2-00:00:00`) or in minutes; `at_once` is how many
    shards may run at a time. `setup` are shell lines that come before (`module load cuda`), and
    `sbatch` is whatever else `sbatch` takes, by the long names of its options.
    Raises `ExperimentError` with all that is wrong.
    """

    partition: str | None = None
    time: str | int = "1-00:00:00"
    memory: str | None = None
    gpus: int = 0
    cpus: int = 1
    account: str | None = None
    at_once: int = 256
    setup: tuple[str, ...] = ()
    sbatch: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        mistakes = [
            f"{name} must be a whole number of at least {least}, got {quoted(getattr(self, name))}"
            for name, least in {"gpus": 0, "cpus": 1, "at_once": 1}.items()
            if (options.as_integer(getattr(self, name)) or 0) < least
            or isinstance(getattr(self, name), bool)
        ]
        mistakes += [
            f"{name} must be a text, got {quoted(getattr(self, name))}"
            for name in ("partition", "account")
            if not isinstance(getattr(self, name), str | None)
        ]
        if minutes(self.time) < 1:
            mistakes.append(
                f"time must be minutes, hours:minutes:seconds or days-hours:minutes:seconds, of a "
                f"minute at least, got {quoted(self.time)}"
            )
        if self.memory is not None and not _is_memory(self.memory):
            mistakes.append(f"memory must be such as 8GB, got {quoted(self.memory)}")
        if not isinstance(self.sbatch, Mapping):
            mistakes.append(f"sbatch must be a table of options, got {quoted(self.sbatch)}")
        if isinstance(self.setup, str) or not all(isinstance(own, str) for own in self.setup):
            mistakes.append(f"setup must be a list of shell lines, got {quoted(self.setup)}")
        if mistakes:
            raise ExperimentError("\n".join(f"cluster: {mistake}" for mistake in mistakes))
        object.__setattr__(self, "setup", tuple(self.setup))


def minutes(time: object) -> int:
    """Return minutes, rounded up; 0 for what is no time."""
    whole = options.as_integer(time)
    if whole is not None:
        return max(whole, 0)
    if not isinstance(time, str):
        return 0
    if time.strip().isdecimal():
        return int(time)
    if (found := _TIME.fullmatch(time.strip())) is None:
        return 0
    days, hours, minute, seconds = (int(part or 0) for part in found.groups())
    return days * 1440 + hours * 60 + minute + bool(seconds)


def _is_memory(given: object) -> bool:
    return isinstance(given, str) and _MEMORY.fullmatch(given.strip()) is not None


def settings(file: Path | None, given: Mapping[str, Any]) -> Settings:
    """Return the settings of a file, with those that were given in their place.

    Raises `ExperimentError` for a file that is none.
    """
    found: dict[str, Any] = {}
    if file is not None:
        try:
            found = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ExperimentError(f"--cluster {file}: is not a TOML file ({error})") from error
    known = [own.name for own in fields(Settings)]
    unknown = sorted(found.keys() - set(known))
    if unknown:
        raise ExperimentError(
            f"--cluster {file}: has {', '.join(unknown)}; expected {', '.join(known)} (what else "
            "sbatch takes goes below [sbatch])"
        )
    if isinstance(found.get("setup"), list):
        found["setup"] = tuple(found["setup"])
    return replace(Settings(**found), **{k: own for k, own in given.items() if own is not None})
