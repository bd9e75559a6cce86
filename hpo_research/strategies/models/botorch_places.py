"""Points of a run's domain that BoTorch's acquisition functions ask for: to sum over, to choose."""

from dataclasses import dataclass
from typing import Any

import torch
from botorch.models.model import Model
from botorch.sampling.normal import IIDNormalSampler
from jaxtyping import Float
from torch import Tensor

from hpo_research.acquisition import Search, candidates
from hpo_research.errors import StrategyError
from hpo_research.gp.quasi_random import uniform_set
from hpo_research.strategies.models.botorch_models import Training
from hpo_research.strategies.models.inputs import Batch

_SPREAD = 128  # a function that integrates predicts their joint covariance at every point asked
_OPTIMA = 16
_SEARCH = Search(starts=32)  # 512 points over the space, 256 beside the incumbents


@dataclass(frozen=True)
class Places:
    """Points of one run's domain, in the columns of its model; a finite space gives its own."""

    batch: Batch
    lengthscale: Float[Tensor, "1 p"]
    training: Training

    def spread(self) -> Float[Tensor, "m e"]:
        """Return 128 points spread evenly, or all of a finite space that has fewer."""
        return self.training.columns(self.of_domain(_SPREAD))

    def likely(self) -> Float[Tensor, "m e"]:
        """Return points where the function may be best: over the space, beside incumbents, known.

        They are those that starts of our own search are chosen among. None comes twice.
        """
        domain, stream = self.batch.domain, self.training.stream.at("candidates")
        if domain.table is not None:
            found = self.of_domain(_SEARCH.spread + _SEARCH.near)
        else:
            found = candidates(
                domain,
                self.batch.centres,
                lengthscale=self.lengthscale,
                streams=[stream],
                search=_SEARCH,
            ).x[0]
        known = self.training.x[self.training.rivals]
        rows = torch.cat([self.training.columns(found), known])
        different: Tensor = torch.unique(rows, dim=0)
        return different

    def optima(self, model: Model) -> tuple[Float[Tensor, "m e"], Float[Tensor, "m 1"]]:
        """Return where 16 draws of the posterior are largest among `likely`, and their values.

        Raises `StrategyError` for an ensemble of models, each of which has optima of its own.
        """
        rows = self.likely()
        sampler = IIDNormalSampler(
            torch.Size([_OPTIMA]), seed=self.training.stream.at("optima").integer()
        )
        with torch.no_grad():
            values = sampler(model.posterior(rows))
        if values.shape != (_OPTIMA, len(rows), 1):
            raise StrategyError(
                f"optima of a {type(model).__name__}: expected a model of one GP, got an ensemble; "
                "use SingleTaskGP or a model of ours"
            )
        best = values.argmax(dim=1)
        return rows[best[:, 0]], values.gather(1, best[:, None])[:, 0]

    def promising(self, model: Model) -> Float[Tensor, "m e"]:
        """Return the 128 of `likely` with the largest bounds, two deviations above the mean."""
        rows = self.likely()
        with torch.no_grad():
            posterior: Any = model.posterior(rows[:, None])
            bounds = posterior.mean + 2 * posterior.variance.sqrt()
        best = bounds.flatten().argsort(descending=True, stable=True)
        return rows[best[:_SPREAD]]

    def of_domain(self, count: int) -> Float[Tensor, "m d"]:
        """Return points spread evenly, in the columns of our encoding."""
        domain = self.batch.domain
        if domain.table is not None:
            order = self.training.stream.at("spread").permutation(len(domain.table))
            return domain.table[order[:count].to(domain.table.device)]
        cube = uniform_set(count, len(domain.order), "spread").to(self.training.x)
        return domain.placed(cube[None]).x[0]
