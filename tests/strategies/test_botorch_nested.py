"""The knowledge gradient over finitely many places, beside its definition."""

import pytest
import torch
from botorch.acquisition import qKnowledgeGradient
from botorch.acquisition.objective import LinearMCObjective
from botorch.models import SingleTaskGP
from botorch.sampling.normal import SobolQMCNormalSampler

from hpo_research.errors import StrategyError
from hpo_research.gp import KERNELS, Data, Hyperparameters, condition
from hpo_research.gp.botorch_model import PosteriorModel
from hpo_research.rng import Stream
from hpo_research.strategies.models.botorch_nested import NestedKnowledgeGradient

STREAM, LIKE, FANTASIES = Stream(5), torch.zeros(0, dtype=torch.float64), 6


def ours():
    x, y = STREAM.at("x").uniform(1, 7, 2, like=LIKE), STREAM.at("y").normal(1, 7, like=LIKE)
    one = torch.ones(1, dtype=torch.float64)
    hyper = Hyperparameters(0.4 * one.expand(1, 2), 0.01 * one, 0.1 * one)
    data = Data.of(x, y)
    return PosteriorModel(condition(data, KERNELS["matern52"], hyper), data)


def theirs():
    model = SingleTaskGP(*ours().train_inputs, ours().train_targets[:, None])
    return model.requires_grad_(False).eval()


def nested(model, pending=None, **options):
    sampler = SobolQMCNormalSampler(torch.Size([FANTASIES]), seed=2)
    one_shot = qKnowledgeGradient(model, FANTASIES, sampler, X_pending=pending, **options)
    return NestedKnowledgeGradient(one_shot, STREAM.at("places").uniform(20, 2, like=LIKE))


@pytest.mark.parametrize("make", [ours, theirs])
@pytest.mark.parametrize("pending", [0, 2])
def test_it_is_the_mean_over_fantasies_of_the_largest_mean(make, pending):
    model, x = make(), STREAM.at("asked").uniform(3, 1, 2, like=LIKE)
    more = STREAM.at("pending").uniform(pending, 2, like=LIKE) if pending else None
    function = nested(model, more)
    for i, value in enumerate(function(x)):
        rows = x[i] if more is None else torch.cat([x[i], more])
        drawn = model.fantasize(rows, SobolQMCNormalSampler(torch.Size([FANTASIES]), seed=2))
        largest = drawn.posterior(function.places).mean.amax(dim=1)
        torch.testing.assert_close(value, largest.mean(), atol=1e-8, rtol=0)


def test_its_derivative_is_that_of_the_nested_value():
    function, x = nested(ours()), STREAM.at("asked").uniform(2, 1, 2, like=LIKE)
    assert torch.autograd.gradcheck(function, x.requires_grad_(), atol=1e-6)


def test_an_objective_is_refused_whose_solutions_are_not_those_of_the_mean():
    objective = LinearMCObjective(torch.ones(1, dtype=torch.float64))
    with pytest.raises(StrategyError, match="expected the model's own output, got an objective"):
        nested(ours(), objective=objective)
