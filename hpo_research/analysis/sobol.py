"""Sobol indices of a run's model, with intervals over its posterior."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hpo_research.analysis.modelled import Modelled
from hpo_research.gp.quasi_random import uniform_set
from hpo_research.rng import Stream
from hpo_research.strategies.answers import PosteriorView
from hpo_research.threads import limited

TITLE = "Sobol indices of the model"
LEVEL = 0.95
FUNCTIONS = 64
"""Functions that are drawn from the posterior."""
_LEAST, _MOST, _VALUES = 1024, 4096, 2**21  # points of a matrix, and values of all functions


@dataclass(frozen=True)
class SobolIndex:
    """The share of the model's variance that a hyperparameter brings: medians over functions.

    `first` by itself, `total` with all its interactions. `low` and `high` are ends of intervals.
    """

    problem: str
    parameter: str
    first: float
    first_low: float
    first_high: float
    total: float
    total_low: float
    total_high: float


@dataclass(frozen=True)
class SobolIndices:
    """The indices of a model's hyperparameters, the largest total first.

    From so many `functions` of its posterior, at `points` rows of each of the design's matrices.
    """

    indices: tuple[SobolIndex, ...]
    functions: int
    points: int
    said: str

    @property
    def caption(self) -> str:
        """What they are and rest on, in sentences."""
        return (
            "Sobol indices: the share of variance over the space, uniform on its scales, that a "
            "hyperparameter brings alone (first order) and with its interactions (total). "
            "Estimators: Saltelli et al. (2010), table 2 (b), and Jansen (1999), table 2 (f) "
            f"there, at {self.points} quasi-random points, of each of {self.functions} functions "
            f"drawn from the posterior, its hyperparameters as fitted: medians and central "
            f"{LEVEL:.0%}. Variance is that on the model's scale, of the transformed metric. "
            f"{self.said}"
        )


def sobol_indices(modelled: Modelled) -> SobolIndices | None:
    """Return the indices of a model of two hyperparameters or more.

    None where they are not defined: for a list of configurations, whose hyperparameters are not
    independent, a model that draws no functions, and one that is constant.
    """
    view, run = modelled.view, modelled.view.run
    if not isinstance(view, PosteriorView) or run.space.among is not None:
        return None
    if run.space.dimension < 2 or not np.ptp(run.losses[np.isfinite(run.losses)]) > 0:
        return None
    p = run.space.dimension
    wanted = _VALUES // (FUNCTIONS * (p + 2))
    points = int(np.clip(2 ** int(np.log2(wanted)), _LEAST, _MOST))
    stream = Stream(0).at("sobol-indices")
    with limited():
        first, total = pick_freeze(lambda cube: view.draw(cube, FUNCTIONS, stream), p, points)
    if not np.isfinite(first).all():
        return None
    ends = [50, 50 * (1 - LEVEL), 50 * (1 + LEVEL)]
    first_of, total_of = (np.percentile(part, ends, axis=0).T.tolist() for part in (first, total))
    found = [
        SobolIndex(modelled.name.problem, name, *first_of[i], *total_of[i])
        for i, name in enumerate(run.space.names)
    ]
    ordered = sorted(found, key=lambda one: -one.total)
    return SobolIndices(tuple(ordered), FUNCTIONS, points, modelled.said)


def pick_freeze(
    values: Callable[[Float[np.ndarray, "q p"]], Float[np.ndarray, "m q"]], p: int, points: int
) -> tuple[Float[np.ndarray, "m p"], Float[np.ndarray, "m p"]]:
    """Return first-order and total indices of m functions of the unit cube. NaN for constant ones.

    With f over the matrices A and B of independent rows, and A_i, which is A with column i of B:
    first order (1/N) Σ f(B) (f(A_i) − f(A)) / V (Saltelli, Annoni, Azzini, Campolongo, Ratto and
    Tarantola, Computer Physics Communications 181, 2010, table 2 (b)), total
    (1/2N) Σ (f(A) − f(A_i))² / V (Jansen, Computer Physics Communications 117, 1999; table 2 (f)
    there). V is the variance over both matrices, and f is centred, which changes no index and
    saves digits. The rows are a scrambled Sobol set of 2p columns.
    """
    base = uniform_set(points, 2 * p, "pick-freeze").numpy()
    a, b = base[:, :p], base[:, p:]
    mixed = np.repeat(a[None], p, axis=0)
    for i in range(p):
        mixed[i, :, i] = b[:, i]
    f = values(np.concatenate([a, b, mixed.reshape(-1, p)]))
    f = f - f[:, : 2 * points].mean(axis=1, keepdims=True)
    variance = f[:, : 2 * points].var(axis=1)
    variance = np.where(variance > 0, variance, np.nan)[:, None]
    of_a, of_b = f[:, None, :points], f[:, None, points : 2 * points]
    of_mixed = f[:, 2 * points :].reshape(-1, p, points)
    first = (of_b * (of_mixed - of_a)).mean(axis=2) / variance
    total = ((of_a - of_mixed) ** 2).mean(axis=2) / (2 * variance)
    return first, total
