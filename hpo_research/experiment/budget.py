"""The budget of a run, in the units people think in."""

import math
from dataclasses import dataclass, fields
from typing import Any

from hpo_research import habits
from hpo_research.errors import ExperimentError
from hpo_research.ledger import Limits
from hpo_research.options import (
    MOST,
    Mistakes,
    as_integer,
    is_integer,
    is_real,
    number,
    optional,
    whole,
)
from hpo_research.records import OPEN


@habits.answering
@dataclass(frozen=True)
class Budget:
    """What each run may spend; give one, or several of which the first reached ends the run.

    `evaluations` are `max_epochs` epochs each, so that single- and multi-fidelity strategies
    compare (trials, where the length of a trial is open); `epochs` are epochs; `trials` counts
    configurations; `seconds` is a run's own time, after which running trials still finish.
    """

    evaluations: int | None = None
    epochs: int | None = None
    trials: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self)):
            object.__setattr__(self, name, _own(getattr(self, name)))
        rules = dict.fromkeys(("evaluations", "epochs", "trials"), optional(whole()))
        rules |= {"seconds": optional(number("number of seconds", above=0, most=MOST))}
        Mistakes.of(self, rules).refuse(ExperimentError)
        if all(getattr(self, f.name) is None for f in fields(self)):
            raise ExperimentError(
                "Budget(): expected evaluations, epochs, trials or seconds, got none"
            )

    def __repr__(self) -> str:
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        return f"Budget({', '.join(f'{k}={v!r}' for k, v in given.items() if v is not None)})"

    def limits(self, max_epochs: int) -> Limits:
        """Return the limits of a run on a problem with this many epochs, or `OPEN`."""
        by_trials = [self.trials]
        by_epochs = [self.epochs]
        if max_epochs == OPEN:
            by_trials.append(self.evaluations)
        elif self.evaluations is not None:
            by_epochs.append(self.evaluations * max_epochs)
        trials = min((c for c in by_trials if c is not None), default=math.inf)
        epochs = min((c for c in by_epochs if c is not None), default=math.inf)
        whole = epochs if math.isinf(epochs) else epochs // max_epochs
        total = min(whole, trials)
        return Limits(
            epochs=epochs,
            trials=trials,
            seconds=math.inf if self.seconds is None else self.seconds,
            total=None if math.isinf(total) else int(total),
        )

    @property
    def counts_time_alone(self) -> bool:
        """Whether nothing but seconds ends a run."""
        return (self.evaluations, self.epochs, self.trials) == (None, None, None)


def _own(value: Any) -> Any:
    """Return a number of another library as Python's own; anything else as it is."""
    return value if is_integer(value) or not is_real(value) else as_integer(value) or float(value)
