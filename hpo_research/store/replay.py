"""The rows of a run, and how they are entered again into its ledger, in the order of writing."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from hpo_research.entries import AskRow, Restart
from hpo_research.ledger import Ledger, Line
from hpo_research.records import Outcome, Start, Stop
from hpo_research.store.reports import Reports


class Ended(NamedTuple):
    """The turn of an outcome, and the outcome."""

    turn: int
    outcome: Outcome


class Asked(NamedTuple):
    """The turn of an ask, and what was stored of it."""

    turn: int
    row: AskRow


class Fault(NamedTuple):
    """The turn in which a row cannot follow those before it, and why."""

    turn: int
    why: str


@dataclass(frozen=True)
class RunRows:
    """What is stored of a run: reports by trial and epoch, outcomes and asks as they came."""

    reports: Reports
    outcomes: Sequence[Ended] = ()
    asks: Sequence[Asked] = ()

    def joined(self, other: "RunRows") -> "RunRows":
        """Return these rows and those of later turns."""
        return RunRows(
            self.reports.joined(other.reports),
            (*self.outcomes, *other.outcomes),
            (*self.asks, *other.asks),
        )


def replay(
    rows: RunRows, ledger: Ledger, *, after: int = 0, before: int | None = None
) -> Fault | None:
    """Enter the rows of the turns that lie after one and before another, until one cannot follow.

    In a turn reports come first, by trial and epoch, then outcomes, then the ask.
    """
    turns, lines = _lines(rows.reports, ledger.info.metric, after, before)
    events: list[Ended | Asked] = sorted((*rows.outcomes, *rows.asks), key=itemgetter(0))
    begin = 0
    for event in _between(events, after, before):
        end = bisect_right(turns, event.turn)
        if why := _advance(ledger, turns, lines[begin:end], begin):
            return why
        begin = end
        if isinstance(event, Ended):
            if event.outcome.trial not in ledger.open:
                return Fault(event.turn, _is_idle(ledger, event.outcome.trial))
            ledger.append_outcome(event.outcome)
        elif mistake := _impossible(ledger, event.row):
            return Fault(event.turn, mistake)
        else:
            ledger.append_ask(event.row)
    return _advance(ledger, turns, lines[begin:], begin)


def _lines(
    reports: Reports, metric: str, after: int, before: int | None
) -> tuple[list[int], list[Line]]:
    """Return the turns of reports in the order in which they came, and what is entered of each."""
    order = reports.arrival
    turns: list[int] = reports.turn[order].tolist()
    first = bisect_right(turns, after)
    last = len(turns) if before is None else bisect_left(turns, before)
    own = reports.rows(order[first:last])
    columns = (own.trial, own.epoch, own.metrics.numbers(metric), own.clock, own.seconds)
    plain = (column if isinstance(column, list) else column.tolist() for column in columns)
    return turns[first:last], list(zip(*plain, strict=True))


def _between(
    events: Sequence[Ended | Asked], after: int, before: int | None
) -> Sequence[Ended | Asked]:
    first = bisect_right(events, after, key=itemgetter(0))
    last = len(events) if before is None else bisect_left(events, before, key=itemgetter(0))
    return events[first:last]


def _advance(
    ledger: Ledger, turns: Sequence[int], lines: Sequence[Line], first: int
) -> Fault | None:
    """Enter reports; the turn of number i among them is `turns[first + i]`."""
    entered = ledger.advance(lines)
    if entered == len(lines):
        return None
    trial, epoch = lines[entered][:2]
    who, segment = f"run {ledger.info.id}: trial {trial}", ledger.open.get(trial)
    if segment is None:
        why = _is_idle(ledger, trial)
    elif not segment.position < epoch <= segment.until:
        wanted = f"{segment.position + 1} to {segment.until}"
        why = f"{who} reports epoch {epoch}, expected {wanted}"
    else:
        why = f"{who} reports no {ledger.info.metric!r} at epoch {epoch}"
    return Fault(turns[first + entered], why)


def _is_idle(ledger: Ledger, trial: int) -> str:
    return f"run {ledger.info.id}: trial {trial} is reported or ended while it is not running"


def _impossible(ledger: Ledger, row: AskRow) -> str:
    """Return why an ask cannot follow what a ledger holds, empty where it can."""
    count, busy = len(ledger.trials), set(ledger.open)
    for grant in row.grants:
        trial = f"run {row.run}: trial {grant.trial}"
        if isinstance(grant, Stop):
            if grant.trial not in busy:
                return f"{trial} is stopped while it is not running"
            continue
        if isinstance(grant, Restart):
            own = ledger.open.get(grant.trial)
            if own is None or (grant.attempt, grant.until) != (own.attempt + 1, own.until):
                return f"{trial} is restarted, as attempt {grant.attempt}, while it is not running"
            continue
        if isinstance(grant, Start):
            if grant.trial != count:
                return f"{trial} is started, expected trial {count}"
            if grant.config.keys() != ledger.info.space.parameters.keys():
                return f"{trial} has other hyperparameters than the space: {grant.config!r:.80}"
            count += 1
        elif not 0 <= grant.trial < count or grant.trial in busy:
            return f"{trial} is resumed while it is not paused"
        if not 0 <= grant.start < grant.until:
            return f"{trial} is trained from epoch {grant.start} until {grant.until}"
        busy.add(count - 1 if isinstance(grant, Start) else grant.trial)
    return ""
