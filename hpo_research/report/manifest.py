"""The manifest: every file that a report wrote, by its digest, and what it was made from."""

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from importlib import metadata
from pathlib import Path

from hpo_research.analysis.files import write_beside
from hpo_research.analysis.result import Result
from hpo_research.report.sessions import commands
from hpo_research.store.schema import VERSION
from hpo_research.text import is_visible

NAME = "manifest.json"
_PACKAGES = ("hpo_research", "jinja2", "matplotlib", "numpy", "pandas", "scipy")


def write_manifest(result: Result, folder: Path, paths: Sequence[Path]) -> Path:
    """Write `manifest.json`: sorted, and the same for the same store and files."""
    path = folder / NAME
    facts = manifest(result, folder, paths)
    text = json.dumps(facts, indent=2, sort_keys=True, ensure_ascii=False)
    if not is_visible(text):  # JSON has escapes of its own
        text = json.dumps(facts, indent=2, sort_keys=True)
    write_beside(path, partial(_write, text + "\n"))
    return path


def manifest(result: Result, folder: Path, paths: Sequence[Path]) -> dict[str, object]:
    """Return what the manifest says; files are named by their path below the folder.

    `versions` are those of the last session of the experiment, and of the packages that made the
    report; `schema` is that of the store.
    """
    last = result.provenance[-1] if result.provenance else {}
    return {
        "commands": commands(result),
        "experiment": result.facts.name,
        "files": {path.relative_to(folder).as_posix(): _facts(path) for path in paths},
        "runs": len(result.runs),
        "runs_over": len(result.over),
        "schema": VERSION,
        "versions": {
            "experiment": last.get("versions", {}),
            "report": {name: metadata.version(name) for name in _PACKAGES},
        },
    }


def _facts(path: Path) -> dict[str, object]:
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _write(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
