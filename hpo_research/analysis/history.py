"""The history of a run: all that is known of it, and the run as it was at any of its asks."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hpo_research.ledger import EndedBy, Final
from hpo_research.records import Ask, Outcome, Report, Resume, Run, Start, Status, Trial, best_value
from hpo_research.store.reports import as_reports


@dataclass(frozen=True)
class Cost:
    """What a run has cost: epochs (those of failures included), its seconds, and its clock.

    `seconds` is the run's share of the time that training and asking took, `clock` the time since
    the experiment began, or of the run's simulated clock.
    """

    epochs: int = 0
    seconds: float = 0.0
    clock: float = 0.0


@dataclass(frozen=True)
class RunHistory:
    """A run with its reports by trial and epoch, the outcomes and asks as they came, and its cost.

    Each with its turn; a report also with the epochs that the run had spent with it, an ask with
    the seconds that it took (the run's share where several were asked together; asks that changed
    nothing are not stored). `final` is the experiment's rule, `ended` why the run was ended before
    its budget, empty where it was not, and `ended_by` who ended it. `asked_at` is the run's clock
    at each of `asked`, in seconds.
    """

    run: Run
    reports: Sequence[tuple[Report, int, int]]
    outcomes: Sequence[tuple[int, Outcome]]
    asked: Sequence[tuple[int, float]]
    cost: Cost
    is_over: bool
    final: Final = "last"
    ended: str = ""
    ended_by: EndedBy = "request"
    asked_at: Sequence[float] = ()

    @property
    def begun(self) -> list[int]:
        """The turn in which each trial was begun, by id."""
        asks = zip(self.run.asks, self.asked, strict=True)
        return [turn for ask, (turn, _) in asks for p in ask.proposals if p.kind == "start"]

    def at(self, ask: int) -> Run:
        """Return the run as a model saw it when it was asked for the ask-th time.

        A trial was running if fewer of its segments had ended by then than had been proposed; it
        is without values, since a model uses none of them. One that was begun anew has the values
        of its last attempt alone.
        """
        turn, _ = self.asked[ask]
        seen = [
            replace(trial, epochs=(), values=(), value=None) if trial.is_running else trial
            for trial in self._trials(turn, self.run.asks[:ask])
        ]
        return replace(self.run, trials=tuple(seen), asks=self.run.asks[:ask])

    def after(self, epochs: float) -> Run:
        """Return the run as it was at the end of the last turn by which it had spent so many.

        It is what an ask saw, had there been one: what was proposed behind that turn is not there.
        Running trials have what they had reported, which `at` leaves out: a model does not use it.
        """
        came = as_reports(self.reports)
        beyond = came.turn[came.spent > epochs]
        if not len(beyond):
            return self.run
        turn = int(beyond.min())
        last = int(came.turn[came.turn < turn].max(initial=-1))
        asks = self.run.asks[: sum(asked <= last for asked, _ in self.asked)]
        return replace(self.run, trials=tuple(self._trials(turn, asks)), asks=asks)

    def _trials(self, turn: int, asks: Sequence[Ask]) -> Iterator[Trial]:
        """Yield the trials of some asks as they were before the reports of a turn came.

        Their `until` and `seconds` are those of the end.
        """
        segments, came = _segments(asks), as_reports(self.reports)
        earlier = came.turn < turn
        reached = dict(zip(came.trial[earlier].tolist(), came.epoch[earlier].tolist(), strict=True))
        ends: defaultdict[int, list[Status]] = defaultdict(list)
        for at, outcome in self.outcomes:
            if at < turn:
                ends[outcome.trial].append(outcome.status)
        for trial in self.run.trials[: len(segments)]:
            own = ends[trial.id]
            status = "running" if len(own) < segments[trial.id] else own[-1]
            # Epochs whose value is missing are not there.
            known = bisect_right(trial.epochs, reached.get(trial.id, 0))
            epochs, values, value = trial.epochs[:known], trial.values[:known], None
            if values and status != "failed":
                is_last = self.final == "last"
                value = values[-1] if is_last else best_value(values, self.run.direction)
            yield replace(trial, status=status, epochs=epochs, values=values, value=value)


def _segments(asks: Sequence[Ask]) -> Counter[int]:
    """Count the segments that were proposed for each trial, started or resumed."""
    segments: Counter[int] = Counter()
    for proposal in (proposal for ask in asks for proposal in ask.proposals):
        if isinstance(proposal, Start):
            segments[len(segments)] = 1
        elif isinstance(proposal, Resume):
            segments[proposal.trial] += 1
    return segments
