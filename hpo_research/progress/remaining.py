"""The time that is left, from what each run has cost so far."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import median

from hpo_research.progress.standing import Progress, RunProgress
from hpo_research.store import RunName

_LEAST = 0.02  # of a run: below this share its cost says little of the rest
_PARTS = 16  # of a run, whose costs are compared
_FEW = 3  # parts from which on it is told whether they cost more and more
Pair = tuple[str, str]
"""(problem, strategy)"""


@dataclass
class _Costs:
    """What runs of one problem and strategy cost: seconds and shares of runs, by part of a run."""

    seconds: dict[int, float] = field(default_factory=dict)
    shares: dict[int, float] = field(default_factory=dict)

    def add(self, start: float, end: float, seconds: float) -> None:
        """Note what a run has cost from one share of its budget to another."""
        part = min(int((start + end) / 2 * _PARTS), _PARTS - 1)
        self.seconds[part] = self.seconds.get(part, 0.0) + seconds
        self.shares[part] = self.shares.get(part, 0.0) + end - start

    @property
    def is_known(self) -> bool:
        """Whether there is enough to tell by."""
        return sum(self.shares.values()) >= _LEAST and sum(self.seconds.values()) > 0

    def line(self) -> tuple[float, float]:
        """Return level and slope of the seconds per run, as a line over the share of it.

        Searches cost more with every trial. The line is that of Theil and Sen: a single part that
        costs far more, in which loops were compiled, say, does not move it. Its slope counts as far
        as all parts agree on it, since few parts of uneven trials have one by chance.
        """
        mean = sum(self.seconds.values()) / sum(self.shares.values())
        if len(self.seconds) < _FEW:
            return mean, 0.0
        points = [((p + 0.5) / _PARTS, self.seconds[p] / self.shares[p]) for p in self.seconds]
        pairs = list(combinations(sorted(points), 2))
        slopes = [(after[1] - own[1]) / (after[0] - own[0]) for own, after in pairs]
        agreed = 2 * sum(own > 0 for own in slopes) / len(slopes) - 1  # Kendall's tau
        slope = max(0.0, median(slopes) * agreed * (1 - 2 / len(points)))
        return median(rate - slope * at for at, rate in points), slope


@dataclass
class Clock:
    """Estimates of the time left. Runs cost differently, by problem and by strategy.

    What is left of a run costs what this part of a run costs on its problem with its strategy, as
    much more or less as the run has cost so far; where it has not begun, as the others; of a pair
    of which none has begun, as those of its problem. What runs cost becomes time by what this
    process has done of it in the time it has had: they are computed together.
    """

    began: float = field(default_factory=time.monotonic)
    _first: float | None = None
    _idle: float | None = None
    _seen: dict[RunName, tuple[float, float]] = field(default_factory=dict)
    _costs: dict[Pair, _Costs] = field(default_factory=dict)

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    def left(self, progress: Progress) -> float | None:
        """Return the seconds left, None while there is a problem of which nothing is known yet."""
        for run in progress.runs:
            self._note(run)
        spent = sum(run.seconds for run in progress.runs)
        if self._idle is None and self._first is not None and spent > self._first:
            # What began before any work was done: packages were loaded, workers were started.
            self._idle = max(0.0, self.elapsed - (spent - self._first))
        pairs: dict[Pair, list[RunProgress]] = {}
        for run in progress.runs:
            pairs.setdefault(run.name[:2], []).append(run)
        rests = [
            self._rest(pair, runs)
            for pair, runs in pairs.items()
            if not all(run.is_over for run in runs)
        ]
        known = [rest for rest in rests if rest is not None]
        if len(known) < len(rests):
            self.rest(spent, 0.0)
            return None
        return self.rest(spent, sum(known))

    def rest(self, spent: float, remaining: float) -> float | None:
        """Return the seconds that remain, in any unit of what was spent; None before a first."""
        if self._first is None:
            self._first = spent
        done = spent - self._first
        busy = self.elapsed - (self._idle or 0.0)
        return 0.0 if remaining == 0 else remaining * busy / done if done > 0 else None

    def _note(self, run: RunProgress) -> None:
        share, seconds = self._seen.get(run.name, (0.0, 0.0))
        if run.share > share:
            costs = self._costs.setdefault(run.name[:2], _Costs())
            costs.add(share, run.share, run.seconds - seconds)
            self._seen[run.name] = run.share, run.seconds

    def _rest(self, pair: Pair, runs: Sequence[RunProgress]) -> float | None:
        """Return what the rest of the runs of a pair costs, None where nothing is known."""
        lines = self._lines(pair)
        if not lines:
            return None
        level = sum(own for own, _ in lines) / len(lines)
        slope = sum(own for _, own in lines) / len(lines)
        foreseen = [level * own.share + slope * own.share**2 / 2 for own in runs]
        whole = level + slope / 2
        spent = sum(own.seconds for own in runs)
        # Runs of a pair differ; what all of them have cost beyond the line was once only.
        scale = sum(foreseen) / spent if spent > 0 else 1.0
        return sum(
            max(0.0, whole - cost) * (scale * own.seconds / cost if cost > 0 < own.seconds else 1.0)
            for own, cost in zip(runs, foreseen, strict=True)
            if not own.is_over
        )

    def _lines(self, pair: Pair) -> Collection[tuple[float, float]]:
        """Return the lines to tell by: that of a pair, or those of all on its problem."""
        own = self._costs.get(pair)
        if own is not None and own.is_known:
            return [own.line()]
        kin = [costs for other, costs in self._costs.items() if other[0] == pair[0]]
        return [costs.line() for costs in kin if costs.is_known]


def duration(seconds: float) -> str:
    """Write seconds for people: 8 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
