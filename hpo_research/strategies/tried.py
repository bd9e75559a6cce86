"""What a run has tried already, and a configuration that it has not."""

from collections.abc import Set

import numpy as np

from hpo_research.records import Run
from hpo_research.space import Config, SearchSpace
from hpo_research.space.search_space import Identity

ATTEMPTS = 256
"""How many uniform draws are made before the configurations are walked in order."""


def tried(run: Run) -> set[Identity]:
    """Return the identities of a run's trials, failed and running ones included, not `prior`."""
    return set(run.identities)


def untried(space: SearchSpace, known: Set[Identity], draws: np.random.Generator) -> Config | None:
    """Return a configuration that is not known, None when all are.

    The first unknown one of 256 uniform draws; after those, in a finite space, the first one that
    a walk over the space's own order meets, beginning at a uniformly drawn place and going round
    at the end. In a continuum the draws repeat nothing, but for what its floats cannot tell apart.
    """
    size = space.size
    if size is not None and len(known) >= size:
        return None
    for config in space.from_uniform(draws.random((ATTEMPTS, space.dimension))):
        if space.identity(config) not in known:
            return config
    if size is None:
        return None
    # Integers, since a finite space may have more configurations than a float can count.
    begin = int(draws.random() * 2**53) * size >> 53
    walk = (space.config_at((begin + k) % size) for k in range(len(known) + 1))
    return next(config for config in walk if space.identity(config) not in known)
