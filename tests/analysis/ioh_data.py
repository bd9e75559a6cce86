"""Runs made by hand, and the files that ioh writes of the same evaluations.

`python -m tests.analysis.ioh_data` has ioh 0.4.2's analyzer logger write them and keeps the files
as `ioh.json`. It needs ioh, which no test does.
"""

import importlib
import json
import tempfile
from pathlib import Path

from handmade import made

from hpo_research.analysis.result import Result
from hpo_research.store import RunName

SAID = Path(__file__).with_name("ioh.json")
RUNS = {
    40: [4.0, 6.0, 2.5, 2.5, 0.125, 9.0],  # a tie, and an end that is worse
    41: [0.0009765625, 3.0],
    42: [7.0, 0.5],
}
"""The values of each seed; ten digits, which is what ioh writes, hold them exactly."""


def result(direction: str) -> Result:
    """The runs of one strategy on one problem whose optimum is not known."""
    runs = {
        RunName(f"the {direction}d", "fast", seed): [(i, 1, v) for i, v in enumerate(values)]
        for seed, values in RUNS.items()
    }
    return made(runs, direction=direction, max_epochs=1)


def texts(folder: Path) -> dict[str, str]:
    """The files below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files}


def main() -> None:
    """Ask ioh."""
    ioh = importlib.import_module("ioh")
    said = {}
    for direction, kind in (("minimize", "MIN"), ("maximize", "MAX")):
        with tempfile.TemporaryDirectory() as place:
            logger = ioh.logger.Analyzer(
                root=place,
                folder_name="fast",
                algorithm_name="fast",
                additional_properties=[ioh.logger.property.RAWYBEST],
            )
            run = type("Run", (), {"seed": 0})()
            logger.add_run_attributes(run, ["seed"])
            name = f"the {direction}d"
            wanted = getattr(ioh.OptimizationType, kind)
            ioh.problem.wrap_real_problem(lambda x: float(x[0]), name, wanted, lb=-9, ub=9)
            problem = ioh.get_problem(name, instance=1, dimension=1)
            problem.attach_logger(logger)
            for run.seed, values in RUNS.items():
                for value in values:
                    problem([value])
                problem.reset()
            problem.detach_logger()
            del logger
            said[direction] = texts(Path(place) / "fast")
    SAID.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
