"""Other people's searches in this process, asked and told: BoTorch, Optuna, Ax and egobox.

`rivals.py` says what each is given. A search may be given a `design` to begin with instead of its
own.
"""

import os
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
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

from hpo_research.errors import MissingPackageError, StrategyError
from hpo_research.space import Categorical, Config, Float, SearchSpace

os.environ["RAYON_NUM_THREADS"] = "1"  # egobox reads it once

try:
    import egobox
    import optuna
    from ax.api.client import Client
    from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
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

    def __init__(self, space: SearchSpace, design: Sequence[Config] = ()) -> None:
        self._space = space
        self._cube = torch.tensor([[0.0] * space.dimension, [1.0] * space.dimension]).double()
        self._sizes = [parameter.size for parameter in space.parameters.values()]
        self._x = torch.empty(0, space.dimension).double()
        self._y = torch.empty(0, 1).double()
        if design:
            start = torch.from_numpy(space.encode(design))
        else:
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

    def __init__(
        self,
        space: SearchSpace,
        sampler: optuna.samplers.BaseSampler,
        design: Sequence[Config] = (),
    ) -> None:
        self._space = space
        self._study = optuna.create_study(sampler=sampler)
        for config in design:
            self._study.enqueue_trial(self._params(config))
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

    def _params(self, config: Config) -> dict[str, object]:
        return {
            name: parameter.values.index(config[name])
            if isinstance(parameter, Categorical) and parameter.ordered
            else config[name]
            for name, parameter in self._space.parameters.items()
        }

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

    def __init__(
        self, space: SearchSpace, method: Literal["quality", "fast"] | None = None
    ) -> None:
        self._space = space
        self._client = Client()
        self._client.configure_experiment(
            parameters=[_ax(name, parameter) for name, parameter in space.parameters.items()]
        )
        self._client.configure_optimization(objective="-loss")
        if method is not None:
            self._client.configure_generation_strategy(method=method)
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


class Egobox:
    """egobox's optimiser, which is given all trials at every ask."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space = space
        self._seed = seed
        self._specs = [_egobox(parameter) for parameter in space.parameters.values()]
        # As many as its own loop begins with.
        self._initial = egobox.lhs(self._specs, max(space.dimension + 1, 5), seed=seed)
        self._x = self._asked = np.empty((0, len(self._specs)))
        self._y = np.empty((0, 1))

    def ask(self, count: int) -> list[Config]:
        """Take the next points of the design, or suggest."""
        design = self._initial[len(self._x) :][:count]
        self._asked = design if len(design) else self._suggested(count)
        return [self._config(row) for row in self._asked]

    def tell(self, losses: Sequence[float]) -> None:
        """Append the data."""
        self._x = np.concatenate([self._x, self._asked])
        self._y = np.concatenate([self._y, np.array(losses)[:, None]])

    def _suggested(self, count: int) -> np.ndarray:
        batch = egobox.QEiConfig(batch=count)
        optimiser = egobox.Egor(self._specs, qei_config=batch, seed=self._seed)
        return optimiser.suggest(self._x, self._y)

    def _config(self, row: np.ndarray) -> Config:
        named = {
            name: parameter.values[int(value)] if isinstance(parameter, Categorical) else value
            for (name, parameter), value in zip(
                self._space.parameters.items(), row.tolist(), strict=True
            )
        }
        return self._space.validate(named)


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


def _egobox(parameter: object) -> "egobox.XSpec":
    if isinstance(parameter, Float):
        return egobox.XSpec(egobox.XType.FLOAT, [parameter.low, parameter.high])
    assert isinstance(parameter, Categorical)
    if parameter.ordered:
        return egobox.XSpec(egobox.XType.INT, [0, parameter.size - 1])
    return egobox.XSpec(egobox.XType.ENUM, [parameter.size])
