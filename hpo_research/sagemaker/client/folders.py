"""The folder of a client's jobs: which there are, who has a name, and where deleted ones go.

A job is `ROOT/NAME` with its document in it. Names are taken whatever their case, also by folders
that hold something else. What begins with `_` is the client's own: no job can be called so.
"""

import contextlib
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from hpo_research.errors import HpoError, StoreLockedError
from hpo_research.sagemaker.client.refusals import Refusal
from hpo_research.sagemaker.parents import DOCUMENT
from hpo_research.sagemaker.plain import Json
from hpo_research.store import lock

DELETED = "_deleted"
Found = TypeVar("Found")

_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}")
_PATIENCE = 10.0  # seconds to wait for another process that enters or removes a job


def jobs(root: Path) -> dict[str, Path]:
    """Return the folders of all jobs by name."""
    with contextlib.suppress(FileNotFoundError), os.scandir(root) as entries:
        return {one.name: root / one.name for one in entries if _is_job(root / one.name)}
    return {}


def whole(folder: Path, ask: Callable[[], Found]) -> Found:
    """Return what is read of a job's folder, all of it of one job.

    A job may be deleted while it is read, and another made under its name: that one is read then.
    Raises `Refusal` (`ResourceNotFound`) where there is none any more.
    """
    while True:
        before = _number(folder)
        try:
            found = ask()
        except (OSError, HpoError) as error:
            if before is None:
                why = f"there is no tuning job of this name in {folder.parent} any more"
                raise Refusal("ResourceNotFound", f"{folder.name}: {why}") from error
            if _number(folder) == before:
                raise
        else:
            if _number(folder) == before:
                return found


def _number(folder: Path) -> int | None:
    """Return the number of the file that is a job's document; None where there is no job."""
    with contextlib.suppress(OSError):
        return (folder / DOCUMENT).stat().st_ino
    return None


def home(root: Path, name: str) -> Path:
    """Return a job's folder, whatever the case of its name.

    Raises `Refusal` (`ResourceNotFound`) where there is none.
    """
    found = _taken(root, name)
    if found is None or not _is_job(found):
        raise Refusal("ResourceNotFound", f"{name}: there is no tuning job of this name in {root}")
    return found


def deleted(root: Path, name: str) -> Path | None:
    """Return where the last deleted job of a name lies; None where none was."""
    old = (root / DELETED).glob("*")
    parts = {path: path.name.rpartition(".") for path in old}
    found = {
        path: int(number)
        for path, (own, _, number) in parts.items()
        if own.lower() == name.lower() and number.isdecimal()
    }
    return max(found, key=found.__getitem__, default=None)


def enter(root: Path, name: str, document: Json) -> Path:
    """Make the folder of a new job with its document.

    Raises `Refusal` (`ResourceInUse`) where the name is taken.
    """
    root.mkdir(parents=True, exist_ok=True)
    with _alone(root):
        if (other := _taken(root, name)) is not None:
            same = "" if other.name == name else ", which differs in case alone"
            what = "a tuning job" if _is_job(other) else "a folder"
            why = f"{name}: the name is taken by {what}, {other}{same}; choose another name"
            raise Refusal("ResourceInUse", why)
        new = root / f"_new-{uuid.uuid4().hex}"
        new.mkdir()
        (new / DOCUMENT).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        new.rename(root / name)
    return root / name


def remove(root: Path, folder: Path) -> Path:
    """Move a job's folder out of the way, with all that its training jobs left; return where to."""
    with _alone(root):
        last = deleted(root, folder.name)
        number = 1 if last is None else int(last.name.rpartition(".")[2]) + 1
        to = root / DELETED / f"{folder.name}.{number}"
        to.parent.mkdir(exist_ok=True)
        folder.rename(to)
    return to


def _is_job(folder: Path) -> bool:
    return _NAME.fullmatch(folder.name) is not None and (folder / DOCUMENT).is_file()


def _taken(root: Path, name: str) -> Path | None:
    if (root / name / DOCUMENT).is_file():
        return root / name
    entries = sorted(root.iterdir()) if root.is_dir() else []
    return next((path for path in entries if path.name.lower() == name.lower()), None)


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Let no other process enter or remove a job meanwhile."""
    by = time.monotonic() + _PATIENCE
    while True:
        try:
            held = lock.acquire(root)
            break
        except StoreLockedError:
            if time.monotonic() >= by:
                raise
            time.sleep(0.01)
    try:
        yield
    finally:
        held.release()
