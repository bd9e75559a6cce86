"""What is measured: the parts that rivals are recorded on, and the part variants are tuned on.

They share no instance. In `report`, seed s meets instance 16 + s of a function, so that ten seeds
are ten instances; a seed is the same for every search. `seen` is the report of an earlier build,
instances 6 to 15 of half of the functions: its records stay, and no default is judged by it. In
`control`, on boxes placed at random, instance 26 + s, the middle of the space says nothing.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.regret.problems import (
    PLACED_BBOB,
    PLACED_SYNTHETIC,
    TABLES,
    Bbob,
    HpoTable,
    Measured,
    Placed,
    place,
)
from hpo_research.problems.synthetic import Synthetic

REPORTED_TABLES = (
    ("hpobench", "phoneme"),
    ("hpobench", "vehicle"),
    ("hpolib", "protein_structure"),
    ("hpolib", "slice_localization"),
)
SEEDS = range(10)
DIMENSION = 5
EVALUATIONS = 60
BATCHES = (1, 4)
CONTROL_SEEDS = range(5)
CONTROL_EVALUATIONS = 100
SEEN_FUNCTIONS = (1, 3, 5, 6, 8, 10, 13, 15, 17, 20, 21, 23)
"""Three separable functions, two moderate, two ill-conditioned, two and three multi-modal."""


@dataclass(frozen=True)
class Task:
    """One run to be made: a problem, a seed, how many points are asked for at once, how many."""

    problem: Measured
    seed: int
    q: int
    evaluations: int = EVALUATIONS


def reported() -> list[list[Task]]:
    """Return the declared part, a list a seed; every prefix holds the classes alike."""
    return [_once(seed, _in_turn(_functions(range(1, 25), 16 + seed))) for seed in SEEDS]


def seen() -> list[list[Task]]:
    """Return what the earlier report was made on, a list a seed."""
    return [_once(seed, _in_turn(_functions(SEEN_FUNCTIONS, 6 + seed))) for seed in SEEDS]


def control() -> list[list[Task]]:
    """Return what tells whether a search lives on the middle of the space, a list a seed."""
    return [
        [
            Task(problem, seed, q, CONTROL_EVALUATIONS)
            for problem in _in_turn(_placed(seed))
            for q in BATCHES
        ]
        for seed in CONTROL_SEEDS
    ]


PARTS: dict[str, Callable[[], list[list[Task]]]] = {
    "report": reported,
    "seen": seen,
    "control": control,
}
"""The parts by name, which is also the folder of their records."""


def _functions(functions: Sequence[int], instance: int) -> list[Measured]:
    return [
        *(Bbob(function, instance, DIMENSION) for function in functions),
        *(HpoTable(*table) for table in REPORTED_TABLES),
    ]


def _placed(seed: int) -> list[Measured]:
    bases: list[Bbob | Synthetic] = [Bbob(f, 26 + seed, DIMENSION) for f in PLACED_BBOB]
    bases += [
        Synthetic(name, None if name == "hartmann6" else DIMENSION) for name in PLACED_SYNTHETIC
    ]
    return [Placed(base, seed) for base in bases]


def _in_turn(problems: Sequence[Measured]) -> Iterator[Measured]:
    """Yield one problem of each class, then the second of each, and so on."""
    classes: dict[str, list[Measured]] = {}
    for problem in problems:
        classes.setdefault(place(problem.name).kind, []).append(problem)
    for row in itertools.zip_longest(*classes.values()):
        yield from (problem for problem in row if problem is not None)


def _once(seed: int, problems: Iterator[Measured]) -> list[Task]:
    return [Task(problem, seed, q) for problem in problems for q in BATCHES]


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
