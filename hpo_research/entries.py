"""What goes into a run's books: its limits, what it is, and what was granted of an ask."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import ClassVar, Literal, NamedTuple

from hpo_research.records import Direction, Note, Proposal, Task, Trial, with_fields
from hpo_research.space import SearchSpace

Final = Literal["last", "best"]
EndedBy = Literal["request", "rule", "strategy"]
"""Who ended a run: somebody who asked for it, a rule given to the loop, or its own strategy."""


@dataclass(frozen=True)
class EarlierTask:
    """Trials that earlier runs made of one task: the run's own, or a related one.

    `name` is that of where they were found, empty for a list or a data frame.
    """

    trials: tuple[Trial, ...]
    task: Task = "same"
    name: str = ""


@dataclass(frozen=True)
class Limits:
    """What a run may spend; infinite where unlimited. `total` counts trials, for fitted grids."""

    epochs: float = math.inf
    trials: float = math.inf
    seconds: float = math.inf
    total: int | None = None

    def share(self, epochs: int, trials: int, elapsed: float) -> float:
        """Return how much of a run's limits is spent, from 0 to 1."""
        shares = (epochs / self.epochs, trials / self.trials, elapsed / self.seconds)
        return min(1.0, max(shares))

    @property
    def name(self) -> str:
        """What an exhausted ask is stored with, so that a larger budget reopens the run."""
        return f"epochs={self.epochs} trials={self.trials}"


@dataclass(frozen=True)
class Restart:
    """The running segment of a trial was lost, and is begun anew from epoch 0: its next `attempt`.

    Granted, and proposed by no strategy.
    """

    trial: int
    until: int
    attempt: int
    kind: ClassVar[Literal["restart"]] = "restart"
    start: ClassVar[int] = 0
    config: ClassVar[None] = None
    origin: ClassVar[str] = ""


Granted = Proposal | Restart
"""What a run's books grant, and a store keeps."""


@dataclass(frozen=True)
class AskRow:
    """One stored ask of a run: what was granted, why, when, and at what cost.

    `exhausted` names the limits that a proposal did not fit, or is empty: under those limits the
    run takes only stops from then on. `parts` are the seconds of the ask's parts. `ended` is why
    the run was ended here, and `ended_by` by whom; empty where one that was is reopened.
    """

    run: int
    grants: tuple[Granted, ...] = ()
    notes: Mapping[str, Note] = field(default_factory=dict)
    exhausted: str = ""
    clock: float = 0.0
    seconds: float = 0.0
    parts: Mapping[str, float] = field(default_factory=dict)
    ended: str | None = None
    ended_by: EndedBy = "request"

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to store."""
        return not self.grants and not self.exhausted and self.ended is None

    @property
    def proposals(self) -> tuple[Proposal, ...]:
        """What was granted of a strategy's answer."""
        return tuple([grant for grant in self.grants if not isinstance(grant, Restart)])

    @property
    def begun(self) -> list[int]:
        """The trials whose segments begin, in order."""
        return [g.trial for g in self.grants if g.kind != "stop" and g.trial is not None]

    @property
    def is_ask(self) -> bool:
        """Whether it is one of `Run.asks`: what was granted nothing a larger budget makes again."""
        return self.ended is None and bool(self.proposals)


class RunningSegment(NamedTuple):
    """A running segment: its attempt, bounds, the epoch it has reached, and the clock there."""

    attempt: int
    start: int
    until: int
    position: int
    clock: float


@dataclass(frozen=True)
class RunInfo:
    """What a run is, apart from what happened in it.

    `is_timed_by_clock`: a budget of seconds is compared with the run's clock (simulated and
    asynchronous runs), not with its share of the seconds that batches took. `has_missing_values`:
    reports before a segment's `until` may have no value. `earlier` is what earlier runs found.
    """

    id: int
    space: SearchSpace
    metric: str
    direction: Direction = "minimize"
    max_epochs: int = 1
    can_resume: bool = True
    seed: int = 0
    final: Final = "last"
    is_timed_by_clock: bool = False
    has_missing_values: bool = False
    earlier: tuple[EarlierTask, ...] = ()

    @cached_property
    def prior(self) -> tuple[Trial, ...]:
        """The earlier trials of the run's own task, numbered from 0, as those of one source."""
        same = [own.trials for own in self.earlier if own.task == "same"]
        if len(same) == 1:
            return same[0]
        return tuple(
            with_fields(trial, {"id": i}) for i, trial in enumerate(chain.from_iterable(same))
        )

    @cached_property
    def related(self) -> tuple[tuple[Trial, ...], ...]:
        """The earlier trials of each related task."""
        return tuple(own.trials for own in self.earlier if own.task == "related")
