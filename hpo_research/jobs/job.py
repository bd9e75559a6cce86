"""A job: a program with its rules, and what was heard of it."""

import os
import signal
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hpo_research.jobs.lines import Lines
from hpo_research.jobs.metrics import Metrics, Value

End = Literal["exited", "stopped", "reached", "limit", "refused", "lost"]
_CHUNK = 1 << 20
_SHORT, _LONG = 0.005, 0.1  # seconds between looks at a log: at first, and while nothing comes
_SLOWER = 1.3


@dataclass(frozen=True)
class Order:
    """What a job is to do.

    Its output goes to `log`. At epoch `until` it is given `grace` seconds to end by itself, none
    where it `pauses` there; then it is stopped: SIGTERM to its process group, `grace` seconds,
    SIGKILL to all that is left. So it is after `limit` seconds.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    until: int
    limit: float | None = None
    grace: float = 10.0
    pauses: bool = False


class Job:
    """A program that runs, or will run: what was heard of it.

    `values` are those that nobody has taken yet; once it `is_over`, `end` says by what and
    `status` is its exit code, a signal's number negative. `began` is None until it was started.
    """

    def __init__(self, order: Order, metrics: Metrics) -> None:
        self.order = order
        self.metrics = metrics
        self.lines = Lines()
        self.values: deque[Value] = deque()
        self.is_over = False
        self.has_exited = False
        self.end: End | None = None
        self.why = ""
        self.status = 0
        self.began: float | None = None
        self.ended: float | None = None
        self.reached_at: float | None = None
        self._told_at: float | None = None
        self._is_killed = False
        self._file: int | None = None
        self.look_at = 0.0
        self._pause = _SHORT

    def due(self, now: float) -> int | None:
        """Return the signal that is due now, None where none is."""
        order = self.order
        if self.has_exited:
            return None
        if self._told_at is not None:
            is_due = not self._is_killed and now >= self._told_at + order.grace
            self._is_killed |= is_due
            return signal.SIGKILL if is_due else None
        if order.limit is not None and self.began is not None and now >= self.began + order.limit:
            return self.tell("limit", now)
        patience = 0.0 if order.pauses else order.grace
        if self.reached_at is not None and now >= self.reached_at + patience:
            return self.tell("reached", now)
        return None

    def tell(self, why: End, now: float) -> int:
        """Note that the program is told to end, and return the signal that says so."""
        self.end, self._told_at = why, now
        return signal.SIGTERM

    @property
    def is_told(self) -> bool:
        """Whether it was told to end."""
        return self._told_at is not None

    def timers(self) -> list[float]:
        """Return when to look at it again at the latest."""
        times = [self.look_at]
        if self.has_exited:
            return times
        if self._told_at is not None and not self._is_killed:
            times.append(self._told_at + self.order.grace)
        if self.order.limit is not None and self.began is not None and not self.is_told:
            times.append(self.began + self.order.limit)
        if self.reached_at is not None and not self.is_told:
            times.append(self.reached_at + (0.0 if self.order.pauses else self.order.grace))
        return times

    def open(self) -> None:
        """Open the log; raises `OSError`."""
        self._file = os.open(self.order.log, os.O_RDONLY | os.O_CLOEXEC)

    def exit(self, status: int) -> None:
        """Note that nothing of the program is left; what it has printed is still to be read."""
        self.status, self.has_exited = status, True
        self.end = self.end or "exited"
        self.look_at = 0.0

    def follow(self, now: float) -> bool:
        """Read what the log has become, a piece of it; whether that is news.

        It is over once the program has exited and all is read.
        """
        data, before = b"", len(self.values)
        if self._file is not None:
            data = os.read(self._file, _CHUNK)
        if data:
            self._take(self.metrics.read(self.lines.take(data), now), now)
        elif self.has_exited:
            self._finish(now)
            return True
        else:
            self._take(self.metrics.quiet(now), now)
        is_slow = not data and not self.metrics.is_waiting
        self._pause = self._pause * _SLOWER if is_slow else _SHORT
        is_behind = len(data) == _CHUNK or self.has_exited
        self.look_at = now if is_behind else now + min(self._pause, _LONG)
        return len(self.values) > before

    def _finish(self, now: float) -> None:
        if self.status == 0:  # otherwise a number may have been cut short
            self._take(self.metrics.read(self.lines.end(), now), now)
        self._take(self.metrics.end(), now)
        self.close(now)

    def close(self, now: float) -> None:
        """Note that it is over."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self.is_over, self.ended = True, now

    def _take(self, values: list[Value], now: float) -> None:
        self.values.extend(values)
        if self.reached_at is None and self.metrics.epochs >= self.order.until:
            self.reached_at = now
