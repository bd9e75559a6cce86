"""The pool of worker processes: who trains what, and what they say."""

import contextlib
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from hpo_research.errors import MachineError
from hpo_research.executors.processes import process_tree
from hpo_research.executors.processes.channel import Channel, Garbled, ready
from hpo_research.executors.processes.fork_server import ForkServer, refused
from hpo_research.executors.processes.messages import (
    Answer,
    Ended,
    Exited,
    FromWorker,
    Heartbeat,
    Ready,
    Reported,
    Setup,
    Spawned,
    Work,
    from_server,
    from_worker,
    packed,
)
from hpo_research.executors.processes.process_tree import ProcessId
from hpo_research.executors.processes.time_shares import Interval
from hpo_research.problems.reporting import PATIENCE
from hpo_research.records import Segment

_STALL = 60.0  # seconds within which more of a message comes once it has begun
_GARBLED = (
    "the process sent what is no report of its trial{what}; a function must write only into "
    "files and descriptors that it has opened itself"
)


@dataclass(eq=False)
class Worker:
    """A worker process as the executor sees it.

    It trains `segment`, or nothing. `began` is when it was last let go on, None while it waits in
    a report or has nothing to do; before its function is called, when it was given the segment.
    `since` is when it was last let go on or heard of, None while it waits or is not there yet;
    `halt_by` is when a stopped function must have returned.
    """

    channel: Channel
    segment: Segment | None = None
    reached: int = 0
    began: float | None = None
    since: float | None = None
    halt_by: float | None = None
    id: ProcessId | None = None
    is_ready: bool = False
    is_parked: bool = False
    is_wanted: bool = True

    @property
    def is_idle(self) -> bool:
        """Whether it could train a segment now."""
        return self.can_begin and self.segment is None and self.halt_by is None

    @property
    def can_begin(self) -> bool:
        """Whether the process runs, is registered, and has loaded the problem."""
        return self.is_ready and self.id is not None

    def interval(self, ended: float) -> Interval:
        """Return the time for which it has computed since it was let go on."""
        return Interval(ended if self.began is None else self.began, ended)


@dataclass(frozen=True)
class Broken:
    """A worker that was ended because what it sent is nothing that a worker says, and why."""

    reason: str


@dataclass(frozen=True)
class Event:
    """What was heard of a worker that trains a segment, and for how long it has computed."""

    worker: Worker
    segment: Segment
    message: FromWorker | Exited | Broken
    interval: Interval


class Pool:
    """Worker processes that are started when there is work and used again until they die.

    `on_start` is called with the identity of every process before it is given work; each carries
    the name of its `owner`. At most `spare` of the workers are kept while they have nothing to do.
    """

    def __init__(
        self,
        setup: Setup,
        threads: int,
        spare: int,
        on_start: Callable[[ProcessId], None],
        *,
        owner: str,
    ) -> None:
        self._setup = setup
        self._threads = threads
        self._spare = spare
        self._on_start = on_start
        self._owner = owner
        self._server: ForkServer | None = None
        self._workers: list[Worker] = []
        self._unborn: deque[Worker] = deque()
        self._ids: set[ProcessId] = set()
        self._has_borne = False

    def give(self, segment: Segment) -> Worker:
        """Let an idle worker, or a new one, train a segment."""
        worker = next((worker for worker in self._workers if worker.is_idle), None)
        if worker is None:
            worker = self._hire()
        worker.segment, worker.reached = segment, segment.start
        worker.is_parked = False
        worker.began = time.monotonic()
        if worker.can_begin:
            self._begin(worker)
        return worker

    def let_go_on(self, worker: Worker) -> None:
        """Let a worker that waits in a report go on."""
        worker.is_parked = False
        worker.began = worker.since = time.monotonic()
        self._tell(worker, Answer(True))

    def halt(self, worker: Worker) -> bool:
        """Let a worker's function return, and end the process if it does not do so soon.

        Its end will be heard. False where its function has not begun: it is ended at once.
        """
        if not worker.can_begin:
            self.dismiss(worker)
            return False
        worker.halt_by = time.monotonic() + PATIENCE
        if worker.is_parked:
            worker.is_parked = False
            self._tell(worker, Answer(False))
        return True

    def dismiss(self, worker: Worker) -> None:
        """End a worker now, with all that it has started."""
        worker.segment, worker.is_wanted = None, False
        worker.channel.close()
        if worker in self._workers:
            self._workers.remove(worker)
        if worker.id is not None:
            self._kill(worker.id.pid)

    def listen(self, timeout: float | None) -> list[Event]:
        """Wait until something is heard, at most `timeout` seconds."""
        if self._server is None:
            return []
        now = time.monotonic()
        limits = [worker.halt_by - now for worker in self._workers if worker.halt_by is not None]
        halves = [worker.channel.half_since for worker in self._workers]
        limits += [since + _STALL - now for since in halves if since is not None]
        limits += [] if timeout is None else [timeout]
        channels = {w.channel: w for w in self._workers if not w.channel.is_closed}
        chosen = max(0.0, min(limits)) if limits else None
        heard = ready([self._server.channel, *channels], chosen)
        events: list[Event] = []
        for channel, worker in channels.items():
            if channel in heard:
                events += self._hear(worker)
        if self._server.channel in heard:
            events += self._hear_server(self._server)
        return events + self._end_the_slow()

    def close(self) -> None:
        """End every process."""
        for worker in [*self._workers, *self._unborn]:
            worker.channel.close()
        self._workers, self._unborn = [], deque()
        if self._server is not None:
            self._server.close()
            self._server = None
        # The fork server has ended them; this is for the case that somebody has killed it.
        process_tree.end_survivors(self._ids, self._owner)
        self._ids = set()

    def _hire(self) -> Worker:
        if self._server is None:
            self._server = ForkServer(self._setup, self._threads, self._owner)
            self._has_borne = False
            self._register(self._server.pid)
        try:
            worker = Worker(self._server.fork())
        except OSError as error:
            raise refused(str(error), len(self._workers)) from error
        self._workers.append(worker)
        self._unborn.append(worker)
        return worker

    def _register(self, pid: int) -> ProcessId | None:
        known = process_tree.identity(pid)
        if known is not None:
            self._ids.add(known)
            self._on_start(known)
        return known

    def _begin(self, worker: Worker) -> None:
        worker.began = worker.since = time.monotonic()
        if worker.segment is not None:
            self._tell(worker, Work(worker.segment))

    def _tell(self, worker: Worker, message: Work | Answer) -> None:
        # A worker that cannot be told anything is dead: the fork server is about to say so.
        with contextlib.suppress(OSError):
            worker.channel.post(packed(message))

    def _kill(self, pid: int) -> None:
        if self._server is not None:
            self._server.kill(pid)

    def _hear(self, worker: Worker) -> list[Event]:
        events: list[Event] = []
        try:
            for frame in worker.channel.arrived():
                events += self._heed(worker, from_worker(frame))
        except Garbled as error:
            return events + self._break(worker, str(error))
        if worker.channel.is_over:
            # It is dead, or its function has closed the channel: the fork server will tell.
            worker.channel.close()
            if worker.id is not None and self._server is not None:
                self._server.lost(worker.id.pid)
        return events

    def _heed(self, worker: Worker, message: FromWorker) -> list[Event]:
        message = replace(message, at=min(message.at, time.monotonic()))
        segment, interval = worker.segment, worker.interval(message.at)
        if isinstance(message, Ready):
            if worker.is_ready:
                raise Garbled
            worker.is_ready = not message.reason
            if worker.is_ready:
                self._open(worker)
                return []
        elif segment is None:
            raise Garbled  # it has nothing to do, and nothing to say
        else:
            _check(worker, segment, message)
        worker.since = time.monotonic()
        if isinstance(message, Reported):
            worker.began, worker.since, worker.is_parked = None, None, worker.halt_by is None
            if worker.halt_by is not None:
                self._tell(worker, Answer(False))
        elif isinstance(message, Ended):
            self._release(worker, message.is_spent)
        return [] if segment is None else [Event(worker, segment, message, interval)]

    def _break(self, worker: Worker, what: str) -> list[Event]:
        """End a worker whose channel cannot be trusted any more, and fail what it trains."""
        segment, interval = worker.segment, worker.interval(time.monotonic())
        self.dismiss(worker)
        reason = _GARBLED.format(what=what and f": {what}")
        return [] if segment is None else [Event(worker, segment, Broken(reason), interval)]

    def _open(self, worker: Worker) -> None:
        if worker.can_begin and worker.segment is not None:
            self._begin(worker)

    def _release(self, worker: Worker, is_spent: bool) -> None:
        worker.segment, worker.began, worker.since, worker.halt_by = None, None, None, None
        idle = sum(other.is_idle for other in self._workers)
        if is_spent or idle > self._spare:
            self.dismiss(worker)

    def _hear_server(self, server: ForkServer) -> list[Event]:
        events: list[Event] = []
        try:
            for frame in server.channel.arrived():
                message = from_server(frame)
                if isinstance(message, Spawned):
                    self._welcome(message)
                elif isinstance(message, Exited):
                    events += self._part(message)
                else:
                    raise refused(message.reason, len(self._workers) - len(self._unborn))
        except Garbled:
            return events + self._lose(server)
        return events + (self._lose(server) if server.channel.is_over else [])

    def _welcome(self, message: Spawned) -> None:
        worker = self._unborn.popleft()
        worker.id = self._register(message.pid)
        self._has_borne = True
        if not worker.is_wanted:
            self._kill(message.pid)
        elif worker.id is not None:
            worker.since = time.monotonic()  # the user's modules may hang when they load
            self._open(worker)

    def _part(self, message: Exited) -> list[Event]:
        self._ids = {known for known in self._ids if known.pid != message.pid}
        for worker in self._workers:
            if worker.id is not None and worker.id.pid == message.pid:
                return self._last_words(worker, message)
        return []

    def _last_words(self, worker: Worker, message: Exited) -> list[Event]:
        events: list[Event] = []
        while not worker.channel.is_closed:  # until the end: nobody is left who could write
            events += self._hear(worker)
            if not worker.channel.is_readable():
                break
        if worker in self._workers:
            self._workers.remove(worker)
        worker.channel.close()
        if worker.segment is not None:
            events.append(Event(worker, worker.segment, message, worker.interval(message.at)))
            worker.segment = None
        return events

    def _lose(self, server: ForkServer) -> list[Event]:
        server.close()
        self._server, self._unborn = None, deque()
        process_tree.end_survivors(self._ids, self._owner)
        self._ids = set()
        if not self._has_borne:
            raise MachineError(
                "the process that starts the workers ended before the first of them ran; what it "
                "wrote to stderr is shown above. Completed work is stored; run it again to resume"
            )
        events: list[Event] = []
        cause = "the process that watches the workers was ended"
        for worker in list(self._workers):
            pid = 0 if worker.id is None else worker.id.pid
            events += self._last_words(worker, Exited(pid, -signal.SIGKILL, cause, ""))
        return events

    def _end_the_slow(self) -> list[Event]:
        now = time.monotonic()
        events: list[Event] = []
        for worker in list(self._workers):
            half_since = worker.channel.half_since
            if worker.halt_by is not None and worker.halt_by <= now:
                events += self._break(worker, "nothing, though it was told to return")
            elif half_since is not None and half_since + _STALL <= now:
                events += self._break(worker, f"half a message and no more for {_STALL:g} seconds")
        return events


def _check(worker: Worker, segment: Segment, message: Heartbeat | Reported | Ended) -> None:
    """Raise `Garbled` where a worker cannot say this now."""
    final = message.final if isinstance(message, Ended) else None
    for run, trial in {message.key, message.key if final is None else final.key}:
        if (run, trial) != segment.key:
            raise Garbled(f"a report of trial {trial} of run {run}")
    if isinstance(message, Reported):
        epoch = message.report.epoch
        is_due = worker.reached < epoch < segment.until and not worker.is_parked
    elif isinstance(message, Heartbeat):
        epoch = message.epoch
        is_due = segment.start < epoch <= segment.known and not worker.is_parked
    else:
        epoch = message.epoch
        is_last = final is None or message.has_finished or final.report.epoch >= segment.until
        is_due = epoch >= segment.start and is_last
    if not is_due:
        raise Garbled(f"epoch {epoch} after epoch {worker.reached}")
