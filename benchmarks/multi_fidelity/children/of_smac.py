"""SMAC's multi-fidelity facade at its defaults: asked and told, budgets from 1 to the last epoch.

Its random forest learns from the highest budget with enough trials; Hyperband promotes
configurations. SMAC says nothing of checkpoints; a configuration that it asks for at a higher
budget is the one of the lower, so whoever trains can go on from there, and here does: only epochs
that are new are trained. A failed trial is told as crashed.
"""

import logging
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
from configurations import space_of
from exchange import Axis, names, serve
from smac import MultiFidelityFacade, Scenario
from smac.runhistory import StatusType, TrialInfo, TrialValue

MOST = 100_000
CRASHED = TrialValue(cost=np.inf, status=StatusType.CRASHED)


class Smac:
    """A facade and what it asked for, by the number of the trial."""

    def __init__(self, axes: Sequence[Axis], seed: int, epochs: int) -> None:
        self._names = names(axes)
        space = space_of(axes, seed)
        self._folder = tempfile.TemporaryDirectory()
        scenario = Scenario(
            space,
            n_trials=MOST,
            min_budget=1,
            max_budget=epochs,
            seed=seed,
            deterministic=True,
            output_directory=Path(self._folder.name),
        )
        self._smac = MultiFidelityFacade(scenario, _never, logging_level=False, overwrite=True)
        self._trials: dict[object, int] = {}
        self._losses: dict[int, dict[int, float]] = {}
        self._asked: dict[int, TrialInfo] = {}
        self._failed: set[int] = set()

    def ask(self) -> dict[str, object] | None:
        """Ask for a trial; one whose loss is known already, or that failed, is told at once."""
        while True:
            info = self._smac.ask()
            trial = self._trials.setdefault(info.config, len(self._trials))
            until = round(info.budget)
            if trial in self._failed:
                self._smac.tell(info, CRASHED, save=False)
                continue
            loss = self._losses.get(trial, {}).get(until)
            if loss is None:
                if trial in self._asked:
                    raise RuntimeError(f"SMAC asked for trial {trial} while it was running")
                self._asked[trial] = info
                point = [float(info.config[name]) for name in self._names]
                return {"trial": trial, "point": point, "until": until}
            self._smac.tell(info, TrialValue(cost=loss), save=False)

    def tell(self, trial: int, epochs: Sequence[int], losses: Sequence[float | None]) -> None:
        """Tell the loss of the last epoch."""
        known = self._losses.setdefault(trial, {})
        known |= {e: loss for e, loss in zip(epochs, losses, strict=True) if loss is not None}
        loss = losses[-1]
        if loss is None:
            self._failed.add(trial)
        value = CRASHED if loss is None else TrialValue(cost=loss)
        self._smac.tell(self._asked.pop(trial), value, save=False)


def _never(config: object, seed: int = 0, budget: float = 0) -> float:
    raise RuntimeError("SMAC is asked and told; it trains nothing itself")


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    serve(Smac, {"smac": metadata.version("smac")})
