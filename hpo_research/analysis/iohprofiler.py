"""IOHprofiler's format: a result's runs as the data that IOHanalyzer and iohinspector read.

A folder a strategy, with an index `IOHprofiler_f1_NAME.json` a function, and below it the data of
each dimension: `evaluations`, the value at it, the best so far, a line an improvement and one for
the end, as the analyzer logger of ioh writes them (de Nobel et al., arXiv:2111.04077).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from hpo_research.analysis.extremes import difference
from hpo_research.analysis.functions import (
    Instance,
    instances,
    numbers,
    plain,
    unplaced,
    written_text,
)
from hpo_research.analysis.result import Result
from hpo_research.analysis.running_times import is_of_coco
from hpo_research.errors import StoreError
from hpo_research.store.facts import ProblemFacts
from hpo_research.version import __version__

LAYOUT = "0.4.2"
"""The version of ioh whose layout is written; readers choose by it how to read."""

_ATTRIBUTES = ("evaluations", "raw_y", "raw_y_best")


@dataclass(frozen=True)
class _Lines:
    """What was found in a run: its values one each, and how far the best is."""

    own: Instance
    values: Float[np.ndarray, " n"]
    best: Float[np.ndarray, " n"]

    @property
    def shown(self) -> list[tuple[int, float, float]]:
        """The improvements, and the end of the run with the last value that there was."""
        better = np.sort(np.unique(self.best, return_index=True)[1])
        cost = self.own.cost[better].astype(int).tolist()
        rows = zip(cost, self.values[better].tolist(), self.best[better].tolist(), strict=True)
        end = (self.own.spent, float(self.values[-1]), float(self.best[-1]))
        return [*rows, *([end] if end[0] > cost[-1] else [])]


def left_out(result: Result) -> list[str]:
    """Say which runs have no place in IOHprofiler's format: they have no end, or no value."""
    return unplaced(result, result.facts.problems)


def write(result: Result, folder: Path) -> list[Path]:
    """Write the finished runs in IOHprofiler's format, a folder a strategy; return the files.

    As ioh does, values are distances from the optimum where that is known, and then to be
    minimized; elsewhere they are the problem's, in its direction. Functions are numbered, and
    evaluations counted, as in `analysis.coco`; a run has the instance of COCO's function, or 1, and
    its seed as an attribute. Raises `StoreError` where no run has a place, or numbers would clash.
    """
    places = numbers(result, result.facts.problems)
    written: list[Path] = []
    taken: list[str] = []
    for strategy in result.facts.strategies:
        functions = instances(result, strategy, places)
        if functions:
            taken.append(plain(strategy, taken))
        for number in sorted({number for number, _ in functions}):
            own = {d: runs for (n, d), runs in sorted(functions.items()) if n == number}
            written += _function(result, strategy, (number, own), folder / taken[-1])
    if not written:
        raise StoreError(
            "export: IOHprofiler's format holds finished runs that have a value, and there is "
            f"none: {'; '.join(left_out(result)[:3])}"
        )
    return written


def _function(
    result: Result,
    strategy: str,
    function: tuple[int, Mapping[int, Sequence[Instance]]],
    folder: Path,
) -> list[Path]:
    """Write the index of a function and the data of each of its dimensions."""
    number, dimensions = function
    problem = next(iter(dimensions.values()))[0].name.problem
    facts = result.facts.problems[problem]
    name = f"coco-f{number}" if is_of_coco(facts) else problem
    stem = plain(name, ())
    written, scenarios = [], []
    for dimension, runs in dimensions.items():
        path = f"data_f{number}_{stem}/IOHprofiler_f{number}_DIM{dimension}.dat"
        found = [_lines(own, result.facts.problems[own.name.problem]) for own in runs]
        written.append(written_text(folder / path, [line for own in found for line in _data(own)]))
        told = [_run(own, result.facts.problems[own.own.name.problem]) for own in found]
        scenarios.append({"dimension": dimension, "path": path, "runs": told})
    index = {
        "version": LAYOUT,
        "suite": "hpo_research",
        "function_id": number,
        "function_name": name,
        "maximization": _is_maximized(facts),
        "algorithm": {"name": strategy, "info": f"hpo_research {__version__}"},
        "experiment_attributes": [{"experiment": str(result.description["name"])}],
        "run_attributes": ["seed"],
        "attributes": list(_ATTRIBUTES),
        "scenarios": scenarios,
    }
    place = folder / f"IOHprofiler_f{number}_{stem}.json"
    return [*written, written_text(place, json.dumps(index, indent="\t").splitlines())]


def _is_maximized(facts: ProblemFacts) -> bool:
    return facts.optimum is None and facts.sign < 0


def _lines(own: Instance, facts: ProblemFacts) -> _Lines:
    sign = -1.0 if _is_maximized(facts) else 1.0
    return _Lines(own, sign * difference(own.losses, own.optimum), sign * own.distances)


def _data(found: _Lines) -> list[str]:
    rows = [f"{cost} {value!r} {best!r}" for cost, value, best in found.shown]
    return [" ".join(_ATTRIBUTES), *rows]


def _run(found: _Lines, facts: ProblemFacts) -> dict[str, object]:
    own = found.own
    first = int(np.argmax(found.best == found.best[-1]))
    return {
        "instance": int(facts.identity["instance"]) if is_of_coco(facts) else 1,
        "evals": own.spent,
        # Where it was found has no numbers in a space of names: readers need the field, not them.
        "best": {"evals": int(own.cost[first]), "y": float(found.best[-1]), "x": []},
        "seed": own.name.seed,
    }
