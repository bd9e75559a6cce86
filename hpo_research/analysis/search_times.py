"""Search times: the seconds that a strategy takes for an ask, by how many trials it knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from jaxtyping import Float, Int

from hpo_research.analysis.result import Result

_MOST_POINTS = 24  # of a line


@dataclass(frozen=True)
class SearchTimes:
    """The seconds of the asks of a strategy on a problem, by the trials that a run had begun.

    `seconds[i]` is the median over runs of the seconds of an ask by proposal, at `trials[i]`
    trials begun before, and `low` and `high` its quartiles; of many such numbers, those near each
    other are one, at the lowest. Neither the first ask, which draws the initial design, is among
    them nor the first that fitted a model: `first` has the trials before that one and its median
    seconds, which hold what a process then loads and compiles; None where no ask says that it
    fitted. Seconds are a run's share where several runs were asked together.
    """

    problem: str
    strategy: str
    runs: int
    trials: Int[np.ndarray, " m"]
    seconds: Float[np.ndarray, " m"]
    low: Float[np.ndarray, " m"]
    high: Float[np.ndarray, " m"]
    first: tuple[float, float] | None = None


def search_times(result: Result) -> dict[str, list[SearchTimes]]:
    """Return the search times by problem, of the strategies that were asked more than once."""
    found: dict[str, list[SearchTimes]] = {}
    for problem in result.facts.problems:
        for strategy in result.facts.strategies:
            own = _of(result, problem, strategy)
            if own is not None:
                found.setdefault(problem, []).append(own)
    return found


def _of(result: Result, problem: str, strategy: str) -> SearchTimes | None:
    later: dict[int, list[float]] = {}
    first: list[tuple[int, float]] = []
    histories = result.select(problem, strategy)
    for own in histories.values():
        begun, has_fitted = 0, False
        for place, (ask, (_, seconds)) in enumerate(zip(own.run.asks, own.asked, strict=True)):
            proposals = len(ask.proposals)
            if proposals and "lengthscale" in ask.notes and not has_fitted:
                has_fitted = True
                first.append((begun, seconds / proposals))
            elif place and proposals:
                later.setdefault(begun, []).append(seconds / proposals)
            begun += sum(proposal.kind == "start" for proposal in ask.proposals)
    if not later:
        return None
    grouped = _grouped(later)
    quartiles = np.array([np.quantile(own, [0.25, 0.5, 0.75]) for own in grouped.values()])
    low, seconds, high = quartiles.T
    alone = tuple(np.median(first, axis=0).tolist()) if first else None
    trials = np.array(list(grouped))
    return SearchTimes(problem, strategy, len(histories), trials, seconds, low, high, alone)


def _grouped(later: Mapping[int, list[float]]) -> dict[int, list[float]]:
    """Return the seconds by trials, ascending; of many numbers those of a step of a log axis."""
    numbers = sorted(later)
    if len(numbers) <= _MOST_POINTS:
        return {n: later[n] for n in numbers}
    steps = np.geomspace(max(numbers[0], 1), numbers[-1] + 1, _MOST_POINTS + 1)
    found: dict[int, list[float]] = {}
    for _, own in groupby(numbers, lambda n: int(np.searchsorted(steps, n, side="right"))):
        group = list(own)
        found[group[0]] = [seconds for n in group for seconds in later[n]]
    return found
