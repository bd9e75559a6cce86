"""Where an experiment computes: one thread unless told otherwise, the user's own after."""

from dataclasses import dataclass, field

import pytest
import torch
from doubles import Walk

import hpo_research as hpo
from hpo_research.errors import DeviceError
from hpo_research.problems.protocol import Evaluation


@dataclass(frozen=True)
class Looking(Walk):
    """Writes down what it is given to compute with."""

    name: str = "looking"
    seen: list[tuple[int, str]] = field(default_factory=list, metadata={"identity": False})

    def evaluate(self, segments, device="cpu") -> Evaluation:
        self.seen.append((torch.get_num_threads(), device))
        return Walk.evaluate(self, segments, device)


def experiment(problem: hpo.Problem) -> hpo.Experiment:
    return hpo.Experiment("place", [problem], {"r": hpo.Random()}, [0], hpo.Budget(trials=1))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_computes_with_the_threads_it_was_given_and_restores_the_users(threads, tmp_path):
    problem = Looking()
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        hpo.run(experiment(problem), out=tmp_path, device="cpu", threads=threads)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert problem.seen == [(threads, "cpu")]


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_a_wrong_number_of_threads_is_refused_before_anything_is_made(threads, tmp_path):
    with pytest.raises(DeviceError, match="threads must be an integer from 1 to 4,096"):
        hpo.run(experiment(Walk()), out=tmp_path / "none", device="cpu", threads=threads)
    assert not (tmp_path / "none").exists()
