"""A run's books: what was granted, reported and ended, and what it cost.

A ledger is brought up to date by appending the same rows that are stored, in the same order, so
a ledger rebuilt from a store equals the one that wrote it. `run()` is the immutable view that a
strategy sees; it shares with the one before it all trials that were not touched (`rows.py`).

Epochs are charged when they are trained, and committed while a segment runs. The epoch in which
a trial fails is charged too.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from hpo_research import moved
from hpo_research.entries import AskRow as AskRow
from hpo_research.entries import EndedBy as EndedBy
from hpo_research.entries import Final as Final
from hpo_research.entries import Limits as Limits
from hpo_research.entries import Restart
from hpo_research.entries import RunInfo as RunInfo
from hpo_research.entries import RunningSegment as RunningSegment
from hpo_research.records import (
    ADDED,
    Ask,
    Outcome,
    Proposal,
    Report,
    Resume,
    Run,
    Start,
    Stop,
    Trial,
    best_value,
    with_fields,
)
from hpo_research.rows import Rows, forget

Line = tuple[int, int, float | None, float, float]
"""Of a report: trial, epoch, the value of the objective (None: there is none), clock, seconds."""


@dataclass(slots=True)
class _Reported:
    """What a trial has reported since its record was last made, and its seconds with it."""

    seconds: float
    position: int
    until: int
    clock: float
    epochs: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    arrivals: list[int] = field(default_factory=list)


class Ledger:
    """The books of one run.

    `committed`: epochs promised to running segments and not yet trained. `failed` counts trials.
    `ended`: why the run was ended before its budget, empty where it was not; `ended_by`: by whom.
    """

    def __init__(self, info: RunInfo, limits: Limits) -> None:
        self.info = info
        self.limits = limits
        self._trials: list[Trial] = []
        self._new: dict[int, _Reported] = {}
        self.asks: list[Ask] = []
        self.open: dict[int, RunningSegment] = {}
        self.stopping: set[int] = set()
        self.spent = 0
        self.committed = 0
        self.seconds = 0.0
        self.clock = 0.0
        self.is_exhausted = False
        self.ended = ""
        self.ended_by: EndedBy = "request"
        self._reports = 0
        self._paused = 0
        self.failed = 0
        self._ended = 0
        self._seen_trials: Rows[Trial] = Rows()
        self._seen_asks: Rows[Ask] = Rows()
        self._touched: set[int] = set()
        self._view: Run | None = None

    @property
    def trials(self) -> Sequence[Trial]:
        """The trials as they are now, by id."""
        # A record for each report would copy a curve as often as it has epochs.
        if self._new:
            for number in list(self._new):
                self._settle(number)
        return self._trials

    @property
    def left(self) -> float:
        """Epochs that can still be promised, which lost attempts may have cost already."""
        return max(self.limits.epochs - self.spent - self.committed, 0)

    @property
    def elapsed(self) -> float:
        """The seconds that a budget of seconds is compared with."""
        return self.clock if self.info.is_timed_by_clock else self.seconds

    def slots(self, parallel: int | None) -> int:
        """Return how many trials may be started or resumed now."""
        if self.ended or self.is_exhausted or self.elapsed >= self.limits.seconds:
            return 0
        if parallel is not None:
            return max(parallel - len(self.open), 0)
        most = min(self.left, self.limits.trials - len(self._trials) + self._paused)
        # One more than the budget can take: who wants that one is cut short by it, and it is noted.
        return max(int(most) + 1, 0)

    def run(self) -> Run:
        """Return the run as a strategy sees it."""
        if self._view is None:
            info = self.info
            known = self.trials
            changed = {number: known[number] for number in self._touched}
            trials = known[len(self._seen_trials) :]
            self._seen_trials = self._seen_trials.changed(changed, trials)
            self._seen_asks = self._seen_asks.changed({}, self.asks[len(self._seen_asks) :])
            self._touched.clear()
            self._view = Run(
                space=info.space,
                direction=info.direction,
                max_epochs=info.max_epochs,
                seed=info.seed,
                trials=self._seen_trials,
                asks=self._seen_asks,
                total=self.limits.total,
                left=self.left,
                prior=info.prior,
                related=info.related,
                id=info.id,
            )
        return self._view

    def grant(self, ask: Ask, clock: float = 0.0, seconds: float = 0.0) -> AskRow:
        """Charge proposals in order until one does not fit, and return the row to store.

        Nothing is changed; `append_ask` does that once the row is stored.
        """
        if ask.ends:
            row = self.end(ask.ends, "strategy", clock=clock)
            return with_fields(row, {"notes": ask.notes, "seconds": seconds, "parts": ask.seconds})
        left, count = self.left, len(self._trials)
        exhausted, grants = "", list[Proposal]()
        for proposal in ask.proposals:
            if isinstance(proposal, Stop):
                if proposal.trial not in self.stopping:
                    grants.append(proposal)
                continue
            grant = self._granted(proposal, count)
            cost = grant.until - grant.start
            starts = isinstance(grant, Start)
            if exhausted or cost > left or count + starts > self.limits.trials:
                exhausted = self.limits.name
                continue
            left -= cost
            count += starts
            grants.append(grant)
        return AskRow(
            self.info.id, tuple(grants), ask.notes, exhausted, clock, seconds, ask.seconds
        )

    def end(self, reason: str, by: EndedBy = "request", *, clock: float = 0.0) -> AskRow:
        """Return the row that ends the run: all that runs is stopped, and nothing begins."""
        stops = tuple(Stop(trial) for trial in sorted(self.open.keys() - self.stopping))
        return AskRow(self.info.id, stops, clock=clock, ended=reason, ended_by=by)

    def _cost(self, trial: int, epochs: int) -> int:
        """Return what epochs of a trial cost: nothing where it was trained elsewhere."""
        return 0 if self._trials[trial].origin == ADDED else epochs

    def _granted(self, proposal: Start | Resume, count: int) -> Start | Resume:
        """Return a proposal with its trial and the segment (start, until] of it."""
        if isinstance(proposal, Start):
            return with_fields(proposal, {"trial": count})
        trial = self.trials[proposal.trial]
        start = trial.reached if self.info.can_resume else 0
        return with_fields(proposal, {"start": start, "attempt": trial.attempt})

    def append_ask(self, row: AskRow) -> None:
        """Enter a stored ask: new trials, segments, stops."""
        for grant in row.grants:
            if isinstance(grant, Stop):
                self.stopping.add(grant.trial)
                continue
            if isinstance(grant, Start):
                number, config = len(self._trials), dict(grant.config)
                trial = Trial(number, config, "running", grant.until, origin=grant.origin)
                self._trials.append(trial)
            else:
                number = grant.trial
                if isinstance(grant, Restart):
                    self._restart(grant)
                else:
                    self._change(number, status="running", until=grant.until)
            self.open[number] = RunningSegment(
                grant.attempt, grant.start, grant.until, grant.start, row.clock
            )
            self.committed += self._cost(number, grant.until - grant.start)
        if row.ended is None and (proposals := row.proposals):  # as `is_ask`
            self.asks.append(Ask(proposals, row.notes, row.parts))
        self.is_exhausted |= row.exhausted == self.limits.name
        if row.ended is not None:
            self.ended, self.ended_by = row.ended, row.ended_by
        self._enter(row.clock, row.seconds)

    def known(self, trial: int) -> int:
        """Return a trial's last epoch whose report is stored, with a value or without."""
        segment, reached = self.open.get(trial), self.trials[trial].reached
        return reached if segment is None else max(reached, segment.position)

    def restart(self, trials: Collection[int], clock: float = 0.0) -> AskRow:
        """Return the row by which running trials, whose attempts were lost, are begun anew."""
        lost = [(trial, self.open[trial]) for trial in sorted(trials)]
        grants = (Restart(trial, own.until, own.attempt + 1) for trial, own in lost)
        return AskRow(self.info.id, tuple(grants), clock=clock)

    def _restart(self, grant: Restart) -> None:
        """Close the books on a lost attempt: what it was trained is charged, one epoch at least."""
        number = grant.trial
        self._settle(number)
        segment = self.open[number]
        self.spent += max(1 - segment.position, 0)
        self.committed -= segment.until - segment.position
        empty = {"epochs": (), "values": (), "arrivals": (), "value": None}
        self._change(number, attempt=grant.attempt, **empty)
        forget(self._seen_trials)  # what strategies keep follows curves that only grow

    def spent_with(self, reports: Sequence[Report]) -> list[int]:
        """Return the epochs that the run has spent with each report, were they entered in order."""
        spent, reached, counts = self.spent, dict[int, int](), []
        for report in reports:
            known = reached.get(report.trial, self.open[report.trial].position)
            spent += self._cost(report.trial, report.epoch - known)
            reached[report.trial] = report.epoch
            counts.append(spent)
        return counts

    def append_report(self, report: Report) -> int:
        """Enter a stored report and return the epochs the run has spent with it."""
        value, seconds = report.metrics.get(self.info.metric), report.seconds or 0.0
        value = value if value is not None and math.isfinite(value) else None
        if not self.advance([(report.trial, report.epoch, value, report.clock, seconds)]):
            raise KeyError(f"trial {report.trial} cannot report epoch {report.epoch} now")
        return self.spent

    def advance(self, lines: Sequence[Line]) -> int:
        """Enter stored reports in order; return how many, up to one that cannot follow."""
        own: dict[int, _Reported] = {}
        count, clock, seconds = self._reports, self.clock, self.seconds
        for trial, epoch, value, at, took in lines:
            new = own.get(trial)
            if new is None:
                if trial not in self.open:
                    break
                new = own[trial] = self._reporting(trial)
            if not new.position < epoch <= new.until:
                break
            if value is not None:
                new.epochs.append(epoch)
                new.values.append(value)
                new.arrivals.append(count)
            elif not self.info.has_missing_values or epoch == new.until:
                break
            new.position, new.clock = epoch, at
            new.seconds += took
            count += 1
            seconds += took
            if at > clock:
                clock = at
        for trial, new in own.items():
            attempt, start, until, position, _ = self.open[trial]
            self.open[trial] = RunningSegment(attempt, start, until, new.position, new.clock)
            trained = self._cost(trial, new.position - position)
            self.spent += trained
            self.committed -= trained
        entered = count - self._reports
        self._reports, self.clock, self.seconds, self._view = count, clock, seconds, None
        return entered

    def _reporting(self, trial: int) -> _Reported:
        own, segment = self._new.get(trial), self.open[trial]
        if own is None:
            seconds = self._trials[trial].seconds
            own = _Reported(seconds, segment.position, segment.until, segment.clock)
            self._new[trial] = own
        return own

    def _settle(self, number: int) -> None:
        """Put what a trial has reported into its record."""
        own = self._new.pop(number, None)
        if own is None or not (own.epochs or own.seconds > self._trials[number].seconds):
            return
        trial = self._trials[number]
        values = (*trial.values, *own.values)
        self._change(
            number,
            epochs=(*trial.epochs, *own.epochs),
            values=values,
            arrivals=(*trial.arrivals, *own.arrivals),
            value=self._final(values) if values else None,
            seconds=own.seconds,
        )

    def append_outcome(self, outcome: Outcome) -> None:
        """Enter a stored outcome; the epoch in which a trial failed is charged."""
        self._settle(outcome.trial)
        segment = self.open.pop(outcome.trial)
        ahead = self._cost(outcome.trial, segment.until - segment.position)
        self.committed -= ahead
        self.stopping.discard(outcome.trial)
        trial = self._trials[outcome.trial]
        value = trial.value
        if outcome.status == "failed":
            # Training again in silence, after a restart, is charged as far as it got.
            trained = max(1, outcome.epoch - segment.position + 1)
            self.spent += min(trained, ahead)
            value = None
        place, until = None, trial.until
        if outcome.status == "finished":
            until = outcome.epoch  # where the length was open, this is its end
        if outcome.status != "paused":
            place, self._ended = self._ended, self._ended + 1
        self._change(
            trial.id,
            status=outcome.status,
            place=place,
            until=until,
            reason=outcome.reason,
            value=value,
            seconds=trial.seconds + outcome.seconds,
        )
        self._enter(outcome.clock, outcome.seconds)

    def _final(self, values: tuple[float, ...]) -> float:
        is_last = self.info.final == "last"
        return values[-1] if is_last else best_value(values, self.info.direction)

    def _change(self, trial: int, **fields: object) -> None:
        before = self._trials[trial]
        after = self._trials[trial] = with_fields(before, fields)
        self._paused += (after.status == "paused") - (before.status == "paused")
        self.failed += (after.status == "failed") - (before.status == "failed")
        if trial < len(self._seen_trials):
            self._touched.add(trial)

    def _enter(self, clock: float, seconds: float) -> None:
        self.clock = max(self.clock, clock)
        self.seconds += seconds
        self._view = None


moved.answer_for_old_names(__name__)
