"""Synthetic functions against BoTorch's own, and their exact minima against published ones."""

import math

import botorch.test_functions as botorch
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hpo_research.errors import ProblemError
from hpo_research.problems.evaluation import padded
from hpo_research.problems.synthetic import FUNCTIONS, Synthetic
from hpo_research.records import Segment
from hpo_research.rng import Stream
from hpo_research.space import Float

BOTORCH = {
    "branin": lambda d: botorch.Branin(),
    "hartmann3": botorch.Hartmann,
    "hartmann6": botorch.Hartmann,
    "ackley": botorch.Ackley,
    "levy": botorch.Levy,
    "rosenbrock": botorch.Rosenbrock,
    "michalewicz": botorch.Michalewicz,
    "styblinski-tang": botorch.StyblinskiTang,
    "griewank": botorch.Griewank,
    "rastrigin": botorch.Rastrigin,
}
CASES = [
    (name, d)
    for name, known in FUNCTIONS.items()
    for d in ([known.dimension] if known.largest else [2, 5, 10])
]


def uniform(problem: Synthetic, n: int) -> torch.Tensor:
    low, high = torch.tensor(problem.bounds, dtype=torch.float64).T
    return low + (high - low) * Stream(0).uniform(n, len(low), like=low)


@pytest.mark.parametrize(("name", "d"), [case for case in CASES if case[0] in BOTORCH])
def test_values_and_bounds_are_those_of_botorch(name, d):
    problem, oracle = Synthetic(name, d), BOTORCH[name](d)
    assert torch.tensor(problem.bounds, dtype=torch.float64).equal(oracle.bounds.T)
    x = uniform(problem, 160)
    assert problem.values(x).equal(oracle(x))


@pytest.mark.parametrize(("name", "d"), [case for case in CASES if case[0] in BOTORCH])
def test_the_optimum_is_botorchs_to_the_digits_that_it_quotes(name, d):
    quoted = BOTORCH[name](d).optimal_value
    assert Synthetic(name, d).optimum == pytest.approx(quoted, rel=2e-6, abs=1e-12)


@pytest.mark.parametrize(
    ("d", "published"),
    [(2, -1.80130341), (5, -4.687658), (10, -9.66015)],
)
def test_michalewicz_has_the_published_minima(d, published):
    assert Synthetic("michalewicz", d).optimum == pytest.approx(published, abs=2e-6)


@pytest.mark.parametrize("i", [1, 2, 3, 4, 7, 12, 20, 31])
def test_each_coordinate_of_michalewicz_is_least_on_a_fine_grid(i):
    x = Synthetic("michalewicz", 31).minimisers[0][i - 1]
    grid = torch.linspace(0, math.pi, 200_001, dtype=torch.float64)
    term = -torch.sin(grid) * torch.sin(i * grid**2 / math.pi) ** 20
    assert -math.sin(x) * math.sin(i * x * x / math.pi) ** 20 <= float(term.min())
    assert x == pytest.approx(float(grid[term.argmin()]), abs=2e-5)


@pytest.mark.parametrize(("name", "d"), CASES)
def test_minimisers_lie_in_the_box_and_nothing_near_them_is_lower(name, d):
    problem = Synthetic(name, d)
    for minimiser in problem.minimisers:
        problem.space.validate(dict(zip(problem.space.names, minimiser, strict=True)))
        centre = torch.tensor([minimiser], dtype=torch.float64)
        near = centre + 1e-4 * Stream(1).normal(500, d, like=centre)
        assert float(problem.values(near).min()) >= problem.optimum
        assert float(problem.values(centre)) == pytest.approx(problem.optimum, abs=1e-11)


@pytest.mark.parametrize("name", [n for n, f in FUNCTIONS.items() if f.optimum_is_global])
def test_no_point_outside_the_box_is_lower_where_the_optimum_is_said_to_be_global(name):
    problem = Synthetic(name)
    x = uniform(problem, 20_000)
    middle = x.mean(dim=0)
    assert float(problem.values(middle + 3 * (x - middle)).min()) >= problem.optimum


def test_michalewicz_is_lower_outside_its_box():
    x = torch.tensor([[math.pi * math.sqrt(6.5)]], dtype=torch.float64)
    problem = Synthetic("michalewicz", 1)
    assert not problem.optimum_is_global
    assert float(problem.values(x)) < problem.optimum


@given(st.integers(1, 70), st.integers(0, 69), st.sampled_from(sorted(FUNCTIONS)))
def test_a_row_has_the_same_value_in_any_batch(n, row, name):
    problem = Synthetic(name)
    x = uniform(problem, 70)
    one = problem.values(x[row : row + 1])
    assert problem.values(x)[row : row + 1].equal(one)
    assert problem.values(x[-n:].flip(0)).equal(problem.values(x).flip(0)[:n])


@pytest.mark.parametrize(("n", "rows"), [(0, 0), (1, 16), (16, 16), (17, 32)])
def test_a_function_sees_a_multiple_of_16_rows(n, rows):
    seen = []
    x = torch.rand(n, 2, dtype=torch.float64)
    out = padded(lambda y: seen.append(len(y)) or y[:, 0], x)
    assert seen == [rows]
    assert out.equal(x[:, 0])


def test_all_segments_are_evaluated_in_one_call(monkeypatch):
    problem = Synthetic("sphere")
    calls = []
    values = Synthetic.values
    monkeypatch.setattr(Synthetic, "values", lambda self, x: calls.append(x) or values(self, x))
    batch = [Segment(0, i, {"x1": float(i), "x2": 0.5}, 1, Stream(i)) for i in range(5)]
    ((*reports,),) = problem.evaluate(batch)
    assert [report.metrics for report in reports] == [{"value": i * i + 0.25} for i in range(5)]
    assert [tuple(x.shape) for x in calls] == [(5, 2)]


def test_hartmann_does_not_depend_on_torchs_default_dtype():
    x = uniform(Synthetic("hartmann6"), 32)
    before = FUNCTIONS["hartmann6"].build(6)(x)
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        assert FUNCTIONS["hartmann6"].build(6)(x).equal(before)
    finally:
        torch.set_default_dtype(usual)


def test_the_space_has_x1_to_xd_over_the_bounds():
    space = Synthetic("rosenbrock", 3).space
    assert dict(space.parameters) == {f"x{i}": Float(-5.0, 10.0) for i in (1, 2, 3)}


def test_a_name_says_the_dimension_where_it_is_not_the_usual_one():
    assert Synthetic("ackley").name == "ackley"
    assert Synthetic("ackley", 10).name == "ackley-10d"
    assert Synthetic("ackley", 10, name="mine").name == "mine"
    assert Synthetic("branin") == Synthetic("branin", 2)


@pytest.mark.parametrize(
    ("function", "dimension", "message"),
    [
        ("brain", None, r"Synthetic\('brain', dimension=None\): expected one of branin, "),
        ("branin", 3, "dimension must be 2, got 3"),
        ("hartmann6", 4, "dimension must be 6, got 4"),
        ("rosenbrock", 1, "dimension must be an integer from 2 to 1,000,000, got 1"),
        ("ackley", 0, "dimension must be an integer from 1 to 1,000,000, got 0"),
        ("ackley", 2.5, "dimension must be an integer from 1 to 1,000,000, got 2.5"),
        ("ackley", True, "dimension must be an integer from 1 to 1,000,000, got True"),
        ("ackley", "2", "dimension must be an integer from 1 to 1,000,000, got '2'"),
    ],
)
def test_a_wrong_argument_is_refused_with_what_is_legal(function, dimension, message):
    with pytest.raises(ProblemError, match=message):
        Synthetic(function, dimension)
