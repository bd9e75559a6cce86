"""The files a function keeps of a trial, as a state: relative paths to bytes in tensors."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from hpo_research.records import Report, State


def restore(state: State | None, folder: Path) -> None:
    """Make the folder hold the files of the state and nothing else."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for name, content in (state or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.numpy().tobytes())


def snapshot(folder: Path) -> State:
    """Read every file below the folder."""
    return {
        path.relative_to(folder).as_posix(): torch.from_numpy(np.fromfile(path, dtype=np.uint8))
        for path in _files(folder)
    }


def with_state(report: Report, folder: Path | None) -> Report:
    """Let the report give the folder's files as its state, where there is a folder."""
    if folder is None:
        return report
    return replace(report, state=lambda: snapshot(folder))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
