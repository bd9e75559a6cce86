"""Other people's searches at their defaults: one problem, one seed, one batch size at a time.

- `botorch`: the loop of its tutorial "Closed-loop batch, constrained BO" without the constraint:
  2d scrambled Sobol points, then a `SingleTaskGP` with its default priors and `Standardize`,
  fitted anew for every batch, and `qLogNoisyExpectedImprovement` with 128 Sobol samples, maximised
  jointly by `optimize_acqf` from 10 restarts out of 512 raw samples (`batch_limit` 5, `maxiter`
  200). A table is a lattice too large to enumerate, for which its documentation has
  `optimize_acqf_discrete_local_search` (the same restarts and raw samples): a column a
  hyperparameter, its values equally spaced on [0, 1], which for the two-valued categories of these
  tables is exact. What was tried is avoided (`X_avoid`).
- `optuna-tpe`, `optuna-gp`: `TPESampler` and `GPSampler` with nothing but a seed. Grids are
  integers (the index on the grid), as the authors of the tables write them for Optuna.
- `ax`: `Client` as it comes; `ax-quality`: with `method="quality"`, whose fully Bayesian models
  need NumPyro (`hpo_research[saas]`). Grids are ordered choices.
- `egobox`: `Egor` as it comes, after the Latin hypercube that its own loop begins with.
- `hebo`, `smac-rf`, `smac-gp`: in environments of their own, see `served.py`.
- `scipy-annealing`: `dual_annealing` with nothing but a seed; one at a time, spaces of numbers.
- `optuna-gp-our-design`, `botorch-our-design`: the same with the trials that `Bayesian` begins
  with (the middle of the space and three scrambled Sobol points) for their own design, so that
  what a design gives and what a model gives are told apart.

A batch of q is asked for whole before any of it is told; the last one may be smaller.
"""

import logging
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

import numpy as np
import optuna
from ax.utils.common.logger import set_ax_logger_levels
from ax.utils.common.random import with_rng_seed
from scipy.optimize import dual_annealing

import hpo_research as hpo
from benchmarks.regret.declared import Task
from benchmarks.regret.elsewhere import ENVIRONMENTS, Elsewhere, python_of
from benchmarks.regret.problems import loss
from benchmarks.regret.record import Line
from benchmarks.regret.searches import Ax, BoTorch, Egobox, Optuna, Search
from hpo_research.errors import MissingPackageError, StrategyError
from hpo_research.records import Run
from hpo_research.space import Config, SearchSpace
from hpo_research.strategies.models.initial_design import trials_of
from hpo_research.threads import limited


@dataclass(frozen=True)
class Rival:
    """A search in this process: the package and version that are recorded, and how it begins.

    `seeded` is how what it draws globally is seeded, `needs` what it imports besides.
    """

    package: str
    version: str
    begin: Callable[[SearchSpace, int], Search]
    needs: str | None = None
    seeded: Callable[[int], AbstractContextManager[object]] = with_rng_seed


def our_design(space: SearchSpace, seed: int) -> list[Config]:
    """Return the trials that our default begins a run of this seed with."""
    ours, run = hpo.Bayesian(), Run(space, seed=seed)
    (ask,) = ours.ask([run], [trials_of(ours.initial, run, ours.design)])
    return [proposal.config for proposal in ask.proposals]


def _optuna_gp_our_design(space: SearchSpace, seed: int) -> Search:
    design = our_design(space, seed)
    sampler = optuna.samplers.GPSampler(seed=seed, n_startup_trials=len(design))
    return Optuna(space, sampler, design)


RIVALS: dict[str, Rival] = {
    "optuna-tpe": Rival(
        "optuna",
        "5.0.0",
        lambda space, seed: Optuna(space, optuna.samplers.TPESampler(seed=seed)),
    ),
    "optuna-gp": Rival(
        "optuna",
        "5.0.0",
        lambda space, seed: Optuna(space, optuna.samplers.GPSampler(seed=seed)),
    ),
    "optuna-gp-our-design": Rival("optuna", "5.0.0", _optuna_gp_our_design),
    "egobox": Rival("egobox", "1.0.0", Egobox),
    "ax": Rival("ax-platform", "1.3.1", lambda space, seed: Ax(space)),
    "ax-quality": Rival(
        "ax-platform", "1.3.1", lambda space, seed: Ax(space, "quality"), needs="numpyro"
    ),
    "botorch": Rival("botorch", "0.18.1", lambda space, seed: BoTorch(space)),
    "botorch-our-design": Rival(
        "botorch", "0.18.1", lambda space, seed: BoTorch(space, our_design(space, seed))
    ),
}

ANNEALING = "scipy-annealing"
PINS = {
    ANNEALING: ("scipy", "1.17.1"),
    **{name: (rival.package, rival.version) for name, rival in RIVALS.items()},
}
"""What is recorded of each search in this process: another version is another search."""


@dataclass(frozen=True)
class Searched:
    """A run, and the versions it was made with where that was elsewhere."""

    line: Line
    versions: Mapping[str, str] | None = None


def can(name: str, task: Task) -> bool:
    """Return whether a rival takes such a task at all."""
    return name != ANNEALING or (task.q == 1 and task.problem.space.size is None)


def require(name: str) -> None:
    """Refuse a rival that cannot be run as it is recorded.

    Raises `MissingPackageError` without its environment or what it needs, `StrategyError` where
    another version is installed than is recorded.
    """
    if name in ENVIRONMENTS:
        python_of(name)
        return
    package, version = PINS[name]
    installed = metadata.version(package)
    if installed != version:
        raise StrategyError(f"{name} is recorded with {package} {version}, {installed} is there")
    needs = RIVALS[name].needs if name in RIVALS else None
    if needs is not None and find_spec(needs) is None:
        raise MissingPackageError(f"{name} needs {needs}: pip install 'hpo_research[rivals,saas]'")


def searched(name: str, task: Task) -> Searched:
    """Run a rival on a task, on one thread.

    Its seconds are of the processor, so that what else the machine does is no part of them.
    Raises what `require` raises.
    """
    require(name)
    if name in ENVIRONMENTS:
        with Elsewhere(name, task) as search:
            losses, _ = _followed(lambda: search, task)
            return Searched(Line.of(task, name, losses, search.seconds), search.versions)
    if name == ANNEALING:
        return Searched(Line.of(task, name, *_annealed(task)))
    rival = RIVALS[name]
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    set_ax_logger_levels(logging.ERROR)
    with limited(1), rival.seeded(task.seed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        followed = _followed(lambda: rival.begin(task.problem.space, task.seed), task)
    return Searched(Line.of(task, name, *followed))


def _followed(begin: Callable[[], Search], task: Task) -> tuple[list[float], float]:
    """Ask, evaluate and tell until all is spent; return the losses, and seconds without them."""
    losses: list[float] = []
    seconds = 0.0
    began = time.process_time()
    search = begin()
    while len(losses) < task.evaluations:
        configs = search.ask(min(task.q, task.evaluations - len(losses)))
        seconds += time.process_time() - began
        values = [loss(task.problem, config) for config in configs]
        losses += values
        began = time.process_time()
        search.tell(values)
    return losses, seconds + time.process_time() - began


class _Spent(Exception):
    """All evaluations are spent; the minimiser calls the function and would go on."""


def _annealed(task: Task) -> tuple[list[float], float]:
    space = task.problem.space
    losses: list[float] = []
    evaluating = 0.0

    def function(x: np.ndarray) -> float:
        nonlocal evaluating
        if len(losses) == task.evaluations:
            raise _Spent
        began = time.process_time()
        losses.append(loss(task.problem, dict(zip(space.names, x.tolist(), strict=True))))
        evaluating += time.process_time() - began
        return losses[-1]

    bounds: Sequence[tuple[float, float]] = [(p.low, p.high) for p in space.parameters.values()]
    began = time.process_time()
    try:
        dual_annealing(function, bounds, rng=task.seed)
    except _Spent:
        return losses, time.process_time() - began - evaluating
    raise StrategyError(f"{ANNEALING} ended of itself after {len(losses)} evaluations")
