"""CUDA against the CPU, which is the reference. Not yet run: no GPU was available."""

import numpy as np
import pytest
import torch

from hpo_research.device import used
from hpo_research.gp import KERNELS, Data, Priors, condition, evidence, fit
from hpo_research.records import Run, Trial
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.strategies.bayesian import Bayesian
from tests.gp.drawn import drawn

pytestmark = pytest.mark.gpu
SPACES = {
    "continuous": SearchSpace(x=Float(0, 1), y=Float(1e-3, 1.0, scale="log")),
    "mixed": SearchSpace(x=Float(0, 1), n=Integer(1, 64, scale="log"), c=Categorical(("a", "b"))),
    "finite": SearchSpace(n=Integer(1, 20), c=Categorical(("a", "b", "c"))),
}


@pytest.mark.parametrize("name", KERNELS)
def test_evidence_and_its_gradient_agree_to_1e9(name):
    batch = drawn((0, 1, 2), b=8, n=48)
    here = evidence(batch.theta, batch.data, KERNELS[name], Priors())
    data = Data(*(t.cuda() for t in (batch.data.x, batch.data.y, batch.data.mask)), (0, 1, 2))
    there = evidence(batch.theta.cuda(), data, KERNELS[name].expanded(8, like=data.x), Priors())
    for ours, theirs in zip(here, there, strict=True):
        torch.testing.assert_close(theirs.cpu(), ours, rtol=1e-9, atol=1e-9)


def test_a_fit_comes_to_the_same_evidence_and_prediction():
    batch = drawn((0, 1, 2), b=8, n=48)
    data = Data(*(t.cuda() for t in (batch.data.x, batch.data.y, batch.data.mask)), (0, 1, 2))
    kernel = KERNELS["matern52"]
    here, there = fit(batch.data, [kernel]), fit(data, [kernel])
    torch.testing.assert_close(there.log_evidence.cpu(), here.log_evidence, rtol=1e-6, atol=1e-4)
    ours = condition(batch.data, kernel, here.hyperparameters).predict(batch.asked)
    theirs = condition(data, kernel, there.hyperparameters).predict(batch.asked.cuda())
    torch.testing.assert_close(theirs.mean.cpu(), ours.mean, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("b", "n"), [(8, 48), (1, 48), (9, 520)])
def test_a_fit_whose_steps_are_replayed_is_the_same(b, n):
    """Libraries take other paths for one matrix, and for large ones in a batch."""
    batch = drawn((0, 1, 2), b=b, n=n)
    data = Data(*(t.cuda() for t in (batch.data.x, batch.data.y, batch.data.mask)), (0, 1, 2))
    eager = fit(data, [KERNELS["matern52"]])
    with used("cuda:0", graphs=True):
        replayed = fit(data, [KERNELS["matern52"]])
    torch.testing.assert_close(replayed.log_evidence, eager.log_evidence, rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("graphs", [False, True])
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_an_ask_on_cuda_is_legal_and_about_as_good(space, graphs):
    draws = np.random.default_rng(0).random((20, space.dimension))
    configs = space.from_uniform(draws)
    values = ((draws - 0.3) ** 2).sum(axis=1)
    trials = [
        Trial(i, c, "finished", 1, value=float(v))
        for i, (c, v) in enumerate(zip(configs, values, strict=True))
    ]
    run = Run(space, trials=tuple(trials))
    (here,) = Bayesian().ask([run], [4])
    with used("cuda:0", graphs=graphs):
        (there,) = Bayesian().ask([run], [4])
    for proposal in there.proposals:
        space.validate(proposal.config)
    assert there.notes["acquisition"] == pytest.approx(here.notes["acquisition"], abs=0.05)
