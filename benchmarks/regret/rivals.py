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
- `ax`: `Client` as it comes. Grids are ordered choices.

A batch of q is asked for whole before any of it is told; the last one may be smaller.
"""

import logging
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.transforms import Standardize
from botorch.optim import optimize_acqf
from botorch.optim.optimize import optimize_acqf_discrete_local_search
from botorch.sampling.normal import SobolQMCNormalSampler
from botorch.utils.sampling import draw_sobol_samples
from gpytorch.mlls import ExactMarginalLogLikelihood
from torch import Tensor

from benchmarks.regret.declared import Task
from benchmarks.regret.problems import loss
from benchmarks.regret.record import Line
from hpo_research.errors import MissingPackageError, StrategyError
from hpo_research.space import Categorical, Config, Float, SearchSpace
from hpo_research.threads import limited

try:
    import optuna
    from ax.api.client import Client
    from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
    from ax.utils.common.logger import set_ax_logger_levels
    from ax.utils.common.random import with_rng_seed
except ImportError as error:
    raise MissingPackageError(
        f"{error.name} is not installed; the rivals need: pip install 'hpo_research[rivals]'"
    ) from error


class Search(Protocol):
    """A search that is under way: it minimises."""

    def ask(self, count: int) -> list[Config]:
        """Return up to so many configurations, at least one."""
        ...

    def tell(self, losses: Sequence[float]) -> None:
        """Take the losses of what was asked for last, in its order."""
        ...


class BoTorch:
    """The tutorial's loop; rows of `x` are in the unit cube, `y` is the negated loss."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._cube = torch.tensor([[0.0] * space.dimension, [1.0] * space.dimension]).double()
        self._sizes = [parameter.size for parameter in space.parameters.values()]
        self._x = torch.empty(0, space.dimension).double()
        self._y = torch.empty(0, 1).double()
        start = draw_sobol_samples(self._cube, n=2 * space.dimension, q=1).squeeze(1)
        self._initial = self._on_lattice(start) if space.size else start
        self._asked = self._initial[:0]

    def ask(self, count: int) -> list[Config]:
        """Take the next points of the design, or fit and maximise."""
        design = self._initial[len(self._x) :][:count]
        self._asked = design if len(design) else self._chosen(count)
        return self._configs(self._asked)

    def tell(self, losses: Sequence[float]) -> None:
        """Append the data."""
        self._x = torch.cat([self._x, self._asked])
        self._y = torch.cat([self._y, -torch.tensor(losses, dtype=torch.float64)[:, None]])

    def _chosen(self, count: int) -> Tensor:
        model = SingleTaskGP(self._x, self._y, outcome_transform=Standardize(m=1))
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        acquisition = qLogNoisyExpectedImprovement(
            model=model,
            X_baseline=self._x,
            sampler=SobolQMCNormalSampler(torch.Size([128])),
            prune_baseline=True,
        )
        if self._space.size:
            x, _ = optimize_acqf_discrete_local_search(
                acquisition,
                [torch.linspace(0, 1, size).double() for size in self._sizes],
                q=count,
                num_restarts=10,
                raw_samples=512,
                X_avoid=self._x,
            )
        else:
            x, _ = optimize_acqf(
                acquisition,
                bounds=self._cube,
                q=count,
                num_restarts=10,
                raw_samples=512,
                options={"batch_limit": 5, "maxiter": 200},
            )
        return x.detach()

    def _on_lattice(self, x: Tensor) -> Tensor:
        sizes = torch.tensor(self._sizes, dtype=torch.float64)
        index = (x * sizes).floor().minimum(sizes - 1)
        # The very numbers of the lattice: points to avoid are compared with its rows.
        columns = [torch.linspace(0, 1, size).double() for size in self._sizes]
        return torch.stack([c[index[:, j].long()] for j, c in enumerate(columns)], dim=1)

    def _configs(self, x: Tensor) -> list[Config]:
        if not self._space.size:
            return self._space.decode(x.numpy())
        # Value k of K is at k / (K − 1) here, in the middle of its K-th for our own spaces.
        sizes = torch.tensor(self._sizes, dtype=torch.float64)
        return self._space.decode((((x * (sizes - 1)).round() + 0.5) / sizes).numpy())


class Optuna:
    """A sampler of Optuna, asked and told."""

    def __init__(self, space: SearchSpace, sampler: optuna.samplers.BaseSampler) -> None:
        self._space = space
        self._study = optuna.create_study(sampler=sampler)
        self._distributions = {
            name: _distribution(parameter) for name, parameter in space.parameters.items()
        }
        self._trials: list[optuna.Trial] = []

    def ask(self, count: int) -> list[Config]:
        """Ask for so many trials."""
        self._trials = [self._study.ask(self._distributions) for _ in range(count)]
        return [self._config(trial.params) for trial in self._trials]

    def tell(self, losses: Sequence[float]) -> None:
        """Tell the trials' losses."""
        for trial, value in zip(self._trials, losses, strict=True):
            self._study.tell(trial, value)

    def _config(self, params: dict[str, object]) -> Config:
        named = {
            name: parameter.values[params[name]]
            if isinstance(parameter, Categorical) and parameter.ordered
            else params[name]
            for name, parameter in self._space.parameters.items()
        }
        return self._space.validate(named)


class Ax:
    """Ax's client, asked and told."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._client = Client()
        self._client.configure_experiment(
            parameters=[_ax(name, parameter) for name, parameter in space.parameters.items()]
        )
        self._client.configure_optimization(objective="-loss")
        self._trials: list[int] = []

    def ask(self, count: int) -> list[Config]:
        """Ask for up to so many trials: its initial design holds back some."""
        trials = self._client.get_next_trials(max_trials=count)
        if not trials:
            raise StrategyError("ax proposed no trial, though none was running")
        self._trials = list(trials)
        return [self._space.validate(config) for config in trials.values()]

    def tell(self, losses: Sequence[float]) -> None:
        """Complete the trials."""
        for trial, value in zip(self._trials, losses, strict=True):
            self._client.complete_trial(trial_index=trial, raw_data={"loss": value})


@dataclass(frozen=True)
class Rival:
    """How a search begins in a space, with a seed, and how what it draws globally is seeded."""

    begin: Callable[[SearchSpace, int], Search]
    seeded: Callable[[int], AbstractContextManager[object]] = with_rng_seed


RIVALS: dict[str, Rival] = {
    "optuna-tpe": Rival(lambda space, seed: Optuna(space, optuna.samplers.TPESampler(seed=seed))),
    "optuna-gp": Rival(lambda space, seed: Optuna(space, optuna.samplers.GPSampler(seed=seed))),
    "ax": Rival(lambda space, seed: Ax(space)),
    "botorch": Rival(lambda space, seed: BoTorch(space)),
}
"""The cheap ones first."""


def searched(name: str, task: Task) -> Line:
    """Run a rival on a task, on one thread.

    Its seconds are of the processor, so that what else the machine does is no part of them.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    set_ax_logger_levels(logging.ERROR)
    losses, seconds = [], []
    with limited(1), RIVALS[name].seeded(task.seed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.process_time()
        search = RIVALS[name].begin(task.problem.space, task.seed)
        while len(losses) < task.evaluations:
            configs = search.ask(min(task.q, task.evaluations - len(losses)))
            seconds.append(time.process_time() - began)
            values = [loss(task.problem, config) for config in configs]
            losses += values
            began = time.process_time()
            search.tell(values)
    return Line.of(task, name, losses, sum(seconds))


def _distribution(parameter: object) -> optuna.distributions.BaseDistribution:
    if isinstance(parameter, Float):
        return optuna.distributions.FloatDistribution(parameter.low, parameter.high)
    assert isinstance(parameter, Categorical)
    if parameter.ordered:
        return optuna.distributions.IntDistribution(0, parameter.size - 1)
    return optuna.distributions.CategoricalDistribution(parameter.values)


def _ax(name: str, parameter: object) -> RangeParameterConfig | ChoiceParameterConfig:
    if isinstance(parameter, Float):
        return RangeParameterConfig(name, (parameter.low, parameter.high), "float")
    assert isinstance(parameter, Categorical)
    kind = type(parameter.values[0]).__name__
    return ChoiceParameterConfig(name, list(parameter.values), kind, is_ordered=parameter.ordered)
