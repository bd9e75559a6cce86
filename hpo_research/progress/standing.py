"""How far an experiment is: what a progress display shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from hpo_research.ledger import Ledger
from hpo_research.problems.protocol import Problem
from hpo_research.records import Direction, best_value
from hpo_research.store import RunName


@dataclass(frozen=True)
class RunProgress:
    """How far one run is; `share` of its budget is spent, 1 when the run is over.

    `seconds` is what the run has cost so far: its own share where runs are computed together.
    """

    name: RunName
    trials: int
    running: int
    failed: int
    epochs: int
    best: float | None
    share: float
    is_over: bool
    seconds: float = 0.0


@dataclass(frozen=True)
class ProblemProgress:
    """How far all runs on a problem are; `best` is the best value of the metric so far.

    `strategy` is whose it is, empty where there is none, or one strategy only.
    """

    problem: str
    share: float
    best: float | None
    strategy: str
    metric: str


@dataclass(frozen=True)
class Progress:
    """How far all runs are; direction and metric of each problem, in the experiment's order."""

    runs: Sequence[RunProgress]
    directions: Mapping[str, Direction] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, runs: Sequence[RunProgress], problems: Sequence[Problem]) -> Self:
        """Return how far runs on some problems are."""
        directions = {problem.name: problem.direction for problem in problems}
        return cls(runs, directions, {problem.name: problem.metric for problem in problems})

    @property
    def share(self) -> float:
        """The mean share of the budgets that is spent."""
        return sum(run.share for run in self.runs) / max(1, len(self.runs))

    @property
    def is_over(self) -> bool:
        """Whether every run is over; a share of 1 may still wait for a last outcome."""
        return all(run.is_over for run in self.runs)

    @property
    def trials(self) -> int:
        """Trials so far."""
        return sum(run.trials for run in self.runs)

    @property
    def failed(self) -> int:
        """Trials that failed."""
        return sum(run.failed for run in self.runs)

    def problems(self) -> list[ProblemProgress]:
        """Return how far each problem is."""
        return [
            self._on(name, direction, [run for run in self.runs if run.name.problem == name])
            for name, direction in self.directions.items()
        ]

    def _on(self, name: str, direction: Direction, runs: Sequence[RunProgress]) -> ProblemProgress:
        values = [run.best for run in runs if run.best is not None]
        best = best_value(values, direction) if values else None
        strategies = {run.name.strategy for run in self.runs}
        whose = ""
        if best is not None and len(strategies) > 1:
            whose = next(run.name.strategy for run in runs if run.best == best)
        share = sum(run.share for run in runs) / max(1, len(runs))
        return ProblemProgress(name, share, best, whose, self.metrics.get(name, ""))


def progress(name: RunName, ledger: Ledger, is_over: bool) -> RunProgress:
    """Return how far the run is."""
    run = ledger.run()
    best = run.best()
    return RunProgress(
        name,
        trials=len(run.trials),
        running=len(ledger.open),
        failed=ledger.failed,
        epochs=ledger.spent,
        best=None if best is None else best.value,
        share=1.0
        if is_over
        else ledger.limits.share(ledger.spent, len(run.trials), ledger.elapsed),
        is_over=is_over,
        seconds=ledger.seconds,
    )
