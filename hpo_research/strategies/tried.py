"""What a run has tried already, and a configuration that it has not."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import numpy as np

from hpo_research.records import ADDED, Run, Trial
from hpo_research.rows import kept
from hpo_research.space import Config, SearchSpace
from hpo_research.space.search_space import Identity

ATTEMPTS = 256
"""How many uniform draws are made before the configurations are walked in order."""
_LOOKED_AT = (0, 8, 32, ATTEMPTS)  # the configurations of these draws are looked at together


class _Tried:
    """The configurations of a run's trials: an index (`rows.py`)."""

    def __init__(self, space: SearchSpace, before: Sequence[Trial]) -> None:
        self.space = space
        self.before = before  # held, so that no other trials can have their id
        self.identities: set[Identity] = set()
        self.places = Places()
        for trial in before:
            self._take(trial.config, may_be_outside=True)

    def enter(self, number: int, old: Trial | None, new: Trial) -> bool:
        if old is not None:
            return old.config is new.config or old.config == new.config
        self._take(new.config, may_be_outside=new.origin == ADDED)
        return True

    def _take(self, config: Config, *, may_be_outside: bool) -> None:
        place = None if self.space.size is None else self.space.index(config)
        if place is None and self.space.size is not None and may_be_outside:
            return  # it leaves as much of the space as there was
        self.identities.add(self.space.identity(config))
        if place is not None:
            self.places.take(place)


class Places:
    """Numbers that are taken, and which is the first from any on that is not.

    A number that is taken points to one further on; what is walked over once points to its end
    (union-find with path compression). `below`, if any, holds numbers that are taken as well.
    """

    def __init__(self, below: "Places | None" = None) -> None:
        self.taken: set[int] = set()
        self._below = below
        self._after: dict[int, int] = {}

    def take(self, place: int) -> None:
        """Take a number."""
        if place not in self.taken:
            self.taken.add(place)
            self._after.setdefault(place, place + 1)

    def free(self, place: int) -> int:
        """Return the first number from this one on that is not taken."""
        walked = []
        while True:
            after = self._after.get(place)
            if after is None and self._below is not None:
                after = self._below.free(place)
            if after is None or after == place:
                break
            walked.append(place)
            place = after
        for one in walked:
            self._after[one] = place
        return place


class Taken:
    """The configurations of a run's trials, failed and running ones included.

    And those of earlier runs of the same task, and what an ask adds, which it proposes.
    """

    def __init__(self, tried: _Tried) -> None:
        self.space = tried.space
        self._tried = tried
        self._added: set[Identity] = set()
        self._places = Places(tried.places)

    def __contains__(self, config: Config) -> bool:
        identity = self.space.identity(config)
        return identity in self._tried.identities or identity in self._added

    def __len__(self) -> int:
        return len(self._tried.identities) + len(self._added)

    def add(self, config: Config) -> None:
        """Take a configuration, as if it had been tried."""
        if config in self:
            return
        self._added.add(self.space.identity(config))
        if self.space.size is not None and (place := self.space.index(config)) is not None:
            self._places.take(place)

    @property
    def places(self) -> list[int]:
        """Where the configurations stand in a finite space's own order, as `SearchSpace.index`."""
        return [*self._tried.places.taken, *self._places.taken]

    def free(self, begin: int, size: int) -> int:
        """Return the first place from one on that is not taken, going round at the end."""
        place = self._places.free(begin)
        return place if place < size else self._places.free(0)


@contextmanager
def taken(run: Run) -> Iterator[Taken]:
    """Give what a run has tried, inside the block; what is added is forgotten after it."""
    space, before = run.space, run.prior
    name = ("tried", id(space), id(before))  # the index holds both: no others can have their ids
    with kept(run.trials, name, lambda: _Tried(space, before)) as tried:
        yield Taken(tried)


def left(run: Run) -> int | None:
    """Return how many configurations of a run's space were not tried, None for a continuum."""
    if run.space.size is None:
        return None
    with taken(run) as known:
        return run.space.size - len(known)


def untried(known: Taken, draws: np.random.Generator) -> Config | None:
    """Return a configuration that is not taken, None when all are.

    The first such one of 256 uniform draws; after those, in a finite space, the first one that
    a walk over the space's own order meets, beginning at a uniformly drawn place and going round
    at the end. In a continuum the draws repeat nothing, but for what its floats cannot tell apart.
    """
    space = known.space
    size = space.size
    if size is not None and len(known) >= size:
        return None
    cube = draws.random((ATTEMPTS, space.dimension))
    for first, last in pairwise(_LOOKED_AT):
        for config in space.from_uniform(cube[first:last]):
            if config not in known:
                return config
    if size is None:
        return None
    # Integers, since a finite space may have more configurations than a float can count.
    begin = int(draws.random() * 2**53) * size >> 53
    return space.config_at(known.free(begin, size))
