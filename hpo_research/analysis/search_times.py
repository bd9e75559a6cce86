"""Search times: the seconds that a strategy takes for an ask, by how many trials it knows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from hpo_research.analysis.result import Result


@dataclass(frozen=True)
class SearchTimes:
    """The seconds of the asks of a strategy on a problem, by the trials that a run had begun.

    `seconds[i]` is the median over runs of the seconds of an ask by proposal, at `trials[i]`
    trials begun before, and `low` and `high` its quartiles. The first ask, which draws the initial
    design, is not among them. Seconds are a run's share where several runs were asked together.
    """

    problem: str
    strategy: str
    runs: int
    trials: Int[np.ndarray, " m"]
    seconds: Float[np.ndarray, " m"]
    low: Float[np.ndarray, " m"]
    high: Float[np.ndarray, " m"]


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
    histories = result.select(problem, strategy)
    for own in histories.values():
        begun = 0
        for place, (ask, (_, seconds)) in enumerate(zip(own.run.asks, own.asked, strict=True)):
            proposals = len(ask.proposals)
            if place and proposals:
                later.setdefault(begun, []).append(seconds / proposals)
            begun += sum(proposal.kind == "start" for proposal in ask.proposals)
    if not later:
        return None
    trials = np.array(sorted(later))
    quartiles = np.array([_quartiles(later, n) for n in trials.tolist()])
    low, seconds, high = quartiles.T
    return SearchTimes(problem, strategy, len(histories), trials, seconds, low, high)


def _quartiles(later: Mapping[int, list[float]], trials: int) -> Float[np.ndarray, "3"]:
    found: np.ndarray = np.quantile(later[trials], [0.25, 0.5, 0.75])
    return found
