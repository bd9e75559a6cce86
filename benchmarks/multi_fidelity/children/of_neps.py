"""NePS: asynchronous Hyperband and PriorBand at their defaults, fidelities 1 to the last epoch.

PriorBand is given no prior, since nobody has one for these tables: it samples the space and around
the best so far. A trial that continues another names it (`previous_trial_id`) and goes on from
there: only new epochs are trained. A failed trial is told as its exception.
"""

import logging
import sys
from collections.abc import Sequence
from importlib import metadata

import neps
from exchange import Axis, names, serve
from neps.optimizers.ask_and_tell import AskAndTell

ALGORITHMS = {"async-hb": neps.algorithms.async_hb, "priorband": neps.algorithms.priorband}


class Neps:
    """An optimiser; `ids` are those of what runs, by the number of the trial."""

    def __init__(self, kind: str, axes: Sequence[Axis], epochs: int) -> None:
        self._names = names(axes)
        fields = dict(zip(self._names, map(_parameter, axes), strict=True))
        fields["epoch"] = neps.IntegerFidelity(1, epochs)
        space = type("Space", (neps.PipelineSpace,), fields)()
        self._optimiser = AskAndTell(ALGORITHMS[kind](space))
        self._trials: dict[str, int] = {}
        self._ids: dict[int, str] = {}
        self._count = 0

    def ask(self) -> dict[str, object] | None:
        """Ask for a trial, new or continued."""
        asked = self._optimiser.ask()
        earlier = asked.metadata.previous_trial_id
        if earlier is None:
            trial, self._count = self._count, self._count + 1
        else:
            trial = self._trials[earlier]
        self._trials[asked.metadata.id] = trial
        self._ids[trial] = asked.metadata.id
        point = [float(asked.config[name]) for name in self._names]
        return {"trial": trial, "point": point, "until": int(asked.config["epoch"])}

    def tell(self, trial: int, epochs: Sequence[int], losses: Sequence[float | None]) -> None:
        """Tell the loss of the last epoch."""
        loss = losses[-1]
        result = RuntimeError("the training diverged") if loss is None else loss
        self._optimiser.tell(self._ids.pop(trial), result)


def _parameter(axis: Axis) -> object:
    if axis["kind"] == "unit":
        return neps.Float(0.0, 1.0)
    if axis["kind"] == "ordered":
        return neps.Integer(0, axis["size"] - 1)
    return neps.Categorical(choices=tuple(range(axis["size"])))


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    kind = sys.argv[1]
    serve(
        lambda axes, seed, epochs: Neps(kind, axes, epochs),
        {"neural-pipeline-search": metadata.version("neural-pipeline-search")},
    )
