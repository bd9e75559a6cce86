"""What a Gaussian-process strategy believes about a run, to look at: for figures and notebooks."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import jaxtyping as jt
import numpy as np
import torch

from hpo_research.acquisition import GPAcquisition, MixtureAcquisition
from hpo_research.ambient import ordinary
from hpo_research.errors import StrategyError
from hpo_research.gp import condition, paths_of
from hpo_research.gp.transforms import Transformed
from hpo_research.records import Run
from hpo_research.rng import Stream
from hpo_research.space import Config
from hpo_research.strategies.answers import Belief, Judged, View, view_of
from hpo_research.strategies.models.inputs import Batch, FittedAcquisition, batch
from hpo_research.strategies.models.observations import Observations, encoding_of
from hpo_research.strategies.protocol import Strategy

_NORMAL_95 = 1.959963984540054
_LOG_ROOT = math.log(2 * math.pi) / 2
_FREQUENCIES = 256  # of a path; what they miss of the covariance is less than its Monte-Carlo error


@dataclass(frozen=True)
class Surrogate:
    """A run's fitted model, and its acquisition functions while a batch grows.

    `acquisition_name` is the strategy's option; `surfaces[k]` is the acquisition function when the
    first k points of `chosen` are pending.
    """

    acquisition_name: str
    run: Run
    chosen: tuple[Config, ...]
    batch: Batch
    transformed: Transformed
    surfaces: tuple[GPAcquisition | MixtureAcquisition, ...]

    @ordinary()
    def believe(self, cube: jt.Float64[np.ndarray, "q p"]) -> Belief:
        """Predict at points of the unit cube, one column a hyperparameter.

        Where the function is sampled at the trials (`"qlognei"`) by mean and variance over samples.
        """
        x = self.batch.domain.placed(torch.from_numpy(cube)[None]).x
        mean, variance = self.surfaces[0].moments(x)
        deviation = variance.sqrt()
        low, median, high = (
            self.transformed.inverse(mean + z * deviation)[0].numpy()
            for z in (-_NORMAL_95, 0.0, _NORMAL_95)
        )
        if self.run.sign < 0:
            low, median, high = -high, -median, -low
        return Belief(median, low, high)

    @ordinary()
    def judge(
        self, cube: jt.Float64[np.ndarray, "q p"], values: jt.Float64[np.ndarray, " q"]
    ) -> Judged:
        """Compare values at points of the unit cube with their forecasts, noise included.

        The forecast is normal on the scale of the transformed losses, under `"averaged"` of the
        mixture's mean and variance. Its density in the metric's units has the factor dy/dt.
        """
        x = self.batch.domain.placed(torch.from_numpy(cube)[None]).x
        mean, variance = self.surfaces[0].moments(x)
        deviation = (variance + self._noise[:, None]).sqrt()
        y, slope = self.transformed.forward(torch.from_numpy(self.run.sign * values)[None])
        residual = (y - mean) / deviation
        density = slope - deviation.log() - residual.square() / 2 - _LOG_ROOT
        return Judged(self.run.sign * residual[0].numpy(), density[0].numpy())

    @property
    def _noise(self) -> jt.Float64[torch.Tensor, " b"]:
        """The variance of the noise on the transformed scale."""
        surface = self.surfaces[0]
        if isinstance(surface, GPAcquisition):
            return surface.posterior.hyperparameters.noise
        noise = surface.members.posterior.hyperparameters.noise
        return (surface.log_weight.exp()[0] * noise).sum()[None]

    @ordinary()
    def draw(
        self, cube: jt.Float64[np.ndarray, "q p"], count: int, stream: Stream
    ) -> jt.Float64[np.ndarray, "m q"]:
        """Draw functions of the transformed metric at points of the unit cube.

        By paths of the posterior given the known values (`gp.paths`), what is pending left out;
        under `"averaged"` each kernel has its share of the functions.
        """
        surface = self.surfaces[0]
        if isinstance(surface, GPAcquisition):
            fitted, shares = surface.posterior, [1.0]
        else:
            fitted = surface.members.posterior
            shares = surface.log_weight.exp()[0].tolist()
        members = len(fitted.scale)
        known = replace(self.batch.data, y=self.transformed.y)
        known = known.take(torch.zeros(members, dtype=torch.int64))
        posterior = condition(known, fitted.kernel, fitted.hyperparameters)
        ends = [round(count * share) for share in accumulate(shares)]
        x = self.batch.domain.placed(torch.from_numpy(cube)[None]).x
        drawn = [
            paths_of(
                posterior.take(slice(i, i + 1)),
                [stream.at(i)],
                upto - since,
                frequencies=_FREQUENCIES,
            ).everywhere(x)[0]
            for i, (since, upto) in enumerate(pairwise([0, *ends]))
            if upto > since
        ]
        return self.run.sign * torch.cat(drawn).numpy()

    @ordinary()
    def acquisition(
        self, cube: jt.Float64[np.ndarray, "q p"], pending: int = 0
    ) -> jt.Float64[np.ndarray, " q"]:
        """Evaluate the acquisition function with the first points of the batch pending."""
        x = self.batch.domain.placed(torch.from_numpy(cube)[None]).x
        values: np.ndarray = self.surfaces[pending].value(x)[0].numpy()
        return values


def surrogate(strategy: Strategy, run: Run, chosen: Sequence[Config] = ()) -> View:
    """Return a strategy's model of a run, as its `ask` would fit it; `chosen` are of a batch.

    For `Bayesian`, and what passes runs on to it, it is a `Surrogate`. Raises `StrategyError` for a
    strategy that has no model to show, one whose model or acquisition is not our own among them,
    and for a run with fewer than two values.
    """
    view = view_of(strategy, run, chosen)
    if view is None:
        raise StrategyError(f"{strategy!r}: it has no built-in model, so there is none to show")
    return view


def fitted_surrogate(
    run: Run,
    chosen: Sequence[Config],
    *,
    acquisition: str,
    model: Callable[[Batch], FittedAcquisition],
) -> Surrogate:
    """Fit a model to a run. Raises `StrategyError` for a run with fewer than two values."""
    known = Observations.of(run)
    if known.values < 2:
        raise StrategyError(f"a model needs at least 2 values, the run has {known.values}")
    encoding = encoding_of(run, known)
    one = batch([run], [known], [encoding], slots=max(len(chosen), 1), device="cpu")
    modelled = model(one)
    surface = modelled.surface
    assert isinstance(surface, GPAcquisition | MixtureAcquisition)
    surfaces = [surface]
    for point in encoding.points(chosen).x.unbind(dim=1):
        surfaces.append(surfaces[-1].pending(point))
    return Surrogate(acquisition, run, tuple(chosen), one, modelled.transformed, tuple(surfaces))
