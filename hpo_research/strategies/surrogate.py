"""What a Gaussian-process strategy believes about a run, to look at: for figures and notebooks."""

from collections.abc import Sequence
from dataclasses import dataclass

import jaxtyping as jt
import numpy as np
import torch

from hpo_research.acquisition import GPSurface, MixedSurface
from hpo_research.ambient import ordinary
from hpo_research.errors import StrategyError
from hpo_research.gp.transforms import Transformed
from hpo_research.records import Run
from hpo_research.space import Config
from hpo_research.strategies.batches import Batch, Known, batch
from hpo_research.strategies.bayesian import MODELS, THOMPSON, Bayesian
from hpo_research.strategies.encoding import Encoding

_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Belief:
    """Predictions in the user's own metric: the median, and the middle 95 % of the function.

    The noise of single observations is left out. Shape: q each.
    """

    median: jt.Float64[np.ndarray, " q"]
    low: jt.Float64[np.ndarray, " q"]
    high: jt.Float64[np.ndarray, " q"]


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
    surfaces: tuple[GPSurface | MixedSurface, ...]

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
        if self.run.direction == "maximize":
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


@ordinary()
def surrogate(strategy: Bayesian, run: Run, chosen: Sequence[Config] = ()) -> Surrogate:
    """Fit a strategy's model to a run, as its `ask` does; `chosen` are points of a batch.

    Raises `StrategyError` for a strategy whose model or acquisition is not our own, and for a run
    with fewer than two values.
    """
    if strategy.acquisition == THOMPSON:
        raise StrategyError(f"{strategy!r}: drawn functions, not one surface, choose its points")
    if strategy.model not in MODELS or not isinstance(strategy.acquisition, str):
        raise StrategyError(f"{strategy!r}: its model is not our own, so there is none to show")
    known = Known.of(run)
    if known.values < 2:
        raise StrategyError(f"a model needs at least 2 values, the run has {known.values}")
    encoding = Encoding(run.space)
    one = batch([run], [known], [encoding], slots=max(len(chosen), 1), device="cpu")
    modelled = strategy.surface(one)
    surface = modelled.surface
    assert isinstance(surface, GPSurface | MixedSurface)
    surfaces = [surface]
    for point in encoding.points(chosen).x.unbind(dim=1):
        surfaces.append(surfaces[-1].pending(point))
    return Surrogate(
        strategy.acquisition, run, tuple(chosen), one, modelled.transformed, tuple(surfaces)
    )
