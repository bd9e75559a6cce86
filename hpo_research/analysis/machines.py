"""Machines: which of them computed which runs, since processors differ in the last bits."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpo_research.analysis.result import Result
from hpo_research.store import RunName

SINCE = "since"
"""The key of a session's note that says after which turn of the store it began."""


@dataclass(frozen=True, order=True)
class Machine:
    """Where a session ran: the name of the machine, its processor, and the device."""

    host: str
    processor: str
    device: str

    def __str__(self) -> str:
        device = "" if self.device == "cpu" else f", {self.device}"
        return f"{self.host} ({self.processor}{device})"


def machines(result: Result) -> dict[RunName, tuple[Machine, ...]]:
    """Return the machines that computed something of each run, in their order.

    Sessions of earlier versions noted none; of them nothing is said.
    """
    parts = result.parts.values() or [result]
    return {
        name: own
        for part in parts
        for name, own in _of_one(part, [n for n in part.provenance if SINCE in n]).items()
    }


def _of_one(
    result: Result, notes: Sequence[Mapping[str, Any]]
) -> dict[RunName, tuple[Machine, ...]]:
    begins = [int(note[SINCE]) for note in notes]
    found = {}
    for name, history in result.histories.items():
        turns = {turn for turn, _ in history.asked} | {turn for _, _, turn in history.reports}
        turns |= {turn for turn, _ in history.outcomes}
        sessions = sorted({bisect_right(begins, turn - 1) for turn in turns} - {0})
        found[name] = tuple(dict.fromkeys(machine_of(notes[i - 1]) for i in sessions))
    return found


def machine_of(note: Mapping[str, Any]) -> Machine:
    """Return the machine of the note of a session."""
    return Machine(*(str(note.get(key, "unknown")) for key in ("host", "processor", "device")))


def lines(result: Result) -> list[str]:
    """Say what each machine computed, where there were several."""
    found: dict[Machine, list[RunName]] = {}
    for name, own in machines(result).items():
        for machine in own:
            found.setdefault(machine, []).append(name)
    if len(found) < 2:
        return []
    return [f"{machine}: {len(names)} runs" for machine, names in sorted(found.items())]
