"""Values of metrics, of the lines that a program prints.

The first match of a metric's regular expression in a line counts, its group 1 is the number. Each
value of the objective is an epoch. With it go the latest values of the other metrics: what was
printed after the objective's last value, and what follows this one until a metric comes that the
epoch has already, or for `QUIET` seconds.

Values that come faster than anybody could use them are thinned out: the first `EXACT` epochs all
count, of later ones those that are a thousandth further than the one before, the last one, and,
where time is real, what stands after `QUIET` seconds.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

EXACT = 1000
QUIET = 0.05
_SPARING = 1.001


class Value(NamedTuple):
    """An epoch, the metrics that belong to it, and when they were read (monotonic seconds)."""

    epoch: int
    metrics: Mapping[str, float]
    at: float


Row = tuple[re.Match[str] | None, ...]
"""Of a line its matches, by metric."""


class Metrics:
    """What the lines of one program say of its metrics.

    `epochs` counts the objective's values. `exact` is the last epoch up to which all are kept.
    `is_timed` says whether what is kept may depend on when it came. `unread` is the latest text
    that was matched for a metric and is no number, by its metric: of the objective that is no
    value, of others NaN.
    """

    def __init__(
        self, patterns: Mapping[str, str], objective: str, exact: int = EXACT, *, is_timed: bool
    ) -> None:
        self._names = tuple(patterns)
        self._searches = tuple(re.compile(own).search for own in patterns.values())
        self._objective = objective
        self._exact = exact
        self._is_timed = is_timed
        self._now: dict[str, float] = {}
        self._held: Value | None = None
        self._wanted = 1
        self._at = 0.0
        self.epochs = 0
        self.unread: dict[str, str] = {}

    def read(self, lines: Iterable[str], at: float) -> list[Value]:
        """Return the values that are whole with further lines, which came at a time."""
        self._at = at
        found: list[Value] = []
        lines = tuple(lines)
        rows = zip(*(map(search, lines) for search in self._searches), strict=True)
        matched = [row for row in rows if any(row)]
        if self._now or not all(map(all, matched)) or not self._enter_whole(matched, found):
            for row in matched:
                for name, match in zip(self._names, row, strict=True):
                    if match is not None:
                        self._enter(name, match[1], found)
        return found

    def quiet(self, now: float) -> list[Value]:
        """Return the value that nothing has followed for `QUIET` seconds, if there is one."""
        if now - self._at < QUIET:
            return []
        found: list[Value] = []
        if self._objective in self._now:
            self._close(found)
        return found + (self._last() if self._is_timed else [])

    @property
    def is_waiting(self) -> bool:
        """Whether `quiet` may bring a value."""
        return self._objective in self._now or (self._is_timed and self._held is not None)

    def end(self) -> list[Value]:
        """Return what is left when the output has ended."""
        found: list[Value] = []
        if self._objective in self._now:
            self._close(found)
        return found + self._last()

    def _enter_whole(self, rows: Sequence[Row], found: list[Value]) -> bool:
        """Enter lines of which each has all metrics, a million in a second; False: not so.

        Of most of very many only the number of the objective is read.
        """
        place = self._names.index(self._objective)
        try:
            for row in rows:
                float(row[place][1])  # type: ignore[index]
        except (TypeError, ValueError):
            return False
        first, last = self.epochs + 1, self.epochs + len(rows)
        epoch = first
        while epoch <= last:
            self.epochs = epoch - 1
            for name, match in zip(self._names, rows[epoch - first], strict=True):
                self._enter(name, match[1], found)  # type: ignore[index]
            epoch = min(max(epoch + 1, self._wanted), last) if epoch < last else last + 1
        return True

    def _enter(self, name: str, text: str, found: list[Value]) -> None:
        try:
            value = float(text)
        except (TypeError, ValueError):  # a group that took no part, or something else than digits
            self.unread[name] = text or ""
            if name == self._objective:
                return
            value = math.nan
        now = self._now
        if name in now and self._objective in now:
            self._close(found)
            now = self._now
        now[name] = value
        if len(now) == len(self._searches):
            self._close(found)

    def _close(self, found: list[Value]) -> None:
        self.epochs += 1
        value = Value(self.epochs, self._now, self._at)
        self._now = {}
        if self.epochs < self._wanted:
            self._held = value
        else:
            self._keep(value, found)

    def _keep(self, value: Value, found: list[Value]) -> None:
        """Keep a value for good where it is wanted, and in any case until the next one."""
        if value.epoch < self._wanted:
            self._held = value
            return
        self._held = None
        found.append(value)
        is_exact = value.epoch < self._exact
        self._wanted = value.epoch + 1 if is_exact else math.ceil(value.epoch * _SPARING)

    def _last(self) -> list[Value]:
        held, self._held = self._held, None
        return [] if held is None else [held]
