"""The history of a run: all that is known of it, and the run as it was at any of its asks."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hpo_research.ledger import Final
from hpo_research.records import Ask, Outcome, Report, Resume, Run, Start, Status, best_value
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
    its budget, empty where it was not.
    """

    run: Run
    reports: Sequence[tuple[Report, int, int]]
    outcomes: Sequence[tuple[int, Outcome]]
    asked: Sequence[tuple[int, float]]
    cost: Cost
    is_over: bool
    final: Final = "last"
    ended: str = ""

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
        run, (turn, _) = self.run, self.asked[ask]
        segments, came = _segments(run.asks[:ask]), as_reports(self.reports)
        earlier = came.turn < turn
        reached = dict(zip(came.trial[earlier].tolist(), came.epoch[earlier].tolist(), strict=True))
        ends: defaultdict[int, list[Status]] = defaultdict(list)
        for at, outcome in self.outcomes:
            if at < turn:
                ends[outcome.trial].append(outcome.status)
        trials = []
        for trial in run.trials[: len(segments)]:
            own = ends[trial.id]
            status = "running" if len(own) < segments[trial.id] else own[-1]
            last = 0 if status == "running" else reached.get(trial.id, 0)
            known = bisect_right(trial.epochs, last)  # epochs whose value is missing are not there
            values = trial.values[:known]
            value = None
            if values and status != "failed":
                is_last = self.final == "last"
                value = values[-1] if is_last else best_value(values, run.direction)
            epochs = trial.epochs[:known]
            trials.append(replace(trial, status=status, epochs=epochs, values=values, value=value))
        return replace(run, trials=tuple(trials), asks=run.asks[:ask])


def _segments(asks: Sequence[Ask]) -> Counter[int]:
    """Count the segments that were proposed for each trial, started or resumed."""
    segments: Counter[int] = Counter()
    for proposal in (proposal for ask in asks for proposal in ask.proposals):
        if isinstance(proposal, Start):
            segments[len(segments)] = 1
        elif isinstance(proposal, Resume):
            segments[proposal.trial] += 1
    return segments
