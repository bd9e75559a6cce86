"""The record of searches: a file a strategy, a line of JSON a run, only ever appended to.

A line with `made_with` (versions, hardware, commit) holds for the runs below it. A run is stored
whole or not at all: a last line that was torn by a kill is dropped when the file is opened.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.record import made_with
from benchmarks.regret.declared import Task
from benchmarks.regret.problems import Measured, least
from hpo_research.errors import StoreError

FOLDER = Path(__file__).with_name("recorded")
DIGITS = 7

Key = tuple[str, int, int]
"""The problem's name, the batch q, and the seed."""


@dataclass(frozen=True)
class Line:
    """A run: the regret of each evaluation in its order, and the seconds spent on choosing them.

    Seconds of rivals are the processor's, of our own searches the run's share of its asks' time.

    A regret is the loss less the least loss there is, to 7 digits: rounded values would lose a
    small regret beside a large optimum.
    """

    problem: str
    strategy: str
    q: int
    seed: int
    regrets: tuple[float, ...]
    seconds: float

    @classmethod
    def of(cls, task: Task, strategy: str, losses: Sequence[float], seconds: float) -> "Line":
        """Make the line of a task that was run."""
        regrets = _regrets(task.problem, losses)
        return cls(task.problem.name, strategy, task.q, task.seed, regrets, float(f"{seconds:.4g}"))

    @property
    def key(self) -> Key:
        """What a run is found by."""
        return self.problem, self.q, self.seed

    def best(self, evaluations: int) -> float:
        """Return the least regret of the first evaluations."""
        return min(self.regrets[:evaluations])


class Record:
    """The record of one strategy, open for appending."""

    def __init__(self, name: str, folder: Path = FOLDER) -> None:
        self.path = folder / f"{name}.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        _mend(self.path)
        self._longest: dict[Key, int] = {}
        self._made_with: object = None
        for entry in _entries(self.path):
            if "made_with" in entry:
                self._made_with = entry["made_with"]
            else:
                self._know(_line(entry))

    def __contains__(self, task: Task) -> bool:
        return self._longest.get((task.problem.name, task.q, task.seed), 0) >= task.evaluations

    def append(self, lines: Sequence[Line], versions: Mapping[str, str] | None = None) -> None:
        """Store runs at once, below a line that says with what they were made.

        `versions` are of the environment that they were made in, where that is not this one.
        """
        here = {**made_with(), **({"versions_elsewhere": versions} if versions else {})}
        entries: list[dict[str, object]] = []
        if here != self._made_with:
            entries.append({"made_with": here})
            self._made_with = here
        for line in lines:
            entries.append(
                {
                    "problem": line.problem,
                    "strategy": line.strategy,
                    "q": line.q,
                    "seed": line.seed,
                    "seconds": line.seconds,
                    "regrets": line.regrets,
                }
            )
            self._know(line)
        text = "".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in entries)
        with self.path.open("a") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())

    def _know(self, line: Line) -> None:
        self._longest[line.key] = max(self._longest.get(line.key, 0), len(line.regrets))


def read(name: str, folder: Path = FOLDER) -> dict[Key, Line]:
    """Return the runs of a record, the longest of each; a torn last line is left out.

    Raises `StoreError` where there is no such record, or a line in it is none of ours.
    """
    path = folder / f"{name}.jsonl"
    if not path.exists():
        known = sorted(str(p.relative_to(folder).with_suffix("")) for p in folder.rglob("*.jsonl"))
        raise StoreError(f"no record {name!r}; there are {', '.join(known) or 'none'}")
    lines: dict[Key, Line] = {}
    for entry in _entries(path):
        if "made_with" in entry:
            continue
        line = _line(entry)
        known = lines.get(line.key)
        if known is None or len(known.regrets) < len(line.regrets):
            lines[line.key] = line
    return lines


def _regrets(problem: Measured, losses: Sequence[float]) -> tuple[float, ...]:
    floor = least(problem)
    return tuple(float(f"{value - floor:.{DIGITS}g}") for value in losses)


def _mend(path: Path) -> None:
    """Cut a last line that does not end."""
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with path.open("r+b") as stream:
            stream.truncate(whole)


def _entries(path: Path) -> list[dict[str, object]]:
    if not path.exists():
        return []
    text = path.read_text()
    return [json.loads(row) for row in text[: text.rfind("\n") + 1].splitlines()]


def _line(entry: dict[str, object]) -> Line:
    try:
        return Line(**{**entry, "regrets": tuple(entry["regrets"])})  # type: ignore[arg-type]
    except (KeyError, TypeError) as error:
        raise StoreError(f"a line of a record must hold one run, got {entry!r}") from error
