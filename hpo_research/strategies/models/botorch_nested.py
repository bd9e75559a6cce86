"""BoTorch's knowledge gradient as a function of the points alone."""

from typing import Any

import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.acquisition.knowledge_gradient import qKnowledgeGradient
from jaxtyping import Float
from torch import Tensor

from hpo_research.errors import StrategyError


class NestedKnowledgeGradient(AcquisitionFunction):
    """The knowledge gradient, each fantasy's solution being the best of some fixed places.

    BoTorch's class is maximised over the point and a solution for each fantasy at once (Balandat et
    al. 2020, section 4.2). Here the inner maximum is taken over finitely many places, as in the
    knowledge gradient of Frazier, Powell and Dayanik (2009); the derivative by the point is that of
    the value at those solutions, since they are optimal.
    """

    one_shot: qKnowledgeGradient
    places: Tensor

    def __init__(self, one_shot: qKnowledgeGradient, places: Float[Tensor, "m e"]) -> None:
        """Nest a function. Raises `StrategyError` where its solutions are not those of the mean."""
        if one_shot.objective is not None or one_shot.posterior_transform is not None:
            raise StrategyError(
                "qKnowledgeGradient: expected the model's own output, got an objective or a "
                "posterior_transform; leave it out, or give a model that has it within"
            )
        AcquisitionFunction.__init__(self, model=one_shot.model)
        self.one_shot, self.places = one_shot, places

    def forward(self, X: Float[Tensor, "b q e"]) -> Float[Tensor, " b"]:
        """Return the mean over fantasies of the largest mean among the places."""
        pending = self.one_shot.X_pending
        known = X if pending is None else torch.cat([X, pending.expand(len(X), -1, -1)], dim=1)
        model: Any = self.model
        with torch.no_grad():
            fantasies = model.fantasize(known, self.one_shot.sampler)
            means = fantasies.posterior(self.places).mean  # fantasies, b, places, 1
        solutions = self.places[means[..., 0].argmax(dim=-1)].transpose(0, 1)
        value: Tensor = self.one_shot(torch.cat([X, solutions], dim=1))
        return value
