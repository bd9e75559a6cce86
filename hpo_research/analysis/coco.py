"""COCO's format: a result's runs as the data that cocopp, COCO's post-processing, reads.

A folder a strategy, with an index `bbobexp_f1.info` a function, and below it the data of each
dimension: `.dat` has a line an improvement, `.tdat` one an evaluation. cocopp repeats runs until
all instances have as many, which would count some twice: each run is an instance of its own here,
numbered from 1, and `runs.csv` says which it is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from hpo_research.analysis.extremes import difference
from hpo_research.analysis.files import csv, write_beside
from hpo_research.analysis.incumbents import Axis, steps
from hpo_research.analysis.result import Result
from hpo_research.analysis.running_times import is_of_coco
from hpo_research.errors import StoreError
from hpo_research.store import RunName
from hpo_research.version import __version__

PRECISION = 1e-8
_COLUMNS = (
    "% f evaluations | g evaluations | best noise-free fitness - Fopt ({:.12e}) + sum g_i+ | "
    "measured fitness | best measured fitness or single-digit g-values"
)


@dataclass(frozen=True)
class _Instance:
    """A run as an instance of a function: its number, evaluations and losses, one each."""

    name: RunName
    number: int
    optimum: float
    cost: Float[np.ndarray, " n"]
    losses: Float[np.ndarray, " n"]
    spent: int

    @property
    def distances(self) -> Float[np.ndarray, " n"]:
        best: np.ndarray = difference(np.minimum.accumulate(self.losses), self.optimum)
        return best


Function = tuple[int, int]
"""The number of a function, and its dimension."""


def left_out(result: Result) -> list[str]:
    """Say what has no place in COCO's format: problems without an optimum, runs without an end."""
    known = {name for name, own in result.facts.problems.items() if own.optimum is not None}
    unknown = [name for name in result.facts.problems if name not in known]
    said = [f"{name}: its optimum is not known" for name in unknown]
    for name in sorted(result.runs):
        if name.problem in known and not _has_place(result, name):
            why = "it has no value" if name in result.over else "it is not finished"
            said.append(f"{name.strategy} on {name.problem}, seed {name.seed}: {why}")
    return said


def write(result: Result, folder: Path) -> list[Path]:
    """Write the finished runs in COCO's format, a folder a strategy; return the files.

    Values are distances from the optimum, of noisy problems those of noisy values. Where a problem
    has several epochs, what is counted as evaluations are epochs. COCO's own functions keep their
    number; other problems are numbered from 1 in the experiment's order. Raises `StoreError` where
    no problem has a known optimum and a run with a value, or where numbers would clash.
    """
    numbers = _numbers(result)
    written: list[Path] = []
    taken: list[str] = []
    for strategy in result.facts.strategies:
        functions = _instances(result, strategy, numbers)
        if functions:
            taken.append(_folder(strategy, taken))
            written += _strategy(strategy, functions, folder / taken[-1])
    if not written:
        raise StoreError(
            "export: COCO's format holds distances from a known optimum, and no finished run has "
            f"any: {'; '.join(left_out(result)[:3])}"
        )
    return written


def _numbers(result: Result) -> dict[str, Function]:
    """Return the function's number and the dimension of each problem that has an optimum."""
    found = {}
    for place, (name, facts) in enumerate(result.facts.problems.items(), start=1):
        dimension = max(1, len(facts.space["parameters"]))
        if facts.optimum is not None:
            number = int(facts.identity["function"]) if is_of_coco(facts) else place
            found[name] = (number, dimension)
    kinds = {is_of_coco(result.facts.problems[name]) for name in found}
    if len(kinds) > 1:
        raise StoreError(
            "export: COCO's functions keep their numbers, which other problems would take too; "
            "export results that hold either"
        )
    return found


def _has_place(result: Result, name: RunName) -> bool:
    return name in result.over and result.runs[name].best() is not None


def _instances(
    result: Result, strategy: str, numbers: dict[str, Function]
) -> dict[Function, list[_Instance]]:
    found: dict[Function, list[_Instance]] = {}
    for problem, function in numbers.items():
        facts = result.facts.problems[problem]
        axis: Axis = "evaluations" if facts.max_epochs in (None, 1) else "epochs"
        for name, own in result.select(problem, strategy).items():
            if not _has_place(result, name):
                continue
            cost, values = steps(result, name, axis)
            known = np.isfinite(values)
            spent = len(own.run.trials) if axis == "evaluations" else own.cost.epochs
            found.setdefault(function, []).append(
                _Instance(
                    *(name, len(found.get(function, ())) + 1, facts.sign * (facts.optimum or 0.0)),
                    *(cost[known], facts.sign * values[known], spent),
                )
            )
    return found


def _folder(strategy: str, taken: Sequence[str]) -> str:
    """Return a name for the folder of a strategy that cocopp and file systems take."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", strategy).strip("-")[:100] or "strategy"
    name, number = plain, 2
    while name.lower() in [other.lower() for other in taken]:
        name, number = f"{plain}-{number}", number + 1
    return name


def _strategy(
    strategy: str, functions: dict[Function, list[_Instance]], folder: Path
) -> list[Path]:
    written = []
    index: dict[int, list[str]] = {}
    for (number, dimension), instances in sorted(functions.items()):
        place = f"data_f{number}/bbobexp_f{number}_DIM{dimension}"
        for kind, every in (("dat", False), ("tdat", True)):
            lines = [line for own in instances for line in _lines(own, every=every)]
            written.append(_text(folder / f"{place}.{kind}", lines))
        ends = ", ".join(f"{i.number}:{i.spent}|{i.distances[-1]:.1e}" for i in instances)
        index.setdefault(number, []).extend(
            [_header(number, dimension, folder.name), "% ", f"{place}.dat, {ends}"]
        )
    for number, lines in index.items():
        written.append(_text(folder / f"bbobexp_f{number}.info", lines))
    rows = [
        {
            "function": number,
            "dimension": dimension,
            "instance": own.number,
            "problem": own.name.problem,
            "strategy": strategy,
            "seed": own.name.seed,
        }
        for (number, dimension), instances in sorted(functions.items())
        for own in instances
    ]
    return [*written, _text(folder / "runs.csv", csv(pd.DataFrame(rows)).splitlines())]


def _header(number: int, dimension: int, name: str) -> str:
    fields = {
        "suite": "'bbob'",
        "funcId": number,
        "DIM": dimension,
        "Precision": f"{PRECISION:.3e}",
        "algId": f"'{name}'",
        "coco_version": f"'hpo_research {__version__}'",
        "logger": "'bbob'",
        "data_format": "'bbob-new2'",
    }
    return ", ".join(f"{key} = {value}" for key, value in fields.items())


def _lines(own: _Instance, *, every: bool) -> list[str]:
    """Return the data of a run: each of its values or those that are better, and its end."""
    best = np.minimum.accumulate(own.losses)
    rows = range(len(best)) if every else np.unique(best, return_index=True)[1][::-1]
    lines = [_line(int(own.cost[i]), own.distances[i], own.losses[i], best[i]) for i in rows]
    if own.spent > int(own.cost[rows[-1]]):
        lines.append(_line(own.spent, own.distances[-1], best[-1], best[-1]))
    return [_COLUMNS.format(own.optimum), *lines]


def _line(cost: int, distance: float, loss: float, best: float) -> str:
    return f"{cost} 0 {distance:+.16e} {loss:+.16e} {best:+.16e}"


def _text(path: Path, lines: Sequence[str]) -> Path:
    write_beside(path, partial(_write, "\n".join(lines) + "\n"))
    return path


def _write(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
