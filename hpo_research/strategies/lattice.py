"""A lattice: the product of a few axes, walked in order without being written out."""

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hpo_research.space import Config, Float, Integer, SearchSpace, Value
from hpo_research.space.parameters import identity


@dataclass(frozen=True)
class Axis:
    """Distinct pieces of a configuration over the same names: one of them is in each cell."""

    names: tuple[str, ...]
    pieces: tuple[Config, ...]

    @cached_property
    def positions(self) -> dict[tuple[tuple[str, Value], ...], int]:
        """Where each piece stands, by what tells values apart."""
        return {self._identity(piece): k for k, piece in enumerate(self.pieces)}

    def position(self, config: Config) -> int | None:
        """Return where a configuration lies on this axis, None where it is off it."""
        return self.positions.get(self._identity(config))

    def _identity(self, config: Config) -> tuple[tuple[str, Value], ...]:
        return tuple(identity(config[name]) for name in self.names)


@dataclass(frozen=True)
class Lattice:
    """Every combination of one piece from each axis; the last axis varies fastest."""

    axes: tuple[Axis, ...]

    @property
    def size(self) -> int:
        """How many combinations there are."""
        return math.prod(len(axis.pieces) for axis in self.axes)

    def config_at(self, index: int) -> Config:
        """Return the index-th combination, names in the order of the axes."""
        pieces: list[Config] = []
        for axis in reversed(self.axes):
            index, k = divmod(index, len(axis.pieces))
            pieces.append(axis.pieces[k])
        return {name: value for piece in reversed(pieces) for name, value in piece.items()}

    def index(self, config: Config) -> int | None:
        """Return which combination a configuration is, None where it is none of them."""
        index = 0
        for axis in self.axes:
            k = axis.position(config)
            if k is None:
                return None
            index = index * len(axis.pieces) + k
        return index


def listed(space: SearchSpace, configs: tuple[Config, ...]) -> Lattice:
    """Return a list of configurations as a lattice of one axis."""
    return Lattice((Axis(space.names, configs),))


def axis(name: str, values: tuple[Value, ...]) -> Axis:
    """Return one parameter's values as an axis; repeated values count once."""
    distinct = {identity(value): value for value in values}
    return Axis((name,), tuple({name: value} for value in distinct.values()))


def spaced(parameter: Float | Integer, count: int) -> tuple[Value, ...]:
    """Return points equally spaced on the parameter's scale, from bound to bound.

    A single point is the middle. On an integer or a step each becomes the nearest value, once;
    where as many points are wanted as there are values, or more, these are all the values.
    """
    if parameter.size is not None and count >= parameter.size:
        return tuple(parameter.value_at(k) for k in range(parameter.size))
    unit = np.linspace(0.0, 1.0, count) if count > 1 else np.array([0.5])
    if parameter.step is None or parameter.size is None:
        return tuple(parameter.decode(unit))
    scale = parameter.resolved
    low, high = (float(scale.forward(np.float64(v))) for v in (parameter.low, parameter.high))
    x = scale.backward(low + unit * (high - low))
    index = np.clip(np.rint((x - parameter.low) / parameter.step), 0, parameter.size - 1)
    return tuple(parameter.value_at(int(k)) for k in np.unique(index))


def near_equal(sizes: list[int | None], total: int) -> list[int]:
    """Return how many points each axis gets in the largest near-equal lattice within `total`.

    Every axis gets g points (or its size, if that is smaller), g being the largest number for
    which the product is at most `total`; then, in order, axes get one more while it still is.
    """

    def counts(g: int) -> list[int]:
        return [g if size is None else min(g, size) for size in sizes]

    g = bisect_right(range(1, total + 1), total, key=lambda g: math.prod(counts(g)))
    chosen = counts(g)
    for j, more in enumerate(counts(g + 1)):
        grown = [*chosen[:j], more, *chosen[j + 1 :]]
        if math.prod(grown) <= total:
            chosen = grown
    return chosen
