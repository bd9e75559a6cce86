import pytest
import torch
from torch.quasirandom import SobolEngine

from hpo_research.gp.quasi_random import normal_set, uniform_set


def test_a_set_is_the_same_wherever_it_is_asked_for():
    first = uniform_set(16, 3, "here").clone()
    uniform_set.cache_clear()
    assert torch.equal(uniform_set(16, 3, "here"), first)
    assert not torch.equal(uniform_set(16, 3, "there"), first)


@pytest.mark.parametrize("columns", [0, 1, 5, SobolEngine.MAXDIM + 3])
def test_a_set_lies_in_the_open_cube(columns):
    points = uniform_set(8, columns, "cube")
    assert points.shape == (8, columns)
    assert ((points > 0) & (points < 1)).all()


def test_a_set_is_spread_evenly():
    """Every eighth of each column holds an eighth of the points, as in any Sobol sequence."""
    eighths = (uniform_set(64, 4, "even") * 8).long()
    for column in eighths.T:
        assert torch.equal(column.bincount(minlength=8), torch.full((8,), 8))


def test_normal_samples_are_normal():
    samples = normal_set(1024, 3)
    assert samples.mean(dim=0).abs().max() < 0.01
    assert (samples.std(dim=0) - 1).abs().max() < 0.02
