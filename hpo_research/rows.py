"""Rows that change one at a time: immutable sequences that share all that is the same.

A run grows by a trial or changes one between two asks. `Rows` is a tree of tuples of 32 (as
Clojure's vectors; Bagwell, "Ideal hash trees", 2001): a changed copy costs O(log n) and shares the
rest, so what differs between two of them is found in O(changes · log n) by asking which parts are
the same object. `kept` brings an index, a structure that answers a question about the rows, from
the rows it saw last to others by entering just these differences. What it answers depends on the
rows alone: without the index kept, or asked about older rows, it is built from nothing and says
the same.
"""

import heapq
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, Protocol, TypeVar, overload

import numpy as np

T = TypeVar("T")
Row = TypeVar("Row", contravariant=True)
X = TypeVar("X", bound="Index[Any]")
V = TypeVar("V", bound="Valued")

_BITS = 5
_WIDTH = 1 << _BITS
_KEPT = 32
"""How many indices are kept with a history of rows; those used longest ago are dropped."""

Node = tuple[Any, ...]
"""A leaf holds up to 32 rows, any other node up to 32 nodes, all but the last of them full."""


class Index(Protocol[Row]):
    """What is known of some rows, kept up to date row by row.

    Its answers may depend on the rows alone, not on the order in which they were entered.
    """

    def enter(self, number: int, old: Row | None, new: Row) -> bool:
        """Take in that row `number` is now `new`; it was `old`, or did not exist (None).

        False where the index cannot follow: it is then built anew from the rows as they are,
        which are entered in order, each with `old=None`, and must then be followed.
        """
        ...


class _History:
    """What all rows share that came from one another: the indices, with the rows each has seen."""

    def __init__(self) -> None:
        self.kept: dict[Hashable, tuple[Node, int, int, Any]] = {}


class Rows(Sequence[T]):
    """An immutable sequence; `changed` returns another that shares all rows but those changed.

    Equal to a tuple of the same rows. Slices and sums are tuples. Copies and pickles hold the rows
    and none of the indices.
    """

    __slots__ = ("__weakref__", "_history", "_level", "_root", "_size")

    def __init__(self, rows: Iterable[T] = ()) -> None:
        self._root: Node = ()
        self._level = 0
        self._size = 0
        self._history = _History()
        added = tuple(rows)
        if added:
            grown = self.changed({}, added)
            self._root, self._level, self._size = grown._root, grown._level, grown._size

    def changed(self, rows: Mapping[int, T], added: Iterable[T] = ()) -> "Rows[T]":
        """Return rows of which some, by number, are others, and more are added at the end."""
        numbered = sorted(rows.items(), key=itemgetter(0))
        if numbered and not 0 <= numbered[0][0] <= numbered[-1][0] < self._size:
            raise IndexError(f"rows 0 to {self._size - 1} can be changed, got {list(rows)}")
        numbered += enumerate(added, start=self._size)
        if not numbered:
            return self
        other: Rows[T] = Rows.__new__(Rows)
        other._size = max(self._size, numbered[-1][0] + 1)
        other._level, other._history = self._level, self._history
        root = self._root
        while other._size > _WIDTH << (_BITS * other._level):
            root, other._level = (root,), other._level + 1
        if len(numbered) == 1:
            other._root = _put_one(root, other._level, *numbered[0])
        else:
            other._root = _put(root, other._level, numbered)
        return other

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[T, ...]: ...
    def __getitem__(self, place: int | slice) -> T | tuple[T, ...]:
        if isinstance(place, slice):
            numbers = range(*place.indices(self._size))
            return tuple(self) if numbers == range(self._size) else tuple(map(self._row, numbers))
        number = place + self._size if place < 0 else place
        if not 0 <= number < self._size:
            raise IndexError(f"row {place} of {self._size}")
        return self._row(number)

    def _row(self, number: int) -> T:
        node = self._root
        for level in range(self._level, 0, -1):
            node = node[(number >> (_BITS * level)) & (_WIDTH - 1)]
        row: T = node[number & (_WIDTH - 1)]
        return row

    def __iter__(self) -> Iterator[T]:
        nodes: Iterable[Any] = self._root
        for _ in range(self._level):
            nodes = chain.from_iterable(nodes)
        return iter(nodes)

    def __reversed__(self) -> Iterator[T]:
        return _backwards(self._root, self._level)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Rows) and other._root is self._root:
            return True
        if not isinstance(other, Rows | tuple):
            return NotImplemented
        return len(self) == len(other) and all(map(_is_same, self, other))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __add__(self, other: Sequence[T]) -> tuple[T, ...]:
        return (*self, *other)

    def __radd__(self, other: Sequence[T]) -> tuple[T, ...]:
        return (*other, *self)

    def __repr__(self) -> str:
        return repr(tuple(self))

    def __reduce__(self) -> tuple[type, tuple[tuple[T, ...]]]:
        return (Rows, (tuple(self),))


@contextmanager
def kept(rows: Sequence[T], name: Hashable, make: Callable[[], X]) -> Iterator[X]:
    """Give the index of some rows inside the block, as of exactly these rows.

    `name` tells it from other indices of the same rows: its class, and all that `make` depends on.
    It is not to be used after the block. Rows that are a tuple keep nothing.

        with kept(run.trials, ("tried", run.space), Tried) as tried: ...
    """
    if not isinstance(rows, Rows):
        yield _built(rows, make)
        return
    history, found = rows._history, None
    # Taken out while it is in use, so that no other thread advances it, and dropped on an error.
    last = history.kept.pop(name, None)
    if last is not None:
        root, level, size, found = last
        if not _follow(found, (root, level, size), rows):
            found = None
    index = _built(rows, make) if found is None else found
    yield index
    history.kept[name] = (rows._root, rows._level, rows._size, index)
    for oldest in list(history.kept)[:-_KEPT]:
        history.kept.pop(oldest, None)


class Valued(Protocol):
    """What the indices of values know of a row."""

    @property
    def value(self) -> float | None:
        """What counts of the row, None where nothing does."""
        ...


class Values:
    """The value of each row, NaN where there is none: an index. More places follow."""

    def __init__(self) -> None:
        self.values = np.full(_WIDTH, np.nan)

    def enter(self, number: int, old: Valued | None, new: Valued) -> bool:
        """Take in a row; see `Index`."""
        if number >= len(self.values):
            self.values = np.concatenate([self.values, np.full(len(self.values), np.nan)])
        self.values[number] = np.nan if new.value is None else new.value
        return True


class Best:
    """The losses that rows have, or had, best first: an index; `sign` makes a loss of a value."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._heap: list[tuple[float, int]] = []

    def enter(self, number: int, old: Valued | None, new: Valued) -> bool:
        """Take in a row; see `Index`."""
        if new.value is not None and not math.isnan(new.value):
            heapq.heappush(self._heap, (self._sign * new.value, number))
        return True

    def of(self, rows: Sequence[V]) -> V | None:
        """Return the row with the best value, the first among equals; None without any."""
        while self._heap:
            loss, number = self._heap[0]
            value = rows[number].value
            if value is not None and self._sign * value == loss:
                return rows[number]
            heapq.heappop(self._heap)  # it has another value by now, or none
        return None


def forget(rows: Sequence[object]) -> None:
    """Drop the indices kept with some rows; no answer changes."""
    if isinstance(rows, Rows):
        rows._history.kept.clear()


def _built(rows: Sequence[T], make: Callable[[], X]) -> X:
    index = make()
    for number, row in enumerate(rows):
        if not index.enter(number, None, row):
            raise AssertionError(f"{type(index).__name__} does not follow from nothing")
    return index


def _follow(index: Index[T], last: tuple[Node, int, int], rows: Rows[T]) -> bool:
    """Enter what differs between the rows seen last and these; False where it cannot be."""
    root, level, size = last
    if size > len(rows):
        return False
    for _ in range(rows._level - level):
        root = (root,)
    return all(index.enter(*change) for change in _changes(root, rows._root, rows._level, 0))


def _put_one(node: Node, level: int, number: int, row: Any) -> Node:
    """Return what `_put` does of one row, which is what a run grows by between two asks."""
    place = (number >> (_BITS * level)) & (_WIDTH - 1)
    if level:
        row = _put_one(node[place] if place < len(node) else (), level - 1, number, row)
    return (*node[:place], row, *node[place + 1 :])


def _put(node: Node, level: int, numbered: Sequence[tuple[int, Any]]) -> Node:
    """Return a node with rows changed or added; `numbered` ascends, numbers count from its left."""
    children = list(node)
    parts: Iterable[tuple[int, Any]]
    if level == 0:
        parts = ((number & (_WIDTH - 1), row) for number, row in numbered)
    else:
        shift = _BITS * level
        groups = groupby(numbered, key=lambda pair: (pair[0] >> shift) & (_WIDTH - 1))
        parts = (
            (place, _put(children[place] if place < len(children) else (), level - 1, list(own)))
            for place, own in groups
        )
    for place, part in parts:
        if place < len(children):
            children[place] = part
        else:
            children.append(part)
    return tuple(children)


def _changes(old: Node, new: Node, level: int, first: int) -> Iterator[tuple[int, Any, Any]]:
    """Yield the number, the old row (None: new) and the new row wherever these are not the same."""
    for place, part in enumerate(new):
        before = old[place] if place < len(old) else None
        if before is part:
            continue
        number = first + (place << (_BITS * level))
        if level == 0:
            yield number, before, part
        else:
            yield from _changes(before or (), part, level - 1, number)


def _backwards(node: Node, level: int) -> Iterator[Any]:
    for child in reversed(node):
        if level == 0:
            yield child
        else:
            yield from _backwards(child, level - 1)


def _is_same(one: object, other: object) -> bool:
    return one is other or one == other
