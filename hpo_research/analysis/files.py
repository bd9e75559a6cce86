"""Files that are there whole or not at all, and frames as CSV."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from hpo_research.errors import StoreWriteError
from hpo_research.text import visible


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


def csv(frame: pd.DataFrame) -> str:
    """Return a frame as CSV that is UTF-8, with what cannot be shown as escapes.

    Text is otherwise as it is, `=`, `+`, `-` and `@` at its beginning included: this is data, and
    what reads it back must find the names that were given. A spreadsheet may take such a cell for
    a formula, whatever its quotes: let it import the column as text (`formulas` tells which).
    """
    shown = frame.rename(columns=visible)
    for position, dtype in enumerate(shown.dtypes):
        if not is_numeric_dtype(dtype):
            cells = np.empty(len(shown), dtype=object)
            cells[:] = [_visible(value) for value in shown.iloc[:, position]]
            shown.isetitem(position, cells)
    return shown.to_csv(index=False, lineterminator="\n")


def formulas(frame: pd.DataFrame) -> list[str]:
    """Return the columns that have a text, or a title, which a spreadsheet takes for a formula."""
    return [name for name in frame.columns if any(map(is_formula, [name, *frame[name]]))]


def is_formula(value: object) -> bool:
    """Whether a spreadsheet takes a value for a formula."""
    return isinstance(value, str) and value.startswith(("=", "+", "-", "@"))


def _visible(value: object) -> object:
    return visible(value) if isinstance(value, str) else value
