"""Syne Tune: ASHA and ASHACQR at their defaults, `max_t` the last epoch.

Its ASHA decides at each report whether a running trial goes on, so a trial is trained epoch by
epoch and, if it goes on, keeps its worker: nothing is ever paused, and no epoch is trained twice.
A failed trial is told by `on_trial_error`.
"""

import datetime
import logging
import sys
from collections.abc import Sequence
from importlib import metadata

from exchange import Axis, names, serve
from syne_tune.backend.trial_status import Trial
from syne_tune.config_space import choice, ordinal, uniform
from syne_tune.optimizer.baselines import ASHA, ASHACQR
from syne_tune.optimizer.scheduler import SchedulerDecision

SCHEDULERS = {"asha": ASHA, "cqr": ASHACQR}
BEGUN = datetime.datetime(2000, 1, 1)


class SyneTune:
    """A scheduler, whose trials are told one epoch at a time."""

    def __init__(self, kind: str, axes: Sequence[Axis], seed: int, epochs: int) -> None:
        space = dict(zip(names(axes), map(_domain, axes), strict=True))
        self._names = list(space)
        self._scheduler = SCHEDULERS[kind](
            space, metric="loss", time_attr="epoch", max_t=epochs, random_seed=seed
        )
        self._epochs = epochs
        self._trials: list[Trial] = []
        self._going_on: list[tuple[int, int]] = []

    def ask(self) -> dict[str, object] | None:
        """Let the trials that go on do so; begin others after them."""
        if self._going_on:
            number, until = self._going_on.pop(0)
        else:
            config = self._scheduler.suggest().config
            number, until = len(self._trials), 1
            self._trials.append(Trial(number, config, BEGUN))
            self._scheduler.on_trial_add(self._trials[number])
        point = [float(self._trials[number].config[name]) for name in self._names]
        return {"trial": number, "point": point, "until": until}

    def tell(self, trial: int, epochs: Sequence[int], losses: Sequence[float | None]) -> None:
        """Report an epoch and note whether the trial goes on."""
        own = self._trials[trial]
        for epoch, loss in zip(epochs, losses, strict=True):
            if loss is None:
                self._scheduler.on_trial_error(own)
                return
            result = {"loss": loss, "epoch": epoch}
            if epoch == self._epochs:
                self._scheduler.on_trial_complete(own, result)
            elif self._scheduler.on_trial_result(own, result) == SchedulerDecision.CONTINUE:
                self._going_on.append((trial, epoch + 1))
            else:
                self._scheduler.on_trial_remove(own)


def _domain(axis: Axis) -> object:
    if axis["kind"] == "unit":
        return uniform(0.0, 1.0)
    values = list(range(axis["size"]))
    return ordinal(values, kind="equal") if axis["kind"] == "ordered" else choice(values)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    kind = sys.argv[1]
    serve(
        lambda axes, seed, epochs: SyneTune(kind, axes, seed, epochs),
        {"syne-tune": metadata.version("syne-tune")},
    )
