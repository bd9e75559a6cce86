"""A criterion over the posteriors of Gaussian processes as an acquisition function."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hpo_research.acquisition import arrays
from hpo_research.acquisition.criteria import Criterion, in_loops
from hpo_research.acquisition.loops import Members
from hpo_research.acquisition.protocol import CachedScores, UncachedScores
from hpo_research.acquisition.screening import Pending
from hpo_research.compiled import by_loops
from hpo_research.device import entries
from hpo_research.gp.posterior import LEAST_VARIANCE, Posterior
from hpo_research.linalg import product

_ROWS = 256  # of one block: fixed, since the bits of a row may depend on how many there are
_MANY_ROWS = 2**14  # of one block on a GPU, where no bits are promised
_ENTRIES = 2**16  # of the largest tensor of one block: 512 KiB, so that a few stay in the cache

_KEPT = 2**20  # numbers that are kept of a run: 8 MiB; where it were more, it computes anew


@dataclass(frozen=True)
class GPAcquisition:
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
    is_recordable: ClassVar[bool] = True

    @cached_property
    def arrays(self) -> Members | None:
        """What compiled loops read; None on a GPU, under autograd, and for unknown criteria."""
        criterion, posterior = in_loops(self.criterion), self.posterior
        given = (posterior.x, posterior.whitening, posterior.weights, posterior.scale, self.best)
        if criterion is None or not by_loops(*given):
            return None
        known = posterior.mask.shape[1] - self.samples.shape[-1]
        return arrays.arrays_of(posterior, self.best, criterion, known=known)

    def value(self, x: Float[Tensor, "b q d"]) -> Float[Tensor, "b q"]:
        """Return the criterion at any number of points, in blocks."""
        if self.arrays is not None and by_loops(x):
            return arrays.values(self.arrays, x)
        b, runs = len(x), self._runs(_rows(x))
        return torch.cat(
            [self.take(slice(i, i + runs))._blocks(x[i : i + runs]) for i in range(0, b, runs)]
        )

    def _runs(self, rows: int) -> int:
        """Return of how many runs so many rows are computed together."""
        weights = self.posterior.weights
        widest = max(weights.shape[1], self.samples.shape[1])
        return max(1, entries(weights, cached=_ENTRIES) // (rows * widest))

    def _blocks(self, x: Tensor) -> Tensor:
        parts = torch.split(x, _rows(x), dim=1)
        return torch.cat([self._value(part) for part in parts], dim=1)

    def _value(self, x: Tensor) -> Tensor:
        prediction = self.posterior.predict(x)
        return self.criterion(prediction.mean, prediction.variance, self.best).value

    def value_and_gradient(
        self, x: Float[Tensor, "b q d"]
    ) -> tuple[Float[Tensor, "b q"], Float[Tensor, "b q d"]]:
        """Return the criterion and its derivatives by the points, in closed form."""
        if self.arrays is not None and by_loops(x):
            return arrays.slopes(self.arrays, x)
        runs = self._runs(x.shape[1])
        if runs >= len(x):
            return self._slope(x)
        parts = [
            self.take(slice(i, i + runs))._slope(x[i : i + runs]) for i in range(0, len(x), runs)
        ]
        value, gradient = (torch.cat(part) for part in zip(*parts, strict=True))
        return value, gradient

    def _slope(self, x: Tensor) -> tuple[Tensor, Tensor]:
        prediction, pullback = self.posterior.predict_with_pullback(x)
        score = self.criterion(prediction.mean, prediction.variance, self.best)
        return score.value, pullback(score.by_mean, score.by_variance)

    def moments(
        self, x: Float[Tensor, "b q d"]
    ) -> tuple[Float[Tensor, "b q"], Float[Tensor, "b q"]]:
        """Return mean and variance of the function, samples of what is not known included."""
        found = self.posterior.predict(x)
        spread = found.mean.var(dim=-1, correction=0)
        return found.mean.mean(dim=-1), found.variance + spread

    def take(self, groups: Int[Tensor, " k"] | slice) -> "GPAcquisition":
        """Return the surfaces of some runs only."""
        return replace(
            self,
            posterior=self.posterior.take(groups),
            best=self.best[groups],
            samples=self.samples[groups],
        )

    @property
    def place(self) -> int:
        """The posterior's row that the next pending point will take."""
        return self.posterior.mask.shape[1] - self.samples.shape[-1] + self.taken

    def cached(self, x: Float[Tensor, "b r d"]) -> CachedScores:
        """Return points whose values are wanted again whenever a further point is under way."""
        if not self.keeps(x):
            return UncachedScores(self, x)
        if self.arrays is not None and by_loops(x):
            return arrays.LoopedScores(self, arrays.Screen.of(self.arrays, x))
        runs = self._runs(x.shape[1])
        parts = [
            self.posterior.take(slice(i, i + runs)).project(x[i : i + runs])
            for i in range(0, len(x), runs)
        ]
        predictions, rows, halves = zip(*parts, strict=True)
        return GPCachedScores(
            self,
            torch.cat(rows),
            torch.cat(halves),
            (),
            torch.cat([p.mean for p in predictions]),
            torch.cat([p.variance for p in predictions]),
        )

    def keeps(self, x: Float[Tensor, "b r d"]) -> bool:
        """Whether what is computed of so many points is kept, since it is little enough."""
        return x.shape[1] * self.posterior.x.shape[1] <= _KEPT

    def pending(self, x: Float[Tensor, "b d"]) -> "GPAcquisition":
        """Return the surface when a point is under way: sampled at its mean plus deviations."""
        if self.arrays is not None and by_loops(x):
            return self.after(arrays.conditioned(self.arrays, x))
        prediction = self.posterior.predict(x[:, None, :].expand(-1, 2, -1))
        deviation = prediction.variance[:, :1].sqrt()
        posterior = self.posterior.extended(x, self._z, self.place)
        return self._extended(posterior, prediction.mean[:, 0], deviation)

    def after(self, point: Pending) -> "GPAcquisition":
        """Return the surface when a point is under way that was conditioned on in loops."""
        x, row, mean, deviation = (
            torch.from_numpy(part) for part in (point.x, point.row, point.mean, point.deviation)
        )
        posterior = self.posterior.with_row(x, row, self._z, self.place)
        return self._extended(posterior, mean, deviation[:, None])

    @property
    def _z(self) -> Float[Tensor, "b samples"]:
        """The deviations of the next pending point."""
        return self.samples[..., self.taken]

    def _extended(self, posterior: Posterior, mean: Tensor, deviation: Tensor) -> "GPAcquisition":
        """Return the surface over a posterior that a point with this mean was added to."""
        best, z = self.best, self._z
        if mean.shape != z.shape:  # nothing was pending: all samples have been alike so far
            mean, best = mean[:, :1], best[:, :1]
        best = torch.minimum(best, mean + deviation * z)
        return replace(self, posterior=posterior, best=best, taken=self.taken + 1)


def _rows(x: Tensor) -> int:
    return _ROWS if x.is_cpu else max(1, min(x.shape[1], _MANY_ROWS))


@dataclass(frozen=True)
class GPCachedScores:
    """A surface's means and variances at fixed points: a pending point costs each only O(n).

    `rows` are the points, scaled; `whitened` holds L⁻¹k of each, and `columns` what the points that
    have become pending since would add to it.
    """

    surface: GPAcquisition
    rows: Float[Tensor, "b r d"]
    whitened: Float[Tensor, "b r n"]
    columns: tuple[tuple[int, Float[Tensor, "b r"]], ...]
    mean: Float[Tensor, "b r m"]
    variance: Float[Tensor, "b r"]

    def values(self) -> Float[Tensor, "b r"]:
        """Return the criterion at the fixed points."""
        size = max(1, entries(self.mean, cached=_ENTRIES) // self.mean[0].numel())
        criterion, best = self.surface.criterion, self.surface.best
        return torch.cat(
            [
                criterion(
                    self.mean[i : i + size], self.variance[i : i + size], best[i : i + size]
                ).value
                for i in range(0, len(best), size)
            ]
        )

    def pending(self, x: Float[Tensor, "b d"]) -> "GPCachedScores":
        """Return the same when one more point of each run is under way.

        The covariance with it, c = k − (L⁻¹k)'(L⁻¹k'), over its deviation δ is what extends each
        L⁻¹k: variances lose (c/δ)², means gain (c/δ)z.
        """
        surface = self.surface
        posterior, z = surface.posterior, surface.samples[..., surface.taken]
        prediction, row, whitened = posterior.project(x[:, None, :].expand(-1, 2, -1))
        k, _ = posterior.kernel.between(self.rows, row[:, :1])
        c = k[..., 0] - product(self.whitened, whitened.transpose(1, 2))[..., 0]
        for place, column in self.columns:
            c = c - column * whitened[:, :1, place]
        column = c / prediction.variance[:, :1].sqrt()
        variance = (self.variance - column * column).clamp(min=LEAST_VARIANCE)
        mean = self.mean if self.mean.shape[-1] == z.shape[-1] else self.mean[..., :1]
        return GPCachedScores(
            surface.pending(x),
            self.rows,
            self.whitened,
            (*self.columns, (surface.place, column)),
            mean + column[..., None] * z[:, None, :],
            variance,
        )
