"""The budget of a run, in the units people think in."""

import math
from dataclasses import dataclass, fields

from hpo_research.errors import ExperimentError
from hpo_research.ledger import Limits


@dataclass(frozen=True)
class Budget:
    """What each run may spend; give one, or several of which the first reached ends the run.

    `evaluations` are `max_epochs` epochs each, so that single- and multi-fidelity strategies
    compare; `epochs` are epochs; `trials` counts configurations; `seconds` is a run's own time,
    after which running trials still finish.
    """

    evaluations: int | None = None
    epochs: int | None = None
    trials: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        given = {name: value for name, value in given.items() if value is not None}
        if not given:
            raise ExperimentError(
                "Budget(): expected evaluations, epochs, trials or seconds, got none"
            )
        for name, value in given.items():
            whole = isinstance(value, int) or (name == "seconds" and isinstance(value, float))
            if isinstance(value, bool) or not whole:
                kind = "a number" if name == "seconds" else "a whole number"
                raise ExperimentError(f"Budget({name}={value!r}): expected {kind}")
            if not 0 < value < math.inf:
                raise ExperimentError(f"Budget({name}={value!r}): must be above 0 and finite")

    def limits(self, max_epochs: int) -> Limits:
        """Return the limits of a run on a problem with this many epochs."""
        counts = [c for c in (self.epochs, self._in_epochs(max_epochs)) if c is not None]
        epochs = min(counts, default=math.inf)
        trials = math.inf if self.trials is None else self.trials
        whole = epochs if math.isinf(epochs) else epochs // max_epochs
        total = min(whole, trials)
        return Limits(
            epochs=epochs,
            trials=trials,
            seconds=math.inf if self.seconds is None else self.seconds,
            total=None if math.isinf(total) else int(total),
        )

    def _in_epochs(self, max_epochs: int) -> int | None:
        return None if self.evaluations is None else self.evaluations * max_epochs

    @property
    def counts_time_alone(self) -> bool:
        """Whether nothing but seconds ends a run."""
        return (self.evaluations, self.epochs, self.trials) == (None, None, None)
