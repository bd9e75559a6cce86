"""What a process with another package answers: a line of JSON for each line it is sent.

It runs in an environment of its own, where this package is not installed. Each of many runs is a
search of its own, told apart by a number:

- `begin`: `axes`, one a hyperparameter, each `{"kind": "unit"}` (a number in [0, 1]),
  `{"kind": "ordered", "size": k}` or `{"kind": "choice", "size": k}` (a whole number below k); they
  are named `x0`, `x1` and so on; `seed`; `epochs`, the last one of a trial;
- `ask`: answered by `{"trial", "point", "until"}`: train the trial of this number to an epoch. The
  numbers of new trials are 0, 1, 2 and so on. Null: nothing before a running trial has ended;
- `tell`: the losses of a trial at epochs that it was trained, null where it failed.
"""

import json
import os
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

Axis = Mapping[str, object]
Point = list[float]


class Search(Protocol):
    """A search that is under way: it minimises."""

    def ask(self) -> dict[str, object] | None:
        """Return a trial, its point, and the epoch to train it to; None to wait."""
        ...

    def tell(self, trial: int, epochs: Sequence[int], losses: Sequence[float | None]) -> None:
        """Take the losses of the epochs that a trial was trained."""
        ...


Begin = Callable[[Sequence[Axis], int, int], Search]
"""Axes, seed and last epoch: a search."""


def names(axes: Sequence[Axis]) -> list[str]:
    """Name the axes."""
    return [f"x{i}" for i in range(len(axes))]


def serve(begin: Begin, versions: Mapping[str, str]) -> None:
    """Answer until the input ends; whatever a search prints goes to the standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    searches: dict[int, Search] = {}
    states: dict[int, tuple[object, ...]] = {}

    def answer(line: Mapping[str, object]) -> object:
        run = line["run"]
        if line["do"] == "begin":
            _seed(line["seed"])
            searches[run] = begin(line["axes"], line["seed"], line["epochs"])
            found = dict(versions)
        else:
            # A search may draw from the interpreter's global generators: each run has its own.
            _restore(states[run])
            own = searches[run]
            if line["do"] == "ask":
                found = own.ask()
            else:
                found = own.tell(line["trial"], line["epochs"], line["losses"])
        states[run] = _state()
        return found

    for text in sys.stdin:
        answers.write(json.dumps(answer(json.loads(text))) + "\n")
        answers.flush()


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)


def _state() -> tuple[object, ...]:
    torch = sys.modules.get("torch")
    return random.getstate(), np.random.get_state(), torch and torch.get_rng_state()


def _restore(state: tuple[object, ...]) -> None:
    random.setstate(state[0])
    np.random.set_state(state[1])
    if torch := sys.modules.get("torch"):
        torch.set_rng_state(state[2])
