"""Runs on COCO's functions, made by hand, and what cocopp says of them.

`python -m tests.analysis.coco_data` writes them in COCO's format, has cocopp read that, and keeps
what it says as `cocopp.json`. It needs cocopp 2.9, which no test does: when imported, it asks for
the list of its archives from the network, which is refused here.
"""

import hashlib
import importlib
import importlib.metadata
import json
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from handmade import made

from hpo_research.analysis import coco
from hpo_research.analysis.result import Result
from hpo_research.analysis.running_times import COCO_TARGETS
from hpo_research.store import RunName

SAID = Path(__file__).with_name("cocopp.json")
SCALES = {"fast": 0.2, "slow": 0.05, "stuck": 0.0}
"""How many powers of ten a strategy gains by evaluation."""

OPTIMUM = 79.48


def result() -> Result:
    """Strategies on two functions: with ties, jumps over targets, the optimum itself, and no luck.

    Distances are multiples of 2⁻⁴⁰, so that they are the same before and after the optimum is
    added and taken away.
    """
    generator = np.random.default_rng(0)
    problems = {"sphere": (1, 1), "rastrigin": (3, 2), "rastrigin again": (3, 5)}
    found = {}
    for problem in problems:
        for strategy, scale in SCALES.items():
            for seed in range(4):
                falls = generator.exponential(scale + 1e-9, size=60).cumsum()
                drawn = 10 ** (2 - falls) * generator.uniform(0.5, 2, size=60)
                if strategy == "fast" and seed == 3:
                    drawn[50:] = 0.0
                values = OPTIMUM + np.round(drawn * 2.0**40) / 2.0**40
                found[RunName(problem, strategy, seed)] = [
                    (i, 1, float(value)) for i, value in enumerate(values)
                ]
    own = made(found, max_epochs=1, optimum=OPTIMUM, budget=60)
    description = json.loads(json.dumps(own.description))
    for name, (function, instance) in problems.items():
        description["problems"][name]["space"]["parameters"] = [[f"x{i}", {}] for i in range(5)]
        description["problems"][name]["identity"] = {
            "class": "hpo_research.problems.coco.Bbob",
            "function": function,
            "instance": instance,
            "dimension": 5,
        }
    return replace(own, description=description)


def digest(files: Sequence[Path], folder: Path) -> str:
    """One digest of some files' names and contents."""
    found = hashlib.sha256()
    for path in sorted(files):
        found.update(f"{path.relative_to(folder).as_posix()}\n".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def _refused(*_: object, **__: object) -> None:
    raise urllib.error.URLError("no network")


def main() -> None:
    """Ask cocopp."""
    urllib.request.urlopen = _refused
    urllib.request.urlretrieve = _refused
    importlib.import_module("cocopp")
    pproc = importlib.import_module("cocopp.pproc")
    said = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        files = coco.write(result(), folder)
        for strategy in SCALES:
            for data in pproc.DataSetList([str(folder / strategy)]):
                times = np.array(data.detEvals(COCO_TARGETS), dtype=float).T
                said.append(
                    {
                        "strategy": strategy,
                        "function": data.funcId,
                        "dimension": data.dim,
                        "instances": [int(i) for i in data.instancenumbers],
                        "times": [[None if t != t else t for t in own] for own in times.tolist()],
                        "ert": [
                            None if e == np.inf else e
                            for e in map(float, data.detERT(COCO_TARGETS))
                        ],
                    }
                )
        known = {
            "cocopp": importlib.metadata.version("cocopp"),
            "digest": digest(files, folder),
            "targets": COCO_TARGETS.tolist(),
            "data": said,
        }
    lines = json.dumps(known, indent=1)
    SAID.write_text(lines + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
