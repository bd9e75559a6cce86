"""What was trained once is not trained again: stored reports are given out epoch by epoch."""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from hpo_research.executors.protocol import Executor, Poll
from hpo_research.problems.protocol import Problem, last_epoch
from hpo_research.records import Key, Outcome, Report, Segment
from hpo_research.space import Config


@dataclass(frozen=True)
class StoredTrial:
    """What is known of a trial with this configuration: reports in order, then a failure if any."""

    config: Config
    facts: tuple[Report | Outcome, ...]

    def of(self, segment: Segment, metric: str) -> tuple[Report | Outcome, ...]:
        """Return what is news to a segment, and within it."""
        if self.config != segment.config:
            return ()
        ahead = (fact for fact in self.facts if _is_ahead(fact, segment))
        # Where a value is missing in which a segment is to end, training fails the trial.
        return tuple(takewhile(lambda fact: not _lacks(fact, segment, metric), ahead))


class RememberingExecutor:
    """An executor in lock-step before which trials go through what is known of them.

    A segment that begins where facts are known gets one of them a poll, as if it were trained;
    where they end it is given to `executor`, which trains it up to there in silence and then on.
    A paused report that comes so carries no state: what goes on from it is trained again. So is a
    trial of open length, in silence: only its training says that it ends.
    """

    def __init__(
        self, executor: Executor, known: Mapping[Key, StoredTrial], problem: Problem
    ) -> None:
        self._executor = executor
        self._known = known
        self._problem = problem
        self._told: dict[Key, tuple[Segment, deque[Report | Outcome]]] = {}
        self._trained: set[Key] = set()
        self._ended: list[Key] = []

    def submit(self, segments: Sequence[Segment]) -> None:
        """Take work."""
        unknown = []
        for segment in segments:
            known = self._known.get(segment.key)
            if known is not None and (facts := known.of(segment, self._problem.metric)):
                self._told[segment.key] = segment, deque(facts)
            else:
                unknown.append(segment)
        self._train(unknown)

    def _train(self, segments: Sequence[Segment]) -> None:
        if segments:
            self._trained.update(segment.key for segment in segments)
            self._executor.submit(segments)

    def stop(self, trials: Collection[Key]) -> None:
        """Let running trials end; unknown names are ignored."""
        told = sorted(self._told.keys() & trials)
        for key in told:
            del self._told[key]
        self._ended += told
        self._executor.stop(trials)

    def poll(self, timeout: float | None = None) -> Poll:
        """Advance every running segment by one report, those that are trained first."""
        poll = Poll()
        if self._trained:
            poll = self._executor.poll(timeout)
            if poll.is_empty:
                return poll
            self._trained.difference_update(outcome.key for outcome in poll.outcomes)
            self._trained.difference_update(poll.ended)
        reports, outcomes = list(poll.reports), list(poll.outcomes)
        ended, self._ended = (*self._ended, *poll.ended), []
        unknown = []
        for key, (segment, facts) in sorted(self._told.items(), key=lambda pair: pair[0]):
            fact = facts.popleft()
            if isinstance(fact, Outcome):
                outcomes.append(fact)
            else:
                reports.append(fact)
                if fact.epoch >= segment.until:
                    outcomes.append(self._end(segment))
                elif facts:
                    continue
                else:
                    unknown.append(replace(segment, known=fact.epoch))
            del self._told[key]
        self._train(unknown)
        return Poll(tuple(reports), tuple(outcomes), ended)

    def _end(self, segment: Segment) -> Outcome:
        is_finished = segment.until >= last_epoch(self._problem.max_epochs)
        return Outcome(*segment.key, "finished" if is_finished else "paused", segment.until)

    def close(self) -> None:
        """End every process; nothing stays behind."""
        self._told.clear()
        self._executor.close()


def _lacks(fact: Report | Outcome, segment: Segment, metric: str) -> bool:
    """Say whether a fact is a report without the value that is needed where a segment ends."""
    if isinstance(fact, Outcome) or fact.epoch < segment.until:
        return False
    return metric not in fact.metrics


def _is_ahead(fact: Report | Outcome, segment: Segment) -> bool:
    """Say whether a fact is news to a segment, and within it."""
    if isinstance(fact, Report):
        return segment.known < fact.epoch <= segment.until
    return segment.known <= fact.epoch < segment.until
