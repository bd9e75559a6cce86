"""Execution in worker processes, where nothing that a user's code does can hurt the rest.

In lock-step, processes wait inside `report()`: up to 64 trials under way hold one each, and further
ones begin as those end. One fork server a problem forks them, so that a worker costs milliseconds
and not an import of torch.
"""

import signal
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hpo_research.device import Compute
from hpo_research.errors import ProblemError, StateError
from hpo_research.executors.processes import scripts
from hpo_research.executors.processes.messages import Ended, Exited, Heartbeat, Reported, Setup
from hpo_research.executors.processes.pickling import dumps
from hpo_research.executors.processes.pool import Event, Pool, Worker
from hpo_research.executors.processes.preloading import wanted
from hpo_research.executors.processes.process_tree import ProcessId
from hpo_research.executors.processes.time_shares import Interval, shares
from hpo_research.executors.protocol import Poll
from hpo_research.problems.function import function_of
from hpo_research.problems.protocol import Problem, has_missing_values, last_epoch
from hpo_research.problems.reporting import can_stand, value_reason
from hpo_research.records import Key, Outcome, Report, Segment
from hpo_research.states import State

PARKED = 64
"""How many trials may be under way at once in lock-step, each with a process of its own."""

_REASON = 2000  # characters of a reason that are kept


def ignore(process: ProcessId) -> None:
    """Take no note of a process."""


class ProcessExecutor:
    """Trains segments in worker processes, `workers` of them computing at the same time.

    A trial waits inside its report, with its process, until a poll lets it go on. In lock-step a
    poll advances every trial under way by one report; those are `PARKED` at most, or `workers` if
    that is more. A run begins when there is room for all of its trials, in order of arrival, so
    that they advance together whatever other runs there are. A run with more trials than that
    begins alone, and its later trials begin, in order of their number, when earlier ones have
    ended: a strategy that compares running trials sees less of the later ones. Which of a run's
    trials advance together is the same after a restart. Asynchronously a poll returns as soon as
    there is something, and no more than `workers` trials are under way.

    In lock-step a report's seconds are the trial's share of the wall time: each moment is split
    equally over the trials that compute then, epochs trained again in silence included. Starting
    a process costs a trial nothing unless it fails in it. Asynchronously they are what the epoch
    took. A failed outcome has the seconds since the trial was last let go on, likewise.

    `on_start` is told of every process before it is given work; `owner` is the name by which the
    survivors of a killed experiment are known for its own. The first `submit` raises
    `ProblemError` where the problem cannot be pickled.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        workers: int,
        lock_step: bool = True,
        compute: Compute | None = None,
        on_start: Callable[[ProcessId], None] = ignore,
        owner: str | None = None,
    ) -> None:
        if workers < 1:
            raise ProblemError(f"ProcessExecutor(workers={workers}): expected at least 1")
        self._problem = problem
        self._may_be_missing = has_missing_values(problem)
        self._is_open = problem.max_epochs is None
        self._function = function_of(problem)
        self._workers = workers
        self._lock_step = lock_step
        self._compute = compute or Compute()
        self._on_start = on_start
        self._owner = owner or uuid.uuid4().hex
        self._most = max(PARKED, workers) if lock_step else workers
        self._pool: Pool | None = None
        self._scratch: TemporaryDirectory[str] | None = None
        self._queue: dict[Key, Segment] = {}
        self._running: dict[Key, Worker] = {}
        self._owed: set[Key] = set()  # those that have not advanced yet in this poll
        self._reports: list[tuple[Report, Interval]] = []
        self._outcomes: list[tuple[Outcome, Interval]] = []
        self._stopping: set[Key] = set()  # told to return, and not gone yet
        self._ended: list[Key] = []

    def submit(self, segments: Sequence[Segment]) -> None:
        """Take work; it begins at the next poll."""
        if self._pool is None:
            self._pool = Pool(
                self._setup(),
                self._compute.threads,
                self._workers,
                self._on_start,
                owner=self._owner,
            )
        for segment in segments:
            self._queue[segment.key] = self._placed(segment)

    def stop(self, trials: Collection[Key]) -> None:
        """Let running trials end; unknown names, of trials that have ended, are ignored.

        A trial is told to return in its report; whatever has not returned two seconds from now is
        killed by the next poll. Until then it is one of those that compute.
        """
        for key in trials:
            self._owed.discard(key)
            worker = self._running.get(key)
            if self._queue.pop(key, None) is not None:
                self._ended.append(key)
            elif worker is None or self._pool is None or key in self._stopping:
                continue
            elif self._pool.halt(worker):
                self._stopping.add(key)
            else:
                del self._running[key]
                self._ended.append(key)

    def poll(self, timeout: float | None = None) -> Poll:
        """Wait for the next reports and outcomes, at most `timeout` seconds.

        In lock-step nothing is returned before every trial has advanced; a poll that runs out of
        time returns nothing and the next one goes on with it.
        """
        if self._pool is None:
            return Poll()
        deadline = None if timeout is None else time.monotonic() + timeout
        if not (self._lock_step and self._owed):
            self._owed = {*self._queue, *self._running}
        self._listen(self._pool, 0.0)
        while True:
            self._dispatch(self._pool)
            if self._is_done():
                return self._collected()
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                return Poll()
            self._listen(self._pool, self._patience(now, deadline))

    def close(self) -> None:
        """End every process; nothing stays behind."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None
        self._queue, self._running, self._owed = {}, {}, set()
        self._reports, self._outcomes, self._ended, self._stopping = [], [], [], set()

    def _setup(self) -> Setup:
        module = type(self._problem).__module__
        pickled = dumps(self._problem)
        # Loaded once, before the first fork: no worker is to load what is slow.
        modules = wanted(scripts.thing_of(pickled))
        if self._problem.can_resume:  # its states may be tensors
            modules = (*modules, "hpo_research.states.packed")
        if module.startswith("hpo_research."):
            modules = (*modules, module)
        limit = self._function.memory_bytes if self._function is not None else None
        return Setup(pickled, modules, limit, self._compute.device)

    @property
    def _limit(self) -> float | None:
        return None if self._function is None else self._function.timeout

    def _placed(self, segment: Segment) -> Segment:
        if self._function is None or not self._problem.can_resume or segment.folder is not None:
            return segment
        if self._scratch is None:
            self._scratch = TemporaryDirectory(prefix="hpo-")
        return replace(segment, folder=str(Path(self._scratch.name, *map(str, segment.key))))

    def _dispatch(self, pool: Pool) -> None:
        room = self._workers - sum(not worker.is_parked for worker in self._running.values())
        if room <= 0:
            return
        for key in self._next():
            if room <= 0:
                return
            if key in self._running:
                pool.let_go_on(self._running[key])
            elif len(self._running) < self._most:
                self._running[key] = pool.give(self._queue.pop(key))
            else:
                continue
            room -= 1

    def _next(self) -> list[Key]:
        parked = sorted(k for k in self._owed & self._running.keys() if self._running[k].is_parked)
        waiting = self._owed & self._queue.keys()
        if self._lock_step:
            runs = self._runs_under_way()
            waiting = {key for key in waiting if key[0] in runs}
        return parked + sorted(waiting)

    def _runs_under_way(self) -> set[int]:
        """Return the runs with a running trial, and those that begin because there is room."""
        sizes = Counter(run for run, _ in [*self._running, *self._queue])
        runs = {run for run, _ in self._running}
        taken = sum(sizes[run] for run in runs)
        for run in dict.fromkeys(run for run, _ in self._queue):
            if run not in runs:
                taken += sizes[run]
                if runs and taken > self._most:
                    break
                runs.add(run)
        return runs

    def _is_done(self) -> bool:
        if (self._reports or self._outcomes or self._ended) and not self._lock_step:
            return True
        return all(worker.is_parked for worker in self._running.values())

    def _collected(self) -> Poll:
        intervals = [interval for _, interval in [*self._reports, *self._outcomes]]
        seconds = (
            shares(intervals) if self._lock_step else [interval.seconds for interval in intervals]
        )
        is_measured = self._lock_step and not self._problem.has_recorded_seconds
        reports = [
            replace(report, seconds=seconds[i]) if is_measured else report
            for i, (report, _) in enumerate(self._reports)
        ]
        outcomes = [
            outcome if outcome.seconds else replace(outcome, seconds=seconds[i])
            for i, (outcome, _) in enumerate(self._outcomes, len(reports))
        ]
        ended = tuple(sorted(self._ended))
        self._owed, self._reports, self._outcomes, self._ended = set(), [], [], []
        return Poll(
            tuple(sorted(reports, key=lambda report: (report.key, report.epoch))),
            tuple(sorted(outcomes, key=lambda outcome: outcome.key)),
            ended,
        )

    def _patience(self, now: float, deadline: float | None) -> float | None:
        ends = [] if deadline is None else [deadline]
        if self._limit is not None:
            since = (worker.since for worker in self._running.values())
            ends += [start + self._limit for start in since if start is not None]
        return max(0.0, min(ends) - now) if ends else None

    def _listen(self, pool: Pool, timeout: float | None) -> None:
        for event in pool.listen(timeout):
            if self._running.get(event.segment.key) is event.worker:  # not after its trial's end
                self._take(pool, event)
        now = time.monotonic()
        for key, worker in list(self._running.items()):
            limit, since = self._limit, worker.since
            is_late = limit is not None and since is not None and now - since >= limit
            if is_late and not worker.channel.is_readable():
                reason = f"timeout: no report and no return for {limit:g} seconds"
                interval = worker.interval(now)
                pool.dismiss(worker)
                self._end(Outcome(*key, "failed", worker.reached, reason), interval)

    def _take(self, pool: Pool, event: Event) -> None:
        worker, message, interval = event.worker, event.message, event.interval
        said = message.final if isinstance(message, Ended) else message
        may_be_missing = isinstance(message, Reported) and self._may_be_missing
        if isinstance(said, Reported) and (
            wrong := self._wrong(said, may_be_missing=may_be_missing)
        ):
            worker.segment = None
            pool.dismiss(worker)
            self._fail(event.segment, worker.reached, wrong, interval)
        elif isinstance(message, Reported):
            worker.reached = message.report.epoch
            self._owed.discard(event.segment.key)
            self._enter(message, interval)
        elif isinstance(message, Heartbeat):
            worker.reached = message.epoch
        elif isinstance(message, Ended) and message.final is not None:
            self._finish(event.segment, message.final, interval, has_finished=message.has_finished)
        elif isinstance(message, Ended) and message.has_finished and self._is_open:
            self._end(
                Outcome(*message.key, "finished", worker.reached),
                Interval(interval.ended, interval.ended),
            )
        elif isinstance(message, Ended):
            recorded = message.seconds if self._problem.has_recorded_seconds else None
            self._fail(event.segment, message.epoch, message.reason, interval, recorded)
        else:
            reason = _cause(message) if isinstance(message, Exited) else message.reason
            worker.segment = None
            self._fail(event.segment, worker.reached, reason, interval)

    def _wrong(self, said: Reported, *, may_be_missing: bool) -> str:
        value = said.report.metrics.get(self._problem.metric)
        if can_stand(value, may_be_missing=may_be_missing):
            return ""
        return value_reason(self._problem.metric, value, said.report.epoch)

    def _finish(
        self, segment: Segment, final: Reported, interval: Interval, *, has_finished: bool
    ) -> None:
        epoch = final.report.epoch
        if epoch > segment.known:
            self._enter(final, interval)
        is_last = has_finished or segment.until >= last_epoch(self._problem.max_epochs)
        outcome = Outcome(*segment.key, "finished" if is_last else "paused", epoch)
        self._end(outcome, Interval(interval.ended, interval.ended))

    def _fail(
        self,
        segment: Segment,
        epoch: int,
        reason: str,
        interval: Interval,
        recorded: float | None = None,
    ) -> None:
        seconds = 0.0 if recorded is None else recorded
        reason = reason[:_REASON] or "the function ended without a value and without a reason"
        self._end(Outcome(*segment.key, "failed", epoch, reason, seconds=seconds), interval)

    def _enter(self, said: Reported, interval: Interval) -> None:
        self._reports.append((replace(said.report, state=_giving(said)), interval))

    def _end(self, outcome: Outcome, interval: Interval) -> None:
        key = outcome.key
        del self._running[key]
        self._owed.discard(key)
        # However a trial ends that was told to: it was stopped, unless it had finished by then.
        if key in self._stopping and outcome.status != "finished":
            self._ended.append(key)
        else:
            self._outcomes.append((outcome, interval))
        self._stopping.discard(key)


def _giving(said: Reported) -> Callable[[], State] | None:
    """Return what gives the state that came with a report, or says why none came."""
    if said.unkept:

        def refuse() -> State:
            raise StateError(said.unkept)

        return refuse
    state = said.state
    return None if state is None else lambda: state


def _cause(died: Exited) -> str:
    if died.cause:
        return died.cause
    if died.status >= 0:
        how = f"the process ended itself with exit code {died.status}"
    else:
        how = f"the process was killed by {_signal(-died.status)}"
        if died.status == -signal.SIGKILL:
            how += " (the kernel does that when the machine is out of memory)"
    return how + (f"; it printed last: {died.output}" if died.output else "")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
