"""Serve the engines of one module over a pipe: `python -P serve.py MODULE`.

It runs where this package is not installed. A line of JSON comes in, a line goes out:

    {"do": "make", "engine": 0, "name": "hebo", "task": {...}, "seed": 1}  ->  {"seconds": 0.1}
    {"do": "ask", "engine": 0, "count": 4, "seed": 2}   ->  {"found": [[0, [...], 1], ...], ...}
    {"do": "tell", "engine": 0, "rows": [[0, 1, 0.5, true]], "seed": 3}    ->  {"seconds": 0.0}
    {"do": "add", "engine": 0, "rows": [[[...], 0.5]], "seed": 4}          ->  {"seconds": 0.0}

`drops` in any line are the numbers of engines that are not needed any more. `seed` is that of the
global generators (`seeded`). Seconds are the processor's. What an engine raises is answered as
`{"raised": "ValueError: ...", "trace": "..."}`, and the process goes on.
"""

import importlib
import importlib.util
import json
import os
import sys
import time
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

_ROOM = "hpo_rival_engines"


def module_of(name: str) -> Any:
    """Import a module of this folder as one of a package, whatever is installed here."""
    if _ROOM not in sys.modules:
        folder = Path(__file__).parent
        spec = importlib.util.spec_from_file_location(
            _ROOM, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None and spec.loader is not None
        sys.modules[_ROOM] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[_ROOM])
    return importlib.import_module(f"{_ROOM}.{name}")


def task_of(told: Mapping[str, Any]) -> Any:
    """Return a task from its JSON."""
    protocol = module_of("protocol")
    axes = [protocol.Axis(**axis) for axis in told["axes"]]
    return protocol.Task(axes, told["seed"], told["epochs"], told["options"])


def plain(value: Any) -> Any:
    """Return a number of NumPy's as one of Python's."""
    return value.item() if hasattr(value, "item") else value


class Server:
    """The engines that are alive, by the numbers that the other side gave them."""

    def __init__(self, module: str) -> None:
        self._module = module_of(module)
        self._seeded = module_of("seeded").seeded
        self._engines: dict[int, Any] = {}

    def answer(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Do what a line says."""
        for number in order.get("drops", []):
            self._engines.pop(number, None)
        began = time.process_time()
        with self._seeded(order.get("seed", 0)):
            found = self._done(order["engine"], order)
        answer = {} if found is None else {"found": found}
        return {**answer, "seconds": time.process_time() - began}

    def _done(self, number: int, order: Mapping[str, Any]) -> list[Any] | None:
        do = order["do"]
        if do == "make":
            make = self._module.ENGINES[order["name"]]
            self._engines[number] = make(task_of(order["task"]))
            return None
        engine = self._engines[number]
        if do == "ask":
            return [
                [one.number, one.point and [plain(v) for v in one.point], int(one.until)]
                for one in engine.ask(order["count"])
            ]
        for row in order["rows"]:
            if do == "tell":
                engine.tell(row[0], row[1], row[2], is_over=row[3])
            else:
                engine.add(*row)
        return None


def serve(module: str, orders: IO[str], answers: IO[str]) -> None:
    """Answer every line until there are no more."""
    server = Server(module)
    for line in orders:
        try:
            answer = server.answer(json.loads(line))
        except Exception as error:
            raised = "".join(traceback.format_exception_only(error)).strip()
            answer = {"raised": raised, "trace": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main(module: str) -> None:
    """Serve on standard input and output; what libraries print goes to the standard error."""
    warnings.simplefilter("ignore")
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        serve(module, sys.stdin, answers)


if __name__ == "__main__":
    main(sys.argv[1])
