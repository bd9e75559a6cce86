"""A run's model along one hyperparameter and over two, the others being those of its best trial."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float

from hpo_research.analysis.modelled import Modelled
from hpo_research.space import Categorical, Integer, SearchSpace
from hpo_research.space import Float as FloatParameter
from hpo_research.space.parameters import Parameter
from hpo_research.strategies.answers import Belief
from hpo_research.threads import limited

LINE, SIDE = 101, 33
"""Points of a slice, and along each side of a contour, where there are more values than so many."""


@dataclass(frozen=True)
class Slice:
    """What a model believes along one hyperparameter: at q places of the unit interval."""

    parameter: str
    places: Float[np.ndarray, " q"]
    belief: Belief


@dataclass(frozen=True)
class Contour:
    """A model's median over two hyperparameters, at places of the unit interval of each."""

    first: str
    second: str
    x: Float[np.ndarray, " q"]
    y: Float[np.ndarray, " r"]
    median: Float[np.ndarray, "q r"]


def places_of(parameter: Parameter, most: int) -> Float[np.ndarray, " q"]:
    """Return where a hyperparameter is looked at: at each value, or evenly where there are more."""
    if parameter.size is None or parameter.size > most:
        return np.linspace(0, 1, most)
    if isinstance(parameter, Categorical):
        return (np.arange(parameter.size) + 0.5) / parameter.size
    assert isinstance(parameter, FloatParameter | Integer) and parameter.bins is not None
    return np.asarray(parameter.bins.encode(np.arange(parameter.size)), dtype=float)


def slices(modelled: Modelled, names: Sequence[str]) -> list[Slice]:
    """Return a slice through the best trial along each of some hyperparameters."""
    space = modelled.view.run.space
    found = []
    for name in names:
        places = places_of(space.parameters[name], LINE)
        cube = _through(modelled, len(places))
        cube[:, _column(space, name)] = places
        with limited():
            found.append(Slice(name, places, modelled.view.believe(cube)))
    return found


def contours(modelled: Modelled, names: Sequence[str]) -> list[Contour]:
    """Return the plane through the best trial over each pair of some hyperparameters."""
    space = modelled.view.run.space
    found = []
    for first, second in combinations(names, 2):
        x, y = (places_of(space.parameters[name], SIDE) for name in (first, second))
        cube = _through(modelled, len(x) * len(y))
        cube[:, _column(space, first)] = np.repeat(x, len(y))
        cube[:, _column(space, second)] = np.tile(y, len(x))
        with limited():
            median = modelled.view.believe(cube).median.reshape(len(x), len(y))
        found.append(Contour(first, second, x, y, median))
    return found


def _through(modelled: Modelled, rows: int) -> Float[np.ndarray, "q p"]:
    return np.repeat(modelled.view.run.space.encode([modelled.best.config]), rows, axis=0)


def _column(space: SearchSpace, name: str) -> int:
    return space.names.index(name)
