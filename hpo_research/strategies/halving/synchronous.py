"""Synchronous successive halving: brackets of rungs, each of which waits for all its members."""

from collections.abc import Callable, Sequence

from hpo_research.errors import StrategyError
from hpo_research.options import require, whole
from hpo_research.records import Ask, Proposal, Run, Start, resume, start
from hpo_research.strategies.answers import recommendation
from hpo_research.strategies.halving.brackets import Bracket, Rung, open_rung
from hpo_research.strategies.halving.inner_view import furthest, inner_view
from hpo_research.strategies.protocol import Strategy

Choose = Callable[[Sequence[Run], Sequence[int]], list[Ask]]
"""How new configurations are chosen: the runs as they are, and how many each has places for.

Of the asks that come back only starts count, and their notes and seconds; the rung decides how
long they are trained. Called once for all runs with places, and only with places.
"""

ETA = whole(2, hint="3 is usual")
"""What a reduction factor must be."""


def halved(
    runs: Sequence[Run], slots: Sequence[int], tables: Sequence[list[Bracket]], choose: Choose
) -> list[Ask]:
    """Continue each run's open rung: start or resume its members, or wait for them.

    `tables` holds each run's brackets. They follow one another, from the first to the last, then
    again with fresh configurations, so that no plan depends on a budget. A bracket's first rung
    trains its configurations; each further rung continues the best, as many as it has places for.
    A rung waits for all its members. Trials that failed or were stopped in a rung are not
    promoted; ties go to the lower id. Where no bracket has a second rung there is nothing to wait
    for: every slot is filled at once. A bracket for which there are no more configurations goes
    on with those it has.
    """
    asks = [Ask() for _ in runs]
    rungs: dict[int, Rung] = {}
    wanted: dict[int, int] = {}
    for i, free in enumerate(slots):
        rung = open_rung(tables[i], runs[i], free, vacant=True) if free > 0 else None
        if rung is None:
            continue
        asks[i] = _resumes(rung)
        if rung.vacancies and free > len(asks[i].proposals):
            rungs[i] = rung
            wanted[i] = min(rung.vacancies, free - len(asks[i].proposals))
    if not wanted:
        return asks
    found = choose([runs[i] for i in wanted], list(wanted.values()))
    for i, own in zip(wanted, found, strict=True):
        ask = Ask(asks[i].proposals + _starts(rungs[i], own), rungs[i].notes, own.seconds)
        if not ask.proposals:  # no more configurations: go on with those there are
            rung = open_rung(tables[i], runs[i], slots[i], vacant=False)
            ask = Ask() if rung is None else _resumes(rung)
        asks[i] = Ask(ask.proposals, {**own.notes, **ask.notes}, ask.seconds, own.ends)
    return asks


def at_one_epoch(inner: Strategy) -> Choose:
    """Have a strategy choose that compares trials by single values: it sees `inner_view`."""

    def choose(runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        return inner.ask([inner_view(run) for run in runs], slots)

    return choose


def recommended_within(inner: Strategy, runs: Sequence[Run]) -> list[int | None]:
    """Return what a strategy recommends that chooses `at_one_epoch`, None before it sees it.

    Values of different epochs mixed are nothing that one model can rank; and nobody wants a barely
    trained configuration because it stood well among its like. So the trials trained furthest are
    ranked, by `inner`'s model of their values at that epoch, once `inner` sees these.
    """
    return recommendation(inner, [furthest(run) for run in runs])


def rung_epochs(max_epochs: int, eta: int, min_epochs: int = 1) -> tuple[int, ...]:
    """Return the epochs of the rungs, ascending: max_epochs // η^k as long as `min_epochs` allows.

    Integer arithmetic throughout. The last rung is `max_epochs`, the only one where `min_epochs`
    is not below it. Raises `StrategyError` where `max_epochs` is no integer >= 1.
    """
    require("max_epochs", max_epochs, whole(), error=StrategyError, call="rungs")
    epochs = [max_epochs]
    while max_epochs // eta ** len(epochs) >= min_epochs:
        epochs.append(max_epochs // eta ** len(epochs))
    return tuple(reversed(epochs))


def _resumes(rung: Rung) -> Ask:
    """Continue the members that wait below the rung, the best first."""
    proposals = tuple(resume(trial, rung.epochs) for trial in rung.waiting)
    return Ask(proposals, rung.notes if proposals else {})


def _starts(rung: Rung, found: Ask) -> tuple[Proposal, ...]:
    """Return what an inner strategy wants to start, trained to this rung only."""
    return tuple(
        start(proposal.config, rung.epochs, proposal.origin)
        for proposal in found.proposals
        if isinstance(proposal, Start)
    )
