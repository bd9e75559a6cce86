import pytest
import torch
from botorch.acquisition import UpperConfidenceBound

from hpo_research.acquisition import ucb
from hpo_research.gp import KERNELS, condition
from tests.gp.drawn import OWNERS, drawn, gpytorch_row


@pytest.mark.parametrize("beta", [0.0, 0.5, 4.0])
def test_the_confidence_bound_is_botorchs(beta):
    batch = drawn(OWNERS["three"])
    found = condition(batch.data, KERNELS["rbf"], batch.hyperparameters).predict(batch.asked)
    for row in range(len(batch.asked)):
        theirs = UpperConfidenceBound(gpytorch_row("rbf", batch, row), beta, maximize=False)
        expected = theirs(batch.asked[row][:, None]).detach()
        ours = ucb(found.mean[row, :, 0], found.variance[row], beta)
        torch.testing.assert_close(ours, expected, rtol=1e-6, atol=1e-8)
