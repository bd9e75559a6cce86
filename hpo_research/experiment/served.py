"""What a study proposes: configurations of the user's own first, then those of its strategy."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from hpo_research.records import Ask, Run, Trial, start
from hpo_research.space import Config

ENQUEUED = "enqueued"
"""The origin of a trial that the user wanted."""

Asked = Callable[[Run, int], Ask]
"""Asks the strategy about a run, with so many slots."""


def proposed(asked: Asked, run: Run, queue: Sequence[Config], n: int) -> Ask:
    """Return what is to be granted of n trials, those of the queue first."""
    ask = asked(run, n)
    if not queue:
        return ask
    served = list(zip(queue, _untils(asked, run, ask, len(queue)), strict=True))
    # The strategy is asked for the rest, and sees what it must not propose again.
    first = len(run.trials)
    known = [Trial(first + i, c, "running", until) for i, (c, until) in enumerate(served)]
    rest = asked(replace(run, trials=(*run.trials, *known)), n - len(served))
    starts = [start(config, until, ENQUEUED) for config, until in served]
    return replace(rest, proposals=(*starts, *rest.proposals))


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
