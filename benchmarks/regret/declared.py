"""What is measured: the part declared for the report, and the part that variants are tuned on.

They share no instance and no table. In the report, seed s meets instance 6 + s of a function, so
that ten seeds are ten instances; a seed is the same for every search.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.regret.problems import TABLES, Bbob, HpoTable, Measured

FUNCTIONS = (1, 3, 5, 6, 8, 10, 13, 15, 17, 20, 21, 23)
"""Three separable functions, two moderate, two ill-conditioned, two and three multi-modal."""

REPORTED_TABLES = (
    ("hpobench", "phoneme"),
    ("hpobench", "vehicle"),
    ("hpolib", "protein_structure"),
    ("hpolib", "slice_localization"),
)
SEEDS = range(10)
FIRST_INSTANCE = 6
DIMENSION = 5
EVALUATIONS = 60
BATCHES = (1, 4)


@dataclass(frozen=True)
class Task:
    """One run to be made: a problem, a seed, how many points are asked for at once, how many."""

    problem: Measured
    seed: int
    q: int
    evaluations: int = EVALUATIONS


def reported() -> list[list[Task]]:
    """Return the declared part, a list a seed, so that every prefix of seeds is balanced."""
    return [
        [
            Task(problem, seed, q)
            for q in BATCHES
            for problem in (
                *(Bbob(f, FIRST_INSTANCE + seed, DIMENSION) for f in FUNCTIONS),
                *(HpoTable(*table) for table in REPORTED_TABLES),
            )
        ]
        for seed in SEEDS
    ]


@dataclass(frozen=True)
class Tuning:
    """What variants are compared on: functions × dimensions × instances, tables, and seeds."""

    functions: Sequence[int] = range(1, 25)
    dimensions: Sequence[int] = (2, 5, 10)
    instances: Sequence[int] = (1, 2)
    tables: bool = True
    seeds: int = 2
    q: int = 1
    evaluations: int = EVALUATIONS

    def tasks(self) -> list[Task]:
        """Return the tasks, one space after the other."""
        problems: list[Measured] = [
            Bbob(function, instance, dimension)
            for dimension in self.dimensions
            for instance in self.instances
            for function in self.functions
        ]
        if self.tables:
            problems += [HpoTable(*table) for table in TABLES if table not in REPORTED_TABLES]
        return [
            Task(problem, seed, self.q, self.evaluations)
            for problem in problems
            for seed in range(self.seeds)
        ]
