"""BBOB-CONSTRAINED as problems without constraints: what is not feasible is penalised.

Dufossé, Hansen, Brockhoff, Sampaio, Atamna and Auger, "Building scalable test problems for
benchmarking constrained optimizers" (2022), as coco-experiment computes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hpo_research.options import number, whole
from hpo_research.problems.coco import OverBox, check, in_suite, one_of_dimensions
from hpo_research.problems.coco_draws import place
from hpo_research.problems.evaluation import Point
from hpo_research.problems.protocol import Evaluation
from hpo_research.problems.single_epoch import one_by_one
from hpo_research.records import Segment

DIMENSIONS = (2, 3, 5, 10, 20, 40)
"""Those of COCO's suite."""

_ROUNDING = 1e-9  # of a constraint, whose values are of the order of 100


@dataclass(frozen=True)
class Penalised(OverBox):
    """A BBOB-CONSTRAINED function, 1 to 54, over [−5, 5]ᵈ with its constraints as a penalty.

    Of nine functions each has 1, 2, 6, 6 + d/2, 6 + d and 6 + 3d constraints g(x) ≤ 0, some of
    which hold with equality at the optimum. A point where all hold has the value f(x). Any other
    has max(f(x), f*) + `weight` · Σ max(0, g(x)), f* being the least feasible value: so no point is
    better than the constrained optimum, which is `optimum`, whatever the weight. Reports carry f
    as `objective`, and the sum of violations as `violation`. Raises `ProblemError`, and
    `MissingPackageError` when it is first computed.
    """

    function: int
    instance: int
    dimension: int
    weight: float = 1.0
    name: str = ""

    def __post_init__(self) -> None:
        rules = {"function": whole(1, 54), "dimension": one_of_dimensions(DIMENSIONS)}
        check(self, "bbob-constrained", {**rules, "weight": number(above=0)})

    @cached_property
    def minimiser(self) -> Point:
        """The constrained optimum's place, drawn as COCO draws it."""
        return place(self.dimension, self.function + 10_000 * self.instance)

    @cached_property
    def optimum(self) -> float:
        """The objective at the minimiser."""
        return float(self._coco(np.array(self.minimiser)))

    def parts(self, config: dict[str, Any]) -> tuple[float, float]:
        """Return the objective of a configuration, and the sum of its violations."""
        x = np.array([config[name] for name in self.space.names], dtype=float)
        constraints = np.asarray(self._coco.constraint(x))
        violation = np.maximum(np.where(constraints > _ROUNDING, constraints, 0.0), 0.0).sum()
        return float(self._coco(x)), float(violation)

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Evaluate the segments one by one; COCO computes on the CPU."""
        yield from one_by_one(segments, self._metrics)

    def _metrics(self, segment: Segment) -> dict[str, float]:
        objective, violation = self.parts(segment.config)
        penalised = max(objective, self.optimum) + self.weight * violation
        value = penalised if violation else objective
        return {"value": value, "objective": objective, "violation": violation}

    @property
    def _coco(self) -> Any:
        return in_suite("bbob-constrained", self.function, self.dimension, self.instance).problem
