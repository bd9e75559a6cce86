"""The files a function keeps of a trial, as a state: relative paths to bytes in tensors."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path, PurePath

import numpy as np

from hpo_research import heavy
from hpo_research.errors import StateError
from hpo_research.records import State


def restore(state: State | None, folder: Path) -> None:
    """Make the folder hold the files of the state and nothing else.

    Raises `StateError` where the state names a file outside it.
    """
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for name, content in (state or {}).items():
        path = folder / name
        if ".." in path.parts[len(folder.parts) :] or PurePath(name).is_absolute():
            raise StateError(f"the state holds a file {name!r}, which is not below {folder}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.numpy().tobytes())
        os.utime(path, ns=(0, 0))  # so that a file written anew at once is seen to be new


def snapshot(folder: Path) -> State:
    """Read every file below the folder."""
    return {
        path.relative_to(folder).as_posix(): heavy.torch.from_numpy(
            np.fromfile(path, dtype=np.uint8)
        )
        for path in _files(folder)
    }


class Folder:
    """A trial's folder while its function runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._marks = _marks(path)
        self._saves_first: bool | None = None

    def snapshot(self) -> State:
        """Read every file as it is now."""
        return snapshot(self.path)

    def saved(self) -> Callable[[], State] | None:
        """Return what reads the files that belong to the epoch being reported, None without any.

        They do where they were written since the report before. But a function that had written
        nothing at its first report writes after reporting, or only when it ends, and what lies in
        its folder during a report is of an epoch before.
        """
        before, self._marks = self._marks, _marks(self.path)
        is_new = self._marks != before
        if self._saves_first is None:
            self._saves_first = is_new
        return self.snapshot if is_new and self._saves_first else None


def _marks(folder: Path) -> set[tuple[str, int, int, int]]:
    marks = set()
    for path in _files(folder):
        with suppress(FileNotFoundError):  # a file for a moment, of a thread of the user's
            facts = path.stat()
            marks.add((str(path), facts.st_ino, facts.st_size, facts.st_mtime_ns))
    return marks


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
