"""COCO's format: a result's runs as the data that cocopp, COCO's post-processing, reads.

A folder a strategy, with an index `bbobexp_f1.info` a function, and below it the data of each
dimension: `.dat` has a line an improvement, `.tdat` one an evaluation. cocopp repeats runs until
all instances have as many, which would count some twice: each run is an instance of its own here,
numbered from 1, and `runs.csv` says which it is.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from hpo_research.analysis.files import csv
from hpo_research.analysis.functions import (
    Function,
    Instance,
    instances,
    numbers,
    plain,
    unplaced,
    written_text,
)
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.version import __version__

PRECISION = 1e-8
_COLUMNS = (
    "% f evaluations | g evaluations | best noise-free fitness - Fopt ({:.12e}) + sum g_i+ | "
    "measured fitness | best measured fitness or single-digit g-values"
)


def left_out(result: Result) -> list[str]:
    """Say what has no place in COCO's format: problems without an optimum, runs without an end."""
    known = _known(result)
    unknown = [name for name in result.facts.problems if name not in known]
    said = [f"{name}: its optimum is not known" for name in unknown]
    return [*said, *unplaced(result, known)]


def write(result: Result, folder: Path) -> list[Path]:
    """Write the finished runs in COCO's format, a folder a strategy; return the files.

    Values are distances from the optimum, of noisy problems those of noisy values. Where a problem
    has several epochs, what is counted as evaluations are epochs. COCO's own functions keep their
    number; other problems are numbered from 1 in the experiment's order. Raises `StoreError` where
    no problem has a known optimum and a run with a value, or where numbers would clash.
    """
    places = numbers(result, _known(result))
    written: list[Path] = []
    taken: list[str] = []
    for strategy in result.facts.strategies:
        functions = instances(result, strategy, places)
        if functions:
            taken.append(plain(strategy, taken))
            written += _strategy(strategy, functions, folder / taken[-1])
    if not written:
        raise StoreError(
            "export: COCO's format holds distances from a known optimum, and no finished run has "
            f"any: {'; '.join(left_out(result)[:3])}"
        )
    return written


def _known(result: Result) -> set[str]:
    """Return the problems whose optimum is known."""
    return {name for name, own in result.facts.problems.items() if own.optimum is not None}


def _strategy(strategy: str, functions: dict[Function, list[Instance]], folder: Path) -> list[Path]:
    written = []
    index: dict[int, list[str]] = {}
    for (number, dimension), runs in sorted(functions.items()):
        place = f"data_f{number}/bbobexp_f{number}_DIM{dimension}"
        for kind, every in (("dat", False), ("tdat", True)):
            lines = [line for own in runs for line in _lines(own, every=every)]
            written.append(written_text(folder / f"{place}.{kind}", lines))
        ends = ", ".join(f"{i.number}:{i.spent}|{i.distances[-1]:.1e}" for i in runs)
        index.setdefault(number, []).extend(
            [_header(number, dimension, folder.name), "% ", f"{place}.dat, {ends}"]
        )
    for number, lines in index.items():
        written.append(written_text(folder / f"bbobexp_f{number}.info", lines))
    rows = [
        {
            "function": number,
            "dimension": dimension,
            "instance": own.number,
            "problem": own.name.problem,
            "strategy": strategy,
            "seed": own.name.seed,
        }
        for (number, dimension), runs in sorted(functions.items())
        for own in runs
    ]
    return [*written, written_text(folder / "runs.csv", csv(pd.DataFrame(rows)).splitlines())]


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


def _lines(own: Instance, *, every: bool) -> list[str]:
    """Return the data of a run: each of its values or those that are better, and its end."""
    best = np.minimum.accumulate(own.losses)
    rows = range(len(best)) if every else np.unique(best, return_index=True)[1][::-1]
    lines = [_line(int(own.cost[i]), own.distances[i], own.losses[i], best[i]) for i in rows]
    if own.spent > int(own.cost[rows[-1]]):
        lines.append(_line(own.spent, own.distances[-1], best[-1], best[-1]))
    return [_COLUMNS.format(own.optimum), *lines]


def _line(cost: int, distance: float, loss: float, best: float) -> str:
    return f"{cost} 0 {distance:+.16e} {loss:+.16e} {best:+.16e}"
