"""The record `results.json`, and the table of targets as `RESULTS.md` has it."""

from pathlib import Path

from benchmarks import record
from benchmarks.record import Json, sat
from benchmarks.speed.measured import HEADINGS, markdown, unpacked

RECORD = Path(__file__).with_name("results.json")
COMMAND = "OMP_NUM_THREADS=1 python -m benchmarks.speed"


def enter(part: str, name: str, content: object) -> Json:
    """Enter what was measured under a name, and return the whole record."""
    return record.enter(RECORD, (part, name), {"measured": content})


def targets(found: Json) -> str:
    """Return the table of targets as Markdown."""
    rows, sessions = [], []
    for number, entry in sorted(found.get("targets", {}).items(), key=lambda e: int(e[0])):
        rows += [[number, *unpacked(fields).cells()] for fields in entry["measured"]]
        sessions.append((number, entry["made_with"]))
    table = markdown(("row", *HEADINGS), rows)
    return f"`{COMMAND}` (`--rows 4 5` for some rows alone)\n\n{table}\n\n{sat(sessions)}"
