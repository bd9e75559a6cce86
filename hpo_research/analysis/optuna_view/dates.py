"""When something happened, as Optuna says it: in the local time of this machine, without a zone.

A store knows how many seconds of a run's clock had passed, and no dates: the same experiment gives
the same store. Dates are counted back from the moment when the store was last written to, at which
the latest clock of its runs stood; what passed between sessions is left out.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hpo_research.analysis.history import RunHistory
from hpo_research.store.connection import FILE

_MOVED = 5.0  # seconds by which an earlier count is off before it is given up


@dataclass(frozen=True)
class Dates:
    """When the clocks of a store's runs stood at 0, in seconds since 1970."""

    began: float = 0.0

    def at(self, clock: float) -> datetime:
        """Return when a run's clock stood there."""
        return datetime.fromtimestamp(self.began + clock)

    def renewed(self, written: float, histories: Iterable[RunHistory]) -> "Dates":
        """Return the dates of a store that was last written at a time, in seconds since 1970.

        These, unless they are off by seconds: dates that were told do not move with every look.
        """
        began = written - max((latest(own) for own in histories), default=0.0)
        return self if abs(began - self.began) < _MOVED else Dates(began)


def latest(history: RunHistory) -> float:
    """Return the last clock that anything of a run was dated, in seconds."""
    ended = (outcome.clock for _, outcome in history.outcomes)
    return max([history.cost.clock, *history.asked_at, *ended], default=0.0)


def written(folder: Path | None) -> float:
    """Return when a store was last written to, in seconds since 1970; now for one in memory."""
    if folder is None:
        return datetime.now().timestamp()
    return max(stamp[0] / 1e9 for stamp in stamps(folder))


def stamps(folder: Path) -> tuple[tuple[int, int], ...]:
    """Return the times, in nanoseconds, and sizes of a store's files: other ones, another store."""
    found = []
    for name in (FILE, f"{FILE}-wal"):
        try:
            known = os.stat(folder / name)
        except FileNotFoundError:
            continue
        if known.st_size:  # an empty log is what a reader left behind
            found.append((known.st_mtime_ns, known.st_size))
    return tuple(found)
