"""Thompson sampling: the minima of functions drawn from the posterior, all searched at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hpo_research.acquisition.domain import Domain, Points
from hpo_research.acquisition.maximise import Search, SearchResult, maximise
from hpo_research.acquisition.protocol import UncachedScores
from hpo_research.gp.paths import FREQUENCIES, Paths, paths_of
from hpo_research.gp.posterior import Posterior
from hpo_research.rng import Stream

_ROWS = 256  # of one block: fixed, since the bits of a row may depend on how many there are


@dataclass(frozen=True)
class PathAcquisition:
    """Minus one drawn function a group: where it is largest, a Thompson sample is.

    Thompson (Biometrika 1933); in parallel Kandasamy, Krishnamurthy, Schneider and Póczos
    (AISTATS 2018): a point for each of q functions, drawn independently, is a batch of q. What is
    pending changes no function, so each is searched without waiting for another's minimum.
    """

    paths: Paths
    lengthscale: Float[Tensor, "b p"]
    is_recordable: ClassVar[bool] = True

    @classmethod
    def of(
        cls,
        posterior: Posterior,
        streams: Sequence[Stream],
        count: int,
        *,
        frequencies: int = FREQUENCIES,
    ) -> "PathAcquisition":
        """Draw `count` functions of each of b runs: group i · count + j is function j of run i.

        Nothing may be pending on the posterior.
        """
        paths = paths_of(posterior, streams, count, frequencies=frequencies).apart()
        return cls(paths, posterior.hyperparameters.lengthscale.repeat_interleave(count, dim=0))

    def value(self, x: Float[Tensor, "b q d"]) -> Float[Tensor, "b q"]:
        """Return minus the functions at any number of points."""
        parts = [self.paths.value(part[:, None])[:, 0] for part in torch.split(x, _ROWS, dim=1)]
        return -torch.cat(parts, dim=1)

    def value_and_gradient(
        self, x: Float[Tensor, "b q d"]
    ) -> tuple[Float[Tensor, "b q"], Float[Tensor, "b q d"]]:
        """Return minus the functions and their derivatives by the points, in closed form."""
        value, gradient = self.paths.value_and_gradient(x[:, None])
        return -value[:, 0], -gradient[:, 0]

    def take(self, groups: Int[Tensor, " k"] | slice) -> "PathAcquisition":
        """Return the surfaces of some functions only."""
        return PathAcquisition(self.paths.take(groups), self.lengthscale[groups])

    def pending(self, x: Float[Tensor, "b d"]) -> "PathAcquisition":
        """Return the surface itself: a drawn function is known already where a point is pending."""
        return self

    def cached(self, x: Float[Tensor, "b r d"]) -> UncachedScores:
        """Return the values at fixed points, which nothing pending changes."""
        return UncachedScores(self, x)


def minima(
    surface: PathAcquisition,
    domain: Domain,
    centres: Points,
    *,
    streams: Sequence[Stream],
    search: Search,
) -> SearchResult:
    """Find the minimum of every function over the domain, in one search for all.

    `centres` are of the runs, and so are the streams that the search draws from. Row i · count + j
    of what is found is function j of run i, its values with the sign turned.
    """
    count = len(surface.paths.scale) // len(streams)
    runs = torch.arange(len(streams), device=centres.x.device, dtype=torch.int64).repeat_interleave(
        count
    )
    return maximise(
        surface,
        domain,
        centres.take(runs),
        lengthscale=surface.lengthscale,
        streams=[stream.at("path", j) for stream in streams for j in range(count)],
        search=search,
    )
