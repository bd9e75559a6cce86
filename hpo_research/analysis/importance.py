"""Which hyperparameters made trials good: PED-ANOVA (Watanabe, Bansal and Hutter, IJCAI 2023).

For each hyperparameter two densities are compared: that of the best trials, a `quantile` of all,
and that of all trials. The more they differ, the more its value decided whether a trial is among
the best (Eq. 14 of arXiv:2304.10255, the Pearson divergence). Densities are sums of kernels on a
grid, as wide as Scott's rule says; `tests/analysis/test_importance.py` holds the numbers against
Optuna's evaluator.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float as Array
from jaxtyping import Int
from scipy.special import ndtr

from hpo_research.analysis.arguments import check_name
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.records import sign
from hpo_research.space import Categorical, Config, Float, Integer, SearchSpace
from hpo_research.space.parameters import Parameter, Value
from hpo_research.store import RunName

QUANTILE = 0.1
LEAST_BEST = 5
"""So many trials must be among the best for their density to say anything."""
TITLE = "Importance of hyperparameters"
_CELLS = 50
_LEAST_WIDTH = 0.5 / 1.64  # 90 % of a kernel lie in its own cell
_ROUND = 1e-12  # keeps a density that rounding brought to 0 a divisor


@dataclass(frozen=True)
class Importance:
    """How much a hyperparameter decided of whether trials were among the best; shares sum to 1."""

    problem: str
    parameter: str
    share: float
    trials: int
    best: int


def importances(
    result: Result,
    problem: str,
    *,
    strategy: str | None = None,
    seed: int | None = None,
    quantile: float = QUANTILE,
) -> list[Importance]:
    """Return the importance of each hyperparameter of a problem, the largest first.

    From the finished trials of all its runs together, or of those of a strategy or a seed: trials
    that ended early have values of other epochs, and are left out. Empty where fewer than
    `LEAST_BEST` trials are among the best, or the hyperparameters make no difference. Raises
    `StoreError` for another problem, and a quantile that is not between 0 and 1.
    """
    check_name("problem", problem, result.facts.problems)
    runs = [
        own.run
        for name, own in result.select(problem, strategy).items()
        if seed in (None, name.seed)
    ]
    done = [t for run in runs for t in run.trials if t.status == "finished" and t.value is not None]
    if not done:
        return []
    way = sign(result.facts.problems[problem].direction)
    losses = np.array([way * float(t.value or 0.0) for t in done])
    best = int(_are_best(losses, quantile).sum())
    if best < LEAST_BEST:
        return []
    found = ped_anova(runs[0].space, [t.config for t in done], losses, quantile=quantile)
    total = math.fsum(found.values())
    if total == 0:
        return []
    shares = sorted(found.items(), key=lambda pair: -pair[1])
    return [Importance(problem, name, value / total, len(done), best) for name, value in shares]


def most_important(
    result: Result, name: RunName, count: int
) -> tuple[list[str], list[Importance], str]:
    """Return so many hyperparameters of a run, their importances, and how they were chosen.

    The first are the most important ones by PED-ANOVA, of the best 10 % of finished trials or as
    many more as make `LEAST_BEST`; up to half of them, or else in the order of the space. The
    sentence is empty where none is left out.
    """
    run = result.runs[name]
    finished = sum(t.status == "finished" and t.value is not None for t in run.trials)
    quantile = max(QUANTILE, LEAST_BEST / max(finished, 1))
    found: list[Importance] = []
    if quantile <= 0.5:
        found = importances(
            result, name.problem, strategy=name.strategy, seed=name.seed, quantile=quantile
        )
    names = [one.parameter for one in found] or list(run.space.names)
    if len(names) <= count:
        return names, found, ""
    how = (
        f"the most important by PED-ANOVA of the best {100 * quantile:.3g}%"
        if found
        else "the first of the space, since too few trials finished to say which are important"
    )
    return names[:count], found, f"Of {len(names)} hyperparameters these {count} are {how}."


def by_problem(result: Result) -> dict[str, list[Importance]]:
    """Return the importances by problem, of those with two hyperparameters and trials enough."""
    every = {problem: importances(result, problem) for problem in result.facts.problems}
    return {problem: own for problem, own in every.items() if len(own) > 1}


def explained(found: Mapping[str, Sequence[Importance]]) -> str:
    """Say what the importances of problems are, and how many trials are behind them."""
    counts = [f"{own[0].best} of {own[0].trials} on {name}" for name, own in found.items()]
    return (
        f"PED-ANOVA (Watanabe et al., IJCAI 2023): how far the best {100 * QUANTILE:g}% of "
        "finished trials lie elsewhere than all of them, as shares of 1. Trials of all strategies "
        "and seeds are taken together; a hyperparameter that was hardly varied shows little. The "
        f"best are {', '.join(counts)}; problems with fewer than {LEAST_BEST} are left out."
    )


def ped_anova(
    space: SearchSpace,
    configs: Sequence[Config],
    losses: Array[np.ndarray, " n"],
    *,
    quantile: float = QUANTILE,
) -> dict[str, float]:
    """Return the importance of each hyperparameter, not normalised, from n trials and their losses.

    0 for one with a single value. Raises `StoreError` for a quantile that is not between 0 and 1.
    """
    are_best = _are_best(losses, quantile)
    share = are_best.mean()
    found = {}
    for name, parameter in space.parameters.items():
        values = [config[name] for config in configs]
        cells, count = _cells(parameter, values)
        found[name] = 0.0
        if count > 1:
            density = _categories if isinstance(parameter, Categorical) else _kernels
            everywhere, top = (
                density(np.bincount(own, minlength=count)) + _ROUND
                for own in (cells, cells[are_best])
            )
            found[name] = float(share**2 * (everywhere @ (top / everywhere - 1) ** 2))
    return found


def _are_best(losses: Array[np.ndarray, " n"], quantile: float) -> np.ndarray:
    """Return which trials are among the best: a quantile of them, and those that equal the last."""
    legal = isinstance(quantile, float) and 0 < quantile < 1
    if not legal:
        raise StoreError(f"quantile={quantile!r}: expected a number above 0 and below 1")
    last = math.ceil(quantile * len(losses)) - 1
    return np.asarray(losses <= np.partition(losses, last)[last])


def _cells(parameter: Parameter, values: Sequence[Value]) -> tuple[np.ndarray, int]:
    """Return the cell of a grid that each value lies in, and how many cells there are."""
    if isinstance(parameter, Categorical):
        return np.array([parameter.index(value) for value in values]), parameter.size
    assert isinstance(parameter, Float | Integer)
    count = _CELLS
    if isinstance(parameter, Integer) and parameter.resolved.name == "log":
        count = min(math.ceil(math.log2(parameter.high - parameter.low + 1)) + 1, _CELLS)
    elif parameter.size is not None:
        count = min(parameter.size, _CELLS)
    if count == 1:
        return np.zeros(len(values), dtype=int), 1
    scale = parameter.resolved
    low, high = (float(scale.forward(np.float64(end))) for end in (parameter.low, parameter.high))
    inside = np.clip(np.array(values, dtype=float), parameter.low, parameter.high)
    places = (scale.forward(inside) - low) / ((high - low) / (count - 1))
    return np.clip(np.ceil(places - 0.5).astype(int), 0, count - 1), count


def _kernels(counts: Int[np.ndarray, " c"]) -> Array[np.ndarray, " c"]:
    """Return the density over cells: normals cut off at the ends, and a wide one as a prior."""
    (at,) = np.nonzero(counts)
    weights, total = counts[at], int(counts.sum())
    width = max(_scott(at, weights), _LEAST_WIDTH)
    middles = np.append(at, (len(counts) - 1) / 2)[:, None]
    widths = np.append(np.full(len(at), width), len(counts))[:, None]
    edges = ndtr((np.arange(len(counts) + 1) - 0.5 - middles) / widths)
    masses = np.diff(edges, axis=1) / (edges[:, -1:] - edges[:, :1])
    mixed: np.ndarray = np.append(weights, 1.0) / (total + 1) @ masses
    return mixed


def _scott(at: Int[np.ndarray, " k"], weights: Int[np.ndarray, " k"]) -> float:
    """Return how wide kernels are by the rule of Scott (1992), in cells, from counted places."""
    total, reached = int(weights.sum()), np.cumsum(weights)
    mean = at @ weights / total
    deviation = math.sqrt((at - mean) ** 2 @ weights / max(1, total - 1))
    first = np.searchsorted(reached, total // 4, side="left")
    third = np.searchsorted(reached, total * 3 // 4, side="right")
    between = at[min(int(third), len(at) - 1)] - at[first]
    return float(1.059 * min(between / 1.34, deviation) * total**-0.2)


def _categories(counts: Int[np.ndarray, " c"]) -> Array[np.ndarray, " c"]:
    """Return the density over categories: kernels that leave a little to every other one."""
    (at,) = np.nonzero(counts)
    little = 1 / (len(at) + 1)
    spread = little / (1 + little * len(counts))
    total = int(counts.sum())
    seen = counts / (1 + little * len(counts)) + total * spread
    return np.asarray((seen + 1 / len(counts)) / (total + 1))
