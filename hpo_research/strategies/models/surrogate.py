"""What a Gaussian-process strategy believes about a run, to look at: for figures and notebooks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jaxtyping as jt
import numpy as np
import torch

from hpo_research.acquisition import GPAcquisition, MixtureAcquisition
from hpo_research.ambient import ordinary
from hpo_research.errors import StrategyError
from hpo_research.gp.transforms import Transformed
from hpo_research.records import Run
from hpo_research.space import Config
from hpo_research.strategies.answers import Belief, View, view_of
from hpo_research.strategies.models.inputs import Batch, FittedAcquisition, batch
from hpo_research.strategies.models.observations import Observations, encoding_of
from hpo_research.strategies.protocol import Strategy

_NORMAL_95 = 1.959963984540054


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
