"""Recording a table of learning curves: a whole design trained, and resumable at any moment.

What is trained already lies beside the table's file, in `FILE.parts/`: the design, and one file a
batch. The table is put together from them when the last batch is there.
"""

import hashlib
import json
import shutil
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from hpo_research.errors import ExperimentError, ProblemError, StoreWriteError
from hpo_research.experiment.description import describe, differences
from hpo_research.options import Mistakes, whole
from hpo_research.paths import Given, place
from hpo_research.problems import curve_table
from hpo_research.problems.classifiers import DIRECTIONS, Classifier
from hpo_research.problems.curve_table import CurveTable
from hpo_research.problems.protocol import Problem, last_epoch
from hpo_research.records import Direction, Segment
from hpo_research.rng import Stream
from hpo_research.space import Config, SearchSpace
from hpo_research.store import lock
from hpo_research.strategies.sobol import sobol
from hpo_research.threads import limited

Training = tuple[int, int]
"""(configuration, seed)."""

Watch = Callable[[int, int], None]
"""Called with how many trainings are done, and of how many."""

_BATCH = {"cpu": 16, "cuda": 256}
_DESIGN, _METRIC = "design", "metric "
_DRAWS = 16  # times as many points of the sequence as wanted, before a space is too small


@dataclass(frozen=True)
class Design:
    """What is recorded: distinct configurations of a problem, each trained with every seed.

    The configurations are those of a scrambled Sobol sequence over the space, repeated ones left
    out. Raises `ExperimentError`.
    """

    problem: Problem
    configurations: int
    seeds: int = 2

    def __post_init__(self) -> None:
        rules = {"configurations": whole(), "seeds": whole()}
        Mistakes.of(self, rules).refuse(ExperimentError)
        if self.problem.max_epochs is None:
            raise ExperimentError(
                f"{self.problem.name}: a table needs equally many epochs for every training, and "
                "the length of its trials is open; give it max_epochs="
            )

    @property
    def epochs(self) -> int:
        """How many epochs a training has."""
        return last_epoch(self.problem.max_epochs)

    @cached_property
    def space(self) -> SearchSpace:
        """The problem's space, restricted to the configurations."""
        space, wanted = self.problem.space, self.configurations
        found: dict[object, Config] = {}
        draws = _DRAWS if space.size is None or space.size >= wanted else 0
        for draw in range(draws):
            cube = sobol(Stream(0), space.dimension, first=draw * wanted, count=wanted)
            for config in space.from_uniform(cube):
                found.setdefault(space.identity(config), config)
            if len(found) >= wanted:
                break
        if len(found) < wanted:
            size = "a continuum" if space.size is None else f"{space.size} configurations"
            raise ExperimentError(
                f"{self.problem.name}: fewer than {wanted} distinct configurations were found in "
                f"its space ({size}); ask for fewer"
            )
        return SearchSpace(space.parameters, among=list(found.values())[:wanted])

    def described(self) -> dict[str, Any]:
        """Return the design as plain JSON."""
        known = {"configurations": self.configurations, "seeds": self.seeds}
        space = describe(self.problem.space, "space")
        text = json.dumps({"problem": describe(self.problem, "problem"), "space": space, **known})
        return dict(json.loads(text))


def record(
    design: Design,
    out: Given,
    *,
    facts: Mapping[str, Any],
    device: str = "cpu",
    watch: Watch | None = None,
) -> CurveTable:
    """Train a design and write its table; where it was stopped, the same call goes on.

    `facts` say with what it is trained; those of every session are kept. A training's stream is
    `Stream(seed).at("trial", configuration)`, configurations counted from 0. Raises
    `ExperimentError` where `out` holds another design, `StoreWriteError` where the disk refuses,
    and what the problem raises where its data are missing.
    """
    out = place(out, "record: out", ExperimentError)
    if out.suffix != ".npz":
        raise ExperimentError(f"{out}: expected a file whose name ends in .npz")
    _refuse_existing(out)
    if isinstance(design.problem, Classifier):
        design.problem.read()  # in no training's seconds
    folder = out.with_name(f"{out.name}.parts")
    with _worded(folder):
        folder.mkdir(parents=True, exist_ok=True)
    held = lock.acquire(folder)
    try:
        _refuse_existing(out)  # another process may have come to its end since
        parts = _opened(folder, design, facts)
        _train(design, parts, device, watch)
        table = _table(design, parts)
        curve_table.write(table, out)
        # While it is locked: another process must not begin in a folder that is being removed.
        with _worded(folder):
            shutil.rmtree(folder)
    finally:
        held.release()
    return table


def _refuse_existing(out: Path) -> None:
    if out.exists():
        raise ExperimentError(f"{out}: exists already; remove it, or name another file")


@contextmanager
def _worded(folder: Path) -> Iterator[None]:
    """Say what the disk refused, in our words."""
    try:
        yield
    except OSError as error:
        raise StoreWriteError(
            f"{folder}: could not be made, written or removed ({error.strerror}); choose another "
            "place, or make room"
        ) from error


@contextmanager
def _read(path: Path, folder: Path) -> Iterator[None]:
    """Say which file of what is trained already cannot be read."""
    try:
        yield
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ExperimentError(
            f"{path}: is damaged or cannot be read ({error}); remove it to train what it held "
            f"again, or {folder} to start over"
        ) from error


@dataclass(frozen=True)
class _Parts:
    """The folder of what is trained already: a file a batch, which says what it holds.

    Every part names its trainings and the digest of its design (`key`; none in parts of earlier
    versions), so its name and its place among the others mean nothing.
    """

    folder: Path
    facts: Sequence[Mapping[str, Any]]
    design: Design
    key: str

    def batches(self) -> Iterator[dict[str, np.ndarray]]:
        """Yield the arrays of each batch, a doubled one once.

        Raises `ExperimentError` that names a part which is damaged, of another design, or holds
        other values of a training than another part.
        """
        known: dict[Training, bytes] = {}
        for path in self._paths():
            with _read(path, self.folder), np.load(path, allow_pickle=False) as file:
                batch = {name: file[name] for name in file.files}
                self._check(batch)
                rows = [tuple(row) for row in batch["trainings"].tolist()]
                values = [_bits(batch, row) for row in range(len(rows))]
                pairs = list(zip(rows, values, strict=True))
                if any(known.get(row, bits) != bits for row, bits in pairs):
                    raise ValueError("holds other values of a training than another part")
            fresh = [i for i, row in enumerate(rows) if row not in known]
            known.update(pairs)
            yield {name: own[fresh] for name, own in batch.items() if name != _DESIGN}

    def done(self) -> set[Training]:
        """Return what is trained."""
        return {(c, s) for batch in self.batches() for c, s in batch["trainings"].tolist()}

    def append(self, batch: Mapping[str, np.ndarray]) -> None:
        """Keep a batch under a name that is free; it is on disk when this returns."""
        numbers = [int(path.stem) for path in self._paths() if path.stem.isdecimal()]
        path = self.folder / f"{max(numbers, default=-1) + 1:06d}.npz"
        curve_table.written(path, {**batch, _DESIGN: np.array(self.key)})

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("*.npz"))

    def _check(self, batch: Mapping[str, np.ndarray]) -> None:
        """Raise `ValueError` where a batch does not belong to the design."""
        if str(batch.get(_DESIGN, self.key)) != self.key:
            raise ValueError("belongs to another design")
        trainings, seconds = batch["trainings"], batch["seconds"]
        n = len(trainings)
        ends = (self.design.configurations, self.design.seeds)
        is_inside = trainings.shape == (n, 2) and ((trainings >= 0) & (trainings < ends)).all()
        metrics = {name: own.shape for name, own in batch.items() if name.startswith(_METRIC)}
        shape = (n, self.design.epochs)
        is_whole = f"{_METRIC}{self.design.problem.metric}" in metrics and seconds.shape == (n,)
        if not is_inside or not is_whole or set(metrics.values()) != {shape}:
            raise ValueError("holds other trainings than the design has")


def _bits(batch: Mapping[str, np.ndarray], row: int) -> bytes:
    """Return what a training reported, to the bit; seconds may differ."""
    names = sorted(name for name in batch if name.startswith(_METRIC))
    return b"".join(name.encode() + batch[name][row].tobytes() for name in names)


def _opened(folder: Path, design: Design, facts: Mapping[str, Any]) -> _Parts:
    """Open the folder of a design, or begin it. Raises `ExperimentError` for another design."""
    place = folder / "design.json"
    described, sessions = design.described(), []
    if place.exists():
        with _read(place, folder):
            known = json.loads(place.read_text(encoding="utf-8"))
            lines, sessions = differences(known["design"], described), known["sittings"]
        if lines:
            raise ExperimentError(
                f"{folder}: holds the recordings of another design; remove the folder, name "
                "another file, or undo:\n" + "\n".join(lines)
            )
    if dict(facts) not in sessions:
        sessions = [*sessions, dict(facts)]
    beside = place.with_suffix(".part")
    text = json.dumps({"design": described, "sittings": sessions})
    with _worded(folder):
        beside.write_text(text, encoding="utf-8")
        beside.replace(place)
    return _Parts(folder, sessions, design, _key(described))


def _key(described: Mapping[str, Any]) -> str:
    text = json.dumps(described, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _train(design: Design, parts: _Parts, device: str, watch: Watch | None) -> None:
    configs = design.space.among or ()
    done = parts.done()
    total = len(configs) * design.seeds
    missing = [
        training for training in np.ndindex(len(configs), design.seeds) if training not in done
    ]
    most = _BATCH[device.partition(":")[0]]
    finished = len(done)
    if watch is not None:
        watch(finished, total)
    for batch in _batches(design.problem, configs, missing, most):
        with limited():
            parts.append(_trained(design.problem, configs, batch, device))
        finished += len(batch)
        if watch is not None:
            watch(finished, total)


def _batches(
    problem: Problem, configs: Sequence[Config], missing: Sequence[Training], most: int
) -> Iterator[list[Training]]:
    """Yield what trains together: alike networks, so that a share of their time means something."""

    def shape(training: Training) -> str:
        config = configs[training[0]]
        return repr(problem.shape_of(config)) if isinstance(problem, Classifier) else ""

    for _, group in groupby(sorted(missing, key=shape), key=shape):
        alike = list(group)
        for begin in range(0, len(alike), most):
            yield alike[begin : begin + most]


def _trained(
    problem: Problem, configs: Sequence[Config], batch: Sequence[Training], device: str
) -> dict[str, np.ndarray]:
    """Train a batch; return the trainings, their metrics (n epochs) and seconds an epoch (n)."""
    segments = [
        Segment(seed, c, configs[c], last_epoch(problem.max_epochs), Stream(seed).at("trial", c))
        for c, seed in batch
    ]
    rows = {segment.key: row for row, segment in enumerate(segments)}
    metrics: dict[str, np.ndarray] = {}
    epochs, seconds = np.zeros(len(batch)), np.zeros(len(batch))
    began = time.perf_counter()
    for reports in problem.evaluate(segments, device):
        share = (time.perf_counter() - began) / max(len(reports), 1)
        for report in reports:
            row = rows[report.key]
            epochs[row] += 1
            seconds[row] += share if report.seconds is None else report.seconds
            for name, value in report.metrics.items():
                own = metrics.setdefault(name, _blank(len(batch), last_epoch(problem.max_epochs)))
                own[row, report.epoch - 1] = value
        began = time.perf_counter()
    if problem.metric not in metrics:
        raise ProblemError(f"{problem.name}: reported no {problem.metric}, which it optimises")
    return {
        "trainings": np.array(batch, dtype=np.int64),
        "seconds": (seconds / np.maximum(epochs, 1)).astype(np.float32),
        **{f"{_METRIC}{name}": own for name, own in metrics.items()},
    }


def _blank(*shape: int) -> np.ndarray:
    return np.full(shape, np.nan, dtype=np.float32)


def _table(design: Design, parts: _Parts) -> CurveTable:
    problem, space = design.problem, design.space
    c, s = design.configurations, design.seeds
    metrics: dict[str, np.ndarray] = {}
    seconds = _blank(c, s)
    is_there = np.zeros((c, s), dtype=bool)
    for batch in parts.batches():
        places = tuple(batch["trainings"].T)
        seconds[places] = batch["seconds"]
        is_there[places] = True
        for key, own in batch.items():
            if key.startswith(_METRIC):
                name = key.removeprefix(_METRIC)
                metrics.setdefault(name, _blank(c, s, last_epoch(problem.max_epochs)))[places] = own
    if not is_there.all():
        raise ExperimentError(
            f"{parts.folder}: parts were removed while this was recorded ({(~is_there).sum()} "
            "trainings are missing); record it again, and only those are trained"
        )
    counts = {"configurations": design.configurations, "seeds": design.seeds}
    facts: dict[str, Any] = {**counts, "sittings": list(parts.facts)}
    directions: dict[str, Direction] = {problem.metric: problem.direction}
    if isinstance(problem, Classifier):
        directions = dict(DIRECTIONS)
        facts |= {"data": problem.source.title, "licence": problem.source.licence}
    return CurveTable(
        problem=problem.name,
        space=space,
        metric=problem.metric,
        directions=directions,
        metrics=metrics,
        seconds=seconds,
        facts=facts,
    )
