"""What no caller may give and no strategy may propose, found before it is stored."""

import operator
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from hpo_research.errors import SpaceError, StrategyError
from hpo_research.ledger import Ledger
from hpo_research.records import Ask, Proposal, Run
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.sparing import epochs_mistake
from hpo_research.text import quoted

Item = TypeVar("Item", bound=Hashable)


def strategy_mistake(strategy: object, max_epochs: int | None = None) -> str:
    """Say what is wrong with something that is to be a strategy; empty where nothing is.

    `max_epochs` is that of the only problem there is, where there is only one.
    """
    if isinstance(strategy, type):
        return f"must have ask(runs, slots), got the class {strategy!r}; call it to make one"
    if not callable(getattr(strategy, "ask", None)):
        hint = "; make one, as Random()" if isinstance(strategy, str) else ""
        return f"must have ask(runs, slots), got {quoted(strategy)}{hint}"
    mistake = epochs_mistake(strategy, max_epochs)
    return mistake and f"does not suit: {mistake}"


def whole(number: object) -> int | None:
    """Return a whole number of any type as an int, None for anything else."""
    try:
        return None if isinstance(number, bool) else operator.index(number)  # type: ignore[arg-type]
    except TypeError:
        return None


def seed_mistake(seed: object) -> str:
    """Say what is wrong with something that is to be a seed; empty where nothing is."""
    number = whole(seed)
    if number is None:
        return f"must be a whole number, got {quoted(seed)}"
    is_stored = abs(number) < 2**63
    return "" if is_stored else f"must lie between -2**63 and 2**63, got {quoted(number)}"


def repeated(items: Iterable[Item]) -> list[Item]:
    """Return what there is more than once of some hashable items, once each, as they come."""
    return [item for item, count in Counter(items).items() if count > 1]


def asks_of(
    name: str,
    strategy: Strategy,
    runs: Sequence[Run],
    *,
    ledgers: Sequence[Ledger],
    slots: Sequence[int],
) -> list[Ask]:
    """Ask a strategy and return what it may be granted, configurations in native types.

    Raises `StrategyError` for what no strategy may say: a bug in it.
    """
    asks = strategy.ask(runs, slots)
    if len(asks) != len(runs):
        raise StrategyError(f"{name}: asked {len(runs)} runs, got {len(asks)} asks")
    rows = zip(ledgers, asks, slots, strict=True)
    return [
        _checked(f"{name}, run {ledger.info.id}", ledger, ask, free) for ledger, ask, free in rows
    ]


def _checked(who: str, ledger: Ledger, ask: Ask, slots: int) -> Ask:
    taken = [proposal for proposal in ask.proposals if proposal.kind != "stop"]
    if len(taken) > slots:
        raise StrategyError(f"{who}: {slots} slots were free, {len(taken)} proposals came")
    _check_notes(who, ask.notes)
    twice = sorted(map(str, repeated(p.trial for p in ask.proposals if p.kind != "start")))
    if twice:
        raise StrategyError(f"{who}: trial {', '.join(twice)} is resumed or stopped twice at once")
    return replace(ask, proposals=tuple(_proposal(who, ledger, p) for p in ask.proposals))


def _proposal(who: str, ledger: Ledger, proposal: Proposal) -> Proposal:
    known = 0
    if proposal.kind == "start":
        try:
            config = ledger.info.space.validate(proposal.config or {}, f"{who}: proposal")
        except SpaceError as error:
            raise StrategyError(str(error)) from error
        proposal = replace(proposal, config=config)
    else:
        known = _known(who, ledger, proposal)
    until, most = proposal.until, ledger.info.max_epochs
    if proposal.kind != "stop" and not (_is_whole(until) and known < until <= most):
        raise StrategyError(
            f"{who}: until must be a whole number above {known} and at most {most}, got {until!r}"
        )
    return proposal


def _known(who: str, ledger: Ledger, proposal: Proposal) -> int:
    number = proposal.trial
    if number is None or not _is_whole(number) or not 0 <= number < len(ledger.trials):
        raise StrategyError(f"{who}: cannot {proposal.kind} trial {number}, which does not exist")
    trial = ledger.trials[number]
    if trial.status != ("paused" if proposal.kind == "resume" else "running"):
        raise StrategyError(
            f"{who}: cannot {proposal.kind} trial {trial.id}, which is {trial.status}"
        )
    return trial.reached


def _check_notes(who: str, notes: Mapping[str, object]) -> None:
    for key, note in notes.items():
        numbers = note if isinstance(note, list) else [note]
        if not isinstance(note, str) and not all(isinstance(n, int | float) for n in numbers):
            raise StrategyError(
                f"{who}: note {key!r} must be a number, a text or a list of numbers, got {note!r}"
            )


def _is_whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)
