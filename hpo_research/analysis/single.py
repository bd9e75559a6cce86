"""A single study: one problem tuned by one strategy, which is read for its answer."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hpo_research.analysis.result import Result
from hpo_research.records import Status
from hpo_research.store import RunName

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?", re.IGNORECASE)


def is_single(result: Result) -> bool:
    """Whether a result compares nothing: it has one problem and one strategy, with any seeds."""
    return len(result.facts.problems) == 1 and len(result.facts.strategies) == 1


def statuses(result: Result) -> dict[Status, int]:
    """Return how many trials stand how, in a fixed order; those that there are none of are left."""
    known = Counter(trial.status for run in result.runs.values() for trial in run.trials)
    order: tuple[Status, ...] = ("finished", "stopped", "paused", "running", "failed")
    return {status: known[status] for status in order if known[status]}


@dataclass(frozen=True)
class Failure:
    """Why trials failed, in the words of the first of them, and which, by run.

    `is_same` says whether the words are the same for all, or differ in their numbers.
    """

    reason: str
    trials: Sequence[tuple[RunName, int]]
    is_same: bool


def failures(result: Result) -> list[Failure]:
    """Return why trials failed, the most frequent reason first; of equals the earlier one.

    Reasons that differ in numbers alone are one: `lr 0.3 diverged`, `lr 0.4 diverged`.
    """
    found: dict[str, list[tuple[str, RunName, int]]] = {}
    for name, run in sorted(result.runs.items()):
        for trial in run.trials:
            if trial.status == "failed":
                kind = _NUMBER.sub("0", trial.reason)
                found.setdefault(kind, []).append((trial.reason, name, trial.id))
    groups = [
        Failure(
            own[0][0], [(name, trial) for _, name, trial in own], len({r for r, *_ in own}) == 1
        )
        for own in found.values()
    ]
    return sorted(groups, key=lambda own: len(own.trials), reverse=True)
