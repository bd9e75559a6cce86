"""A stream: one generator of a problem, and the reports it has yielded, until they are taken.

All segments submitted together train as one batch in one stream. A trial's next report is taken
from its own queue; the batch is trained one epoch on only when the queue that is asked is empty.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from hpo_research.errors import (
    MissingDataError,
    MissingPackageError,
    ProblemError,
    StateError,
)
from hpo_research.executors.protocol import Poll
from hpo_research.executors.states import begun, taken, unkept
from hpo_research.problems.protocol import Evaluation, Problem, has_missing_values, last_epoch
from hpo_research.problems.reporting import blame, can_stand, sound, value_reason
from hpo_research.records import Key, Outcome, Report, Segment, with_fields
from hpo_research.states import State


@dataclass(frozen=True)
class Failure:
    """The end of a trial that gave no usable value: the last good epoch, and why."""

    run: int
    trial: int
    epoch: int
    reason: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Finish:
    """The end of a trial whose length was open, at the last epoch that it reported."""

    run: int
    trial: int
    epoch: int


Item = Report | Failure | Finish


class EvaluationStream:
    """Segments of one problem that are trained as one batch."""

    def __init__(self, problem: Problem, segments: Sequence[Segment], device: str) -> None:
        self._problem = problem
        self._may_be_missing = has_missing_values(problem)
        self._is_open = problem.max_epochs is None
        self._device = device
        self.live = {segment.key: segment for segment in segments}
        self._queues: dict[Key, deque[Item]] = {key: deque() for key in self.live}
        self._produced = {segment.key: segment.start for segment in segments}
        self._dropped: set[Key] = set()
        self._silent: set[Key] = set()  # those of open length that have ended
        self._without_value: set[Key] = set()  # those whose last value is missing
        self._alone: dict[Key, EvaluationStream] = {}
        self._generator: Evaluation | None = None

    def drop(self, keys: Collection[Key]) -> None:
        """Take trials out of the batch before its next epoch."""
        for key in keys:
            segment = self.live.pop(key, None)
            is_on = segment is not None and self._produced[key] < segment.until
            if is_on and key not in self._silent:
                self._dropped.add(key)
            if key in self._alone:
                self._alone.pop(key).close()

    def next(self, key: Key) -> Item:
        """Return the trial's next report, training the batch on where none is waiting."""
        queue = self._queues[key]
        while not queue:
            if key in self._alone:
                return self._alone[key].next(key)
            self._step()
        return queue.popleft()

    def close(self) -> None:
        """End the generators."""
        for stream in self._alone.values():
            stream.close()
        if self._generator is not None:
            self._generator.close()

    def _step(self) -> None:
        self._let_go_of_states()
        began = time.perf_counter()
        try:
            reports = self._advance()
        except StopIteration:
            if self._is_open:
                self._end_all_but([])
                return
            reason = "the problem ended before the trial had reached its epoch"
            self._isolate(reason, time.perf_counter() - began)
            return
        except (MissingDataError, MissingPackageError):
            raise  # no trial's fault: another configuration would find nothing either
        # The user's or the problem's: it becomes an outcome. So does sys.exit, Ctrl-C does not.
        except (Exception, SystemExit) as error:
            self._isolate(blame(error, None), time.perf_counter() - began)
            return
        if wrong := _mistake(reports):
            self._isolate(wrong, time.perf_counter() - began)
            return
        share = (time.perf_counter() - began) / max(len(reports), 1)
        for report in reports:
            if report.key in self.live and report.key not in self._silent:
                self._enter(report, share)
        if self._is_open:
            self._end_all_but([report.key for report in reports])

    def _end_all_but(self, reported: Collection[Key]) -> None:
        """End the trials of open length that an epoch was not reported of."""
        on = {key for key, segment in self.live.items() if self._produced[key] < segment.until}
        for key in sorted(on.difference(reported, self._silent)):
            self._silent.add(key)
            epoch = self._produced[key]
            item: Item = Finish(*key, epoch)
            if key in self._without_value or not epoch:
                item = Failure(*key, epoch, value_reason(self._problem.metric, None, epoch))
            self._queues[key].append(item)

    def _advance(self) -> list[Report]:
        dropped, self._dropped = self._dropped, set()
        if self._generator is None:
            segments = tuple(begun(segment) for segment in self.live.values())
            self._generator = self._problem.evaluate(segments, self._device)
            return next(self._generator)
        return self._generator.send(dropped) if dropped else next(self._generator)

    def _isolate(self, reason: str, seconds: float) -> None:
        # One trial may have spoilt the batch: each is trained alone from where it began, in
        # silence up to where it was, and the guilty one fails by itself.
        left = {key: own for key, own in self.live.items() if key not in self._silent}
        if len(left) > 1:
            for key, segment in left.items():
                known = max(segment.known, self._produced[key])
                self._alone[key] = EvaluationStream(
                    self._problem, [replace(segment, known=known)], self._device
                )
            return
        # Where times are recorded, what a crash took here is no time at all.
        cost = 0.0 if self._problem.has_recorded_seconds else seconds
        for key in left:
            self._queues[key].append(Failure(*key, self._produced[key], reason, cost))

    def _enter(self, report: Report, share: float) -> None:
        key = report.key
        segment = self.live[key]
        metric, produced = self._problem.metric, self._produced[key]
        try:
            report = sound(report, metric, after=produced, until=segment.until)
        except ProblemError as error:
            self._queues[key].append(Failure(*key, produced, str(error), share))
            return
        value = report.metrics.get(metric)
        seconds = share if report.seconds is None else report.seconds
        before, self._produced[key] = self._produced[key], report.epoch
        may_be_missing = self._may_be_missing and report.epoch < segment.until
        if not can_stand(value, may_be_missing=may_be_missing):
            reason = value_reason(metric, value, report.epoch)
            self._queues[key].append(Failure(*key, before, reason, seconds))
            return
        has_value = can_stand(value, may_be_missing=False)
        (self._without_value.discard if has_value else self._without_value.add)(key)
        if report.epoch <= segment.known:
            return
        try:
            state = self._state(report, segment)
        except StateError as error:
            self._queues[key].append(Failure(*key, before, unkept(report, error), seconds))
            return
        self._queues[key].append(with_fields(report, {"seconds": seconds, "state": state}))

    def _state(self, report: Report, segment: Segment) -> Callable[[], State] | None:
        """Return what gives the report's state; packed where the trial goes on from it."""
        if not self._problem.can_resume:
            return None
        if report.epoch < segment.until or segment.until >= last_epoch(self._problem.max_epochs):
            return report.state
        packed = taken(report)
        return None if packed is None else lambda: packed

    def _let_go_of_states(self) -> None:
        # A state can be taken until the batch trains on; the last one of a segment was copied.
        for key, queue in self._queues.items():
            for i, item in enumerate(queue):
                if isinstance(item, Report) and item.epoch < self._until(key):
                    queue[i] = replace(item, state=None)

    def _until(self, key: Key) -> int:
        segment = self.live.get(key)
        return 0 if segment is None else segment.until


def _mistake(reports: object) -> str:
    """Say what is wrong with what `evaluate` yielded; empty where it is a list of reports."""
    if not isinstance(reports, list | tuple):
        return f"evaluate yielded a {type(reports).__name__}, expected a list of Reports"
    wrong = [type(item).__name__ for item in reports if not isinstance(item, Report)]
    return f"evaluate yielded a list with a {wrong[0]}, expected Reports" if wrong else ""


class Running:
    """The running segments of a problem and the streams they train in."""

    def __init__(self, problem: Problem, device: str) -> None:
        self._problem = problem
        self._device = device
        self.segments: dict[Key, Segment] = {}
        self._streams: dict[Key, EvaluationStream] = {}

    def submit(self, segments: Sequence[Segment]) -> None:
        """Put the segments into one new stream."""
        stream = EvaluationStream(self._problem, segments, self._device)
        for segment in segments:
            self.segments[segment.key] = segment
            self._streams[segment.key] = stream

    def drop(self, keys: Collection[Key]) -> list[Key]:
        """Take trials out of their streams, close the streams that are empty; return who ran."""
        dropped = sorted(self.segments.keys() & keys)
        for key in dropped:
            del self.segments[key]
            stream = self._streams.pop(key)
            stream.drop([key])
            if not stream.live:
                stream.close()
        return dropped

    def step(self, key: Key) -> tuple[Report | None, Outcome | None]:
        """Return a trial's next report, and its outcome where that ends the segment."""
        segment = self.segments[key]
        item = self._streams[key].next(key)
        if isinstance(item, Failure):
            self.drop([key])
            return None, Outcome(*key, "failed", item.epoch, item.reason, seconds=item.seconds)
        if isinstance(item, Finish):
            self.drop([key])
            return None, Outcome(*key, "finished", item.epoch)
        if item.epoch < segment.until:
            return item, None
        self.drop([key])
        if segment.until >= last_epoch(self._problem.max_epochs):
            return item, Outcome(*key, "finished", item.epoch)
        return item, Outcome(*key, "paused", item.epoch)


def polled(steps: Sequence[tuple[Report | None, Outcome | None]], ended: Sequence[Key]) -> Poll:
    """Return what one poll brings of steps, and of trials that ended."""
    return Poll(
        tuple(report for report, _ in steps if report is not None),
        tuple(outcome for _, outcome in steps if outcome is not None),
        tuple(ended),
    )
