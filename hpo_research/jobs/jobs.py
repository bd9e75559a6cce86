"""Jobs that run: begun when there is room, read while they print, ended by their rules."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from hpo_research.errors import MachineError
from hpo_research.jobs.job import Job
from hpo_research.jobs.keeping import Keeping

_GONE = (
    "the process that starts programs ended before it had started one; what it wrote to stderr is "
    "shown above. Completed work is stored; run it again to resume"
)


class Jobs:
    """Programs that run, `most` of them at once (None: all that are there), the others queue.

    `on_start` is told the number of the keeper's process before it starts any. `environment` is
    the keeper's own. What jobs print is read, and their rules are kept, by a thread of its own,
    whatever the caller does meanwhile. Raises `MachineError` where there is no process to be had.
    """

    def __init__(
        self,
        most: int | None = None,
        on_start: Callable[[int], None] = lambda pid: None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._most = most
        self._on_start = on_start
        self._environment = environment
        self._queue: deque[Job] = deque()
        self._running: dict[int, Job] = {}
        self._count = 0
        self._news = threading.Condition()
        self._error: BaseException | None = None
        self._keeper: Keeping | None = None
        self._thread: threading.Thread | None = None
        self._is_closing = False
        self._has_spoken = False

    def submit(self, job: Job) -> None:
        """Take a job; it begins when there is room."""
        with self._news:
            if self._keeper is None:
                self._open()
            self._queue.append(job)
            self._begin()
        self._ring()

    def stop(self, job: Job) -> None:
        """Tell a job to end; one that has not begun is over at once."""
        now = time.monotonic()
        with self._news:
            if job in self._queue:
                self._queue.remove(job)
                job.end = "stopped"
                job.close(now)
                self._news.notify_all()
            for number, own in self._running.items():
                if own is job and not (job.is_told or job.has_exited):
                    self._signal(number, job.tell("stopped", now))
        self._ring()

    def wait(self, is_news: Callable[[], bool], timeout: float | None) -> bool:
        """Wait, at most `timeout` seconds, until something is so; whether it is."""
        with self._news:
            if self._queue and self._keeper is None:  # lost; the store is this thread's
                self._open()
                self._begin()
            self._news.wait_for(lambda: self._is_broken or is_news(), timeout)
            if self._error is not None:
                raise self._error
            return is_news()

    @property
    def _is_broken(self) -> bool:
        return self._error is not None or (bool(self._queue) and self._keeper is None)

    def close(self) -> None:
        """End every program now, and the keeper."""
        with self._news:
            self._is_closing = True
            self._queue.clear()
        self._part()
        for job in self._running.values():
            job.close(time.monotonic())
        self._running.clear()

    # -- the keeper and the thread

    def _open(self) -> None:
        self._keeper, self._has_spoken = Keeping(self._environment), False
        self._on_start(self._keeper.pid)
        self._thread = threading.Thread(target=self._serve, args=(self._keeper,), daemon=True)
        self._thread.start()

    def _part(self) -> None:
        handle, self._keeper = self._keeper, None
        if handle is not None and self._thread is not None:
            handle.ring()
            self._thread.join()
            handle.close()

    def _serve(self, handle: Keeping) -> None:
        try:
            while not self._is_closing and self._turn(handle):
                pass
        except BaseException as error:  # it is raised where somebody waits
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._news:
            self._error = error
            self._news.notify_all()

    def _turn(self, handle: Keeping) -> bool:
        with self._news:
            now = time.monotonic()
            for number, job in self._running.items():
                if job.began is not None and (due := job.due(now)) is not None:
                    self._signal(number, due)
            timers = [at for job in self._running.values() if job.began for at in job.timers()]
        said = handle.listen(max(0.0, min(timers) - now) if timers else None)
        now, is_news = time.monotonic(), False
        for words in said or ():
            is_news |= self._hear(words, now)
        for number, job in list(self._running.items()):
            if job.began is not None and time.monotonic() >= job.look_at:
                is_news |= job.follow(now)
            if job.is_over:
                with self._news:
                    del self._running[number]
        if said is None:
            self._lose(now)
        with self._news:
            self._begin()
            if is_news or said is None:
                self._news.notify_all()
        return said is not None

    def _hear(self, words: dict[str, object], now: float) -> bool:
        self._has_spoken = True
        number = int(words["job"])  # type: ignore[call-overload]
        job = self._running[number]
        if "pid" in words:
            job.began = now
            return False
        if "why" in words:
            job.end, job.why = "refused", str(words["why"])
            job.close(now)
            return True
        job.exit(int(words["status"]))  # type: ignore[call-overload]
        return False

    def _lose(self, now: float) -> None:
        """Note that the keeper has gone, and all programs with it."""
        if self._is_closing:
            return
        if self._keeper is not None:  # a trial has its slot until nothing of it runs
            self._keeper.outlive()
        with self._news:
            if self._has_spoken:
                for job in self._running.values():
                    job.end = "lost"
                    job.close(now)
                self._running.clear()
            else:  # the next one would not start either: no job has ended by that
                self._fail(MachineError(_GONE))
            handle, self._keeper = self._keeper, None
        if handle is not None:
            handle.close()

    def _begin(self) -> None:
        most = self._most
        while self._queue and self._keeper and (most is None or len(self._running) < most):
            job = self._queue.popleft()
            try:
                job.open()
            except OSError as error:
                job.end, job.why = "refused", str(error)
                job.close(time.monotonic())
                self._news.notify_all()
                continue
            self._count += 1
            self._running[self._count] = job
            words = {
                "command": job.order.command,
                "environment": dict(job.order.environment),
                "log": str(job.order.log),
            }
            self._tell({"do": "start", "job": self._count, **words})

    def _signal(self, number: int, sign: int) -> None:
        self._tell({"do": "signal", "job": number, "signal": int(sign)})

    def _tell(self, words: Mapping[str, object]) -> None:
        if self._keeper is not None:
            self._keeper.tell(words)

    def _ring(self) -> None:
        if self._keeper is not None:
            self._keeper.ring()
