"""The sessions of an experiment: with what it was run, from which file, by which command."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpo_research.analysis.result import Result


@dataclass(frozen=True)
class Session:
    """One session: its facts by name; of a later one, those that differ from the one before."""

    facts: Mapping[str, str]


@dataclass(frozen=True)
class File:
    """An experiment file as it was in some session."""

    name: str
    text: str


def sessions(result: Result) -> list[Session]:
    """Return the sessions that differ in anything, in their order."""
    found: list[Session] = []
    before: dict[str, str] = {}
    for note in result.provenance:
        facts = _facts(note)
        changed = {key: value for key, value in facts.items() if before.get(key) != value}
        before = facts
        if changed:
            found.append(Session(changed))
    return found


def _facts(note: Mapping[str, Any]) -> dict[str, str]:
    facts = {
        "results": note.get("results", ""),
        "shard": note.get("shard", ""),
        "device": note.get("device", ""),
        "processor": note.get("processor", ""),
        "python": note.get("python", ""),
        "platform": note.get("platform", ""),
        "commit": note.get("commit", "") or "none",
        **note.get("versions", {}),
    }
    facts |= {f"source of {name}": digest for name, digest in note.get("sources", {}).items()}
    return {name: str(value) for name, value in facts.items() if value}


def files(result: Result) -> list[File]:
    """Return the experiment files, the latest first; none for an experiment run from Python."""
    found = [
        File(note["file"]["name"], note["file"]["text"])
        for note in result.provenance
        if "file" in note
    ]
    return list(dict.fromkeys(reversed(found)))


def commands(result: Result) -> list[str]:
    """Return the command of each session that began from a file, without repetitions."""
    lines = [
        shlex.join(["hpo", "run", note["file"]["name"], *_options(note)])
        for note in result.provenance
        if "file" in note
    ]
    return list(dict.fromkeys(lines))


def _options(note: Mapping[str, Any]) -> Sequence[str]:
    return ["--device", note["device"], *note["file"]["options"]]
