"""Files that are there whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path

from hpo_research.errors import StoreWriteError


def write_beside(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place and rename it, so that it is there whole or not at all.

    Raises `StoreWriteError` where the disk refuses.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(beside)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise StoreWriteError(f"{path}: could not be written ({error.strerror or error})") from None
