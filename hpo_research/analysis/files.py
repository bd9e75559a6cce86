"""Files that are there whole or not at all, and frames as CSV."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from hpo_research.errors import StoreError, StoreWriteError
from hpo_research.paths import Given, place
from hpo_research.text import visible

_BLANK = " \t\r\n"
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def folder_for(given: Given, what: str) -> Path:
    """Return a folder for files, made where there is none; `what` is whose it is.

    Raises `StoreError` for what is no path, `StoreWriteError` where the disk refuses.
    """
    made = place(given, f"{what}: folder", StoreError)
    try:
        made.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreWriteError(f"{made}: could not be written ({error.strerror or error})") from None
    return made


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


def csv(frame: pd.DataFrame, *, raw: bool = False) -> str:
    """Return a frame as CSV that is UTF-8, with what cannot be shown as escapes.

    Numbers have every digit. A text that a spreadsheet would run as a formula (`is_formula`) has an
    apostrophe before it, by which they take it for text; with `raw` every text is as it is.
    """
    shown = frame.rename(columns=visible if raw else _harmless)
    for position, dtype in enumerate(shown.dtypes):
        if not is_numeric_dtype(dtype):
            cells = np.empty(len(shown), dtype=object)
            made = _visible if raw else _harmless
            cells[:] = [made(value) for value in shown.iloc[:, position]]
            shown.isetitem(position, cells)
    return shown.to_csv(index=False, lineterminator="\n")


def formulas(frame: pd.DataFrame) -> list[str]:
    """Return the columns that have a text, or a title, which a spreadsheet takes for a formula."""
    return [name for name in frame.columns if any(map(is_formula, [name, *frame[name]]))]


def is_formula(value: object) -> bool:
    """Whether a spreadsheet takes a value for a formula, as it takes no number for one."""
    if not isinstance(value, str) or not value.lstrip(_BLANK).startswith(("=", "+", "-", "@")):
        return False
    return _NUMBER.fullmatch(value) is None


def _harmless(value: object) -> object:
    shown = _visible(value)
    return f"'{shown}" if is_formula(value) or is_formula(shown) else shown


def _visible(value: object) -> object:
    return visible(value) if isinstance(value, str) else value
