"""Results made by hand: histories of values, without running anything."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hpo_research.analysis.history import Cost, RunHistory
from hpo_research.analysis.result import Result
from hpo_research.records import Direction, Outcome, Report, Run, Trial
from hpo_research.rng import Stream
from hpo_research.space import Float, SearchSpace
from hpo_research.store import RunName

LIMITS = dict.fromkeys(("evaluations", "epochs", "trials", "seconds"))
SPACE = SearchSpace(x=Float(0, 1))
Entry = tuple[int, int, float]
"""trial, epoch, value; each in a turn of its own and one epoch more than the one before."""


def histories(
    problems: Sequence[str] = ("p",),
    strategies: Sequence[str] = ("grid", "random"),
    *,
    seeds: int = 5,
    n: int = 20,
    least: float = 0.5,
) -> dict[RunName, list[Entry]]:
    """Values at random, at least `least`: each run has n reports, two a trial."""
    return {
        RunName(p, s, k): [
            (i // 2, i % 2 + 1, least + float(value))
            for i, value in enumerate(Stream(k).at(p, s).generator().exponential(size=n))
        ]
        for p in problems
        for s in strategies
        for k in range(seeds)
    }


def made(
    histories: Mapping[RunName, Sequence[Entry]],
    *,
    direction: Direction = "minimize",
    optimum: float | None = None,
    over: bool = True,
    execution: str = "lock-step",
    asked: Mapping[RunName, Sequence[tuple[int, float]]] | None = None,
    max_epochs: int = 9,
    budget: int | None = 40,
) -> Result:
    """A result in which each run reported these values, in this order.

    The first report comes in turn 1, and a trial finishes in that of its last. `asked` holds (turn,
    seconds) of a run's asks, none if left out; `budget` counts epochs.
    """
    problems = {name.problem for name in histories}
    facts: dict[str, object] = {
        "metric": "log_loss",
        "direction": direction,
        "max_epochs": max_epochs,
        "space": {"parameters": []},
    }
    facts["optimum"] = optimum
    description = {
        "name": "made",
        "problems": dict.fromkeys(sorted(problems), facts),
        "strategies": dict.fromkeys(name.strategy for name in histories),
        "seeds": sorted({name.seed for name in histories}),
        "budget": {**LIMITS, "epochs": budget},
        "execution": execution,
        "final": "last",
    }
    return Result(
        description,
        {},
        {
            name: RunHistory(
                _run(entries, direction, max_epochs),
                _history(entries),
                _outcomes(entries),
                (asked or {}).get(name, ()),
                Cost(len(entries)),
                over,
            )
            for name, entries in histories.items()
        },
    )


def changed(result: Result, field: str, by_name: Mapping[RunName, object]) -> Result:
    """The same result, in which runs have another field of their `RunHistory`."""
    others = {
        name: replace(result.histories[name], **{field: value}) for name, value in by_name.items()
    }
    return replace(result, histories={**result.histories, **others})


def _run(entries: Sequence[Entry], direction: Direction, max_epochs: int) -> Run:
    reported: dict[int, list[tuple[int, float]]] = {}
    for trial, epoch, value in entries:
        reported.setdefault(trial, []).append((epoch, value))
    trials = []
    for trial, own in sorted(reported.items()):
        epochs, values = zip(*own, strict=True)
        trials.append(
            Trial(trial, {"x": 0.5}, "finished", epochs[-1], epochs, values, values[-1], 1.0)
        )
    return Run(SPACE, direction, max_epochs=max_epochs, trials=tuple(trials))


def _history(entries: Sequence[Entry]) -> list[tuple[Report, int, int]]:
    rows = [
        (Report(0, trial, epoch, {"log_loss": value}, 0.5 + i % 3, 2.0 * i), i + 1, i + 1)
        for i, (trial, epoch, value) in enumerate(entries)
    ]
    return sorted(rows, key=lambda row: (row[0].trial, row[0].epoch))


def _outcomes(entries: Sequence[Entry]) -> list[tuple[int, Outcome]]:
    last = {trial: (i, epoch) for i, (trial, epoch, _) in enumerate(entries)}
    return [
        (i + 1, Outcome(0, trial, "finished", epoch, clock=2.0 * i))
        for trial, (i, epoch) in sorted(last.items(), key=lambda entry: entry[1])
    ]
