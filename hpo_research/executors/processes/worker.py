"""A worker: the process that trains one segment at a time and waits in each report."""

import contextlib
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import psutil
from numpy import random as numpy_random

from hpo_research.device import release
from hpo_research.errors import ProblemError, StateError
from hpo_research.executors.processes import scripts
from hpo_research.executors.processes.channel import Channel
from hpo_research.executors.processes.messages import (
    Answer,
    Ended,
    FromWorker,
    Heartbeat,
    Ready,
    Reported,
    Work,
    say,
    told,
)
from hpo_research.executors.states import begun, taken, unkept
from hpo_research.problems import files
from hpo_research.problems.function import FunctionProblem, function_of
from hpo_research.problems.protocol import Problem, has_missing_values, last_epoch
from hpo_research.problems.reporting import blame, can_stand, sound, value_reason
from hpo_research.records import Report, Segment

STATE_SECONDS = 30.0
"""How often a state is sent along with a report, so that checkpoints can be kept."""

LEFT = 113
"""The exit code of a worker that finds its channel closed."""


def serve(channel: Channel, pickled: bytes, device: str) -> None:
    """Load the problem, then train one segment after another until the channel is closed."""
    # Forked processes would all draw the same numbers from NumPy's global generator. A function
    # that uses it must not see its neighbours.
    numpy_random.seed()
    try:
        problem = scripts.loads(pickled)
    except Exception as error:  # the user's modules run here
        say(channel, Ready(f"the worker could not load the function: {blame(error, None)}"))
        return
    say(channel, Ready())
    with contextlib.suppress(EOFError, ConnectionError):  # the executor has no more work
        while True:
            work: Work = told(channel)
            _Turn(channel, problem, work.segment, device).train()
            release()  # or what a trial took of a GPU's memory is kept from other workers


class _Turn:
    """One segment in this worker, from its first epoch to its end."""

    def __init__(self, channel: Channel, problem: Problem, segment: Segment, device: str) -> None:
        self._channel = channel
        self._problem = problem
        self._may_be_missing = has_missing_values(problem)
        self._segment = segment
        self._device = device
        self._process = os.getpid()
        self._reached = segment.start
        self._has_value = True
        self._may_resume = problem.can_resume and segment.until < last_epoch(problem.max_epochs)
        self._sent_state = time.monotonic()

    def train(self) -> None:
        """Train the segment and say how it ended."""
        try:
            if isinstance(self._problem, FunctionProblem):
                ended = self._call(self._problem)
            else:
                ended = self._evaluate()
        # What the user's code raises, sys.exit and KeyboardInterrupt included, becomes a reason.
        except BaseException as error:
            function = function_of(self._problem)
            ended = self._ended(self._reached, blame(error, function and function.f))
        is_spent = bool(psutil.Process().children())
        self._send(replace(ended, is_spent=is_spent))

    def _call(self, problem: FunctionProblem) -> Ended:
        folder = None
        if problem.can_resume and self._segment.folder is not None:
            folder = Path(self._segment.folder) / "files"
            files.restore(self._segment.state, folder)
        ending = problem.call(self._segment, self._push, folder)
        if ending.final is None:
            ended = self._ended(ending.epoch, ending.reason)
            return replace(ended, has_finished=ending.has_finished)
        ended = replace(self._final(ending.final), has_finished=ending.has_finished)
        if folder is not None:
            shutil.rmtree(folder)
        return ended

    def _evaluate(self) -> Ended:
        began = time.perf_counter()
        evaluation = self._problem.evaluate([begun(self._segment)], self._device)
        for reports in evaluation:
            seconds = time.perf_counter() - began
            if not reports and self._problem.max_epochs is None:
                break
            try:
                (report,) = reports
                metric, until = self._problem.metric, self._segment.until
                report = sound(report, metric, after=self._reached, until=until)
            except ProblemError as error:
                evaluation.close()
                return self._ended(self._reached, str(error), seconds=seconds)
            if report.seconds is None:
                report = replace(report, seconds=seconds)
            value = report.metrics.get(self._problem.metric)
            may_be_missing = self._may_be_missing and report.epoch < self._segment.until
            if not can_stand(value, may_be_missing=may_be_missing):
                evaluation.close()
                reason = value_reason(self._problem.metric, value, report.epoch)
                return self._ended(self._reached, reason, seconds=report.seconds)
            self._has_value = can_stand(value, may_be_missing=False)
            if report.epoch >= self._segment.until:
                ended = self._final(report)
                evaluation.close()
                return ended
            if not self._push(report):
                evaluation.close()
                return self._ended(report.epoch)
            began = time.perf_counter()
        return self._silent()

    def _silent(self) -> Ended:
        """Say that the problem reports nothing more."""
        until, reached = self._segment.until, self._reached
        if self._problem.max_epochs is not None:
            reason = f"the problem ended at epoch {reached}, before epoch {until}"
            return self._ended(reached, reason)
        if reached and self._has_value:
            return replace(self._ended(reached), has_finished=True)
        return self._ended(reached, value_reason(self._problem.metric, None, reached))

    def _final(self, report: Report) -> Ended:
        plain = replace(report, state=None)
        if not self._may_resume:
            return self._ended(report.epoch, final=Reported(plain))
        try:
            state = taken(report)
        except StateError as error:  # nothing could go on from here
            return self._ended(self._reached, unkept(report, error), seconds=report.seconds)
        return self._ended(report.epoch, final=Reported(plain, state))

    def _push(self, report: Report) -> bool:
        self._reached = report.epoch
        if report.epoch <= self._segment.known:
            self._send(Heartbeat(report.key, report.epoch))
            return True
        is_due = time.monotonic() - self._sent_state > STATE_SECONDS
        if report.state is not None and is_due and self._problem.can_resume:
            self._send(_said(report))
            self._sent_state = time.monotonic()
        else:
            self._send(Reported(replace(report, state=None)))
        return self._answer()

    def _ended(
        self,
        epoch: int,
        reason: str = "",
        *,
        final: Reported | None = None,
        seconds: float | None = None,
    ) -> Ended:
        return Ended(self._segment.key, epoch, reason, final, seconds)

    def _answer(self) -> bool:
        try:
            answer: Answer = told(self._channel)
        except (EOFError, OSError):
            _leave()
        return answer.goes_on

    def _send(self, message: FromWorker) -> None:
        if os.getpid() != self._process:  # a fork that the user's function let run on
            os._exit(0)
        try:
            say(self._channel, message)
        except OSError:
            _leave()


def _leave() -> NoReturn:
    """End this process: the executor is gone, or the user's function has closed the channel."""
    os._exit(LEFT)


def _said(report: Report) -> Reported:
    plain = replace(report, state=None)
    try:
        state = taken(report)
    except StateError as error:
        return Reported(plain, unkept=str(error))
    return Reported(plain, state)
