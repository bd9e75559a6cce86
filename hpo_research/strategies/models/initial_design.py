"""The initial design: how a run begins that a model takes over."""

from dataclasses import replace

from hpo_research.records import Ask, Run, Start
from hpo_research.strategies.random import Random
from hpo_research.strategies.tried import left

_LEAST, _MOST = 4, 24


def trials_of(initial: int | None, run: Run) -> int:
    """Return how many trials a run begins with: by default two a hyperparameter, 4 to 24."""
    return min(max(2 * run.space.dimension, _LEAST), _MOST) if initial is None else initial


def places_of(run: Run, slots: int) -> int:
    """Return how many of the slots there are untried configurations for."""
    there = left(run) if slots > 0 else 0
    return max(0, slots) if there is None else min(max(0, slots), there)


def begun(run: Run, places: int, until: int) -> Ask:
    """Begin trials of a scrambled Sobol sequence, shared with all that begin a seed with it."""
    (ask,) = Random("sobol").ask([run], [places])
    starts = (proposal for proposal in ask.proposals if isinstance(proposal, Start))
    return Ask(tuple(replace(proposal, until=until) for proposal in starts))
