"""Requests to a running loop: files in its folder that other processes write, and it reads.

`DIR/requests/NAME.json` is written beside its place and renamed into it, so that the loop sees
all of it or nothing. The loop removes it once what it asks for is stored.
"""

import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hpo_research.errors import StoreError
from hpo_research.store.rows import RunName

FOLDER = "requests"


@dataclass(frozen=True)
class Request:
    """That some runs end, and why; or that runs which were ended go on (`reopens`).

    Where there are `trials`, these are stopped, and the runs go on.
    """

    runs: tuple[RunName, ...]
    reason: str
    reopens: bool = False
    trials: tuple[int, ...] = ()


def write(folder: Path, request: Request) -> Path:
    """Put a request into a results folder. Raises `StoreError` where the disk refuses."""
    path = folder / FOLDER / f"{uuid.uuid4().hex}.json"
    beside = path.with_suffix(".part")
    fields = asdict(request)
    try:
        path.parent.mkdir(exist_ok=True)
        with beside.open("x", encoding="utf-8") as file:
            json.dump(fields, file)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
    except OSError as error:
        raise StoreError(f"{path.parent}: no request can be written there ({error})") from error
    return path


def pending(folder: Path | None) -> dict[Path, Request]:
    """Return the requests that lie in a folder, in the order in which they were written.

    Raises `StoreError` for a file that is none.
    """
    if folder is None or not (folder / FOLDER).is_dir():
        return {}
    paths = list((folder / FOLDER).glob("*.json"))
    return {path: _read(path) for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns)}


def done(paths: Sequence[Path]) -> None:
    """Remove requests of which the store now holds what came of them."""
    for path in paths:
        path.unlink(missing_ok=True)


def _read(path: Path) -> Request:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        runs = tuple(RunName(str(p), str(s), int(seed)) for p, s, seed in found["runs"])
        trials = tuple(int(trial) for trial in found.get("trials", ()))
        return Request(runs, str(found["reason"]), found["reopens"] is True, trials)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise StoreError(f"{path}: is not a request ({error}); remove it") from error
