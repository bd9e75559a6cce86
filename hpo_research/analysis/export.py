"""Export: a result's frames as files for other tools."""

import importlib
import json
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd

from hpo_research import analysis, paths
from hpo_research.ambient import ordinary
from hpo_research.analysis import coco, iohprofiler
from hpo_research.analysis.files import csv, write_beside
from hpo_research.analysis.frames import is_beyond
from hpo_research.analysis.result import Result
from hpo_research.errors import MissingPackageError, StoreError
from hpo_research.options import one_of, require
from hpo_research.paths import Given

Format = Literal["csv", "parquet", "coco", "iohprofiler", "optuna"]
_NATIVE = {bool: "boolean", int: "Int64", float: "Float64", str: "string"}


@ordinary()
def export(result: Result, folder: Given, format: str = "csv", *, raw: bool = False) -> list[Path]:
    """Write `trials` and `reports` to a folder as CSV or Parquet, or what other tools read.

    The files are returned. Rows and columns are those of `Result.frame` and `Result.reports`: the
    same result gives the same bytes. What earlier runs found is no trial: where there is some, it
    is a third file, `earlier`, as `Result.earlier_frame`. A file is renamed into its place when it
    is complete.

    CSV: UTF-8, lines end in a newline, floats have all their digits, and an empty field is a
    missing value or an empty text. Types are lost: a column that holds 3 and "3" shows 3 twice.
    What cannot be shown is lost too: control characters are escapes. A text that a spreadsheet
    would run as a formula has an apostrophe before it, unless `raw`: see `analysis.files.csv`.
    `pandas.read_csv(path, keep_default_na=False, na_values=[""])` reads it back.

    Parquet keeps types: a `config.` column of one type has that type (integers with gaps stay
    integers); one of several types holds JSON texts, so that 3 and "3" stay apart. Texts are as
    they were given, but for bytes that are not UTF-8, which are escapes.

    `coco` writes no frames but the runs in the format of COCO's data, a folder a strategy, for
    cocopp to read: see `analysis.coco`. `iohprofiler`: likewise for IOHanalyzer and iohinspector,
    see `analysis.iohprofiler`.
    `optuna`: one file, `optuna.log`, a journal with a study for each run (`optuna_view.journal`).

    Raises `MissingPackageError` for Parquet without pyarrow and for Optuna without it, `StoreError`
    for another format, `StoreWriteError` where the disk refuses.
    """
    require("format", format, one_of(get_args(Format)), error=StoreError, call="export")
    if format == "parquet":
        _require_pyarrow()
    place = paths.place(folder, "export: folder", StoreError)
    if format == "coco":
        return coco.write(result, place / "coco")
    if format == "iohprofiler":
        return iohprofiler.write(result, place / "iohprofiler")
    if format == "optuna":
        analysis.optuna_view.needed.need()
        analysis.optuna_view.journal.write(result, journal := place / "optuna.log")
        return [journal]
    frames = {"trials": result.frame(), "reports": result.reports()}
    if result.earlier:
        frames["earlier"] = result.earlier_frame()
    written = []
    for name, frame in frames.items():
        path = place / f"{name}.{format}"
        write_beside(
            path, partial(_csv, frame, raw) if format == "csv" else partial(_parquet, frame)
        )
        written.append(path)
    return written


def _csv(frame: pd.DataFrame, raw: bool, path: Path) -> None:
    path.write_text(csv(frame, raw=raw), encoding="utf-8", newline="\n")


def _parquet(frame: pd.DataFrame, path: Path) -> None:
    typed = frame.copy()
    for column in frame.columns:
        if frame[column].dtype == object:
            typed[column] = _typed(frame[column])
    typed.to_parquet(path, engine="pyarrow", index=False)


def _typed(column: "pd.Series[Any]") -> "pd.Series[Any]":
    values = [value for value in column if not _is_missing(value)]
    types = {type(value) for value in values}
    if types == {str}:  # a file name that is not UTF-8 has no place in a column of texts
        return column.map(_encodable, na_action="ignore").astype("string")
    if len(types) <= 1 and not (types == {int} and any(map(is_beyond, values))):
        return column.astype(_NATIVE[next(iter(types), str)])  # type: ignore[call-overload, no-any-return]
    texts = [None if _is_missing(value) else json.dumps(value) for value in column]
    return pd.Series(texts, index=column.index, dtype="string")


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _require_pyarrow() -> None:
    try:
        importlib.import_module("pyarrow")
    except ImportError as error:
        raise MissingPackageError(
            "Parquet needs pyarrow; install it: pip install 'hpo_research[parquet]'"
        ) from error
