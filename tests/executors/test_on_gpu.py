"""Worker processes on a GPU: they are forked by a process that has never touched it."""

import pytest
import torch

import hpo_research as hpo

pytestmark = pytest.mark.gpu


def trained(config):
    return float(
        (torch.full((4, 4), config["x"], device="cuda:0") @ torch.eye(4, device="cuda:0")).sum()
    )


def test_workers_compute_on_the_gpu_that_this_process_uses(tmp_path):
    """Forked from this process, which has a context, they could not initialise CUDA."""
    torch.zeros(1, device="cuda:0")
    experiment = hpo.Experiment(
        name="forked",
        problems=[
            hpo.problem("digits-mlp", max_epochs=1),
            hpo.FunctionProblem(trained, hpo.SearchSpace(x=hpo.Float(0, 1)), workers=2),
        ],
        strategies={"random": hpo.Random()},
        seeds=[0],
        parallel=2,
        budget=hpo.Budget(trials=3),
        execution="asynchronous",
    )
    frame = hpo.run(experiment, out=tmp_path / "forked", device="cuda:0").frame()
    assert list(frame["status"]) == ["finished"] * 6, list(frame["reason"])
