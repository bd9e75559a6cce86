"""Collections of problems that come with other packages, by the names of their members."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from hpo_research.errors import ProblemError
from hpo_research.options import number, require
from hpo_research.problems.coco import Bbob, MixedInteger
from hpo_research.problems.coco_constrained import Penalised
from hpo_research.problems.coco_noisy import NoisyBbob
from hpo_research.problems.hpo_tables import COLLECTIONS, HpoTable
from hpo_research.problems.models import DATA, SPACES, CrossValidated
from hpo_research.problems.protocol import Problem
from hpo_research.problems.synthetic import Synthetic
from hpo_research.problems.wrappers import Noisy


@dataclass(frozen=True)
class Family:
    """Problems that are told apart by a number or a data set, listed in one line."""

    description: str
    members: Mapping[str, Callable[..., Problem]]
    optimum: str = "known"


def synthetic(
    function: str, dimension: int | None = None, noise: float = 0.0, name: str = ""
) -> Problem:
    """Build a synthetic function, with noise or without. Raises `ProblemError`."""
    _check_noise(noise)
    return _with_noise(Synthetic(function, dimension, "" if noise else name), noise, name)


def _bbob(
    made: type[Bbob] | type[MixedInteger],
    function: int,
    instance: int = 1,
    dimension: int = 5,
    noise: float = 0.0,
    name: str = "",
) -> Problem:
    _check_noise(noise)
    own = made(function, instance, dimension, "" if noise else name)
    return _with_noise(own, noise, name)


def _disturbed(function: int, instance: int = 1, dimension: int = 5, name: str = "") -> Problem:
    return NoisyBbob(function, instance, dimension, name)


def _penalised(
    function: int, instance: int = 1, dimension: int = 5, weight: float = 1.0, name: str = ""
) -> Problem:
    return Penalised(function, instance, dimension, weight, name)


def _with_noise(made: Problem, noise: float, name: str) -> Problem:
    return Noisy(made, noise, name) if noise else made


def _check_noise(noise: float) -> None:
    require("noise", noise, number(least=0), error=ProblemError)


FAMILIES: Mapping[str, Family] = {
    "bbob-f1 to bbob-f24": Family(
        "BBOB's noiseless functions: any instance, 2 to 40 dimensions",
        {f"bbob-f{f}": partial(_bbob, Bbob, f) for f in range(1, 25)},
    ),
    "bbob-noisy-f101 to bbob-noisy-f130": Family(
        "BBOB's functions under three kinds of noise, values without it known",
        {f"bbob-noisy-f{f}": partial(_disturbed, f) for f in range(101, 131)},
    ),
    "bbob-mixint-f1 to bbob-mixint-f24": Family(
        "BBOB's functions of integers and floats: 5, 10, 20 or 40 parameters",
        {f"bbob-mixint-f{f}": partial(_bbob, MixedInteger, f) for f in range(1, 25)},
    ),
    "bbob-constrained-f1 to bbob-constrained-f54": Family(
        "BBOB's constrained functions, infeasible points being penalised",
        {f"bbob-constrained-f{f}": partial(_penalised, f) for f in range(1, 55)},
    ),
    **{
        f"{name}-DATASET": Family(
            f"{recorded.title}, a complete table each: {', '.join(recorded.datasets)}",
            {f"{name}-{data}": partial(HpoTable, name, data) for data in recorded.datasets},
        )
        for name, recorded in COLLECTIONS.items()
    },
    "MODEL-DATASET": Family(
        f"scikit-learn's models ({', '.join(SPACES)}), cross-validated on its data "
        f"({', '.join(DATA)})",
        {
            f"{model}-{data}": partial(CrossValidated, model, data)
            for model in SPACES
            for data in DATA
        },
        optimum="",
    ),
}
"""The collections, by what their names look like."""
