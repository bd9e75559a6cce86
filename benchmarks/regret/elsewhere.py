"""Searches whose pins conflict with ours, each asked and told in an environment of its own.

`environments/make.sh NAME FOLDER` makes one; `served.py` is the program that runs in it. The
environment variable `HPO_RIVALS` names the folder that holds them.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from benchmarks.regret.declared import Task
from hpo_research.errors import MissingPackageError, StrategyError
from hpo_research.space import Categorical, Config, Float, SearchSpace

PROGRAM = Path(__file__).with_name("served.py")
FOLDER = "HPO_RIVALS"
ENVIRONMENTS = {"hebo": "hebo", "smac-rf": "smac", "smac-gp": "smac"}
"""The environment of each search."""

PINS = {"hebo": ("HEBO", "0.3.6"), "smac": ("smac", "2.4.1")}
"""What is recorded of an environment: another version is another search."""

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Elsewhere:
    """A search in another process, which ends with the block.

    Raises `MissingPackageError` without its environment, `StrategyError` where that has another
    version than is recorded, or the search ends of itself; then with what it said last.
    """

    def __init__(self, name: str, task: Task) -> None:
        command = [python_of(name), "-P", str(PROGRAM), name]
        self._name = name
        self._space = task.problem.space
        self.seconds = 0.0
        order = {"space": _described(self._space), "seed": task.seed}
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by __exit__)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env={**os.environ, **dict.fromkeys(_ONE_THREAD, "1")},
        )
        try:
            answer = self._ordered({**order, "evaluations": task.evaluations})
            self.versions: Mapping[str, str] = answer["versions"]
            _check(name, self.versions)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> "Elsewhere":
        return self

    def __exit__(self, *raised: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._said.close()

    def ask(self, count: int) -> list[Config]:
        """Return so many configurations."""
        rows = self._ordered({"ask": count})["configs"]
        if len(rows) != count:
            raise StrategyError(f"{self._name} was asked for {count} and proposed {len(rows)}")
        return [self._config(row) for row in rows]

    def tell(self, losses: Sequence[float]) -> None:
        """Tell the losses of what was asked for last."""
        self._ordered({"tell": list(losses)})

    def _ordered(self, order: dict[str, object]) -> dict:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._process.wait()
            self._said.seek(0)
            said = self._said.read().decode(errors="replace")[-4000:]
            raise StrategyError(f"{self._name} ended of itself, having said:\n{said}")
        answer: dict = json.loads(line)
        self.seconds += answer["seconds"]
        return answer

    def _config(self, row: Sequence[float]) -> Config:
        named = {}
        for (name, parameter), value in zip(self._space.parameters.items(), row, strict=True):
            categorical = isinstance(parameter, Categorical)
            named[name] = parameter.values[int(value)] if categorical else value
        return self._space.validate(named)


def python_of(name: str) -> str:
    """Return the Python of a search's environment. Raises `MissingPackageError` without one."""
    environment = ENVIRONMENTS[name]
    folder = os.environ.get(FOLDER)
    make = f"benchmarks/regret/environments/make.sh {environment} FOLDER"
    if not folder:
        raise MissingPackageError(
            f"{name} needs an environment of its own: {make}, then set {FOLDER}=FOLDER"
        )
    python = Path(folder) / environment / "bin" / "python"
    if not python.exists():
        raise MissingPackageError(f"there is no {python}: {make.replace('FOLDER', folder)}")
    return str(python)


def _check(name: str, versions: Mapping[str, str]) -> None:
    package, pinned = PINS[ENVIRONMENTS[name]]
    if versions[package] != pinned:
        raise StrategyError(
            f"{name} is recorded with {package} {pinned}, its environment has "
            f"{versions[package]}: make it anew"
        )


def _described(space: SearchSpace) -> list[dict[str, object]]:
    described: list[dict[str, object]] = []
    for name, parameter in space.parameters.items():
        if isinstance(parameter, Float) and parameter.scale == "linear":
            described.append({"low": parameter.low, "high": parameter.high})
        elif isinstance(parameter, Categorical):
            described.append({"size": parameter.size, "ordered": parameter.ordered})
        else:
            raise StrategyError(f"{name}: expected a linear Float or a Categorical")
    return described
