"""Early ends: runs that were over when others of the same problem went on, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from hpo_research.analysis.history import RunHistory
from hpo_research.analysis.result import Result
from hpo_research.records import OPEN
from hpo_research.store.facts import BudgetFacts

LEAST = 0.9
"""Of the share of its budget that the longest run spends: what is left may fit no trial."""

_WHY = {
    "request": "ended by request",
    "rule": "ended by a rule",
    "strategy": "ended by the strategy",
    "": "it proposed nothing more",
}


@dataclass(frozen=True)
class EarlyEnd:
    """The runs of a strategy on a problem that ended early, `count` of `runs`.

    They had spent from `least` to `most` of their budget, as shares of 1; `why` is their reasons.
    """

    problem: str
    strategy: str
    count: int
    runs: int
    least: float
    most: float
    why: tuple[str, ...]

    def __str__(self) -> str:
        spent = f"{self.least:.0%}"
        if f"{self.most:.0%}" != spent:
            spent += f" to {self.most:.0%}"
        few = f" in {self.count} of {self.runs} runs" if self.count < self.runs else ""
        return f"{self.strategy} ends after {spent} of its budget{few} ({', '.join(self.why)})"


def early_ends(result: Result, problem: str) -> dict[str, EarlyEnd]:
    """Return the early ends on a problem, by strategy; none where there is no budget.

    Early is what spent less than `LEAST` of what the longest run did. A run's share of its budget
    is that of the limit which it has come closest to.
    """
    spent = {
        name: (own, _share(result, problem, own))
        for name, own in result.select(problem).items()
        if own.is_over
    }
    least = LEAST * max((part for _, part in spent.values()), default=0.0)
    found = {}
    for strategy in result.facts.strategies:
        ours = [own for name, own in spent.items() if name.strategy == strategy]
        early = [(own, part) for own, part in ours if part < least]
        if early:
            parts, runs = [part for _, part in early], len(result.select(problem, strategy))
            found[strategy] = EarlyEnd(
                problem, strategy, len(early), runs, min(parts), max(parts), _why(early)
            )
    return found


def said(result: Result, problems: Sequence[str]) -> list[str]:
    """Say what ends early on some problems, a sentence; nothing where nothing does."""
    ends = {problem: list(early_ends(result, problem)) for problem in problems}
    names = [name for name in result.facts.strategies if any(name in own for own in ends.values())]
    where = [
        f"{name} on {', '.join(problem for problem in problems if name in ends[problem])}"
        for name in names
    ]
    if not where:
        return []
    return [f"Runs that ended before others count with their last value: {'; '.join(where)}."]


def _share(result: Result, problem: str, own: RunHistory) -> float:
    """Return how much of its budget a run has spent, 1 where there is none.

    It is 1 where what is left is less than what trials in all slots would be promised.
    """
    budget = result.facts.budget or BudgetFacts()
    last = result.facts.problems[problem].max_epochs or 1
    trials = float(len(own.run.trials))
    evaluations = trials if own.run.max_epochs == OPEN else own.cost.epochs / last
    clock = own.cost.seconds if result.facts.execution == "lock-step" else own.cost.clock
    spent: list[tuple[float, float | None, float]] = [
        (trials, budget.trials, 0),
        (own.cost.epochs, budget.epochs, last),
        (clock, budget.seconds, 0),
        (evaluations, budget.evaluations, 1),
    ]
    slots = result.facts.parallel or 1
    parts = [
        1.0 if promised and not own.ended and done + slots * promised > limit else done / limit
        for done, limit, promised in spent
        if limit
    ]
    return max(parts, default=1.0)


def _why(early: Sequence[tuple[RunHistory, float]]) -> tuple[str, ...]:
    return tuple(sorted({_WHY[own.ended_by if own.ended else ""] for own, _ in early}))
