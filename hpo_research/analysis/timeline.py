"""Timelines: what the slots of a run trained, and when."""

from collections.abc import Iterator
from dataclasses import dataclass

from hpo_research.analysis.history import RunHistory
from hpo_research.records import Resume, Start, Status


@dataclass(frozen=True)
class Stretch:
    """A segment of a trial in time: seconds of the run's clock, and the epochs (first, last].

    `slot` counts from 0: the lowest that was free when the segment began, since a store does not
    say which process it ran in. `status` is how the segment ended, `running` where it has not. Of a
    trial whose process was lost all attempts are one stretch.
    """

    slot: int
    trial: int
    start: float
    end: float
    first: int
    last: int
    status: Status


@dataclass(frozen=True)
class Timeline:
    """The segments of a run in the order of their beginning, and its searches: (start, end).

    `clock` is where it ends.
    """

    stretches: tuple[Stretch, ...]
    searches: tuple[tuple[float, float], ...]
    clock: float

    @property
    def slots(self) -> int:
        """How many slots were ever used."""
        return max((own.slot for own in self.stretches), default=-1) + 1

    @property
    def idle(self) -> float:
        """The share of the time of all slots in which nothing was trained; 0 where none passed."""
        whole = self.slots * self.clock
        return 1 - sum(own.end - own.start for own in self.stretches) / whole if whole > 0 else 0.0


def timeline(own: RunHistory) -> Timeline:
    """Return the timeline of a run, from the clocks of its asks and outcomes.

    An ask ends where the segments that it proposed begin.
    """
    ends: dict[int, list[tuple[float, Status, int]]] = {}
    for _, outcome in own.outcomes:
        ends.setdefault(outcome.trial, []).append((outcome.clock, outcome.status, outcome.epoch))
    for listed in ends.values():
        listed.reverse()
    clock = max([own.cost.clock, *own.asked_at, *(o.clock for _, o in own.outcomes)], default=0.0)
    free: list[float] = []
    stretches = []
    for begun, trial, first in sorted(_begun(own)):
        found = ends.get(trial)
        end, status, last = found.pop() if found else (clock, "running", first)
        end = max(end, begun)
        slot = next((i for i, until_then in enumerate(free) if until_then <= begun), len(free))
        free[slot : slot + 1] = [end]  # one more where none was free
        stretches.append(Stretch(slot, trial, begun, end, first, max(last, first), status))
    searches = [
        (max(at - seconds, 0.0), at)
        for at, (_, seconds) in zip(own.asked_at, own.asked, strict=True)
    ]
    return Timeline(tuple(stretches), tuple(searches), clock)


def _begun(own: RunHistory) -> Iterator[tuple[float, int, int]]:
    """Yield when each segment began, its trial, and the epoch after which it did."""
    started = 0
    for at, ask in zip(own.asked_at, own.run.asks, strict=True):
        for proposal in ask.proposals:
            if isinstance(proposal, Start):
                yield at, started, 0
                started += 1
            elif isinstance(proposal, Resume):
                yield at, proposal.trial, proposal.start
