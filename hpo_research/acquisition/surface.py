"""An acquisition function over the encoded space, for every run of a batch."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hpo_research.acquisition.criteria import Criterion
from hpo_research.gp.posterior import Posterior

_ROWS = 256  # of one block: fixed, since the bits of a row may depend on how many there are
_ENTRIES = 2**21  # of the largest tensor of one block: 16 MiB


@runtime_checkable
class Surface(Protocol):
    """Something to maximise over the encoded space, one for each run."""

    def value(self, x: Float[Tensor, "b q d"]) -> Float[Tensor, "b q"]:
        """Return the acquisition values of any number of points."""
        ...

    def value_and_gradient(
        self, x: Float[Tensor, "b q d"]
    ) -> tuple[Float[Tensor, "b q"], Float[Tensor, "b q d"]]:
        """Return the values and their derivatives by the points."""
        ...

    def take(self, groups: Int[Tensor, " k"]) -> "Surface":
        """Return the surfaces of some runs only."""
        ...

    def pending(self, x: Float[Tensor, "b d"]) -> "Surface":
        """Return the surfaces when one more point of each run is under way."""
        ...


@dataclass(frozen=True)
class GPSurface:
    """A criterion over the posteriors of a batch of GPs.

    `best` is the least value to improve on, in each of m samples of what is pending (2 equal ones
    while nothing is). `samples`
    holds the standard normal deviations of the points that may become pending, of which `taken`
    are; the posterior has a free row for each.
    """

    posterior: Posterior
    criterion: Criterion
    best: Float[Tensor, "b m"]
    samples: Float[Tensor, "b samples k"]
    taken: int = 0

    def value(self, x: Float[Tensor, "b q d"]) -> Float[Tensor, "b q"]:
        """Return the criterion at any number of points, in blocks that fit into the cache."""
        b, n, m = self.posterior.weights.shape
        runs = max(1, _ENTRIES // (_ROWS * max(m, n)))
        return torch.cat(
            [self.take(slice(i, i + runs))._blocks(x[i : i + runs]) for i in range(0, b, runs)]
        )

    def _blocks(self, x: Tensor) -> Tensor:
        return torch.cat([self._value(part) for part in torch.split(x, _ROWS, dim=1)], dim=1)

    def _value(self, x: Tensor) -> Tensor:
        prediction = self.posterior.predict(x)
        return self.criterion(prediction.mean, prediction.variance, self.best).value

    def value_and_gradient(
        self, x: Float[Tensor, "b q d"]
    ) -> tuple[Float[Tensor, "b q"], Float[Tensor, "b q d"]]:
        """Return the criterion and its derivatives by the points, in closed form."""
        prediction, pullback = self.posterior.predict_with_pullback(x)
        score = self.criterion(prediction.mean, prediction.variance, self.best)
        return score.value, pullback(score.by_mean, score.by_variance)

    def take(self, groups: Int[Tensor, " k"] | slice) -> "GPSurface":
        """Return the surfaces of some runs only."""
        return replace(
            self,
            posterior=self.posterior.take(groups),
            best=self.best[groups],
            samples=self.samples[groups],
        )

    def pending(self, x: Float[Tensor, "b d"]) -> "GPSurface":
        """Return the surface when a point is under way: sampled at its mean plus deviations."""
        z = self.samples[..., self.taken]
        place = self.posterior.mask.shape[1] - self.samples.shape[-1] + self.taken
        prediction = self.posterior.predict(x[:, None, :].expand(-1, 2, -1))
        mean, best = prediction.mean[:, 0], self.best
        if mean.shape != z.shape:  # nothing was pending: all samples have been alike so far
            mean, best = mean[:, :1], best[:, :1]
        sampled = mean + prediction.variance[:, :1].sqrt() * z
        return replace(
            self,
            posterior=self.posterior.extended(x, z, place),
            best=torch.minimum(best, sampled),
            taken=self.taken + 1,
        )
