"""A search space as a model sees it: columns of the unit cube, and where to search them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import jaxtyping as jt
import numpy as np
import torch
from torch import Tensor

from hpo_research.acquisition import Choice, Continuous, Discrete, Domain, Points
from hpo_research.ambient import ordinary
from hpo_research.space import Categorical, Config, Float, Integer, SearchSpace
from hpo_research.space.outside import located
from hpo_research.space.parameters import Parameter

TABLE = 100_000
"""Finite spaces of up to so many configurations are scored whole."""

Signature = tuple[tuple[str, tuple[float, ...]], ...]
"""For each hyperparameter: continuous, ordered or unordered, and the middles of its values."""


@dataclass(frozen=True)
class Encoding:
    """How configurations of a space become rows of a model, and come back.

    A number or an ordered category fills one column, at the middle of its value's share of [0, 1].
    An unordered category of k values fills k columns, with 1/√2 in the one of its value: then two
    that differ are at distance 1 (Hamming), and its columns share one lengthscale.

    Behind them stands a column for each of the related `tasks`: 1 in its rows, 0 in all others, the
    run's own and all that is proposed among them. Its lengthscale says how alike the tasks are.
    """

    space: SearchSpace
    tasks: int = 0

    @cached_property
    def signature(self) -> Signature:
        """What two spaces must share for their runs to be computed in one batch."""
        return tuple(_kind(parameter) for parameter in self.space.parameters.values())

    @cached_property
    def key(self) -> tuple[Signature, bytes, int]:
        """The signature, for a list of configurations the list, and the count of related tasks."""
        listed = b"" if self.space.among is None else self.space.points.tobytes()
        return self.signature, listed, self.tasks

    @cached_property
    def lengthscale_of(self) -> tuple[int, ...]:
        """The hyperparameter that each column belongs to; related tasks follow them."""
        widths = [_width(kind) for kind in self.signature] + [1] * self.tasks
        return tuple(i for i, width in enumerate(widths) for _ in range(width))

    @cached_property
    def domain(self) -> Domain:
        """Where acquisition functions of this space are maximised, on the CPU."""
        domain = self._domain
        if not self.tasks:
            return domain
        dimension, table = domain.dimension + self.tasks, domain.table
        if table is not None:
            table = torch.nn.functional.pad(table, (0, self.tasks))
        return Domain(dimension, domain.order, domain.choices, table)

    @property
    def _domain(self) -> Domain:
        domain = _product(self.signature)
        if self.space.among is not None:
            table = domain.placed(torch.from_numpy(self.space.points)[None])
            return Domain(domain.dimension, domain.order, domain.choices, table.x[0])
        if self.space.size is not None and self.space.size <= TABLE:
            return _with_table(self.signature)
        return domain

    def points(self, configs: Sequence[Config], tasks: Sequence[int] = ()) -> Points:
        """Encode configurations as the points of one run. Shape: 1 n d.

        A number outside its bounds lies outside the unit cube. `tasks` are those that they are of,
        0 the run's own, where there are others and the encoding tells them apart.
        """
        points = self._placed(configs)
        if self.tasks and any(tasks):
            own = torch.tensor(tasks, dtype=torch.int64)
            shown = torch.nn.functional.one_hot(own, self.tasks + 1)[:, 1:]
            points.x[..., -self.tasks :] = shown.to(points.x)
        return points

    def _placed(self, configs: Sequence[Config]) -> Points:
        cube = torch.from_numpy(located(self.space, configs))[None]
        points = self.domain.placed(cube)
        is_out = (cube < 0) | (cube > 1)
        if not is_out.any():
            return points
        x = points.x.clone()
        for i, kind in enumerate(self.domain.order):
            if isinstance(kind, Discrete):  # the index is that of the value beside it
                column = self.domain.choices[kind.choice].columns[0]
                x[..., column] = torch.where(is_out[..., i], cube[..., i], x[..., column])
        return Points(x, points.index)

    def config(self, x: jt.Float64[Tensor, " d"], index: jt.Int64[Tensor, " c"]) -> Config:
        """Return the configuration of a point."""
        cube = np.empty((1, self.space.dimension))
        for i, kind in enumerate(self.domain.order):
            if isinstance(kind, Continuous):
                cube[0, i] = float(x[kind.column])
            else:
                cube[0, i] = self.signature[i][1][int(index[kind.choice])]
        return self.space.decode(cube)[0]


def _kind(parameter: Parameter) -> tuple[str, tuple[float, ...]]:
    if isinstance(parameter, Categorical):
        name = "ordered" if parameter.ordered else "unordered"
        return name, tuple((k + 0.5) / parameter.size for k in range(parameter.size))
    assert isinstance(parameter, Float | Integer)
    if parameter.bins is None or parameter.bins.count > TABLE:
        return "continuous", ()  # decoding snaps to the value beside it
    return "ordered", tuple(parameter.bins.encode(np.arange(parameter.bins.count)).tolist())


def _width(kind: tuple[str, tuple[float, ...]]) -> int:
    return len(kind[1]) if kind[0] == "unordered" else 1


@lru_cache(maxsize=64)
@ordinary()
def _product(signature: Signature) -> Domain:
    order: list[Continuous | Discrete] = []
    choices: list[Choice] = []
    column = 0
    for kind in signature:
        name, middles = kind
        width = _width(kind)
        if name == "continuous":
            order.append(Continuous(column))
        else:
            order.append(Discrete(len(choices)))
            columns = tuple(range(column, column + width))
            choices.append(_choice(columns, middles, is_ordered=name == "ordered"))
        column += width
    return Domain(column, tuple(order), tuple(choices))


def _choice(columns: tuple[int, ...], middles: tuple[float, ...], *, is_ordered: bool) -> Choice:
    values = torch.tensor(middles, dtype=torch.float64)
    points = (
        values[:, None] if is_ordered else torch.eye(len(middles), dtype=torch.float64) / 2**0.5
    )
    return Choice(columns, points, (values[:-1] + values[1:]) / 2, is_ordered)


@lru_cache(maxsize=4)
@ordinary()
def _with_table(signature: Signature) -> Domain:
    domain = _product(signature)
    sizes = [choice.size for choice in domain.choices]
    index = torch.cartesian_prod(
        *[torch.arange(size, dtype=torch.int64) for size in sizes]
    ).reshape(-1, len(sizes))
    empty = torch.zeros(1, len(index), domain.dimension, dtype=torch.float64)
    table = domain.assigned(empty, index[None]).x[0]
    return Domain(domain.dimension, domain.order, domain.choices, table)
