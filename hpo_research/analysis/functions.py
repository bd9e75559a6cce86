"""Runs as instances of numbered functions, as data of COCO and IOHprofiler are laid out."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from hpo_research.analysis.extremes import difference
from hpo_research.analysis.files import write_beside
from hpo_research.analysis.incumbents import Axis, steps
from hpo_research.analysis.result import Result
from hpo_research.analysis.running_times import is_of_coco
from hpo_research.errors import StoreError
from hpo_research.store import RunName


@dataclass(frozen=True)
class Instance:
    """A run as an instance of a function: its number, evaluations and losses, one each."""

    name: RunName
    number: int
    optimum: float
    cost: Float[np.ndarray, " n"]
    losses: Float[np.ndarray, " n"]
    spent: int

    @property
    def distances(self) -> Float[np.ndarray, " n"]:
        """How far the best so far is from the optimum, or from 0 where none is known."""
        best: np.ndarray = difference(np.minimum.accumulate(self.losses), self.optimum)
        return best


Function = tuple[int, int]
"""The number of a function, and its dimension."""


def numbers(result: Result, problems: Iterable[str]) -> dict[str, Function]:
    """Return the function's number and the dimension of each of these problems.

    COCO's own functions keep their number; other problems are numbered from 1 in the experiment's
    order. Raises `StoreError` where numbers would clash.
    """
    found, wanted = {}, set(problems)
    for place, (name, facts) in enumerate(result.facts.problems.items(), start=1):
        dimension = max(1, len(facts.space["parameters"]))
        if name in wanted:
            number = int(facts.identity["function"]) if is_of_coco(facts) else place
            found[name] = (number, dimension)
    kinds = {is_of_coco(result.facts.problems[name]) for name in found}
    if len(kinds) > 1:
        raise StoreError(
            "export: COCO's functions keep their numbers, which other problems would take too; "
            "export results that hold either"
        )
    return found


def has_place(result: Result, name: RunName) -> bool:
    """Whether a run is finished and has a value."""
    return name in result.over and result.runs[name].best() is not None


def instances(
    result: Result, strategy: str, numbers: dict[str, Function]
) -> dict[Function, list[Instance]]:
    """Return a strategy's runs that have a place, by function.

    Where a problem has several epochs, what is counted as evaluations are epochs.
    """
    found: dict[Function, list[Instance]] = {}
    for problem, function in numbers.items():
        facts = result.facts.problems[problem]
        axis: Axis = "evaluations" if facts.max_epochs in (None, 1) else "epochs"
        for name, own in result.select(problem, strategy).items():
            if not has_place(result, name):
                continue
            cost, values = steps(result, name, axis)
            known = np.isfinite(values)
            spent = len(own.run.trials) if axis == "evaluations" else own.cost.epochs
            found.setdefault(function, []).append(
                Instance(
                    *(name, len(found.get(function, ())) + 1, facts.sign * (facts.optimum or 0.0)),
                    *(cost[known], facts.sign * values[known], spent),
                )
            )
    return found


def plain(strategy: str, taken: Sequence[str]) -> str:
    """Return a name for a strategy's folder that other tools and file systems take."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", strategy).strip("-")[:100] or "strategy"
    name, number = stem, 2
    while name.lower() in [other.lower() for other in taken]:
        name, number = f"{stem}-{number}", number + 1
    return name


def unplaced(result: Result, problems: Iterable[str]) -> list[str]:
    """Say which runs on these problems have no place, and why."""
    wanted, said = set(problems), []
    for name in sorted(result.runs):
        if name.problem in wanted and not has_place(result, name):
            why = "it has no value" if name in result.over else "it is not finished"
            said.append(f"{name.strategy} on {name.problem}, seed {name.seed}: {why}")
    return said


def written_text(path: Path, lines: Sequence[str]) -> Path:
    """Write lines to a file, whole or not at all; return its path."""
    write_beside(path, partial(_write, "\n".join(lines) + "\n"))
    return path


def _write(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
