"""Results made by hand: histories of values, without running anything."""

from collections.abc import Mapping, Sequence

from hpo_research.analysis.result import Cost, Result
from hpo_research.records import Direction, Report, Run, Trial
from hpo_research.space import Float, SearchSpace
from hpo_research.store import RunName

SPACE = SearchSpace(x=Float(0, 1))
Entry = tuple[int, int, float]
"""trial, epoch, value; each in a turn of its own and one epoch more than the one before."""


def made(
    histories: Mapping[RunName, Sequence[Entry]],
    *,
    direction: Direction = "minimize",
    optimum: float | None = None,
    over: bool = True,
    execution: str = "lock-step",
) -> Result:
    """A result in which each run reported these values, in this order."""
    problems = {name.problem for name in histories}
    facts = {"metric": "log_loss", "direction": direction, "max_epochs": 9, "optimum": optimum}
    description = {
        "name": "made",
        "problems": dict.fromkeys(sorted(problems), facts),
        "strategies": dict.fromkeys(name.strategy for name in histories),
        "seeds": sorted({name.seed for name in histories}),
        "budget": {"evaluations": None, "epochs": 40, "trials": None, "seconds": None},
        "execution": execution,
        "final": "last",
    }
    return Result(
        description,
        {},
        {name: _run(entries, direction) for name, entries in histories.items()},
        {name: _history(entries) for name, entries in histories.items()},
        frozenset(histories if over else ()),
        {name: Cost(len(entries)) for name, entries in histories.items()},
    )


def _run(entries: Sequence[Entry], direction: Direction) -> Run:
    reported: dict[int, list[tuple[int, float]]] = {}
    for trial, epoch, value in entries:
        reported.setdefault(trial, []).append((epoch, value))
    trials = []
    for trial, own in sorted(reported.items()):
        epochs, values = zip(*own, strict=True)
        trials.append(
            Trial(trial, {"x": 0.5}, "finished", epochs[-1], epochs, values, values[-1], 1.0)
        )
    return Run(SPACE, direction, max_epochs=9, trials=tuple(trials))


def _history(entries: Sequence[Entry]) -> list[tuple[Report, int, int]]:
    rows = [
        (Report(0, trial, epoch, {"log_loss": value}, 0.5 + i % 3, 2.0 * i), i + 1, i + 1)
        for i, (trial, epoch, value) in enumerate(entries)
    ]
    return sorted(rows, key=lambda row: (row[0].trial, row[0].epoch))
