"""What a run is to try: configurations of the user's own first, then those of its strategy."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hpo_research.errors import HpoError, SpaceError
from hpo_research.experiment.asking import asks_of
from hpo_research.ledger import Ledger
from hpo_research.lists import items
from hpo_research.records import ENQUEUED, Ask, Run, Trial, start
from hpo_research.space import Config, SearchSpace
from hpo_research.store import RunName
from hpo_research.strategies.protocol import Strategy

Queues = Mapping[str, Sequence[Config]]
"""What is tried first in every run of a problem, by the problem's name."""


class Checked(dict[str, Any]):
    """What an experiment holds by problem: an experiment of fewer problems takes its part of it."""


def by_problem(
    given: object, names: Collection[str], what: str
) -> tuple[dict[str, Any], list[str]]:
    """Return what is given for each problem, or for all alike, and the mistakes."""
    if isinstance(given, Checked):
        return {name: own for name, own in given.items() if name in names}, []
    if not isinstance(given, Mapping):
        return dict.fromkeys(names, given), []
    wrong = [f"{what}: there is no problem {name!r}" for name in given if name not in names]
    return {name: given[name] for name in names if name in given}, wrong


Asked = Callable[[Run, int], Ask]
"""Asks the strategy about a run, with so many slots."""


def proposed(asked: Asked, run: Run, queue: Sequence[Config], n: int) -> Ask:
    """Return what is to be granted of n trials, those of the queue first."""
    ask = asked(run, n)
    if ask.ends or not queue:
        return ask
    served = list(zip(queue, _untils(asked, run, ask, len(queue)), strict=True))
    # The strategy is asked for the rest, and sees what it must not propose again.
    first = len(run.trials)
    known = [Trial(first + i, c, "running", until) for i, (c, until) in enumerate(served)]
    rest = asked(replace(run, trials=(*run.trials, *known)), n - len(served))
    starts = [start(config, until, ENQUEUED) for config, until in served]
    # Whether it is over is said of the run as it is, without what only begins now.
    return replace(rest, proposals=(*starts, *rest.proposals), ends="")


def queued(given: object, spaces: Mapping[str, SearchSpace], error: type[HpoError]) -> Queues:
    """Return what is tried first, by problem; a list is for all problems.

    Raises `error` with a line for each configuration that is none of a space.
    """
    by_name, mistakes = by_problem(given, spaces, "enqueue")
    queues = Checked()
    for name, own in by_name.items():
        try:
            wanted = items(own, "enqueue", error)
        except HpoError as wrong:
            mistakes.append(str(wrong))
            continue
        for i, config in enumerate(wanted):
            try:
                known = spaces[name].validate(config, f"enqueue[{i}] for {name}")
                queues.setdefault(name, []).append(known)
            except SpaceError as wrong:
                mistakes.append(str(wrong))
    if mistakes:
        raise error("\n".join(mistakes))
    return queues


def served(
    strategy: Strategy,
    queues: Queues,
    *,
    names: Sequence[RunName],
    ledgers: Sequence[Ledger],
    slots: Sequence[int],
) -> list[Ask]:
    """Ask a strategy about runs, what waits in their queues first; those without one together."""
    waiting = [_waiting(queues, *own) for own in zip(names, ledgers, slots, strict=True)]

    def asked(members: Sequence[int], runs: Sequence[Run], free: Sequence[int]) -> list[Ask]:
        own, books = [names[i] for i in members], [ledgers[i] for i in members]
        return asks_of(strategy, runs, names=own, ledgers=books, slots=free)

    rest = [i for i, queue in enumerate(waiting) if not queue]
    asks: dict[int, Ask] = {}
    if rest:
        found = asked(rest, [ledgers[i].run() for i in rest], [slots[i] for i in rest])
        asks.update(zip(rest, found, strict=True))
    for i, queue in enumerate(waiting):
        if queue:
            alone = lambda run, n, i=i: asked([i], [run], [n])[0]  # noqa: E731
            asks[i] = proposed(alone, ledgers[i].run(), queue, slots[i])
    return [asks[i] for i in range(len(names))]


def _waiting(queues: Queues, name: RunName, ledger: Ledger, slots: int) -> Sequence[Config]:
    """Return what a run's free slots are to try first."""
    queue = queues.get(name.problem)
    if not queue or slots <= 0:
        return ()
    done = sum(trial.origin == ENQUEUED for trial in ledger.trials)
    return queue[done : done + slots]


def _untils(asked: Asked, run: Run, ask: Ask, count: int) -> list[int]:
    """Return how far so many new trials are trained where the strategy wants this ask.

    As far as those that they stand for; beyond these, as far as the strategy's very first one,
    which it knows how to train on; to the end where it has finished.
    """
    untils = [proposal.until for proposal in ask.proposals if proposal.kind == "start"][:count]
    if len(untils) == count:
        return untils
    is_over = not ask.proposals and not run.running
    begun = () if is_over else asked(replace(run, trials=(), asks=()), 1).proposals
    return untils + [begun[0].until if begun else run.max_epochs] * (count - len(untils))
