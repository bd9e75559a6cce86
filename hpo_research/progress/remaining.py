"""The time that is left, from what each run has cost so far."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hpo_research.progress.standing import Progress, RunProgress

_LEAST = 0.02  # of a run: below this share its cost says little of the rest


@dataclass
class Clock:
    """Estimates of the time left. Runs cost differently, by problem and by strategy.

    What is left of a run costs as much a share as what it has spent, where it has begun; else as
    those of its problem and strategy, of its problem, or of all. What runs cost becomes time by
    what this process has done of it in the time it has had: they are computed together.
    """

    began: float = field(default_factory=time.monotonic)
    _first: float | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    def left(self, progress: Progress) -> float | None:
        """Return the seconds left, None before there is anything to tell by."""
        known = [run for run in progress.runs if run.share >= _LEAST and run.seconds > 0]
        open_runs = [run for run in progress.runs if not run.is_over]
        spent = sum(run.seconds for run in progress.runs)
        if open_runs and not known:
            self.rest(spent, 0.0)
            return None
        return self.rest(spent, sum(_rest(run, known) for run in open_runs))

    def rest(self, spent: float, remaining: float) -> float | None:
        """Return the seconds that remain, in any unit of what was spent; None before a first."""
        if self._first is None:
            self._first = spent
        done = spent - self._first
        return 0.0 if remaining == 0 else remaining * self.elapsed / done if done > 0 else None


def _rest(run: RunProgress, known: Sequence[RunProgress]) -> float:
    """Return what the rest of a run costs."""
    name = run.name
    kin: Iterable[list[RunProgress]] = (
        [own for own in known if own.name == name],
        [own for own in known if own.name[:2] == name[:2]],
        [own for own in known if own.name.problem == name.problem],
        list(known),
    )
    near = next(own for own in kin if own)
    whole = sum(own.seconds for own in near) / sum(own.share for own in near)
    return whole * (1 - run.share)


def duration(seconds: float) -> str:
    """Write seconds for people: 8 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
