"""The user's own function as a problem: `f(config)` or `f(config, report)`."""

import inspect
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from hpo_research import habits, options
from hpo_research.errors import ProblemError
from hpo_research.problems import files
from hpo_research.problems.protocol import Evaluation, Problem
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
from hpo_research.text import is_one_of, name_mistake, quoted

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


@habits.answering
@dataclass(frozen=True)
class FunctionProblem:
    """The user's own function, trained in worker processes.

    `f(config)` returns the value of `metric`, or a dict of metrics that holds it; where it has no
    name it is called `loss`, or `value` where higher is better. `f(config, report)` calls
    `report(epoch, value)` after each epoch, may leave epochs out, and returns when that gives
    False; it trains until `report.until`. What it returns counts as the report at `until` if it has
    not reported that epoch, and is ignored otherwise. With `max_epochs=None` the length is open: a
    trial is finished at the last epoch that it reports, when the function returns; what it returns
    counts, as epoch 1, where it has reported none. A function that fails after its last report has
    failed: that report does not count. A value that is None, NaN or infinite fails the trial; with
    `has_missing_values` only at `until`: reported before, it is stored as missing, and the trial
    goes on.

    With `can_resume` it begins after epoch `report.start`: the files that were in `report.folder`
    when it returned there are in the folder again. Without, it is trained from the beginning
    again. A function that writes its files *before* it reports an epoch, from its first report
    on, also goes on from such an epoch when the experiment was killed: while it waits in a report
    its folder is copied, about once a minute. One that writes them after a report, or only at its
    end, goes on from where it returned last. `report.seed` is an integer that belongs to the
    trial, the same for every strategy.

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
    metric: str = cast(str, None)  # where it is not given, it has a name once this is made
    direction: Direction = "minimize"
    max_epochs: int | None = 1
    workers: int | None = field(default=None, metadata={"identity": False})
    timeout: float | None = field(default=None, metadata={"identity": False})
    memory: int | str | None = field(default=None, metadata={"identity": False})
    can_resume: bool = False
    name: str = ""
    has_missing_values: bool = field(default=False, metadata={"identity": False})

    def __post_init__(self) -> None:
        """Check what was given, and name the problem after its function."""
        mistakes = options.Mistakes("FunctionProblem")
        _check_function(self, mistakes)
        if self.metric is None:
            named = "value" if is_one_of(self.direction, ("maximize",)) else "loss"
            object.__setattr__(self, "metric", named)
        if mistake := name_mistake(self.metric):
            mistakes.add(f"(metric={quoted(self.metric)}): metric {mistake}")
        mistakes.check_all(self, _RULES)
        mistakes.refuse(ProblemError)
        object.__setattr__(self, "name", self.name or _name(self.f))

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
        return _takes_report(self.f)

    @cached_property
    def memory_bytes(self) -> int | None:
        """The memory limit in bytes."""
        return _bytes(self.memory)

    def call(self, segment: Segment, push: Push, folder: Path | None = None) -> Ending:
        """Run the function over a segment, handing each report but the last to `push`.

        `push` says whether to go on. The last report is in the `Ending`, with the reason where
        the function failed. `KeyboardInterrupt` alone passes through.
        """
        report = Reporting(
            segment,
            push,
            metric=self.metric,
            folder=folder,
            may_be_missing=self.has_missing_values,
            is_open=self.max_epochs is None,
        )
        arguments = (report,) if self.takes_report else ()
        try:
            report.finish(self.f(dict(segment.config), *arguments))
        except Halt as halt:
            if halt.by is not report:
                reason = f"the report of another trial was called: {blame(halt, self.f)}"
                return Ending(report.reached, reason)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            hint = habits.in_config(error, segment.config)
            return Ending(report.reached, blame(error, self.f) + hint)
        finally:
            report.close()
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
                folder = Path(segment.folder or Path(place, str(index)), "files")
                trials[segment.key] = _Trial(self, segment, folder if self.can_resume else None)
            try:
                while trials:
                    said = [trial.advance() for trial in trials.values()]
                    dropped = (yield [report for report in said if report is not None]) or ()
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

    def advance(self) -> Report | None:
        """Return the next report, or one without a value where the function failed.

        None where a trial of open length has finished.
        """
        said = self._next()
        if isinstance(said, Report):
            return said
        self.has_ended = True
        if said.final is not None or said.has_finished:
            return said.final
        value = NoValue(said.reason)
        return Report(*self._segment.key, said.epoch + 1, {self._problem.metric: value})

    def close(self) -> None:
        """Tell the function to return, and remove its folder."""
        if self._talk is not None:
            self._talk.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

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


def function_of(problem: Problem) -> FunctionProblem | None:
    """Return the user's function inside a problem and its wrappers, None where there is none."""
    inner: object = problem
    while inner is not None and not isinstance(inner, FunctionProblem):
        inner = getattr(inner, "problem", None)
    return inner


def _signature(f: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(f)
    except (TypeError, ValueError):  # some functions written in C say nothing of their arguments
        return None


def _places(signature: inspect.Signature | None) -> list[inspect.Parameter]:
    parameters = [] if signature is None else signature.parameters.values()
    return [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _takes_report(f: Callable[..., Any]) -> bool:
    places = _places(_signature(f))
    second = places[1] if len(places) > 1 else None
    return second is not None and (second.default is second.empty or second.name == "report")


def _can_be_called(signature: inspect.Signature) -> bool:
    places = _places(signature)
    parameters = signature.parameters.values()
    others = [*places[2:], *(p for p in parameters if p.kind is p.KEYWORD_ONLY)]
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return bool(places or takes_any) and all(p.default is not p.empty for p in others)


def _check_function(problem: FunctionProblem, mistakes: options.Mistakes) -> None:
    """Check the function, and it beside the other arguments."""
    f, name = problem.f, problem.name
    if not (isinstance(name, str) and name == "") and (mistake := name_mistake(name)):
        mistakes.add(f"(name={quoted(name)}): name {mistake}")
        name = ""
    if not callable(f):
        mistakes.add(f"(f={quoted(f)}): f must be a function of a config")
        return
    name = name or _name(f)
    signature = _signature(f)
    if signature is not None and not _can_be_called(signature):
        mistakes.add(
            f"({name}): expected f(config) or f(config, report), got "
            f"{name}{signature}; bind the other arguments with functools.partial"
        )
        return
    if problem.takes_report:
        return
    if options.is_integer(problem.max_epochs) and problem.max_epochs > 1:
        mistakes.add(
            f"({name}, max_epochs={problem.max_epochs}): a function that "
            "trains for several epochs reports after each; write it as f(config, report) and "
            "call report(epoch, value), or leave max_epochs out"
        )
    if problem.can_resume is True:
        mistakes.add(
            f"({name}, can_resume=True): only f(config, report) can "
            "resume, from report.folder after epoch report.start"
        )


def _memory(memory: object) -> str:
    return "" if _bytes(memory) else "bytes, or a string such as '2 GB' or '512 MiB'"


_RULES: Mapping[str, options.Rule] = {
    "space": options.instance(SearchSpace, "a SearchSpace; make one, SearchSpace(x=Float(0, 1))"),
    "direction": options.DIRECTION,
    "max_epochs": options.optional(options.whole()),
    "workers": options.optional(options.whole()),
    "timeout": options.optional(options.number("number of seconds", above=0)),
    "memory": options.optional(_memory),
    "can_resume": options.flag,
    "has_missing_values": options.flag,
}


def _bytes(memory: object) -> int | None:
    if isinstance(memory, bool) or not isinstance(memory, int | str):
        return None
    text = memory.strip().lower() if isinstance(memory, str) else f"{min(memory, 2**63)}"
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?", text)
    unit = None if match is None else {**_UNITS, **_BINARY}.get(match[2])
    size = 0.0 if match is None or unit is None else float(match[1]) * unit
    return int(size) if 0 < size < 2**63 else None
