"""How far each strategy is, over all of its runs: what the bars and the lines show."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hpo_research.experiment import Experiment, Progress
from hpo_research.experiment.progress import RunProgress
from hpo_research.problems.protocol import Problem
from hpo_research.records import best_value


@dataclass(frozen=True)
class StrategyProgress:
    """How far one strategy is: its share of the budget, and its best value on each problem."""

    strategy: str
    share: float
    best: Mapping[str, float | None]

    def values(self) -> str:
        """Return the best values as text, in the order of the problems."""
        return " / ".join("-" if v is None else f"{v:.4g}" for v in self.best.values())


def standings(progress: Progress, experiment: Experiment) -> list[StrategyProgress]:
    """Return the standing of every strategy of the experiment."""
    rows = []
    for strategy in experiment.strategies:
        runs = [run for run in progress.runs if run.name.strategy == strategy]
        best = {
            problem.name: _best([r for r in runs if r.name.problem == problem.name], problem)
            for problem in experiment.problems
        }
        rows.append(StrategyProgress(strategy, sum(run.share for run in runs) / len(runs), best))
    return rows


def _best(runs: Sequence[RunProgress], problem: Problem) -> float | None:
    values = [run.best for run in runs if run.best is not None]
    return best_value(values, problem.direction) if values else None


@dataclass
class Clock:
    """Estimates of the time left, from the share that this process has done itself."""

    began: float = field(default_factory=time.monotonic)
    first: dict[str, float] = field(default_factory=dict)

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    def left(self, name: str, share: float) -> float | None:
        """Return the seconds left at the speed so far, None before there is one."""
        first = self.first.setdefault(name, share)
        if share >= 1:
            return 0.0
        return None if share <= first else self.elapsed * (1 - share) / (share - first)


def duration(seconds: float) -> str:
    """Write seconds for people: 8 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
