"""When the segments of a run's trials began and ended, by the run's clock."""

from collections import defaultdict, deque
from dataclasses import dataclass

from hpo_research.analysis.history import RunHistory
from hpo_research.records import Outcome, Start, Status, Stop


@dataclass(frozen=True)
class Span:
    """One segment of a trial, from the ask that began it to its end, in seconds of the clock.

    `ended` is None while it runs. `status` says how the segment ended, and `epoch` the last one it
    reached. Time that a segment waited for a worker, once it was asked for, is part of it.
    """

    trial: int
    began: float
    ended: float | None
    status: Status
    epoch: int


def timeline(history: RunHistory) -> list[Span]:
    """Return the segments of all trials, in the order in which they were asked for."""
    ends: defaultdict[int, deque[Outcome]] = defaultdict(deque)
    for _, outcome in history.outcomes:
        ends[outcome.trial].append(outcome)
    spans, started = [], 0
    for ask, at in zip(history.run.asks, history.asked_at, strict=True):
        for proposal in ask.proposals:
            if isinstance(proposal, Stop):
                continue
            trial = started if isinstance(proposal, Start) else proposal.trial
            started += isinstance(proposal, Start)
            if ends[trial]:
                end = ends[trial].popleft()
                spans.append(Span(trial, at, max(at, end.clock), end.status, end.epoch))
            else:
                reached = history.run.trials[trial].reached
                spans.append(Span(trial, at, None, "running", reached))
    return spans
