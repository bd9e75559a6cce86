"""What was measured, with what, kept as JSON; `RESULTS.md` is written from it, between marks."""

import json
import os
import platform
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import torch

from benchmarks.speed.measured import HEADINGS, markdown, unpacked
from hpo_research.experiment.provenance import commit

RECORD = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[1] / "RESULTS.md"
COMMAND = "OMP_NUM_THREADS=1 python -m benchmarks.speed"
_PACKAGES = ("torch", "botorch", "gpytorch", "numpy", "scipy", "optuna", "ax-platform")
_MODULES = {"ax-platform": "ax"}
_START = """# Measured

Everything between marks is written by the command beside it, from `speed/results.json`. Times are
of a small shared machine: quote the ratios.

## The targets, beside rivals

<!-- speed:targets -->
<!-- /speed:targets -->

Regret, the last line of the targets, has a record of its own.

## How the cost of an ask grows

<!-- speed:growth -->
<!-- /speed:growth -->

## Where the time of an ask goes

<!-- speed:profile -->
<!-- /speed:profile -->
"""

Json = dict


def made_with() -> dict[str, object]:
    """Return hardware, versions and commit."""
    known = [name for name in _PACKAGES if find_spec(_MODULES.get(name, name)) is not None]
    return {
        "cpu": _processor(),
        "cores": os.cpu_count() or 1,
        "device": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none",
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in known},
        "commit": commit(),
    }


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        for line in listed.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def read(path: Path = RECORD) -> Json:
    """Return the record, empty where there is none."""
    return json.loads(path.read_text()) if path.exists() else {}


def entered(part: str, name: str, content: object, path: Path = RECORD) -> Json:
    """Enter what was measured under a name, with what it was made, and return the whole record."""
    record = read(path)
    entry = {"measured": content, "made_with": made_with()}
    record.setdefault(part, {})[name] = entry
    record[part] = dict(sorted(record[part].items()))
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return record


def targets(record: Json) -> str:
    """Return the table of targets as Markdown."""
    rows, sittings = [], []
    for number, entry in record.get("targets", {}).items():
        rows += [[number, *unpacked(fields).cells()] for fields in entry["measured"]]
        sittings.append((number, entry["made_with"]))
    table = markdown(("row", *HEADINGS), rows)
    return f"`{COMMAND}` (`--rows 4 5` for some rows alone)\n\n{table}\n\n{sat(sittings)}"


def sat(sittings: list[tuple[str, Json]]) -> str:
    """Say with what each was made, together where it was the same."""
    groups: dict[str, list[str]] = {}
    for name, made in sittings:
        versions = ", ".join(f"{k} {v}" for k, v in made["versions"].items())
        place = f"{made['cores']} cores of {made['cpu']}, GPU: {made['device']}"
        text = (
            f"threads={made['threads']}, {place}; Python {made['python']}, {versions}; "
            f"commit {made['commit'][:9]}{'+changes' if '+' in made['commit'] else ''}"
        )
        groups.setdefault(text, []).append(name)
    return "\n".join(f"- {', '.join(names)}: {text}" for text, names in groups.items())


def put(section: str, text: str, page: Path = PAGE) -> None:
    """Write a section between its marks on the page; what stands outside them is kept."""
    written = page.read_text() if page.exists() else _START
    start, end = f"<!-- speed:{section} -->", f"<!-- /speed:{section} -->"
    before, found, rest = written.partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise RuntimeError(f"{page.name} has no marks {start} and {end}; put them where it belongs")
    page.write_text(f"{before}{start}\n{text}\n{end}{after}")


def take(section: str, page: Path = PAGE) -> str:
    """Read a section of the page."""
    rest = page.read_text().partition(f"<!-- speed:{section} -->")[2]
    return rest.partition(f"<!-- /speed:{section} -->")[0].strip()
