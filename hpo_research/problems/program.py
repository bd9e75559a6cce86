"""A segment that a program trains: its job, and what the values and the end of that mean."""

import math
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from hpo_research.jobs import arguments
from hpo_research.jobs.endings import Ending, last_lines
from hpo_research.jobs.job import Job, Order
from hpo_research.jobs.metrics import EXACT, Metrics
from hpo_research.records import OPEN, Outcome, Report, Segment
from hpo_research.text import quoted
from hpo_research.threads import processors


class Facts(Protocol):
    """What is to be known of a script to run it: fields of `Script`."""

    @property
    def command(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def metric(self) -> str: ...  # noqa: D102
    @property
    def metrics(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def max_epochs(self) -> int | None: ...  # noqa: D102
    @property
    def statics(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def environment(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def channels(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def timeout_seconds(self) -> float | None: ...  # noqa: D102
    @property
    def grace_seconds(self) -> float: ...  # noqa: D102
    @property
    def is_script_mode(self) -> bool: ...  # noqa: D102


class Program:
    """A segment and the job that trains it, in a folder of its own.

    `reached` is the last epoch that was reported, or is known. `log` names the log in reasons.
    `is_timed` says whether what is kept of very many values may depend on when they came.
    """

    def __init__(
        self,
        script: Facts,
        segment: Segment,
        folder: Path,
        *,
        device: str = "cpu",
        inherited: Mapping[str, str],
        log: str = "",
        is_timed: bool = False,
    ) -> None:
        self.script = script
        self.segment = segment
        self.reached = segment.known
        self._log = log
        self._folder = folder
        self._device = device
        self._inherited = inherited
        self._has_value = True
        self._last_at: float | None = None
        self._held: Report | None = None
        exact = EXACT if segment.until >= OPEN else max(EXACT, segment.until)
        metrics = Metrics(script.metrics, script.metric, exact, is_timed=is_timed)
        self.job = Job(self._order(), metrics)

    def prepare(self) -> Job:
        """Make the folder, and return the job."""
        values = arguments.hyperparameters(self.segment.config, self.script.statics)
        file = {arguments.OBJECTIVE: self.script.metric, **arguments.texts(values)}
        arguments.prepare(self._folder, file)
        return self.job

    def take(self, most: int | None = None) -> list[Report]:
        """Return further reports, `most` at the most; none of epochs that are known."""
        values, until = self.job.values, self.segment.until
        reports: list[Report] = []
        while values and len(reports) != most:
            value = values.popleft()
            if value.epoch > until:
                continue
            seconds = value.at - (self._last_at or self.job.began or value.at)
            self._last_at = value.at
            self._has_value = math.isfinite(value.metrics[self.script.metric])
            is_failure = value.epoch == until and not self._has_value
            if value.epoch > self.segment.known and not is_failure:
                self.reached = value.epoch
                reports.append(Report(*self.segment.key, value.epoch, value.metrics, seconds))
        return reports

    def step(self) -> tuple[Report | None, Outcome | None] | None:
        """Return the next report, or how it ended, as if it had waited until now; None: not yet.

        The report at `until` comes with the outcome. Both are None where it was stopped.
        """
        is_over = self.job.is_over  # first: values come before it
        held = self._held or next(iter(self.take(1)), None)
        if held is not None and held.epoch < self.segment.until:
            self._held = None
            return held, None
        self._held = held
        if held is not None:
            self.job.values.clear()  # of later epochs
        if not is_over or self.job.values:
            return None
        outcome = self.outcome()
        is_good = outcome is not None and outcome.status != "failed"
        return (held if is_good else None), outcome

    @property
    def may_step(self) -> bool:
        """Whether there may be something since the last step."""
        return bool(self.job.values) or self.job.is_over

    def outcome(self) -> Outcome | None:
        """Return the outcome of a job that is over; None where it was stopped."""
        end, segment = self.job.end, self.segment
        epochs = self.job.metrics.epochs
        if end == "stopped":
            return None
        if end == "refused":
            return self._failed("JobFailed", f"it could not be started: {self.job.why}")
        if end == "lost":
            return self._failed("JobFailed", "the process that watches the programs was ended")
        if segment.until < self._last_epoch and epochs >= segment.until and self._has_value:
            # Whatever it did after that epoch, faster than it could be stopped.
            return Outcome(*segment.key, "paused", self.reached)
        if end == "exited" and self.job.status:
            return self._failed("JobFailed", _how(self.job.status), printed=True)
        if epochs < segment.until and end == "limit":
            limit = self.script.timeout_seconds
            reason = f"MaxRuntimeExceeded: it ran for more than {limit:g} seconds"
            return Outcome(*segment.key, "stopped", self.reached, reason)
        if not epochs or not self._has_value:
            return self._failed("ObjectiveFailed", self._without_value(), printed=not epochs)
        is_cut = end in ("reached", "limit")
        reason = "MaxResourceReached: it went on, and was stopped" if is_cut else ""
        return Outcome(*segment.key, "finished", self.reached, reason)

    @property
    def _last_epoch(self) -> int:
        return OPEN if self.script.max_epochs is None else self.script.max_epochs

    def _order(self) -> Order:
        script, segment = self.script, self.segment
        values = arguments.hyperparameters(segment.config, script.statics)
        if script.is_script_mode:
            values = arguments.decoded(values)
        variables = arguments.environment_of(
            values,
            self._folder,
            channels=script.channels,
            script_mode=script.is_script_mode,
            processors=processors(),
            gpus=int(self._device.startswith("cuda")),
        )
        seed = {"HPO_SEED": str(segment.stream.at("function").integer() % 2**32)}
        return Order(
            arguments.command_of(script.command, values, script_mode=script.is_script_mode),
            {**self._inherited, **variables, **seed, **script.environment},
            self._folder / "output.log",
            segment.until,
            script.timeout_seconds,
            script.grace_seconds,
            segment.until < self._last_epoch,
        )

    def _failed(self, ending: Ending, why: str, *, printed: bool = False) -> Outcome:
        job = self.job
        since = self._last_at or job.began
        seconds = 0.0 if since is None or job.ended is None else job.ended - since
        log = f"; log: {self._log}" if self._log else ""
        reason = f"{ending}: {why}{log}{self._printed() if printed else ''}"
        return Outcome(*self.segment.key, "failed", self.reached, reason, seconds=seconds)

    def _printed(self) -> str:
        lines = last_lines(self.job.order.log)
        return f"; it printed last:\n{lines}" if lines else "; it printed nothing"

    def _without_value(self) -> str:
        metric, metrics = self.script.metric, self.job.metrics
        if metrics.epochs:
            return f"the last value of {metric}, at epoch {metrics.epochs}, is no finite number"
        why = f"no line of its output matches {quoted(self.script.metrics[metric])}"
        if metric in metrics.unread:
            why = f"{metric} was printed as {quoted(metrics.unread[metric])}, which is no number"
        elif self.job.lines.has_long:
            why += ", of very long lines the first 10,000 characters"
        return f"it ended without a value of {metric}: {why}"


def _how(status: int) -> str:
    if status >= 0:
        return f"exit code {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    hint = " (the kernel does that when the machine is out of memory)" if status == -9 else ""
    return f"it was killed by {name}{hint}"
