"""A study: the ask/tell door for people who bring their own loop."""

import json
import math
import operator
import time
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Self

import pandas as pd

from hpo_research.analysis import frames
from hpo_research.errors import StudyError
from hpo_research.experiment.checks import check_ask
from hpo_research.experiment.description import describe
from hpo_research.experiment.experiment import merged
from hpo_research.experiment.provenance import provenance
from hpo_research.ledger import Final, Ledger, Limits, RunInfo
from hpo_research.records import Ask, Direction, Outcome, Proposal, Report, Trial, start
from hpo_research.space import Config, SearchSpace
from hpo_research.store import RunName, Store
from hpo_research.strategies.protocol import Strategy

_METRIC = "value"
_NAME = "study"


class Study:
    """One run in your own hands: `ask` for trials, `tell` what they gave.

    In memory, or in a folder (`path`) that survives the process and is locked while it is open.
    With a multi-fidelity strategy (`max_epochs` above 1) a trial is to be trained until
    `trial.until`; `report` each epoch's value, and expect known trials back from `ask`, to be
    trained on. Raises `StoreLockedError` and `StoreError` as `hpo_research.run` does, and
    `ExperimentError` where the folder holds another study.
    """

    def __init__(
        self,
        space: SearchSpace,
        strategy: Strategy,
        *,
        seed: int = 0,
        direction: Direction = "minimize",
        max_epochs: int = 1,
        path: str | Path | None = None,
        final: Final = "last",
    ) -> None:
        if direction not in ("minimize", "maximize"):
            raise StudyError(f"direction must be minimize or maximize, got {direction!r}")
        if isinstance(max_epochs, bool) or not isinstance(max_epochs, int) or max_epochs < 1:
            raise StudyError(f"max_epochs must be a whole number from 1 on, got {max_epochs!r}")
        info = RunInfo(1, space, _METRIC, direction, max_epochs, seed=seed, final=final)
        self._strategy = strategy
        self._ledger = Ledger(info, Limits())
        strategy.ask([self._ledger.run()], [1])  # a strategy that does not suit fails here
        self._store = Store.in_memory() if path is None else Store.write(Path(path))
        try:
            self._open(seed)
        except BaseException:
            self._store.close()
            raise

    def _open(self, seed: int) -> None:
        info = self._ledger.info
        facts = {
            "metric": info.metric,
            "direction": info.direction,
            "max_epochs": info.max_epochs,
            "optimum": None,
            "space": describe(info.space, "space"),
        }
        new = {
            "name": _NAME,
            "problems": {_NAME: facts},
            "strategies": {_NAME: describe(self._strategy, "strategy")},
            "seeds": [seed],
            "budget": None,
            "parallel": None,
            "execution": _NAME,
            "final": info.final,
        }
        text = self._store.meta("experiment")
        old = None if text is None else json.loads(text)
        if old is not None and old["seeds"] != [seed]:
            raise StudyError(
                f"{self._store.folder}: holds a study with seed {old['seeds']}, not {seed}; "
                "use another path"
            )
        if merged(old, json.loads(json.dumps(new))) != old:
            notes = json.dumps(provenance("cpu"))
            self._store.set_meta({"experiment": json.dumps(new), "provenance": notes})
        self._store.add_runs([RunName(_NAME, _NAME, seed)])
        self._store.replay({info.id: self._ledger})
        self._queue: list[Config] = json.loads(self._store.meta("queue") or "[]")
        self._is_finished = info.id in self._store.over()
        self._began = time.monotonic() - self._ledger.clock

    def close(self) -> None:
        """Close the store and give back its lock."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what is known

    @property
    def trials(self) -> Sequence[Trial]:
        """All trials, in order of id."""
        return self._ledger.run().trials

    @property
    def pending(self) -> Sequence[Trial]:
        """The trials that were asked for and not told; they survive closing and reopening."""
        return self._ledger.run().running

    @property
    def best(self) -> Trial | None:
        """The trial with the best value, None before any."""
        return self._ledger.run().best()

    @property
    def is_finished(self) -> bool:
        """Whether the strategy has nothing more to propose and nothing is pending."""
        return self._is_finished and not self._waiting_configs()

    def frame(self) -> pd.DataFrame:
        """Return one row a trial; the columns are those of `analysis.frames.trials`."""
        name = RunName(_NAME, _NAME, self._ledger.info.seed)
        frame = frames.trials({name: self._ledger.run()})
        return frame.drop(columns=["problem", "strategy", "seed"])

    # -- asking

    def enqueue(self, config: Mapping[str, object]) -> None:
        """Have a configuration of your own tried before those of the strategy.

        Raises `SpaceError` where it lies outside the space.
        """
        self._queue.append(self._ledger.info.space.validate(config, "enqueue"))
        self._store.set_meta({"queue": json.dumps(self._queue)})

    def _waiting_configs(self) -> list[Config]:
        served = sum(trial.origin == "enqueued" for trial in self._ledger.trials)
        return self._queue[served:]

    def ask(self, n: int = 1) -> list[Trial]:
        """Return up to n trials to train until `trial.until`: new ones, or known ones to go on.

        None: tell what is pending first, unless `is_finished`. A trial is returned once; what is
        asked and not yet told stands in `pending`.
        """
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise StudyError(f"ask({n!r}): n must be a whole number from 1 on")
        began = time.perf_counter()
        ask = self._strategy.ask([self._ledger.run()], [n])[0]
        check_ask(_NAME, self._ledger, ask, n)
        ask = self._with_queue(ask, n)
        row = self._ledger.grant(ask, self._clock(), time.perf_counter() - began)
        self._is_finished = row.is_empty and not self._ledger.open
        over = [row.run] if self._is_finished else []
        if row.is_empty and not over:
            return []
        self._store.append_asks([row], over)
        if row.is_empty:
            return []
        self._ledger.append_ask(row)
        return [self._ledger.trials[grant.trial] for grant in row.grants if grant.kind != "stop"]

    def _with_queue(self, ask: Ask, n: int) -> Ask:
        queue = self._waiting_configs()
        proposals: list[Proposal] = []
        for proposal in ask.proposals:
            if proposal.kind == "start" and queue:
                proposal = start(queue.pop(0), proposal.until, "enqueued")
            proposals.append(proposal)
        if not proposals and not self._ledger.open:  # the strategy has finished, the user has not
            until = self._ledger.info.max_epochs
            proposals = [start(config, until, "enqueued") for config in queue[:n]]
        return Ask(tuple(proposals), ask.notes)

    # -- telling

    def tell(self, trial: int, value: float) -> None:
        """Say what a trial gave at the epoch it was to reach; NaN or infinity is a failure."""
        known = self._trial(trial)
        ended = known.status == "failed" and not math.isfinite(self._number(trial, value))
        if not ended:
            self.report(trial, known.until, value)

    def report(self, trial: int, epoch: int, value: float) -> bool:
        """Say what a trial gave after an epoch; returns whether to train it on.

        False at `until`, where the strategy stops it, or where the value is NaN or infinite,
        which is a failure. The same report twice is harmless. Raises `StudyError` for an unknown
        trial, an epoch behind the last or beyond `until`, or another value for a known epoch.
        """
        known = self._trial(trial)
        number = self._number(trial, value)
        epoch = self._epoch(known, epoch)
        before = known.value_at(epoch)
        if before is not None:
            if before != number:
                raise StudyError(
                    f"trial {trial}: epoch {epoch} was reported as {before!r}, now as {number!r}"
                )
            return known.is_running and epoch < known.until
        self._check_running(known, epoch)
        if not math.isfinite(number):
            self._end(known, "failed", f"value is {number} at epoch {epoch}")
            return False
        clock = self._clock()
        seconds = clock - self._ledger.open[trial].clock
        report = Report(self._ledger.info.id, trial, epoch, {_METRIC: number}, seconds, clock)
        outcomes = []
        if epoch == known.until:
            status = "finished" if epoch == self._ledger.info.max_epochs else "paused"
            outcomes.append(Outcome(report.run, trial, status, epoch, clock=clock))  # type: ignore[arg-type]
        elif trial in self._ledger.stopping:
            outcomes.append(Outcome(report.run, trial, "stopped", epoch, clock=clock))
        self._append(report, outcomes)
        return not outcomes and not self._stops(trial)

    def fail(self, trial: int, reason: str) -> None:
        """Say that a trial failed, and why."""
        known = self._trial(trial)
        if known.status == "failed" and known.reason == str(reason):
            return
        self._check_running(known, known.until)
        self._end(known, "failed", str(reason))

    def _stops(self, trial: int) -> bool:
        ask = self._strategy.ask([self._ledger.run()], [0])[0]
        check_ask(_NAME, self._ledger, ask, 0)
        row = self._ledger.grant(ask, self._clock())
        if row.is_empty:
            return False
        self._store.append_asks([row])
        self._ledger.append_ask(row)
        if trial in self._ledger.stopping:
            self._end(self._ledger.trials[trial], "stopped", "")
            return True
        return False

    def _end(self, trial: Trial, status: str, reason: str) -> None:
        clock = self._clock()
        outcome = Outcome(self._ledger.info.id, trial.id, status, trial.reached, reason, clock)  # type: ignore[arg-type]
        self._append(None, [outcome])

    def _append(self, report: Report | None, outcomes: Sequence[Outcome]) -> None:
        entries = [] if report is None else [(report, self._ledger.append_report(report))]
        for outcome in outcomes:
            self._ledger.append_outcome(outcome)
        self._store.append_poll(entries, outcomes)

    def _trial(self, trial: int) -> Trial:
        try:
            number = operator.index(trial)
        except TypeError:
            raise StudyError(f"expected a trial's id, got {trial!r}; use trial.id") from None
        if not 0 <= number < len(self._ledger.trials):
            raise StudyError(
                f"trial {number} is unknown; {len(self._ledger.trials)} trials were asked for"
            )
        return self._ledger.trials[number]

    def _number(self, trial: int, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, Real):
            raise StudyError(
                f"trial {trial}: expected a number, got {value!r} of type {type(value).__name__}; "
                "use fail(id, reason) for a trial that gave none"
            )
        return float(value)

    def _epoch(self, trial: Trial, epoch: object) -> int:
        if isinstance(epoch, bool) or not isinstance(epoch, int):
            raise StudyError(f"trial {trial.id}: epoch must be a whole number, got {epoch!r}")
        if not 1 <= epoch <= trial.until:
            raise StudyError(
                f"trial {trial.id}: epoch {epoch} is outside 1 to {trial.until}, its until"
            )
        return epoch

    def _check_running(self, trial: Trial, epoch: int) -> None:
        if not trial.is_running:
            raise StudyError(
                f"trial {trial.id} is {trial.status} since epoch {trial.reached}; "
                "only trials that ask() gave out can be told"
            )
        if epoch <= trial.reached:
            raise StudyError(
                f"trial {trial.id}: epoch {epoch} comes after epoch {trial.reached} was reported"
            )

    def _clock(self) -> float:
        return time.monotonic() - self._began
