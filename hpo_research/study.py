"""A study: the ask/tell door for people who bring their own loop."""

import json
import math
import operator
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import Self

import pandas as pd

from hpo_research.analysis import frames
from hpo_research.errors import StudyError
from hpo_research.experiment.asking import asks_of
from hpo_research.experiment.checks import seed_mistake, strategy_mistake, whole
from hpo_research.experiment.description import Json, describe, differences
from hpo_research.experiment.notes import record
from hpo_research.experiment.provenance import provenance
from hpo_research.ledger import Final, Ledger, Limits, RunInfo
from hpo_research.records import Ask, Direction, Outcome, Report, Run, Trial, start
from hpo_research.space import Config, SearchSpace
from hpo_research.store import RunName, Store
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.recommend import recommended
from hpo_research.threads import limited

_METRIC = "value"
_NAME = "study"


class Study:
    """One run in your own hands: `ask` for trials, `tell` what they gave.

    In memory, or in a folder (`path`) that survives the process and is locked while it is open.
    With a multi-fidelity strategy (`max_epochs` above 1) a trial is to be trained until
    `trial.until`; `report` each epoch's value, and expect known trials back from `ask`, to be
    trained on. Raises `StoreLockedError` and `StoreError` as `hpo_research.run` does, and
    `StudyError` for wrong arguments and where the folder holds something else.
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
        info = RunInfo(1, space, _METRIC, direction, max_epochs, seed=seed, final=final)
        mistakes = _mistakes(info, strategy)
        if mistakes:
            raise StudyError("\n".join(f"Study: {mistake}" for mistake in mistakes))
        self._strategy = strategy
        self._ledger = Ledger(replace(info, seed=operator.index(seed)), Limits())
        self._asked(self._ledger.run(), 1)  # a strategy that does not suit fails here
        description = self._description()
        self._is_closed = False
        self._store = Store.in_memory() if path is None else Store.write(Path(path))
        try:
            self._open(description)
        except BaseException:
            self._store.close()
            raise

    def _description(self) -> Json:
        info = self._ledger.info
        facts = {
            "metric": info.metric,
            "direction": info.direction,
            "max_epochs": info.max_epochs,
            "optimum": None,
            "space": describe(info.space, "space"),
        }
        description = {
            "name": _NAME,
            "problems": {_NAME: facts},
            "strategies": {_NAME: describe(self._strategy, "strategy")},
            "seeds": [info.seed],
            "budget": None,
            "parallel": None,
            "execution": _NAME,
            "final": info.final,
        }
        return json.loads(json.dumps(description))

    def _open(self, description: Json) -> None:
        info = self._ledger.info
        text = self._store.meta("experiment")
        if text is not None:
            _check_same(self._store.folder, json.loads(text), description)
        record(self._store, description, provenance("cpu"), {"strategy": {_NAME: self._strategy}})
        self._store.add_runs([RunName(_NAME, _NAME, info.seed)])
        last = self._store.replay({info.id: self._ledger})
        self._queue: list[Config] = json.loads(self._store.meta("queue") or "[]")
        self._is_finished = info.id in self._store.over()
        self._began = time.monotonic() - self._ledger.clock
        if last.kind == "poll":  # a report that the strategy has not answered yet
            self._answer()
        for trial in sorted(self._ledger.stopping):  # whoever trained them is gone
            self._end(self._ledger.trials[trial], "stopped", "")

    def close(self) -> None:
        """Close the store and give back its lock; what is known can still be read."""
        self._is_closed = True
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
    def recommended(self) -> Trial | None:
        """The trial to use where values are noisy: that with the best posterior mean.

        Among ended trials, under the strategy's own model, which is fitted at each call; with a
        model of learning curves, the trial foreseen to end best, however far it was trained.
        `best` for strategies without a model of ours, and before two values.
        """
        run = self._ledger.run()
        with limited():
            (trial,) = recommended(self._strategy, [run])
        return None if trial is None else run.trials[trial]

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
        """Have a configuration of your own tried at the next `ask`, before those of the strategy.

        Raises `SpaceError` where it lies outside the space.
        """
        self._check_open()
        queue = [*self._queue, self._ledger.info.space.validate(config, "enqueue")]
        self._store.set_meta({"queue": json.dumps(queue)})
        self._queue = queue

    def _waiting_configs(self) -> list[Config]:
        served = sum(trial.origin == "enqueued" for trial in self._ledger.trials)
        return self._queue[served:]

    def ask(self, n: int = 1) -> list[Trial]:
        """Return up to n trials to train until `trial.until`: new ones, or known ones to go on.

        None: tell what is pending first, unless `is_finished`. A trial is returned once; what is
        asked and not yet told stands in `pending`.
        """
        self._check_open()
        number = whole(n)
        if number is None or number < 1:
            raise StudyError(f"ask({n!r}): n must be a whole number from 1 on")
        began = time.perf_counter()
        with limited():
            ask = self._proposed(number)
        row = self._ledger.grant(ask, self._clock(), time.perf_counter() - began)
        is_over = row.is_empty and not self._ledger.open
        if is_over or not row.is_empty:
            self._store.append_asks([row], [row.run] if is_over else [])
        self._is_finished = is_over
        if row.is_empty:
            return []
        self._ledger.append_ask(row)
        return [self._ledger.trials[grant.trial] for grant in row.grants if grant.kind != "stop"]

    def _proposed(self, n: int) -> Ask:
        """Return what is to be granted: configurations of the user's own first."""
        run, queue = self._ledger.run(), self._waiting_configs()[:n]
        ask = self._asked(run, n)
        if not queue:
            return ask
        served = list(zip(queue, self._untils(run, ask, len(queue)), strict=True))
        # The strategy is asked for the rest, and sees what it must not propose again.
        first = len(run.trials)
        known = [Trial(first + i, c, "running", until) for i, (c, until) in enumerate(served)]
        rest = self._asked(replace(run, trials=(*run.trials, *known)), n - len(served))
        starts = [start(config, until, "enqueued") for config, until in served]
        return replace(rest, proposals=(*starts, *rest.proposals))

    def _untils(self, run: Run, ask: Ask, count: int) -> list[int]:
        """Return how far so many new trials are trained where the strategy wants this ask.

        As far as those that they stand for; beyond these, as far as the strategy's very first one,
        which it knows how to train on; to the end where it has finished.
        """
        untils = [proposal.until for proposal in ask.proposals if proposal.kind == "start"][:count]
        if len(untils) == count:
            return untils
        is_over = not ask.proposals and not self._ledger.open
        begun = () if is_over else self._asked(replace(run, trials=(), asks=()), 1).proposals
        return untils + [begun[0].until if begun else run.max_epochs] * (count - len(untils))

    def _asked(self, run: Run, slots: int) -> Ask:
        names, ledgers = [RunName(_NAME, _NAME, run.seed)], [self._ledger]
        return asks_of(self._strategy, [run], names=names, ledgers=ledgers, slots=[slots])[0]

    # -- telling

    def tell(self, trial: int, value: float) -> None:
        """Say what a trial gave at the epoch it was to reach; NaN or infinity is a failure."""
        known = self._trial(trial)
        ended = known.status == "failed" and not math.isfinite(self._number(trial, value))
        if not ended:
            self.report(trial, known.until, value)

    def report(self, trial: int, epoch: int, value: float) -> bool:
        """Say what a trial gave after an epoch; returns whether to train it on.

        False at `until`, where the strategy stops it (also because of another trial's report), or
        where the value is NaN or infinite, which is a failure. The same report twice is harmless.
        Raises `StudyError` for an unknown trial, an epoch behind the last or beyond `until`, or
        another value for a known epoch.
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
            if trial in self._ledger.stopping:
                self._end(known, "stopped", "")
            return self._ledger.trials[trial].is_running and epoch < known.until
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

    def _answer(self) -> None:
        """Let the strategy stop what it wants to, now that it knows more."""
        row = self._ledger.grant(self._asked(self._ledger.run(), 0), self._clock())
        if not row.is_empty:
            self._store.append_asks([row])
            self._ledger.append_ask(row)

    def _stops(self, trial: int) -> bool:
        self._answer()
        if trial in self._ledger.stopping:
            self._end(self._ledger.trials[trial], "stopped", "")
            return True
        return False

    def _end(self, trial: Trial, status: str, reason: str) -> None:
        clock = self._clock()
        outcome = Outcome(self._ledger.info.id, trial.id, status, trial.reached, reason, clock)  # type: ignore[arg-type]
        self._append(None, [outcome])

    def _append(self, report: Report | None, outcomes: Sequence[Outcome]) -> None:
        entries = [] if report is None else [(report, self._ledger.spent_with(report))]
        self._store.append_poll(entries, outcomes)  # what it refuses has not been said
        if report is not None:
            self._ledger.append_report(report)
        for outcome in outcomes:
            self._ledger.append_outcome(outcome)

    def _trial(self, trial: int) -> Trial:
        self._check_open()
        number = whole(trial)
        if number is None:
            raise StudyError(f"expected a trial's id, got {trial!r}; use trial.id")
        if not 0 <= number < len(self._ledger.trials):
            raise StudyError(
                f"trial {number} is unknown; {len(self._ledger.trials)} trials were asked for"
            )
        return self._ledger.trials[number]

    def _number(self, trial: int, value: object) -> float:
        # NumPy scalars and tensors without dimensions are numbers too.
        plain = value.item() if getattr(value, "ndim", None) == 0 else value  # type: ignore[attr-defined]
        if isinstance(plain, bool) or not isinstance(plain, Real):
            raise StudyError(
                f"trial {trial}: expected a number, got {value!r} of type {type(value).__name__}; "
                "use fail(id, reason) for a trial that gave none"
            )
        try:
            return float(plain)
        except OverflowError:
            raise StudyError(
                f"trial {trial}: expected a number, got one that is too large for a float"
            ) from None

    def _epoch(self, trial: Trial, epoch: object) -> int:
        number = whole(epoch)
        if number is None:
            raise StudyError(f"trial {trial.id}: epoch must be a whole number, got {epoch!r}")
        if not 1 <= number <= trial.until:
            raise StudyError(
                f"trial {trial.id}: epoch {number} is outside 1 to {trial.until}, its until"
            )
        return number

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

    def _check_open(self) -> None:
        if self._is_closed:
            raise StudyError("the study is closed; make it again to go on")

    def _clock(self) -> float:
        return time.monotonic() - self._began


def _mistakes(info: RunInfo, strategy: object) -> list[str]:
    mistakes = []
    if not isinstance(info.space, SearchSpace):
        mistakes.append(f"space must be a SearchSpace, got {info.space!r}")
    if mistake := strategy_mistake(strategy):
        mistakes.append(f"strategy {mistake}")
    if mistake := seed_mistake(info.seed):
        mistakes.append(f"seed {mistake}")
    if info.direction not in ("minimize", "maximize"):
        mistakes.append(f"direction must be minimize or maximize, got {info.direction!r}")
    epochs = info.max_epochs
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        mistakes.append(f"max_epochs must be a whole number from 1 on, got {epochs!r}")
    if info.final not in ("last", "best"):
        mistakes.append(f"final must be last or best, got {info.final!r}")
    return mistakes


def _check_same(folder: Path | None, old: Json, new: Json) -> None:
    if old["execution"] != _NAME:
        raise StudyError(f"{folder}: holds an experiment named {old['name']!r}; use another path")
    lines = differences(_facts(old), _facts(new))
    if lines:
        raise StudyError(
            "\n".join([f"{folder}: holds another study; use another path, or undo:", *lines])
        )


def _facts(description: Json) -> Json:
    (seed,) = description["seeds"]
    return {
        **description["problems"][_NAME],
        "strategy": description["strategies"][_NAME],
        "seed": seed,
        "final": description["final"],
    }
