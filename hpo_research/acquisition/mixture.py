"""An acquisition function averaged over models, so that one bad model cannot sink a run."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hpo_research.acquisition import arrays
from hpo_research.acquisition.gp_acquisition import GPAcquisition
from hpo_research.acquisition.loops import Members
from hpo_research.acquisition.protocol import CachedScores
from hpo_research.acquisition.screening import Pending
from hpo_research.compiled import by_loops


@dataclass(frozen=True)
class MixtureAcquisition:
    """The mean of the members' acquisition functions, weighted by how far each is believed.

    Row k · b + i of `members` is what model k makes of run i, `log_weight` the logarithms of the
    models' probabilities. An improvement expected under a mixture of models is the mixture of what
    each expects; where the members give logarithms, `is_log`, the logarithm of that.
    """

    members: GPAcquisition
    log_weight: Float[Tensor, "b k"]
    is_log: bool
    is_recordable: ClassVar[bool] = True

    @cached_property
    def arrays(self) -> Members | None:
        """What compiled loops read of all members, None where they read nothing of one."""
        members = self.members.arrays
        if members is None or not by_loops(self.log_weight):
            return None
        weights = self.log_weight.contiguous().numpy()
        return members._replace(log_weight=weights, is_log=self.is_log)

    def value(self, x: Float[Tensor, "b q d"]) -> Float[Tensor, "b q"]:
        """Return the acquisition values of any number of points."""
        if self.arrays is not None and by_loops(x):
            return arrays.values(self.arrays, x)
        return self.mixed(self._apart(self.members.value(self._each(x))))[0]

    def value_and_gradient(
        self, x: Float[Tensor, "b q d"]
    ) -> tuple[Float[Tensor, "b q"], Float[Tensor, "b q d"]]:
        """Return the values and their derivatives by the points."""
        if self.arrays is not None and by_loops(x):
            return arrays.slopes(self.arrays, x)
        value, gradient = (
            self._apart(part) for part in self.members.value_and_gradient(self._each(x))
        )
        mean, share = self.mixed(value)
        return mean, _total(share[..., None] * gradient)

    def mixed(self, value: Float[Tensor, "k b q"]) -> tuple[Tensor, Tensor]:
        """Return the mean of the members' values, and what each adds to its derivative."""
        weight = self.log_weight.T[..., None]
        if not self.is_log:
            share = weight.exp().expand_as(value)
            return _total(share * value), share
        value = value + weight
        top = value.amax(dim=0)
        part = (value - top).exp()
        total = _total(part)
        return top + total.log(), part / total

    def moments(
        self, x: Float[Tensor, "b q d"]
    ) -> tuple[Float[Tensor, "b q"], Float[Tensor, "b q"]]:
        """Return mean and variance of the mixture."""
        mean, variance = (self._apart(part) for part in self.members.moments(self._each(x)))
        share = self.log_weight.T[..., None].exp()
        whole = _total(share * mean)
        gap = mean - whole
        return whole, _total(share * (variance + gap * gap))

    def take(self, groups: Int[Tensor, " k"] | slice) -> "MixtureAcquisition":
        """Return the surfaces of some runs only."""
        b, k = self.log_weight.shape
        rows = torch.arange(b, device=self.log_weight.device, dtype=torch.int64)[groups]
        every = (
            torch.arange(k, device=rows.device, dtype=torch.int64)[:, None] * b + rows
        ).flatten()
        return replace(self, members=self.members.take(every), log_weight=self.log_weight[groups])

    def pending(self, x: Float[Tensor, "b d"]) -> "MixtureAcquisition":
        """Return the surfaces when one more point of each run is under way."""
        if self.arrays is not None and by_loops(x):
            return self.after(arrays.conditioned(self.arrays, x))
        return replace(self, members=self.members.pending(self._each(x)))

    def after(self, point: Pending) -> "MixtureAcquisition":
        """Return the surfaces when a point is under way that was conditioned on in loops."""
        return replace(self, members=self.members.after(point))

    def cached(self, x: Float[Tensor, "b r d"]) -> CachedScores:
        """Return points whose values are wanted again whenever a further point is under way."""
        if self.arrays is not None and by_loops(x) and self.members.keeps(x):
            return arrays.LoopedScores(self, arrays.Screen.of(self.arrays, x))
        return MixtureCachedScores(self, self.members.cached(self._each(x)))

    def _each(self, x: Tensor) -> Tensor:
        """Repeat what is given for each model."""
        return x.repeat(self.log_weight.shape[1], *(1,) * (x.ndim - 1))

    def _apart(self, rows: Tensor) -> Tensor:
        """Return the rows of each model by themselves."""
        return rows.reshape(self.log_weight.shape[1], -1, *rows.shape[1:])


@dataclass(frozen=True)
class MixtureCachedScores:
    """The members' values at fixed points, averaged."""

    mixture: MixtureAcquisition
    members: CachedScores

    @property
    def surface(self) -> MixtureAcquisition:
        """The surface as it is now."""
        surface = self.members.surface
        assert isinstance(surface, GPAcquisition)
        return replace(self.mixture, members=surface)

    def values(self) -> Float[Tensor, "b r"]:
        """Return the mean of the members' values at the fixed points."""
        return self.mixture.mixed(self.mixture._apart(self.members.values()))[0]

    def pending(self, x: Float[Tensor, "b d"]) -> "MixtureCachedScores":
        """Return the same when one more point of each run is under way."""
        return replace(self, members=self.members.pending(self.mixture._each(x)))


def _total(parts: Tensor) -> Tensor:
    """Return the sum over models, one after another: `sum` takes other paths for other sizes."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
