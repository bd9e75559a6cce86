"""What a run knew before its first trial, in words."""

from collections.abc import Iterator

from hpo_research.analysis.result import Result
from hpo_research.entries import EarlierTask
from hpo_research.records import Direction, best_value

_TASKS = {"same": "the same task", "related": "a related task"}


def known(own: EarlierTask, direction: Direction) -> str:
    """Say how many trials earlier runs made of a task, where they were found, and the best."""
    count = len(own.trials)
    values = [trial.value for trial in own.trials if trial.value is not None]
    whence = f" ({own.name})" if own.name else ""
    found = f", the best {best_value(values, direction):.6g}" if values else ""
    return f"{count} trial{'' if count == 1 else 's'} of {_TASKS[own.task]}{whence}{found}"


def lines(result: Result) -> Iterator[str]:
    """Yield a line for each source of earlier results of each problem."""
    for name, facts in result.facts.problems.items():
        for own in facts.earlier:
            yield f"{name} began with {known(own, facts.direction)}"
