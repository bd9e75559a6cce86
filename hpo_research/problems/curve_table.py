"""A table of recorded learning curves: configurations × seeds × epochs, and its file."""

import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from hpo_research import paths
from hpo_research.errors import ProblemError, StoreWriteError
from hpo_research.paths import Given
from hpo_research.problems.digests import digest_of
from hpo_research.records import Direction
from hpo_research.space import Config, SearchSpace
from hpo_research.space.documents import document, from_document
from hpo_research.text import quoted

SHIPPED = Path(__file__).parent / "curve_tables"
"""The folder of the tables that come with the package."""

_VERSION = 1
_HEADER, _SECONDS = "header", "seconds"


@dataclass(frozen=True, eq=False)
class CurveTable:
    """What the trainings of a design of configurations reported, epoch by epoch.

    `space` lists the configurations (`among`). `metrics[name][c, s, e - 1]` is what configuration c
    reported with seed s after epoch e, NaN where it had diverged; `metric` is the one that the
    recorded problem optimises, `directions` says of each that can be optimised which way it is
    better. `seconds[c, s]` is what an epoch cost, amortised: the training's share of the wall time
    of a batch of alike ones. `facts` say where it comes from: command, commit, versions, machine,
    data and their licence.
    """

    problem: str
    space: SearchSpace
    metric: str
    directions: Mapping[str, Direction]
    metrics: Mapping[str, Float32[np.ndarray, "c s e"]]
    seconds: Float32[np.ndarray, "c s"]
    facts: Mapping[str, Any]

    @property
    def configurations(self) -> tuple[Config, ...]:
        """The configurations, in the order of the arrays."""
        return self.space.among or ()

    @property
    def seeds(self) -> int:
        """With how many seeds each configuration was trained."""
        return int(self.seconds.shape[1])

    @property
    def epochs(self) -> int:
        """How many epochs each training has."""
        return int(self.metrics[self.metric].shape[2])


def write(table: CurveTable, path: Path) -> None:
    """Write a table, compressed; the file is there whole or not at all.

    Equal tables give equal bytes. Raises `StoreWriteError` where the disk refuses.
    """
    rows = [list(config.values()) for config in table.configurations]
    header = {
        "version": _VERSION,
        "problem": table.problem,
        "metric": table.metric,
        "directions": dict(table.directions),
        "space": document(SearchSpace(table.space.parameters)),
        "configurations": rows,
        "facts": dict(table.facts),
    }
    text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    written(path, {_HEADER: text, _SECONDS: table.seconds, **table.metrics})


def written(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as one compressed file, renamed into its place when it is on disk.

    Raises `StoreWriteError` where the disk refuses.
    """
    beside = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise StoreWriteError(
            f"{path}: could not be written ({error.strerror}); choose another place, or make room"
        ) from error


def read(path: Given) -> CurveTable:
    """Read the file of a table; one that was read before and is unchanged is not read again.

    Raises `ProblemError` where there is none, or it is no table of this version.
    """
    return _parsed(*_content(_file(path)))


def digest(path: Given) -> str:
    """Return what tells tables apart by their content: 16 hexadecimal digits.

    Raises `ProblemError` where there is no file.
    """
    return _content(_file(path))[1]


def place(name: str) -> Path:
    """Return the file of a table: one that is shipped, by its name, or any by its path.

    Raises `ProblemError` for a name that is neither.
    """
    if not isinstance(name, str):
        raise ProblemError(
            f"Tabulated({quoted(name)}): expected the name of a table or the path of a file, "
            "as a string"
        )
    if name.endswith(".npz"):
        return _file(name)
    if name not in shipped():
        known = ", ".join(shipped()) or "none"
        raise ProblemError(
            f"{quoted(name)} is not a recorded table; expected one that comes with the package "
            f"({known}) or the path of a file that `hpo table` wrote, which ends in .npz"
        )
    return SHIPPED / f"{name}.npz"


def shipped() -> tuple[str, ...]:
    """Return the names of the tables that come with the package."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.npz")))


def _file(path: Given) -> Path:
    return paths.place(path, "a recorded table", ProblemError)


def _content(path: Path) -> tuple[str, str]:
    """Return the resolved path and the digest of what it holds."""
    if path.is_dir():
        raise ProblemError(f"{path}: is a folder; expected a file that `hpo table` wrote")
    try:
        return str(path.resolve()), digest_of(path)
    except OSError as error:
        raise ProblemError(
            f"{path}: there is no recorded table ({error.strerror}); make one with `hpo table`"
        ) from error


@lru_cache(maxsize=8)
def _parsed(path: str, _digest: str) -> CurveTable:
    try:
        with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(arrays.pop(_HEADER).tobytes())
        version = header["version"]
    except (ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ProblemError(
            f"{path}: is not a table that `hpo table` wrote, or is damaged ({error}); make it again"
        ) from error
    if version != _VERSION:
        raise ProblemError(
            f"{path}: is a table of version {version}, this package reads {_VERSION}; "
            "use the version of the package that wrote it, or make it again"
        )
    parameters = from_document(header["space"]).parameters
    configs: list[Config] = [
        dict(zip(parameters, row, strict=True)) for row in header["configurations"]
    ]
    return CurveTable(
        problem=header["problem"],
        space=SearchSpace(parameters, among=configs),
        metric=header["metric"],
        directions=header["directions"],
        seconds=arrays.pop(_SECONDS),
        metrics=arrays,
        facts=header["facts"],
    )
