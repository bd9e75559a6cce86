"""The user's own function as a problem: `f(config)` or `f(config, report)`."""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hpo_research.errors import ProblemError
from hpo_research.problems import files
from hpo_research.problems.protocol import Evaluation
from hpo_research.problems.reporting import (
    Conversation,
    Ending,
    Halt,
    NoValue,
    Push,
    Reporting,
    blame,
)
from hpo_research.records import Direction, Report, Segment
from hpo_research.space import SearchSpace

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


@dataclass(frozen=True)
class FunctionProblem:
    """The user's own function, trained in worker processes.

    `f(config)` returns the value of `metric`, or a dict of metrics that holds it. `f(config,
    report)` calls `report(epoch, value)` after each epoch, may leave epochs out, and returns when
    that gives False; it trains until `report.until`. What it returns counts as the report at
    `until` if it has not reported that epoch, and is ignored otherwise. A function that fails
    after its last report has failed: that report does not count.

    With `can_resume` it begins after epoch `report.start`: what it left in `report.folder` when
    it returned there is in the folder again. Without, it is trained from the beginning again.
    `report.seed` is a whole number that belongs to the trial, the same for every strategy.

    `timeout` is in seconds without any report or return; `memory`, in bytes or as `"2 GB"`, limits
    the resident memory of the process and its children, libraries included (a third of a
    gigabyte). Both need worker processes, as does surviving a crash; `workers` is how many, None
    for the executor's choice. These three are not part of what the problem is: an experiment goes
    on with others. What the function prints is dropped, but for the last line before a process
    dies.

    Raises `ProblemError`.
    """

    f: Callable[..., Any]
    space: SearchSpace
    metric: str = "loss"
    direction: Direction = "minimize"
    max_epochs: int = 1
    workers: int | None = field(default=None, metadata={"identity": False})
    timeout: float | None = field(default=None, metadata={"identity": False})
    memory: int | str | None = field(default=None, metadata={"identity": False})
    can_resume: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        """Check what was given, and name the problem after its function."""
        if not callable(self.f):
            raise ProblemError(f"FunctionProblem(f={self.f!r}): expected a function of a config")
        object.__setattr__(self, "name", self.name or _name(self.f))
        _check_counts(self)
        self.memory_bytes  # noqa: B018  (refuses an unreadable limit now)
        if not self.takes_report and self.max_epochs > 1:
            raise ProblemError(
                f"FunctionProblem({self.name}, max_epochs={self.max_epochs}): a function that "
                "trains for several epochs reports after each; write it as f(config, report) and "
                "call report(epoch, value), or leave max_epochs out"
            )
        if not self.takes_report and self.can_resume:
            raise ProblemError(
                f"FunctionProblem({self.name}, can_resume=True): only f(config, report) can "
                "resume, from report.folder after epoch report.start"
            )

    @property
    def optimum(self) -> float | None:
        """Not known."""
        return None

    @property
    def has_recorded_seconds(self) -> bool:
        """Its seconds are measured."""
        return False

    @cached_property
    def takes_report(self) -> bool:
        """Whether the function is `f(config, report)`."""
        return _takes_report(self.f, self.name)

    @cached_property
    def memory_bytes(self) -> int | None:
        """The memory limit in bytes."""
        return None if self.memory is None else _bytes(self.memory)

    def call(self, segment: Segment, push: Push, folder: Path | None = None) -> Ending:
        """Run the function over a segment, handing each report but the last to `push`.

        `push` says whether to go on. The last report is in the `Ending`, with the reason where
        the function failed. `KeyboardInterrupt` alone passes through.
        """
        report = Reporting(segment, push, metric=self.metric, folder=folder)
        arguments = (report,) if self.takes_report else ()
        try:
            report.finish(self.f(dict(segment.config), *arguments))
        except Halt:
            pass
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return Ending(report.reached, blame(error, self.f))
        return report.ending()

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Run the function in this process, trial by trial, without limits.

        A trial that fails reports `NoValue`, a NaN that says why. A function that hangs hangs the
        caller. `f(config)` runs in the calling thread, `f(config, report)` in one of its own.
        """
        del device  # the function chooses its own
        with TemporaryDirectory(prefix="hpo-") as place:
            trials = {}
            for index, segment in enumerate(segments):
                folder = Path(place) / str(index) if self.can_resume else None
                trials[segment.key] = _Trial(self, segment, folder)
            try:
                while trials:
                    dropped = (yield [trial.advance() for trial in trials.values()]) or ()
                    over = [k for k, trial in trials.items() if trial.has_ended or k in dropped]
                    for key in over:
                        trials.pop(key).close()
            finally:
                for trial in trials.values():
                    trial.close()


class _Trial:
    """One segment that is evaluated in this process."""

    def __init__(self, problem: FunctionProblem, segment: Segment, folder: Path | None) -> None:
        self._problem = problem
        self._segment = segment
        self._folder = folder
        self._talk: Conversation | None = None
        self.has_ended = False

    def advance(self) -> Report:
        """Return the next report, or one without a value where the function failed."""
        said = self._next()
        if isinstance(said, Report):
            return said
        self.has_ended = True
        if said.final is not None:
            return files.with_state(said.final, self._folder)
        value = NoValue(said.reason)
        return Report(*self._segment.key, said.epoch + 1, {self._problem.metric: value})

    def close(self) -> None:
        """Tell the function to return."""
        if self._talk is not None:
            self._talk.close()

    def _next(self) -> Report | Ending:
        if not self._problem.takes_report:
            return self._problem.call(self._segment, lambda report: True)
        if self._talk is None:
            if self._folder is not None:
                files.restore(self._segment.state, self._folder)
            self._talk = Conversation(self._call)
        return self._talk.advance()

    def _call(self, push: Push) -> Ending:
        try:
            return self._problem.call(self._segment, push, self._folder)
        except KeyboardInterrupt as error:  # not from the keyboard: that reaches the main thread
            return Ending(self._segment.start, blame(error, self._problem.f))


def _name(f: Callable[..., Any]) -> str:
    f = getattr(f, "func", f)  # functools.partial
    name = getattr(f, "__name__", type(f).__name__)
    return "function" if name == "<lambda>" else str(name)


def _takes_report(f: Callable[..., Any], name: str) -> bool:
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # some functions written in C say nothing of their arguments
        return False
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p for p in parameters if p.default is p.empty and p not in places]
    needed = [p for p in needed if p.kind is p.KEYWORD_ONLY]
    needed += [p for p in places[2:] if p.default is p.empty]
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if needed or not (places or takes_any):
        raise ProblemError(
            f"FunctionProblem({name}): expected f(config) or f(config, report), got "
            f"{name}{inspect.signature(f)}; bind the other arguments with functools.partial"
        )
    second = places[1] if len(places) > 1 else None
    return second is not None and (second.default is second.empty or second.name == "report")


def _check_counts(problem: FunctionProblem) -> None:
    if problem.direction not in ("minimize", "maximize"):
        raise ProblemError(
            f"FunctionProblem(direction={problem.direction!r}): expected 'minimize' or 'maximize'"
        )
    for name in ("max_epochs", "workers"):
        count = getattr(problem, name)
        is_whole = isinstance(count, int) and not isinstance(count, bool)
        if count is not None and not (is_whole and count >= 1):
            raise ProblemError(
                f"FunctionProblem({name}={count!r}): expected a whole number, at least 1"
            )
    if problem.timeout is not None and not problem.timeout > 0:
        raise ProblemError(
            f"FunctionProblem(timeout={problem.timeout!r}): expected seconds above 0, or None"
        )


def _bytes(memory: int | str) -> int:
    text = str(memory).strip().lower()
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?", text)
    unit = None if match is None else {**_UNITS, **_BINARY}.get(match[2])
    if match is None or unit is None or float(match[1]) == 0:
        raise ProblemError(
            f"FunctionProblem(memory={memory!r}): expected bytes, or text such as '2 GB' or "
            "'512 MiB'"
        )
    return int(float(match[1]) * unit)
