"""The record of multi-fidelity searches: a file a search, a line of JSON a run, appended to."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.record import made_with
from hpo_research.analysis.choices import choices
from hpo_research.analysis.incumbents import at, curve
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError

FOLDER = Path(__file__).with_name("recorded")
QUARTERS = (0.25, 0.5, 0.75, 1.0)
DIGITS = 7

Key = tuple[str, int]
"""The problem's name, and the seed."""


@dataclass(frozen=True)
class Line:
    """A run after each quarter of its epochs.

    `reported` is the best loss reported at any epoch so far; the others are noise-free losses, at
    the epoch it had reached, of a trial: the one with the best last value (`observed`), and the one
    that the search stands for (`recommended`), which is the same where it has no model.
    """

    problem: str
    strategy: str
    seed: int
    reported: tuple[float, ...]
    observed: tuple[float, ...]
    recommended: tuple[float, ...]
    trials: int

    @property
    def key(self) -> Key:
        """What a run is found by."""
        return self.problem, self.seed


def lines(result: Result, problem: str, strategy: str) -> list[Line]:
    """Take the lines of a strategy's runs on a noisy problem from a result."""
    (own,) = (one for one in choices(result, len(QUARTERS)) if one.problem == problem)
    reported = curve(result, problem, strategy, points=10**9)
    clean = own.recommended[strategy], own.observed[strategy]
    optimum = result.facts.problems[problem].optimum if own.is_regret else 0.0
    costs = clean[0].cost
    best = at(reported, costs)
    recommended, observed = (curve.values + optimum for curve in clean)
    runs = [history.run for history in result.select(problem, strategy).values()]
    return [
        Line(
            problem,
            strategy,
            seed,
            *(_rounded(values[i]) for values in (best, observed, recommended)),
            len(run.trials),
        )
        for i, (seed, run) in enumerate(zip(reported.seeds, runs, strict=True))
    ]


def _rounded(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(f"{value:.{DIGITS}g}") for value in values)


class Record:
    """The record of one search, open for appending."""

    def __init__(self, name: str, folder: Path = FOLDER) -> None:
        self._path = folder / f"{name}.jsonl"
        folder.mkdir(exist_ok=True)
        self.lines = read(name, folder) if self._path.exists() else {}

    def append(self, own: Sequence[Line], versions: Mapping[str, str]) -> None:
        """Store runs below a line that says with what they were made."""
        entries = [{"made_with": {**made_with(), "rival": dict(versions)}}, *map(asdict, own)]
        with self._path.open("a") as stream:
            for entry in entries:
                stream.write(json.dumps(entry, separators=(",", ":")) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        self.lines |= {line.key: line for line in own}


def read(name: str, folder: Path = FOLDER) -> dict[Key, Line]:
    """Return the runs of a record; the last line of each counts.

    Raises `StoreError` where there is no such record, or a line in it is none of ours.
    """
    path = folder / f"{name}.jsonl"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.jsonl"))) or "none"
        raise StoreError(f"no record {name!r}; there are {known}")
    found: dict[Key, Line] = {}
    for row in path.read_text().splitlines():
        entry = json.loads(row)
        if "made_with" not in entry:
            line = _line(entry)
            found[line.key] = line
    return found


def _line(entry: Mapping[str, object]) -> Line:
    try:
        return Line(**{k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()})  # type: ignore[arg-type]
    except TypeError as error:
        raise StoreError(f"a line of a record must hold one run, got {entry!r}") from error
