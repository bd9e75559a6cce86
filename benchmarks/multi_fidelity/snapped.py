"""A recorded table as a function on the whole box: each point has the curves of the nearest row."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float64

from hpo_research.problems.curve_table import CurveTable
from hpo_research.problems.protocol import Evaluation
from hpo_research.problems.tabulated import Tabulated
from hpo_research.records import Direction, Segment
from hpo_research.space import Categorical, Config, SearchSpace


@dataclass(frozen=True)
class Snapped:
    """A table for searches that take no list of configurations.

    A point of the box is trained as the recorded configuration nearest to it: by the sum of squared
    differences in the unit cube, where two values of a choice without an order are 1 apart. Several
    points may stand for one configuration; each is a trial of its own, with its own recorded seed.
    """

    table: Tabulated

    @property
    def name(self) -> str:
        """The table's, marked."""
        return f"{self.table.name}-snapped"

    @property
    def space(self) -> SearchSpace:
        """The box in which the table's configurations lie."""
        return SearchSpace(self.table.space.parameters)

    @property
    def metric(self) -> str:
        """The table's."""
        return self.table.metric

    @property
    def direction(self) -> Direction:
        """The table's."""
        return self.table.direction

    @property
    def max_epochs(self) -> int:
        """The table's."""
        return self.table.max_epochs

    @property
    def optimum(self) -> float | None:
        """The table's: every recorded configuration is the nearest to itself."""
        return self.table.optimum

    @property
    def can_resume(self) -> bool:
        """As the table: a trial has no state."""
        return True

    @property
    def has_recorded_seconds(self) -> bool:
        """As the table."""
        return True

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Replay the nearest configurations."""
        near = nearest(self.table.recorded, [segment.config for segment in segments])
        pairs = zip(segments, near, strict=True)
        return self.table.evaluate([replace(own, config=config) for own, config in pairs], device)


def nearest(table: CurveTable, configs: Sequence[Config]) -> list[Config]:
    """Return the recorded configuration that is nearest to each."""
    rows = _recorded(table)
    points = coordinates(table.space, configs)
    places = [int(((rows - point) ** 2).sum(axis=1).argmin()) for point in points]
    return [table.configurations[place] for place in places]


@lru_cache(maxsize=8)
def _recorded(table: CurveTable) -> Float64[np.ndarray, "n k"]:
    return coordinates(table.space, table.configurations)


def coordinates(space: SearchSpace, configs: Sequence[Config]) -> Float64[np.ndarray, "n k"]:
    """Return columns whose squared differences add up to the distance of two configurations."""
    cube = SearchSpace(space.parameters).encode(list(configs))
    columns = []
    for j, (name, parameter) in enumerate(space.parameters.items()):
        if isinstance(parameter, Categorical) and not parameter.ordered:
            # Half a square each for the value that is left and the one that is taken: 1 in all.
            known = np.array([[c[name] == value for value in parameter.values] for c in configs])
            columns.append(known * np.sqrt(0.5))
        else:
            columns.append(cube[:, j : j + 1])
    return np.concatenate(columns, axis=1)
