"""Execution of programs: each trial is a process group of its own, and holds its slot until gone.

A job's folder is `jobs/NNN/` of the results folder, `jobs/run-R/NNN/` for the runs after the
first: its log `output.log`, `input/config/hyperparameters.json`, and `model/` for what it saves.

A stopped program gets SIGTERM, and SIGKILL after its grace, with all that it has started; a poll
names it in `ended` when nothing of it is left. What its exit code is, and what it printed, says
how the trial ends: `jobs.endings`.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from os import environ
from pathlib import Path
from tempfile import TemporaryDirectory

from hpo_research.errors import StoreWriteError
from hpo_research.executors.processes.process_tree import ProcessId, identity
from hpo_research.executors.protocol import Poll
from hpo_research.jobs.jobs import Jobs
from hpo_research.problems.program import Program
from hpo_research.problems.script import Script
from hpo_research.records import Key, Outcome, Report, Segment
from hpo_research.threads import processors

FIRST_RUN = 1
MOST = 1000
"""How many reports of a trial one poll brings at most."""


def place(run: int, trial: int) -> Path:
    """Return the folder of a trial's job within the results folder."""
    number = f"{trial:03d}"
    return Path("jobs", number) if run == FIRST_RUN else Path("jobs", f"run-{run}", number)


def ignore(process: ProcessId) -> None:
    """Take no note of a process."""


class ScriptExecutor:
    """Trains segments by a program, `workers` of them at once.

    Asynchronously a poll returns as soon as there is something, all that came since; `workers`
    None: as many as there are segments. In lock-step a poll advances every trial by one report.
    Programs cannot wait: one that has begun runs ahead, and its later reports are kept for later
    polls; one that has not begun, because `workers` run, is waited for. Numbers are then the same
    whenever they are printed; a strategy that stops trials spares less.

    `folder` is the results folder, None for one that is removed in the end; `inherited` is the
    environment of programs beneath what they are told; `on_start` is told of the process that
    starts them, whose children they are. Raises `StoreWriteError` where a job's folder cannot be
    written, `MachineError` where there is no process to be had.
    """

    def __init__(
        self,
        script: Script,
        *,
        folder: Path | None = None,
        lock_step: bool = True,
        device: str = "cpu",
        inherited: Mapping[str, str] = environ,
        on_start: Callable[[ProcessId], None] = ignore,
    ) -> None:
        self._script = script
        self._lock_step = lock_step
        self._device = device
        self._inherited = inherited
        self._on_start = on_start
        workers = script.workers or (processors() if lock_step else None)
        self._jobs = Jobs(workers, self._remember, inherited)
        self._scratch = None if folder is not None else TemporaryDirectory(prefix="hpo-")
        self._folder = folder or Path(self._scratch.name if self._scratch else "")
        self._running: dict[Key, Program] = {}
        self._stopped: set[Key] = set()
        self._owed: set[Key] = set()  # those that have not advanced yet in this poll
        self._reports: list[Report] = []
        self._outcomes: list[Outcome] = []
        self._ended: list[Key] = []

    def submit(self, segments: Sequence[Segment]) -> None:
        """Take work; programs begin at once where there is room, in order of trials."""
        for segment in sorted(segments, key=lambda own: own.key):
            where = place(segment.run, segment.trial)
            program = Program(
                self._script,
                segment,
                self._folder / where,
                device=self._device,
                inherited=self._inherited,
                log="" if self._scratch else str(where / "output.log"),
                is_timed=not self._lock_step,
            )
            try:
                job = program.prepare()
            except OSError as error:
                raise StoreWriteError(
                    f"{self._folder / where}: the folder of a job cannot be written ({error}); "
                    "make room or allow it, and run it again to resume"
                ) from error
            self._running[segment.key] = program
            self._jobs.submit(job)

    def stop(self, trials: Collection[Key]) -> None:
        """Let running trials end; unknown names, of trials that have ended, are ignored."""
        for key in sorted(self._running.keys() & trials):
            self._stopped.add(key)
            self._jobs.stop(self._running[key].job)

    def poll(self, timeout: float | None = None) -> Poll:
        """Wait for the next reports and outcomes, at most `timeout` seconds.

        In lock-step nothing is returned before every trial has advanced; a poll that runs out of
        time returns nothing and the next one goes on with it.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        if self._lock_step and not self._owed:
            self._owed = set(self._running)
        while True:
            for key in sorted(self._owed if self._lock_step else self._running):
                self._advance(key)
            if self._is_done():
                return self._collected()
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return Poll()
            self._jobs.wait(self._may_advance, left)

    def close(self) -> None:
        """End every process; nothing stays behind."""
        self._jobs.close()
        if self._scratch is not None:
            self._scratch.cleanup()
        self._running, self._stopped, self._owed = {}, set(), set()
        self._reports, self._outcomes, self._ended = [], [], []

    def _remember(self, pid: int) -> None:
        known = identity(pid)
        if known is not None:
            self._on_start(known)

    def _advance(self, key: Key) -> None:
        program, is_stopped = self._running[key], key in self._stopped
        if not self._lock_step:
            is_over = program.job.is_over  # first: values come before it
            self._reports += program.take(MOST)
            if is_over and not program.job.values:
                self._end(key, program.outcome())
            return
        if is_stopped:  # it ran ahead: what it says from here on depends on when it was stopped
            if program.job.is_over:
                self._end(key, None)
            return
        step = program.step()
        if step is None:
            return
        report, outcome = step
        self._owed.discard(key)
        if report is not None:
            self._reports.append(report)
        if outcome is not None:
            self._end(key, outcome)

    def _end(self, key: Key, outcome: Outcome | None) -> None:
        if outcome is None:
            self._ended.append(key)
        else:
            self._outcomes.append(outcome)
        del self._running[key]
        self._stopped.discard(key)
        self._owed.discard(key)

    def _is_done(self) -> bool:
        if self._lock_step:
            return not self._owed
        return bool(self._reports or self._outcomes or self._ended) or not self._running

    def _may_advance(self) -> bool:
        keys = self._owed if self._lock_step else self._running
        return any(
            self._running[key].job.is_over
            or ((key not in self._stopped or not self._lock_step) and self._running[key].may_step)
            for key in keys
        )

    def _collected(self) -> Poll:
        reports, outcomes, ended = self._reports, self._outcomes, self._ended
        self._reports, self._outcomes, self._ended = [], [], []
        return Poll(
            tuple(sorted(reports, key=lambda report: (report.key, report.epoch))),
            tuple(sorted(outcomes, key=lambda outcome: outcome.key)),
            tuple(sorted(ended)),
        )
