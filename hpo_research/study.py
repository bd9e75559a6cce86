"""A study: the ask/tell door for people who bring their own loop."""

import json
import math
import operator
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NoReturn, Self

from hpo_research import analysis, habits, heavy, strategies
from hpo_research.errors import HpoError, StudyError
from hpo_research.experiment import told
from hpo_research.experiment.asking import asks_of
from hpo_research.experiment.priors import Earlier, earlier, reading
from hpo_research.experiment.served import proposed
from hpo_research.experiment.turn import Turn, is_over
from hpo_research.ledger import AskRow, Final, Ledger, Limits, RunInfo
from hpo_research.lists import MOST_AT_ONCE
from hpo_research.options import foreign, require, whole
from hpo_research.paths import Given
from hpo_research.problems.protocol import last_epoch
from hpo_research.records import ENQUEUED, OPEN, Ask, Direction, Outcome, Report, Run, Task, Trial
from hpo_research.space import Config, SearchSpace
from hpo_research.store import RunName, Store
from hpo_research.store.history import LastTurn
from hpo_research.strategies.answers import recommended
from hpo_research.strategies.earlier import unaware
from hpo_research.strategies.protocol import Strategy
from hpo_research.text import quoted, storable
from hpo_research.threads import Turns, limited

_COUNT = foreign(whole(most=MOST_AT_ONCE))


@habits.answering
class Study:
    """One run in your own hands: `ask` for trials, `tell` what they gave.

    `strategy` is Bayesian optimisation unless told otherwise; `metric` is what values are called.
    In memory, or in a folder (`path`) that survives the process and is locked while it is open.
    With a multi-fidelity strategy (`max_epochs` above 1) a trial is to be trained until
    `trial.until`; `report` each epoch's value, and expect known trials back from `ask`, to be
    trained on. With `max_epochs=None` the length of trials is open: `report` each epoch, then
    `finish`. `prior` and what goes with it are those of `Experiment`. Raises `StoreLockedError` and
    `StoreError` as `hpo_research.run` does, and `StudyError` for wrong arguments and where the
    folder holds something else.

    Threads may share it: they are served one at a time, and an event loop asks and tells through
    `asyncio.to_thread`. Processes may not: a forked child can look at it and is refused everything
    else, and it cannot be pickled or copied. Let children return their values, and tell them here.
    A study that is lost without `close` gives back its lock when it is collected.
    """

    def __init__(
        self,
        space: SearchSpace,
        strategy: Strategy | None = None,
        *,
        seed: int = 0,
        direction: Direction = "minimize",
        metric: str = "value",
        max_epochs: int | None = 1,
        path: Given | None = None,
        final: Final = "last",
        has_missing_values: bool = False,
        prior: Earlier = None,
        prior_task: Task = "same",
        rename: Mapping[str, str | None] | None = None,
        fill: Mapping[str, object] | None = None,
    ) -> None:
        info = RunInfo(
            *(1, space, metric, direction, last_epoch(max_epochs)),
            seed=seed,
            final=final,
            has_missing_values=has_missing_values,
        )
        strategy = strategies.bayesian.Bayesian() if strategy is None else strategy
        told.check_study(info, strategy)
        how = reading(StudyError, prior_task, rename, fill)
        info = replace(info, earlier=earlier(prior, info, told.STUDY, how))
        self._turns = Turns()
        self._strategy = strategy
        self._ledger = Ledger(replace(info, seed=operator.index(seed)), Limits())
        self._asked(unaware(self._ledger.run()), 1)  # one that does not suit fails here
        told.description_of(self._ledger.info, strategy)  # what cannot be stored, too
        self._is_closed = False
        self._store = Store.in_memory() if path is None else Store.write(path)
        try:
            self._open()
        except BaseException:
            self._store.close()
            raise

    def _open(self) -> None:
        self._ledger = Ledger(
            told.matched(self._ledger.info, self._strategy, self._store), Limits()
        )
        self._store.add_runs([RunName(told.STUDY, told.STUDY, self._ledger.info.seed)])
        kind = self._fill().kind
        self._began = time.monotonic() - self._ledger.clock
        if kind == "poll":  # a report that the strategy has not answered yet
            self._answer()
        for trial in sorted(self._ledger.stopping):  # whoever trained them is gone
            self._end(self._ledger.trials[trial], "stopped", "")

    def _fill(self) -> LastTurn:
        """Fill the books from the store."""
        self._ledger = Ledger(self._ledger.info, Limits())
        self._turn = Turn(self._store, {self._ledger.info.id: self._ledger})
        last = self._store.replay({self._ledger.info.id: self._ledger})
        # The first stores held the whole queue in one text.
        self._queue: list[Config] = [*self._store.list_of("queue"), *self._store.series("queue/")]
        self._served = sum(trial.origin == ENQUEUED for trial in self._ledger.trials)
        self._is_finished = self._ledger.info.id in self._store.over()
        return last

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Let the books follow the store, whatever comes between the two: an interrupt, say."""
        try:
            yield
        except HpoError:  # what the store refuses has not been said
            raise
        except BaseException:
            self._fill()
            raise

    @contextmanager
    def _acting(self) -> Iterator[None]:
        """Wait for this thread's turn. Raises `StudyError` in a child, and when it is closed."""
        self._check_here()
        with self._turns.one():
            if self._is_closed:
                raise StudyError("the study is closed; create it again to continue")
            yield

    def _check_here(self) -> None:
        if not self._turns.is_here:
            raise told.in_a_child(self._turns.process)

    def __reduce__(self) -> NoReturn:
        raise told.copied()

    def close(self) -> None:
        """Close the store and give back its lock; what is known can still be read."""
        self._check_here()
        with self._turns.one():
            self._is_closed = True
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._turns.is_here:  # a child that leaves the block leaves the study to its parent
            self.close()

    def __repr__(self) -> str:
        with self._turns.one():
            found = analysis.shown.in_a_line(self._ledger.run(), self._ledger.info.metric)
        return f"<Study of {type(self._strategy).__name__}, {found}>"

    def _repr_html_(self) -> str:
        with self._turns.one():
            run, metric = self._ledger.run(), self._ledger.info.metric
        title = f"Study of {type(self._strategy).__name__}"
        return analysis.shown.run_html(title, run, metric, {"best": run.best()})

    # -- what is known

    @property
    def trials(self) -> Sequence[Trial]:
        """All trials, in order of id."""
        with self._turns.one():
            return self._ledger.run().trials

    @property
    def pending(self) -> Sequence[Trial]:
        """The trials that were asked for and not told; they survive closing and reopening."""
        with self._turns.one():
            return tuple(self._ledger.trials[trial] for trial in sorted(self._ledger.open))

    @property
    def best(self) -> Trial | None:
        """The trial with the best value, None before any."""
        with self._turns.one():
            return self._ledger.run().best()

    @property
    def recommended(self) -> Trial | None:
        """The trial to use where values are noisy: that with the best posterior mean.

        Among ended trials, under the strategy's own model, which is fitted at each call; with a
        model of learning curves, the trial whose loss is best now and foreseen to stay so.
        `best` for strategies without a model of ours, and before two values.
        """
        with self._turns.one():
            run = self._ledger.run()
            with limited():
                (trial,) = recommended(self._strategy, [run])
        return None if trial is None else run.trials[trial]

    @property
    def is_finished(self) -> bool:
        """Whether the strategy has nothing more to propose and nothing is pending."""
        with self._turns.one():
            if self._ledger.ended:
                return not self._ledger.open
            return self._is_finished and self._served >= len(self._queue)

    def frame(self) -> "heavy.pandas.DataFrame":
        """Return one row a trial; the columns are those of `analysis.frames.trials`."""
        name = RunName(told.STUDY, told.STUDY, self._ledger.info.seed)
        with self._turns.one():
            run = self._ledger.run()
        return analysis.frames.trials({name: run}).drop(columns=["problem", "strategy", "seed"])

    # -- asking

    def enqueue(self, config: Mapping[str, object]) -> None:
        """Have a configuration of your own tried at the next `ask`, before those of the strategy.

        Raises `SpaceError` where it lies outside the space.
        """
        with self._acting(), self._kept():
            known = self._ledger.info.space.validate(config, "enqueue")
            self._store.set_meta({f"queue/{len(self._queue):012}": json.dumps(known)})
            self._queue.append(known)

    def ask(self, n: int = 1) -> list[Trial]:
        """Return up to n trials to train until `trial.until`: new ones, or known ones to go on.

        None: tell what is pending first, unless `is_finished`. A trial is returned once; what is
        asked and not yet told stands in `pending`.
        """
        with self._acting():
            require("n", n, _COUNT, error=StudyError, call="ask")
            number = operator.index(n)
            began, run = time.perf_counter(), self._ledger.run()
            with limited():
                queue = self._queue[self._served : self._served + number]
                ask = Ask() if self._ledger.ended else proposed(self._asked, run, queue, number)
            row = self._ledger.grant(ask, self._clock(), time.perf_counter() - began)
            self._enter(row)
            return [self._ledger.trials[trial] for trial in row.begun]

    def _enter(self, row: AskRow) -> None:
        """Store what was granted, and enter it."""
        has_ended = is_over(self._ledger, row) and row.ended != ""
        with self._kept():
            if has_ended or not row.is_empty:
                self._turn.ask([row], [row.run] if has_ended else [])
            self._served += sum(g.origin == ENQUEUED for g in row.grants if g.kind == "start")
            self._is_finished = has_ended

    def _asked(self, run: Run, slots: int) -> Ask:
        names, ledgers = [RunName(told.STUDY, told.STUDY, run.seed)], [self._ledger]
        return asks_of(self._strategy, [run], names=names, ledgers=ledgers, slots=[slots])[0]

    def stop(self, reason: str) -> None:
        """End the study until `reopen`, also where it is opened again; what runs is stopped."""
        with self._acting():
            if not isinstance(reason, str) or not reason:
                raise StudyError(f"stop({quoted(reason)}): say why, as a string")
            if not self._ledger.ended:
                self._enter(self._ledger.end(storable(reason), clock=self._clock()))

    def reopen(self) -> None:
        """Take back that the study was ended; trials that were stopped by it stay so."""
        with self._acting():
            if self._ledger.ended:
                self._enter(AskRow(self._ledger.info.id, clock=self._clock(), ended=""))

    @property
    def ended(self) -> str:
        """Why the study was ended with `stop`, empty where it was not."""
        with self._turns.one():
            return self._ledger.ended

    # -- telling

    def add(self, config: Mapping[str, object], value: float) -> Trial:
        """Tell of a trial that nobody asked for, and that was trained elsewhere, to the end.

        It takes the next number and origin `added`, and costs nothing; NaN is a failure. Numbers
        may lie outside their bounds: a model learns there, and nothing is proposed there. Raises
        `SpaceError` for other names, types or categories, `StudyError` where value is no number.
        """
        with self._acting(), self._kept():
            self._turn.add(*told.added(self._ledger, config, value, self._clock()))
            return self._ledger.trials[-1]

    def tell(self, trial: Trial | int, value: float) -> None:
        """Say what a trial gave at the epoch it was to reach; NaN or infinity is a failure.

        Where its length is open and nothing was reported of it, that was one epoch.
        """
        with self._acting():
            known = told.trial_of(self._ledger, trial)
            number = told.number_of(known.id, value)
            if self._ledger.info.max_epochs == OPEN:
                self._finish(known, number)
            elif known.status != "failed" or math.isfinite(number):
                self._told(known, known.until, number)

    def report(self, trial: Trial | int, epoch: int, value: float | None) -> bool:
        """Say what a trial gave after an epoch; returns whether to train it on.

        False at `until`, where the strategy stops it (also because of another trial's report), or
        where the value is NaN or infinite, which is a failure: at `until` in any case, before it
        unless the study `has_missing_values` (None is missing too, then). The same report twice is
        harmless. Raises `StudyError` for an unknown trial, an epoch behind the last or beyond
        `until`, or another value for a known epoch.
        """
        with self._acting():
            known = told.trial_of(self._ledger, trial)
            number = told.number_of(
                known.id, value, may_be_none=self._ledger.info.has_missing_values
            )
            return self._told(known, told.epoch_of(known, epoch), number)

    def _told(self, known: Trial, epoch: int, number: float) -> bool:
        """Enter a report unless it is known already, and return whether to train on."""
        before = known.value_at(epoch)
        if before is None and not told.is_missing(self._ledger, known, epoch, number):
            return self._reported(known, epoch, number)
        if before is not None and before != number:
            raise told.other(known, epoch, before, number)
        if known.id in self._ledger.stopping:
            self._end(known, "stopped", "")
        return self._ledger.trials[known.id].is_running and epoch < known.until

    def _reported(self, known: Trial, epoch: int, number: float) -> bool:
        """Enter a new report, and return whether to train on."""
        told.check_running(known, epoch, self._ledger)
        may_be_missing = self._ledger.info.has_missing_values and epoch < known.until
        if not math.isfinite(number) and not may_be_missing:
            self._end(known, "failed", f"value is {number} at epoch {epoch}")
            return False
        report, outcomes = told.reported(self._ledger, known, epoch, number, self._clock())
        self._append(report, outcomes)
        if outcomes:
            return False
        self._answer()
        if is_stopped := known.id in self._ledger.stopping:
            self._end(self._ledger.trials[known.id], "stopped", "")
        return not is_stopped

    def finish(self, trial: Trial | int) -> None:
        """Say that a trial of open length has come to its end, the last epoch that was reported.

        Where its last value is missing it has failed. Twice is harmless. Raises `StudyError` where
        nothing was reported, and in a study with `max_epochs`.
        """
        with self._acting():
            told.check_open(self._ledger.info)
            self._finish(told.trial_of(self._ledger, trial), None)

    def _finish(self, known: Trial, value: float | None) -> None:
        """End a trial of open length, with a value that is its only one if it has none yet."""
        is_new = known.is_running and not self._ledger.known(known.id)
        is_told = value is not None and math.isfinite(value)
        if is_new and is_told and not self._reported(known, 1, value or 0.0):
            return  # the strategy has stopped it
        if end := told.end_of(self._ledger, self._ledger.trials[known.id], value):
            self._end(known, *end)

    def fail(self, trial: Trial | int, reason: str) -> None:
        """Say that a trial failed, and why."""
        with self._acting():
            known = told.trial_of(self._ledger, trial)
            if known.status == "failed" and known.reason == storable(str(reason)):
                return
            told.check_running(known, known.until, self._ledger)
            self._end(known, "failed", str(reason))

    def _answer(self) -> None:
        """Let the strategy stop what it wants to, now that it knows more."""
        ask = Ask() if self._ledger.ended else self._asked(self._ledger.run(), 0)
        row = self._ledger.grant(ask, self._clock())
        if not row.is_empty:
            with self._kept():
                self._turn.ask([row])

    def _end(self, trial: Trial, status: str, reason: str) -> None:
        own = self._ledger.info.id, trial.id, status, self._ledger.known(trial.id), reason
        outcome = Outcome(*own, self._clock())  # type: ignore[arg-type]
        self._append(None, [outcome])

    def _append(self, report: Report | None, outcomes: Sequence[Outcome]) -> None:
        with self._kept():
            self._turn.poll([] if report is None else [report], outcomes)

    def _clock(self) -> float:
        return time.monotonic() - self._began
