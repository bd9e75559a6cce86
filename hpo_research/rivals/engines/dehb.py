"""DEHB, asked and told, fidelities from 1 to the last epoch.

With one epoch alone, which DEHB refuses, it is told fidelities 1 and 3 of which all are that epoch.
A configuration that it asks for at a higher fidelity bears the `config_id` that it had at the lower
one, and is that trial, trained on. What is known already of one that it asks for is told at once.
"""

import tempfile
from collections.abc import Callable, Mapping
from typing import Any

from dehb import DEHB
from loguru import logger

from .configurations import space_of
from .losses import Losses
from .protocol import Point, Suggestion, Task

logger.remove()
_MOST = 1000
"""How often DEHB may ask for what is known already before it counts as waiting."""


class Dehb:
    """An optimiser and its jobs, by the number of their trial."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._folder = tempfile.TemporaryDirectory(prefix="hpo-")
        self._dehb = DEHB(
            cs=space_of(task.axes, task.seed),
            min_fidelity=1,
            max_fidelity=3 if task.epochs == 1 else task.epochs,
            n_workers=1,
            seed=task.seed,
            output_path=self._folder.name,
            save_freq="end",
            **task.options,
        )
        self._numbers: dict[int, int] = {}
        self._jobs: dict[int, dict[str, Any]] = {}
        self._losses = Losses()

    def ask(self, count: int) -> list[Suggestion]:
        """Ask for one job after the other."""
        found: list[Suggestion] = []
        for _ in range(_MOST):
            if len(found) == count:
                break
            job = self._dehb.ask()
            is_new = job["config_id"] not in self._numbers
            number = self._numbers.setdefault(job["config_id"], len(self._numbers))
            until = min(round(job["fidelity"]), self._task.epochs)
            loss = self._losses.at(number, until)
            if loss is not None:
                self._say(job, loss)
                continue
            self._jobs[number] = job
            point = [job["config"][axis.name] for axis in self._task.axes]
            found.append(Suggestion(number, point if is_new else None, until))
        return found

    def tell(self, number: int, epoch: int, loss: float, *, is_over: bool) -> None:
        """Tell a job's loss."""
        self._losses.add(number, epoch, loss, is_over=is_over)
        self._say(self._jobs.pop(number), loss)

    def add(self, point: Point, loss: float) -> None:
        """Tell nothing: DEHB learns from its own jobs alone."""

    def _say(self, job: dict[str, Any], loss: float) -> None:
        self._dehb.tell(job, {"fitness": loss, "cost": job["fidelity"]})


ENGINES: Mapping[str, Callable[[Task], Any]] = {"dehb": Dehb}
