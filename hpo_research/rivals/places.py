"""Where engines run: in this process, or in one of an environment of their own."""

import json
import os
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from threading import RLock
from typing import IO, Any, Protocol, TypeVar

from hpo_research.ambient import ordinary
from hpo_research.rivals.engines.protocol import Engine, Suggestion, Task
from hpo_research.rivals.engines.seeded import seeded

_SERVER = Path(__file__).parent / "engines" / "serve.py"
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
T = TypeVar("T")
_SHOWN = 4000  # characters of what a process said before it ended


class Seat(Protocol):
    """An engine, wherever it runs. Each call seeds the global generators that it may draw from.

    `seconds` is what its calls have taken so far, of the processor. What it raises is raised here.
    """

    seconds: float

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked: its process may have ended."""
        ...

    def ask(self, count: int, seed: int) -> list[Suggestion]:
        """Ask for up to so many trials."""
        ...

    def tell(self, rows: Sequence[tuple[int, int, float, bool]], seed: int) -> None:
        """Tell trials: number, epoch, loss, and whether that was the last of it."""
        ...

    def add(self, rows: Sequence[tuple[list[Any], float]], seed: int) -> None:
        """Add trials of others: point and loss."""
        ...


@dataclass
class Here:
    """An engine in this process."""

    engine: Engine
    seconds: float = 0.0

    @property
    def is_alive(self) -> bool:
        """Always."""
        return True

    @classmethod
    def made(cls, module: str, name: str, task: Task, seed: int) -> "Here":
        """Make an engine."""
        make = import_module(f"hpo_research.rivals.engines.{module}").ENGINES[name]
        began = time.process_time()
        with ordinary(), seeded(seed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return cls(make(task), time.process_time() - began)

    def ask(self, count: int, seed: int) -> list[Suggestion]:
        """Ask for up to so many trials."""
        return self._timed(lambda: self.engine.ask(count), seed)

    def tell(self, rows: Sequence[tuple[int, int, float, bool]], seed: int) -> None:
        """Tell trials."""

        def told() -> None:
            for number, epoch, loss, is_over in rows:
                self.engine.tell(number, epoch, loss, is_over=is_over)

        self._timed(told, seed)

    def add(self, rows: Sequence[tuple[list[Any], float]], seed: int) -> None:
        """Add trials of others."""

        def added() -> None:
            for point, loss in rows:
                self.engine.add(point, loss)

        self._timed(added, seed)

    def _timed(self, call: Callable[[], T], seed: int) -> T:
        began = time.process_time()
        with ordinary(), seeded(seed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = call()
        self.seconds += time.process_time() - began
        return found


class Elsewhere:
    """A process in another environment, which serves the engines of a module."""

    def __init__(self, python: Path, module: str) -> None:
        self._module = module
        self._lock = RLock()
        self._count = 0
        self.dropped: list[int] = []
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the process)
        self._process = subprocess.Popen(
            [python, "-P", str(_SERVER), module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            encoding="utf-8",
            env={**os.environ, **dict.fromkeys(_ONE_THREAD, "1"), "PYTHONPATH": ""},
        )

    @property
    def is_alive(self) -> bool:
        """Whether the process serves."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        with suppress(BrokenPipeError):  # what it was to be told last
            self._process.stdin.close()
        self._process.stdout.close()
        self._said.close()

    def made(self, name: str, task: Task, seed: int) -> "There":
        """Make an engine."""
        with self._lock:
            number, self._count = self._count, self._count + 1
        seat = There(self, number)
        seat.say("make", seed, {"name": name, "task": asdict(task)})
        return seat

    def answered(self, order: dict[str, Any]) -> dict[str, Any]:
        """Send a line and return the one that comes back.

        Raises `RuntimeError` with what the engine raised, or with what its process said last.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        with self._lock:
            drops, self.dropped = self.dropped, []
            order["drops"] = drops
            try:
                self._process.stdin.write(json.dumps(order) + "\n")
                self._process.stdin.flush()
                line = self._process.stdout.readline()
            except BrokenPipeError:
                line = ""
            if not line:
                code = self._process.wait()
                self._said.seek(0)
                said = self._said.read().decode(errors="replace")[-_SHOWN:].strip()
                raise RuntimeError(
                    f"the process of {self._module} ended with {code}, having said:\n{said}"
                )
        answer: dict[str, Any] = json.loads(line)
        if "raised" in answer:
            raise RuntimeError(f"{answer['raised']}\n{answer['trace']}")
        return answer


@dataclass
class There:
    """An engine in a process of another environment."""

    process: Elsewhere
    number: int
    seconds: float = field(default=0.0)

    @property
    def is_alive(self) -> bool:
        """Whether its process serves."""
        return self.process.is_alive

    def ask(self, count: int, seed: int) -> list[Suggestion]:
        """Ask for up to so many trials."""
        return [Suggestion(*row) for row in self.say("ask", seed, {"count": count})]

    def tell(self, rows: Sequence[tuple[int, int, float, bool]], seed: int) -> None:
        """Tell trials."""
        self.say("tell", seed, {"rows": list(rows)})

    def add(self, rows: Sequence[tuple[list[Any], float]], seed: int) -> None:
        """Add trials of others."""
        self.say("add", seed, {"rows": list(rows)})

    def say(self, do: str, seed: int, words: Mapping[str, Any]) -> Any:
        """Have something done."""
        answer = self.process.answered({"do": do, "engine": self.number, "seed": seed, **words})
        self.seconds += answer["seconds"]
        return answer.get("found", [])

    def __del__(self) -> None:
        # Said with the next line: this may run in the middle of one.
        self.process.dropped.append(self.number)
