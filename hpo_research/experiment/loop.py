"""The loop: the only place where asks, training and storing meet.

A turn is: poll; one transaction (reports and outcomes); every run that got rows is asked; one
transaction (all asks of the turn); stop and submit. A process killed between any two statements
goes on, at the next call, with the same numbers: the store is the state.
"""

import json
import time
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from hpo_research import habits, states
from hpo_research.analysis.result import Result
from hpo_research.device import Compute, resolve, used
from hpo_research.errors import ExperimentError, ProblemError, StateError
from hpo_research.executors.choice import executor_for
from hpo_research.executors.protocol import Executor, Poll
from hpo_research.executors.remembered import RememberingExecutor
from hpo_research.executors.states import taken, unkept
from hpo_research.experiment.attempts import begin, lost
from hpo_research.experiment.ending import Reason, Rule, ending, granted, never, with_stops
from hpo_research.experiment.experiment import Experiment, parallel_of
from hpo_research.experiment.provenance import Source
from hpo_research.experiment.served import served
from hpo_research.experiment.session import Session, open_experiment
from hpo_research.experiment.shards import AsShard, place
from hpo_research.experiment.turn import Turn, is_over
from hpo_research.ledger import AskRow, Ledger
from hpo_research.paths import Given
from hpo_research.progress.showing import Showing, Watch, asked_for, shown
from hpo_research.progress.standing import Progress
from hpo_research.progress.standing import progress as progress_of
from hpo_research.records import Key, Outcome, Report, Segment, Stop, with_fields
from hpo_research.rng import Stream
from hpo_research.store import Store, requests
from hpo_research.store.checkpoints import Name
from hpo_research.text import quoted
from hpo_research.threads import limited

Row = TypeVar("Row", Report, Outcome)
_CHECKPOINT_SECONDS = 60.0
_POLL_SECONDS = 0.1
_WATCH_SECONDS = 0.2


@habits.function
def run(
    experiment: Experiment,
    *,
    out: Given | None = None,
    device: str = "auto",
    threads: int = 1,
    progress: Showing = "auto",
    watch: Watch | None = None,
    source: Source | None = None,
    ends: Rule = never,
    shard: AsShard | None = None,
) -> Result:
    """Run an experiment, or go on where it stopped, and return what is known at the end.

    `out` is the results folder, `results/NAME` by default; `device` is `auto`, `cpu` or `cuda:N`;
    `threads` is how many each process may use (numbers repeat bit for bit with one). `progress`
    (once `watch`) says where it is shown: `"auto"` at a terminal and in a notebook, True elsewhere
    too, False nowhere; or it is called with a `Progress` a few times a second, and at the end.
    `source` is the file that the experiment was read from, stored for the report; `ends` is called
    with every run while it trains, and says why it is to end now, as `deadline(seconds)` does, or
    an empty string. `shard="2/8"` runs the second of eight parts, in `shards/2-of-8` of the folder.
    Raises `StoreLockedError` where another process runs the folder, `ExperimentError` where the
    stored experiment differs, `StoreWriteError` where the disk refuses a write, `MachineError`
    where there is no process or file descriptor left for a worker. A failure stops no others.
    `KeyboardInterrupt` (Ctrl-C) ends all that was started and passes on, saying how to go on.
    """
    if not isinstance(experiment, Experiment):
        raise ExperimentError(f"run: expected an Experiment, got {quoted(experiment)}")
    compute, showing = Compute(resolve(device), threads), asked_for("run", progress, watch)
    with Store.write(place(out, experiment, shard)) as store:
        try:
            with shown(showing) as told:
                execute(experiment, store, compute, told, source=source, ends=ends, shard=shard)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"{experiment.name} was interrupted; completed work is stored in {store.folder}: "
                "run it again to resume"
            ) from None
        return Result.of(store)


def execute(
    experiment: Experiment,
    store: Store,
    compute: Compute,
    watch: Watch | None = None,
    *,
    source: Source | None = None,
    ends: Rule = never,
    shard: AsShard | None = None,
) -> None:
    """Run an experiment, or a shard of it, in an open store."""
    session = open_experiment(experiment, store, compute.device, source=source, shard=shard)
    with limited(compute.threads), used(compute.device):
        loop = Loop(experiment, store, session, compute, ends=ends)
        try:
            loop.run(watch)
        finally:
            loop.close()


class Loop:
    """An experiment that is running: its books, its executors, its clock."""

    def __init__(
        self,
        experiment: Experiment,
        store: Store,
        session: Session,
        compute: Compute,
        *,
        ends: Rule = never,
    ) -> None:
        self._ends = ends
        self._experiment = experiment
        self._store = store
        self._session = session
        self._ledgers = session.ledgers
        self._turn = Turn(store, session.ledgers)
        self._checkpoints = session.checkpoints
        self._over: set[int] = set()
        self._left = {(run, t) for run, ledger in self._ledgers.items() for t in ledger.stopping}
        now = time.monotonic()
        self._began = {run: now - ledger.clock for run, ledger in self._ledgers.items()}
        self._saved_at: dict[Key, float] = {}
        self._watched_at = 0.0
        self._executors: dict[str, Executor] = {}
        for problem in experiment.problems:
            executor = executor_for(problem, experiment.execution, compute, store)
            if session.known:
                executor = RememberingExecutor(executor, session.known, problem)
            self._executors[problem.name] = executor

    def close(self) -> None:
        """End every executor; nothing stays behind."""
        for executor in self._executors.values():
            executor.close()

    def run(self, watch: Watch | None) -> None:
        """Turn until no run has anything running."""
        left = [
            self._segment(run, trial)
            for run, ledger in self._ledgers.items()
            for trial in ledger.open
            if trial not in ledger.stopping
        ]
        self._submit(self._attempted(left, were_running=True))
        self._ask(self._session.ready, self._session.answer)
        while True:
            has_ended = not any(ledger.open for ledger in self._ledgers.values())
            if watch is not None and (has_ended or time.monotonic() >= self._watched_at):
                watch(self._progress())
                self._watched_at = time.monotonic() + _WATCH_SECONDS
            if has_ended:
                return
            self._ask(self._poll())

    # -- asking

    def _ask(self, ready: Collection[int], texts: Mapping[str, str] | None = None) -> None:
        """Ask the runs that are ready, end those that are to end, and act on all of it."""
        wanted = ending(self._store.folder, self._session.names, self._ledgers, self._ends)
        ready = {*ready, *wanted.stops}
        if not ready and not wanted.reasons:
            requests.done(wanted.answered)
            return
        rows, over = self._ended(ready, wanted.reasons)
        runs = sorted(set(ready) - {row.run for row in rows})
        for name, strategy in self._experiment.strategies.items():
            ledgers = [self._ledgers[i] for i in runs if self._session.names[i].strategy == name]
            if not ledgers:
                continue
            parallel = parallel_of(self._experiment, strategy)
            slots = [self._slots(ledger, parallel) for ledger in ledgers]
            began = time.perf_counter()
            names = [self._session.names[ledger.info.id] for ledger in ledgers]
            queues = self._experiment.queues
            asks = served(strategy, queues, names=names, ledgers=ledgers, slots=slots)
            seconds = (time.perf_counter() - began) / len(ledgers)
            for ledger, ask in zip(ledgers, asks, strict=True):
                ask = with_stops(ask, wanted.stops.get(ledger.info.id, ()))
                row = granted(self._ends, ledger, ask, self._clock(ledger), seconds)
                rows.append(row)
                if is_over(ledger, row):
                    over.append(ledger.info.id)
        rows.sort(key=lambda row: row.run)
        self._turn.ask(rows, over, texts)
        requests.done(wanted.answered)
        self._over.update(over)
        self._over.difference_update(row.run for row in rows if row.grants)
        self._forget_paused(over)
        self._act(rows)

    def _ended(
        self, ready: Collection[int], reasons: Mapping[int, Reason]
    ) -> tuple[list[AskRow], list[int]]:
        """Return the rows of runs that end now or have been ended, and which of them are over."""
        now = {run: self._ledgers[run] for run in reasons}
        before = {run: self._ledgers[run] for run in ready if self._ledgers[run].ended}
        rows = [ledger.end(*reasons[run], clock=self._clock(ledger)) for run, ledger in now.items()]
        rows += [AskRow(run) for run in before]
        return rows, [run for run, ledger in {**now, **before}.items() if not ledger.open]

    def _slots(self, ledger: Ledger, parallel: int | None) -> int:
        if self._experiment.execution == "lock-step" and ledger.open:
            return 0
        return ledger.slots(parallel)

    def _act(self, rows: Sequence[AskRow]) -> None:
        stops: dict[str, list[Key]] = {}
        segments = []
        for row in rows:
            problem = self._session.names[row.run].problem
            for grant in row.grants:
                if isinstance(grant, Stop):
                    stops.setdefault(problem, []).append((row.run, grant.trial))
            segments += [self._segment(row.run, trial) for trial in row.begun]
        for problem, keys in stops.items():
            self._executors[problem].stop(keys)
        self._submit(self._attempted(segments))

    def _attempted(self, work: Sequence[Segment], *, were_running: bool = False) -> list[Segment]:
        """Return segments; in place of lost ones, where time is real, the trials' next attempts."""
        anew = set[Key]()
        if self._experiment.execution == "asynchronous":
            anew = lost(work, self._ledgers, self._checkpoints, were_running=were_running)
        if anew:
            texts = None
            if were_running:  # the last poll is unanswered still
                unanswered = self._session.unanswered | self._session.ready
                self._session = replace(self._session, unanswered=unanswered)
                texts = {"unanswered": json.dumps(sorted(unanswered))}
            begin(self._turn, self._checkpoints, anew, self._clock, texts)
        return [self._segment(*own.key) if own.key in anew else own for own in work]

    def _submit(self, segments: Sequence[Segment]) -> None:
        by_problem: dict[str, list[Segment]] = {}
        for segment in segments:
            problem = self._session.names[segment.run].problem
            by_problem.setdefault(problem, []).append(segment)
            self._saved_at[segment.key] = time.monotonic()
        for problem, batch in by_problem.items():
            self._executors[problem].submit(batch)

    def _segment(self, run: int, number: int) -> Segment:
        ledger = self._ledgers[run]
        trial, running = ledger.trials[number], ledger.open[number]
        begin, state = 0, None
        if ledger.info.can_resume:
            begin, state = self._checkpoints.load((run, number), ledger.known(number))
        return Segment(
            run,
            number,
            trial.config,
            running.until,
            Stream(ledger.info.seed).at("trial", number),
            start=begin,
            attempt=running.attempt,
            known=ledger.known(number),
            begun=running.clock,
            folder=self._checkpoints.folder((run, number)),
            state=state,
        )

    # -- polling

    def _poll(self) -> set[int]:
        """Poll, store what came, and return the runs that got rows."""
        reports, outcomes = self._gather()
        written = self._save(reports, outcomes)
        ready = self._turn.poll(reports, outcomes, written)
        self._checkpoints.forget([o.key for o in outcomes if o.status != "paused"])
        return ready

    def _gather(self) -> tuple[list[Report], list[Outcome]]:
        # A stop that was stored by a process that is gone: nobody is left who could say more.
        left, self._left = self._left, set()
        polls = self._polls(sorted(self._busy(left)), may_wait=not left)
        fresh = [
            report
            for poll in polls
            for report in poll.reports
            if report.epoch > self._reached(report.key)
        ]
        reached = {report.key: report.epoch for report in fresh}
        stopped = [
            Outcome(*key, "stopped", reached.get(key) or self._reached(key))
            for key in left.union(*(poll.ended for poll in polls))
        ]
        outcomes = [*stopped, *(outcome for poll in polls for outcome in poll.outcomes)]
        return (
            sorted(map(self._dated, fresh), key=lambda report: (report.key, report.epoch)),
            sorted(map(self._dated, outcomes), key=lambda outcome: outcome.key),
        )

    def _reached(self, key: Key) -> int:
        return self._ledgers[key[0]].known(key[1])

    def _busy(self, left: Collection[Key]) -> set[str]:
        """Return the problems to poll: those of running trials, stopped ones but `left` included.

        On a simulated clock a stop frees its slot at the moment it was decided, not an event later:
        nothing else is polled before.
        """
        open_keys = {(run, t) for run, ledger in self._ledgers.items() for t in ledger.open}
        stopping = {(run, t) for run, ledger in self._ledgers.items() for t in ledger.stopping}
        is_stop_first = bool(stopping) and self._experiment.execution == "simulated"
        wanted = (stopping if is_stop_first else open_keys).difference(left)
        return {self._session.names[run].problem for run, _ in wanted}

    def _polls(self, problems: Sequence[str], *, may_wait: bool) -> list[Poll]:
        """Poll every problem; wait, in short turns, only where none has anything yet."""
        polls = [self._executors[name].poll(0.0) for name in problems]
        if may_wait and all(poll.is_empty for poll in polls):
            wait = _POLL_SECONDS / max(len(problems), 1)
            polls = [self._executors[name].poll(wait) for name in problems]
        return polls

    def _dated(self, row: Row) -> Row:
        return (
            row if row.clock else with_fields(row, {"clock": self._clock(self._ledgers[row.run])})
        )

    def _clock(self, ledger: Ledger) -> float:
        if self._experiment.execution == "simulated":
            return ledger.clock
        return time.monotonic() - self._began[ledger.info.id]

    # -- checkpoints

    def _save(self, reports: Sequence[Report], outcomes: Sequence[Outcome]) -> dict[Name, bytes]:
        """Keep the states that are due, and return the digests of the files they are in."""
        paused = {outcome.key for outcome in outcomes if outcome.status == "paused"}
        ended = {outcome.key for outcome in outcomes} - paused
        due = time.monotonic() - _CHECKPOINT_SECONDS
        kept: "dict[Name, states.Packed]" = {}
        for report in reports:
            key = report.key
            is_due = key in paused or (key not in ended and self._saved_at[key] <= due)
            if report.state is None and key in paused and key not in self._session.known:
                self._check_stateless(report)
            state = self._state(report) if is_due else None
            if state is not None:
                kept[key, report.epoch] = state
                self._saved_at[key] = time.monotonic()
        self._checkpoints.save(kept)
        for outcome in outcomes:
            self._saved_at.pop(outcome.key, None)
        digests = self._checkpoints.digests
        return {name: digests[name] for name in kept if name in digests}

    def _state(self, report: Report) -> "states.Packed | None":
        try:
            return taken(report)
        except StateError as error:
            # No pause: there the executor has failed the trial. Without it no number changes.
            warnings.warn(
                f"{self._session.names[report.run].problem}, trial {report.trial}: "
                f"{unkept(report, error)}; if the process ends before the trial does, the trial is "
                "trained again from an earlier epoch",
                stacklevel=2,
            )
            return None

    def _check_stateless(self, report: Report) -> None:
        """Raise `ProblemError` where a problem breaks its word: a bug in it."""
        if self._ledgers[report.run].info.can_resume:
            raise ProblemError(
                f"{self._session.names[report.run].problem}: trial {report.trial} was paused at "
                f"epoch {report.epoch} without a state, though can_resume is True; let its "
                "reports give a state, or say can_resume=False"
            )

    def _forget_paused(self, runs: Collection[int]) -> None:
        paused = [
            (run, trial.id)
            for run in runs
            for trial in self._ledgers[run].trials
            if trial.status == "paused"
        ]
        if paused:
            self._checkpoints.forget(paused)
            self._store.forget_checkpoints(paused)

    def _progress(self) -> Progress:
        names = self._session.names
        runs = [progress_of(names[r], own, r in self._over) for r, own in self._ledgers.items()]
        return Progress.of(runs, self._experiment.problems)
