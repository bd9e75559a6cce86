"""DEHB at its defaults: asked and told, fidelities from 1 to the last epoch.

It says nothing of checkpoints. A configuration that it asks for at a higher fidelity bears the
`config_id` that it had at the lower one, so whoever trains can go on from there, and here does:
only epochs that are new are trained. Children of its evolution are new trials. DEHB has no word for
a failed trial: it is told the worst loss so far.
"""

import tempfile
from collections.abc import Sequence
from importlib import metadata

from configurations import space_of
from dehb import DEHB
from exchange import Axis, names, serve
from loguru import logger


class Dehb:
    """An optimiser and its jobs, by the number of their trial."""

    def __init__(self, axes: Sequence[Axis], seed: int, epochs: int) -> None:
        self._names = names(axes)
        space = space_of(axes, seed)
        self._folder = tempfile.TemporaryDirectory()
        self._dehb = DEHB(
            cs=space,
            min_fidelity=1,
            max_fidelity=epochs,
            n_workers=1,
            seed=seed,
            output_path=self._folder.name,
            save_freq="end",
        )
        self._trials: dict[int, int] = {}
        self._losses: dict[int, dict[int, float]] = {}
        self._jobs: dict[int, dict] = {}
        self._failed: set[int] = set()
        self._worst = 0.0

    def ask(self) -> dict[str, object] | None:
        """Ask for a job; one whose loss is known already, or that failed, is told at once."""
        while True:
            job = self._dehb.ask()
            trial = self._trials.setdefault(job["config_id"], len(self._trials))
            until = round(job["fidelity"])
            loss = self._worst if trial in self._failed else self._losses.get(trial, {}).get(until)
            if loss is None:
                if trial in self._jobs:
                    raise RuntimeError(f"DEHB asked for trial {trial} while it was running")
                self._jobs[trial] = job
                point = [float(job["config"][name]) for name in self._names]
                return {"trial": trial, "point": point, "until": until}
            self._dehb.tell(job, {"fitness": loss, "cost": 0.0})

    def tell(self, trial: int, epochs: Sequence[int], losses: Sequence[float | None]) -> None:
        """Tell the loss of the last epoch."""
        known = self._losses.setdefault(trial, {})
        for epoch, loss in zip(epochs, losses, strict=True):
            if loss is not None:
                known[epoch] = loss
                self._worst = max(self._worst, loss)
        if losses[-1] is None:
            self._failed.add(trial)
        loss = self._worst if losses[-1] is None else losses[-1]
        job = self._jobs.pop(trial)
        self._dehb.tell(job, {"fitness": loss, "cost": float(len(epochs))})


if __name__ == "__main__":
    logger.remove()
    serve(Dehb, {"DEHB": metadata.version("DEHB")})
