"""Reports as columns: what a store holds of a run's reports, without a record for each.

A record takes as long to make as its row takes to read and to check, and ten times the memory of
its numbers; what is computed of a run needs columns. Records are made where somebody asks.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import NamedTuple, overload

import numpy as np

from hpo_research import heavy
from hpo_research.records import Report
from hpo_research.store.digests import Row

Number = int | float
COLUMNS = ("trial", "epoch", "turn", "spent", "attempt", "clock", "seconds")
_EXACT = 2**53  # up to here a float holds every integer


class Reported(NamedTuple):
    """A report, the epochs that its run had spent with it, and the turn that brought it."""

    report: Report
    spent: int
    turn: int


@dataclass(frozen=True)
class Shape:
    """What the metrics of a report are: their names in order, and which of them are integers."""

    names: tuple[str, ...]
    types: tuple[type, ...]


@dataclass(frozen=True)
class Metrics:
    """The metrics of many reports: `values` of row i begin at `first[i]`, as `shapes[shape[i]]`.

    Almost always all rows have one shape. An integer that no float holds is in `exact`, by its
    place in `values`.
    """

    shapes: tuple[Shape, ...]
    shape: "heavy.jaxtyping.Int[np.ndarray, ' n']"
    first: "heavy.jaxtyping.Int[np.ndarray, ' n']"
    values: "heavy.jaxtyping.Float[np.ndarray, ' v']"
    exact: dict[int, int]

    def __getitem__(self, row: int) -> dict[str, Number]:
        """Return the metrics of a row by name, as they were stored."""
        shape, first = self.shapes[self.shape[row]], int(self.first[row])
        found = self.values[first : first + len(shape.names)].tolist()
        return {
            name: self.exact.get(first + i, int(value)) if kind is int else value
            for i, (name, kind, value) in enumerate(
                zip(shape.names, shape.types, found, strict=True)
            )
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that a row has."""
        return tuple(dict.fromkeys(name for shape in self._used() for name in shape.names))

    def of(self, name: str) -> "heavy.jaxtyping.Float[np.ndarray, ' n']":
        """Return a metric of every row, NaN where a row has none."""
        found = np.full(len(self.shape), np.nan)
        for rows, places, _ in self._holding(name):
            found[rows] = self.values[places]
        return found

    def numbers(self, name: str) -> list[Number | None]:
        """Return a metric of every row as it was stored, None where a row has none."""
        found: list[Number | None] = [None] * len(self.shape)
        for rows, places, kind in self._holding(name):
            own = self.values[places].tolist()
            if kind is int:
                own = [self.exact.get(i, int(v)) for i, v in zip(places.tolist(), own, strict=True)]
            if len(rows) == len(found):
                return list(own)
            for row, value in zip(rows.tolist(), own, strict=True):
                found[row] = value
        return found

    def _used(self) -> list[Shape]:
        return [self.shapes[i] for i in np.unique(self.shape)]

    def _holding(self, name: str) -> Iterator[tuple[np.ndarray, np.ndarray, type]]:
        """Yield rows that have a metric, its places in `values`, and its type."""
        for number, shape in enumerate(self.shapes):
            if name in shape.names:
                place = shape.names.index(name)
                rows = np.flatnonzero(self.shape == number)
                yield rows, self.first[rows] + place, shape.types[place]

    def rows(self, chosen: "heavy.jaxtyping.Int[np.ndarray, ' m']") -> "Metrics":
        """Return the metrics of some rows, in this order."""
        return Metrics(self.shapes, self.shape[chosen], self.first[chosen], self.values, self.exact)

    def alone(self) -> "Metrics":
        """Return the same metrics beside no values of others, where their rows lie together."""
        if not len(self.first):
            return self
        widths = np.array([len(shape.names) for shape in self.shapes])[self.shape]
        begin, end = int(self.first.min()), int((self.first + widths).max())
        exact = {i - begin: value for i, value in self.exact.items() if begin <= i < end}
        values = self.values[begin:end]
        return Metrics(self.shapes, self.shape, self.first - begin, values, exact)

    def joined(self, other: "Metrics") -> "Metrics":
        """Return the metrics of these rows, then those of others."""
        shapes = tuple(dict.fromkeys((*self.shapes, *other.shapes)))
        place = np.array([shapes.index(shape) for shape in other.shapes] or [0], dtype=np.int64)
        offset = len(self.values)
        return Metrics(
            shapes,
            np.concatenate([self.shape, place[other.shape]]),
            np.concatenate([self.first, other.first + offset]),
            np.concatenate([self.values, other.values]),
            {**self.exact, **{offset + i: value for i, value in other.exact.items()}},
        )


@dataclass(frozen=True, eq=False)
class Reports(Sequence[Reported]):
    """The reports of one run by trial and epoch, a column a field of `Report`.

    Iterated and indexed they are `Reported`; `seconds` and `clock` are in seconds.
    """

    run: int
    metrics: Metrics
    trial: "heavy.jaxtyping.Int[np.ndarray, ' n']"
    epoch: "heavy.jaxtyping.Int[np.ndarray, ' n']"
    turn: "heavy.jaxtyping.Int[np.ndarray, ' n']"
    spent: "heavy.jaxtyping.Int[np.ndarray, ' n']"
    attempt: "heavy.jaxtyping.Int[np.ndarray, ' n']"
    clock: "heavy.jaxtyping.Float[np.ndarray, ' n']"
    seconds: "heavy.jaxtyping.Float[np.ndarray, ' n']"

    def __len__(self) -> int:
        return len(self.trial)

    @overload
    def __getitem__(self, place: int) -> Reported: ...
    @overload
    def __getitem__(self, place: slice) -> list[Reported]: ...
    def __getitem__(self, place: int | slice) -> Reported | list[Reported]:
        if isinstance(place, slice):
            return [self._record(i) for i in range(*place.indices(len(self)))]
        return self._record(range(len(self))[place])

    def __iter__(self) -> Iterator[Reported]:
        return map(self._record, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def _record(self, i: int) -> Reported:
        report = Report(
            self.run,
            int(self.trial[i]),
            int(self.epoch[i]),
            self.metrics[i],
            float(self.seconds[i]),
            float(self.clock[i]),
            int(self.attempt[i]),
        )
        return Reported(report, int(self.spent[i]), int(self.turn[i]))

    @cached_property
    def arrival(self) -> "heavy.jaxtyping.Int[np.ndarray, ' n']":
        """The rows in the order in which they came: by turn, then by trial and epoch."""
        order: np.ndarray = np.argsort(self.turn, kind="stable")
        return order

    def rows(self, chosen: "heavy.jaxtyping.Int[np.ndarray, ' m']") -> "Reports":
        """Return some of the reports; in the order of trial and epoch, where `chosen` ascends."""
        columns = (getattr(self, name)[chosen] for name in COLUMNS)
        return Reports(self.run, self.metrics.rows(chosen), *columns)

    def of_attempts(self, attempts: Sequence[int]) -> "Reports":
        """Return the reports of one attempt of each trial, given by the trial's id."""
        if not self.attempt.any() and not any(attempts):
            return self
        return self.rows(np.flatnonzero(self.attempt == np.array(attempts)[self.trial]))

    def joined(self, other: "Reports") -> "Reports":
        """Return these reports and others of the same run, by trial and epoch."""
        if not len(other):
            return self
        both = (np.concatenate([getattr(self, n), getattr(other, n)]) for n in COLUMNS)
        whole = Reports(self.run, self.metrics.joined(other.metrics), *both)
        return whole.rows(np.lexsort((whole.attempt, whole.epoch, whole.trial)))


class Collected:
    """Reports being gathered from rows, of all runs."""

    def __init__(self) -> None:
        self._integers = [array("q") for _ in range(6)]  # run, trial, epoch, turn, spent, attempt
        self._reals = [array("d") for _ in range(2)]  # clock, seconds
        self._shapes: dict[Shape, int] = {}
        self._known: dict[tuple[object, ...], int] = {}
        self._shape, self._first, self._values = array("q"), array("q"), array("d")
        self._exact: dict[int, int] = {}

    def add(self, rows: Sequence[Row], metrics: Sequence[dict[str, Number]]) -> None:
        """Take in rows of the table `report`, and what their metrics say."""
        if not rows:
            return
        columns = list(zip(*rows, strict=True))
        run, trial, epoch, turn, _, spent, clock, seconds, attempt = columns[:9]
        integers = (run, trial, epoch, turn, spent, attempt)
        for own, new in zip(self._integers, integers, strict=True):
            own.extend(new)
        for reals, more in zip(self._reals, (clock, seconds), strict=True):
            reals.extend(more)
        self._add_metrics(metrics)

    def _add_metrics(self, metrics: Sequence[dict[str, Number]]) -> None:
        begin, names = len(self._values), set(map(tuple, metrics))
        numbers = list(chain.from_iterable(map(dict.values, metrics)))
        if len(names) == 1 and set(map(type, numbers)) == {float}:
            (own,) = names
            number = self._number((*own, *[float] * len(own)))
            self._shape.extend([number] * len(metrics))
            self._first.extend(range(begin, begin + len(numbers), len(own)))
            self._values.extend(numbers)
            return
        for found in metrics:
            self._shape.append(self._number((*found, *map(type, found.values()))))
            self._first.append(len(self._values))
            for place, value in enumerate(found.values(), len(self._values)):
                if type(value) is int and abs(value) > _EXACT:
                    self._exact[place] = value
            self._values.extend(map(_nearest, found.values()))

    def _number(self, key: tuple[object, ...]) -> int:
        if key in self._known:
            return self._known[key]
        half = len(key) // 2
        shape = Shape(
            tuple(name for name in key[:half] if isinstance(name, str)),
            tuple(kind for kind in key[half:] if isinstance(kind, type)),
        )
        return self._known.setdefault(key, self._shapes.setdefault(shape, len(self._shapes)))

    def by_run(self) -> dict[int, Reports]:
        """Return the reports of every run, by trial and epoch."""
        run, *integers = (np.array(own, dtype=np.int64) for own in self._integers)
        reals = [np.array(own, dtype=np.float64) for own in self._reals]
        metrics = Metrics(
            tuple(self._shapes),
            np.array(self._shape, dtype=np.int64),
            np.array(self._first, dtype=np.int64),
            np.array(self._values, dtype=np.float64),
            self._exact,
        )
        whole = Reports(0, metrics, *integers, *reals)
        found = {}
        for number in np.unique(run).tolist():
            own = whole.rows(np.flatnonzero(run == number))
            columns = (getattr(own, name) for name in COLUMNS)
            found[number] = Reports(number, own.metrics.alone(), *columns)
        return found


def as_reports(entries: Sequence[tuple[Report, int, int]]) -> Reports:
    """Return reports, each with the epochs spent and its turn, as columns in the same order."""
    if isinstance(entries, Reports):
        return entries
    found = Collected()
    found.add(
        [
            (0, r.trial, r.epoch, turn, "", spent, r.clock, r.seconds or 0.0, r.attempt)
            for r, spent, turn in entries
        ],
        [dict(report.metrics) for report, _, _ in entries],
    )
    return found.by_run().get(0) or none(0)


def none(run: int) -> Reports:
    """Return no reports of a run."""
    whole, real = np.empty(0, dtype=np.int64), np.empty(0)
    metrics = Metrics((), whole, whole, real, {})
    return Reports(run, metrics, whole, whole, whole, whole, whole, real, real)


def _nearest(value: Number) -> float:
    """Return the nearest float; the largest for an integer beyond it, which is kept as it is."""
    try:
        return float(value)
    except OverflowError:
        return float("inf")
