"""What a user's function calls `report`, and what is made of what it says."""

import itertools
import math
import operator
import os
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from queue import SimpleQueue
from typing import Any, NoReturn

from hpo_research.errors import ProblemError
from hpo_research.options import as_integer, is_real
from hpo_research.problems.files import Folder
from hpo_research.records import Report, Segment, with_fields
from hpo_research.scalars import plain

Push = Callable[[Report], bool]
"""Hands a report over and returns whether the trial goes on."""

PATIENCE = 2.0
"""Seconds that a function has to return once it was told to stop."""


class Halt(BaseException):
    """Ends a function that reports again after it was told to stop.

    No `Exception`, so that a function that catches all of its own cannot catch this. `by` is the
    `report` that was called.
    """

    def __init__(self, by: object) -> None:
        BaseException.__init__(self, "a trial that is over was reported on")
        self.by = by


class NoValue(float):
    """A NaN that says why there is no value."""

    reason: str

    def __new__(cls, reason: str) -> "NoValue":
        """Make a NaN with a reason."""
        value = float.__new__(cls, math.nan)
        value.reason = reason
        return value

    def __repr__(self) -> str:
        return self.reason

    __str__ = __repr__


@dataclass(frozen=True)
class Ending:
    """How a function ended: the last epoch it reached, its last report, why it failed if it did.

    Without a report and a reason it was told to stop, or `has_finished`: its length was open, and
    `epoch` is its last one.
    """

    epoch: int
    reason: str = ""
    final: Report | None = None
    has_finished: bool = False


class Reporting:
    """What a function is given as `report`."""

    def __init__(
        self,
        segment: Segment,
        push: Push,
        *,
        metric: str,
        folder: Path | None = None,
        may_be_missing: bool = False,
        is_open: bool = False,
    ) -> None:
        self._segment = segment
        self._push = push
        self._metric = metric
        self._may_be_missing = may_be_missing
        self._is_open = is_open
        self._has_finished = False
        self._has_value = True
        self._files = None if folder is None else Folder(folder)
        self._process = os.getpid()
        self._turn = threading.RLock()  # of the threads that report: one waits for its answer
        self._since = time.perf_counter()
        self._final: Report | None = None
        self._reason = ""
        self._is_over = False
        self.reached = segment.start

    def __reduce__(self) -> NoReturn:
        """Refuse to be sent elsewhere: only the trial's own process is listened to."""
        raise ProblemError(
            "report cannot be sent to another process; return the values from there, and report "
            "them in the trial's own process"
        )

    @property
    def start(self) -> int:
        """How many epochs of the trial are done already; the first to report is the next."""
        return self._segment.start

    @property
    def until(self) -> int:
        """The epoch to train to; `records.OPEN`, never reached, where the length is open."""
        return self._segment.until

    @property
    def seed(self) -> int:
        """An integer below 2**32 for the trial's own randomness."""
        return self._segment.stream.at("function").integer() % 2**32

    @property
    def folder(self) -> Path:
        """The trial's own folder. Raises `ProblemError` where the problem cannot resume."""
        if self._files is None:
            raise ProblemError("report.folder: only a FunctionProblem with can_resume=True has one")
        return self._files.path

    def __call__(self, epoch: int, value: object) -> bool:
        """Report the value, or a dict of metrics, after an epoch; False means return now.

        Threads may report, one after another. Raises `ProblemError` in another process.
        """
        if os.getpid() != self._process:
            raise ProblemError(
                "report was called in a process that the trial has started; return the values "
                "from there, and report them in the trial's own process"
            )
        if self._is_over:  # before a thread waits its turn, too: it may be the trial's last
            raise Halt(self)
        with self._turn:
            return self._report(epoch, value)

    def _report(self, epoch: int, value: object) -> bool:
        if self._is_over:
            raise Halt(self)
        try:
            number = self._checked_epoch(epoch)
            may_be_missing = self._may_be_missing and number < self.until
            metrics = measured(value, self._metric, may_be_missing=may_be_missing)
        except ProblemError as error:
            hint = "; report.until is where a value is needed" if self._may_be_missing else ""
            return self._refuse(f"report(epoch={shown(epoch)}): {error}{hint}")
        now = time.perf_counter()
        report = Report(*self._segment.key, number, metrics, now - self._since)
        if number == self.until:
            self._final, self._is_over = report, True
            return False
        self.reached = number
        self._has_value = math.isfinite(metrics.get(self._metric, math.nan))
        if self._files is not None:
            report = replace(report, state=self._files.saved())
        goes_on = self._push(report)
        self._since = time.perf_counter()
        self._is_over = self._is_over or not goes_on
        return goes_on

    def finish(self, returned: object) -> None:
        """Take what the function returned: the report at `until` where there is none yet."""
        if self._is_over:
            return
        if self._is_open and self.reached:
            self._end()
            return
        if returned is None and not self._is_open and self.reached > self.start:
            self._refuse(
                f"returned at epoch {self.reached}, before epoch {self.until}; train until "
                "report.until, or return the value"
            )
            return
        try:
            metrics = measured(returned, self._metric)
        except ProblemError as error:
            self._refuse(f"returned {error}")
            return
        seconds = time.perf_counter() - self._since
        self._has_finished = self._is_open
        epoch = 1 if self._is_open else self.until
        self._final = Report(*self._segment.key, epoch, metrics, seconds)

    def _end(self) -> None:
        """End a trial of open length at the last epoch that it reported."""
        if not self._has_value:
            self._refuse(value_reason(self._metric, None, self.reached))
            return
        self._has_finished = True

    def close(self) -> None:
        """Let nothing more be reported, once a thread that waits for its answer has it."""
        self._is_over = True
        with self._turn:
            pass

    def ending(self) -> Ending:
        """Say how the function ended, once it has."""
        if self._final is not None:
            state = None if self._files is None else self._files.snapshot
            final = replace(self._final, state=state)
            return Ending(final.epoch, final=final, has_finished=self._has_finished)
        return Ending(self.reached, self._reason, has_finished=self._has_finished)

    def _refuse(self, reason: str) -> bool:
        self._reason, self._is_over = reason, True
        return False

    def _checked_epoch(self, epoch: int) -> int:
        try:
            number = operator.index(epoch)
        except TypeError:
            raise ProblemError("an epoch must be an integer") from None
        if number <= self.reached:
            raise ProblemError(
                f"epochs must go up, and epoch {self.reached} is done; begin at report.start + 1"
            )
        if number > self.until:
            raise ProblemError(f"it was to train until epoch {self.until} (report.until)")
        return number


def measured(value: object, metric: str, *, may_be_missing: bool = False) -> Mapping[str, float]:
    """Return the metrics in what a function gave, all plain floats; the metric itself finite.

    Where it may be missing, it may also be None or no finite number. Raises `ProblemError` that
    begins with what came.
    """
    if not isinstance(value, Mapping):
        value = {metric: value}
    if may_be_missing and value.get(metric) is None:
        value = {name: item for name, item in value.items() if name != metric}
    elif metric not in value:
        names = cut(", ".join(cut(str(name), 80) for name in itertools.islice(value, 20)), 300)
        raise ProblemError(f"a dict of [{names}], without the metric {metric!r}")
    metrics = {str(name): _number(item, str(name)) for name, item in value.items()}
    if not may_be_missing and not math.isfinite(metrics[metric]):
        raise ProblemError(f"{metrics[metric]} for {metric!r}, expected a finite number")
    return metrics


def sound(report: object, metric: str, *, after: int, until: int) -> Report:
    """Return a report that an own problem yielded, in plain floats; its epoch in (after, until].

    A metric that is missing or not finite is for its reader to judge. Raises `ProblemError` that
    says what came instead.
    """
    if not isinstance(report, Report):
        raise ProblemError(f"evaluate yielded {_described(report)} in its list, expected a Report")
    if not isinstance(report.metrics, Mapping):
        raise ProblemError(f"metrics is {_described(report.metrics)}, expected a dict of numbers")
    value = report.metrics.get(metric)
    if isinstance(value, NoValue):  # it stands for an epoch that was not reached
        return report
    if value is not None:
        value = _number(value, metric)
    epoch = report.epoch if type(report.epoch) is int else as_integer(report.epoch)
    if epoch is None or not after < epoch <= until:
        raise ProblemError(
            f"evaluate reported epoch {report.epoch} after epoch {after}, "
            f"expected one from {after + 1} to {until}"
        )
    seconds = None if report.seconds is None else _number(report.seconds, "seconds")
    if seconds is not None and not 0 <= seconds < math.inf:
        raise ProblemError(f"seconds is {seconds}, expected a number of seconds")
    clock = _number(report.clock, "clock")
    if not 0 <= clock < math.inf:
        raise ProblemError(f"clock is {clock}, expected seconds since the run began")
    metrics = {str(name): _number(item, str(name)) for name, item in report.metrics.items()}
    fields = {"epoch": epoch, "metrics": metrics, "seconds": seconds, "clock": clock}
    return with_fields(report, fields)


def can_stand(value: float | None, *, may_be_missing: bool) -> bool:
    """Return whether a report with this value is one, rather than the failure of its trial."""
    if isinstance(value, NoValue):
        return False
    return may_be_missing or (value is not None and math.isfinite(value))


def value_reason(metric: str, value: float | None, epoch: int) -> str:
    """Say what is wrong with a metric that is missing or not finite."""
    if isinstance(value, NoValue):
        return value.reason
    return f"{metric} is {'not reported' if value is None else value} at epoch {epoch}"


def _number(value: Any, name: str) -> float:
    if type(value) is float:  # the usual case, at each number of each report
        return value
    number = plain(value)
    if is_real(number):
        try:
            return float(number)
        except OverflowError:
            raise ProblemError(f"an integer too large for {cut(name, 80)!r}") from None
    raise ProblemError(f"{_described(number)} for {cut(name, 80)!r}, expected a number")


def _described(value: object) -> str:
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return f"the string {value[:40]!r}"
    return f"a {type(value).__name__}"


def shown(value: object) -> str:
    """Return how an object shows itself, shortened, whatever it does when it is asked."""
    try:
        return cut(repr(value), 80)
    except Exception:  # the user's own repr
        return f"a {type(value).__name__} that cannot be shown"


def cut(text: str, length: int) -> str:
    """Shorten a text to at most so many characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def blame(error: BaseException, f: object) -> str:
    """Say what went wrong and where: type, message, and the last line of the user's own code.

    At most a thousand characters, whatever the error's own methods do when they are asked.
    """
    what = cut(_message(error), 500)
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return what
    code = getattr(getattr(f, "func", f), "__code__", None)
    own = [frame for frame in frames if code is not None and frame.filename == code.co_filename]
    where = own[-1] if own else frames[-1]
    line = f": {cut(where.line, 200)}" if where.line else ""
    # The file's name without its folder: the reason is the same on every machine.
    place = f"{cut(PurePath(where.filename).name, 100)}:{where.lineno}, {cut(where.name, 100)}"
    return f"{what} ({place}{line})"


def _message(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception_only(error)).strip()
    except Exception:  # a type or attributes of the user's that cannot be read
        return f"{type(error).__name__} that cannot be shown"


class Conversation:
    """A function in a thread of its own that waits in `report` until it is let go on."""

    def __init__(self, call: Callable[[Push], Ending]) -> None:
        self._call = call
        self._said: SimpleQueue[Report | Ending] = SimpleQueue()
        self._answers: SimpleQueue[bool] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._is_waiting = False

    def advance(self) -> Report | Ending:
        """Let the function go on to its next report, or its end."""
        if self._is_waiting:
            self._answers.put(True)
        else:
            self._thread.start()
        said = self._said.get()
        self._is_waiting = isinstance(said, Report)
        return said

    def close(self) -> None:
        """Tell the function to return, and give it a moment to do so."""
        if self._is_waiting:
            self._is_waiting = False
            self._answers.put(False)
            self._thread.join(PATIENCE)

    def _run(self) -> None:
        self._said.put(self._call(self._push))

    def _push(self, report: Report) -> bool:
        self._said.put(report)
        return self._answers.get()
