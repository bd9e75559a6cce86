"""Items in order, one more or one less at a time."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_BLOCK = 512
"""A block of twice as many items is cut in two: moving these is one copy of some kilobytes."""


class Ordered(Generic[T]):
    """A sorted list in blocks: a change costs O(log n) comparisons, a place one step a block."""

    def __init__(self, items: Iterable[T] = ()) -> None:
        ordered: list[Any] = sorted(items)
        self._blocks = [ordered[i : i + _BLOCK] for i in range(0, len(ordered), _BLOCK)]
        self._lasts = [block[-1] for block in self._blocks]
        self._size = len(ordered)

    def add(self, item: T) -> None:
        """Put in one more item; equal ones stay beside each other."""
        self._size += 1
        if not self._blocks:
            self._blocks, self._lasts = [[item]], [item]
            return
        at = min(bisect_left(self._lasts, item), len(self._blocks) - 1)
        block = self._blocks[at]
        insort(block, item)
        self._lasts[at] = block[-1]
        if len(block) == 2 * _BLOCK:
            self._blocks[at : at + 1] = [block[:_BLOCK], block[_BLOCK:]]
            self._lasts[at : at + 1] = [block[_BLOCK - 1], block[-1]]

    def remove(self, item: T) -> None:
        """Take out one item that is there."""
        at = bisect_left(self._lasts, item)
        block = self._blocks[at]
        place = bisect_left(block, item)
        assert block[place] == item
        del block[place]
        self._size -= 1
        if block:
            self._lasts[at] = block[-1]
        else:
            del self._blocks[at], self._lasts[at]

    def below(self, item: T) -> int:
        """Return how many items are less."""
        at = bisect_left(self._lasts, item)
        if at == len(self._blocks):
            return self._size
        return sum(map(len, self._blocks[:at])) + bisect_left(self._blocks[at], item)

    def up_to(self, item: T) -> int:
        """Return how many items are less or equal."""
        at = bisect_right(self._lasts, item)
        if at == len(self._blocks):
            return self._size
        return sum(map(len, self._blocks[:at])) + bisect_right(self._blocks[at], item)

    def __getitem__(self, place: int) -> T:
        left = place if place >= 0 else self._size
        for block in self._blocks:
            if left < len(block):
                item: T = block[left]
                return item
            left -= len(block)
        raise IndexError(f"place {place} lies outside {self._size} items")

    def last(self, count: int) -> list[T]:
        """Return the greatest items, as many as there are up to `count`, in order."""
        found: list[T] = []
        for block in reversed(self._blocks):
            if len(found) >= count:
                break
            found = [*block, *found]
        return found[-count:]

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[T]:
        for block in self._blocks:
            yield from block
