"""The initial design: how a run begins that a model takes over."""

from hpo_research.records import Ask, Run
from hpo_research.strategies.earlier import begun as known_of
from hpo_research.strategies.random import begun as started
from hpo_research.strategies.sobol import sobol
from hpo_research.strategies.tried import left

MIDDLE, SOBOL = "middle", "sobol"
DESIGNS = (MIDDLE, SOBOL)
_WITH_MIDDLE = 4
_LEAST, _MOST = 4, 24


def trials_of(initial: int | None, run: Run, design: str = SOBOL) -> int:
    """Return how many trials a run begins with.

    By default 4 with the middle, else two a hyperparameter, 4 to 24.
    """
    if initial is not None:
        return initial
    if design == MIDDLE:
        return _WITH_MIDDLE
    return min(max(2 * run.space.dimension, _LEAST), _MOST)


def is_early(
    initial: int | None, run: Run, design: str = SOBOL, *, with_curves: bool = False
) -> bool:
    """Return whether a run is still to begin: earlier trials of its task count as its own.

    `with_curves`: its model is one of learning curves.
    """
    return known_of(run, with_curves=with_curves) < trials_of(initial, run, design)


def places_of(run: Run, slots: int) -> int:
    """Return how many of the slots there are untried configurations for."""
    there = left(run) if slots > 0 else 0
    return max(0, slots) if there is None else min(max(0, slots), there)


def begun(run: Run, places: int, until: int, design: str = SOBOL) -> Ask:
    """Begin trials of a scrambled Sobol sequence, shared with all that begin a seed with it.

    The design "middle" puts the middle of the space before the sequence.
    """
    shift, known = int(design == MIDDLE), known_of(run)
    middle = [(run.space.middle, MIDDLE)] if shift and not known and places else []
    first, count = max(0, known - shift), places - len(middle)
    cube = sobol(run.stream, run.space.dimension, first=first, count=count)
    spread = [(config, SOBOL) for config in run.space.from_uniform(cube)]
    return Ask(tuple(started(run, [*middle, *spread], until)))
