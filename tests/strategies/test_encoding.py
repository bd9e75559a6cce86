import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo_research.acquisition import Continuous
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.strategies.models.encoding import TABLE, Encoding

MIXED = SearchSpace(
    lr=Float(1e-5, 1e-1, scale="log"),
    width=Integer(16, 256, scale="log"),
    activation=Categorical(("relu", "gelu", "silu")),
    batch=Categorical((32, 64, 128), ordered=True),
    dropout=Float(0.0, 0.5, step=0.125),
)
FINITE = SearchSpace(
    n=Integer(1, 9, scale="log"), kind=Categorical(("a", "b")), k=Float(0.0, 1.0, step=0.5)
)


def test_an_unordered_choice_fills_a_column_a_value_and_the_rest_one():
    encoding = Encoding(MIXED)
    assert encoding.lengthscale_of == (0, 1, 2, 2, 2, 3, 4)
    assert encoding.domain.dimension == 7


def test_different_categories_are_at_distance_one():
    values = ("relu", "gelu", "silu")
    base = {"lr": 1e-3, "width": 32, "batch": 32, "dropout": 0.25}
    x = Encoding(MIXED).points([{**base, "activation": v} for v in values]).x[0]
    apart = torch.cdist(x, x)
    assert torch.allclose(apart, 1 - torch.eye(3).double())


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
@pytest.mark.parametrize("space", [MIXED, FINITE], ids=["mixed", "finite"])
def test_a_configuration_comes_back_from_its_point(space, seed):
    (config,) = space.from_uniform(np.random.default_rng(seed).random((1, space.dimension)))
    encoding = Encoding(space)
    points = encoding.points([config])
    back = encoding.config(points.x[0, 0], points.index[0, 0])
    assert {k: v for k, v in back.items() if k != "lr"} == {
        k: v for k, v in config.items() if k != "lr"
    }
    assert all(back[k] == pytest.approx(config[k], rel=1e-9) for k in back if k == "lr")


@pytest.mark.parametrize("space", [FINITE, SearchSpace(n=Integer(3, 8))], ids=["three", "one"])
def test_row_i_of_the_table_is_configuration_i_of_the_space(space):
    encoding = Encoding(space)
    configs = [space.config_at(i) for i in range(space.size)]
    assert torch.equal(encoding.domain.table, encoding.points(configs).x[0])
    assert [space.index(config) for config in configs] == list(range(space.size))


def test_a_list_of_configurations_is_its_own_table():
    space = SearchSpace(
        {"x": Float(0, 1), "c": Categorical(("a", "b"))},
        among=[{"x": 0.9, "c": "b"}, {"x": 0.1, "c": "a"}, {"x": 0.4, "c": "b"}],
    )
    encoding = Encoding(space)
    assert torch.equal(encoding.domain.table, encoding.points(space.among).x[0])
    assert [space.index(space.among[k]) for k in (2, 0)] == [2, 0]


def test_spaces_of_more_configurations_have_no_table():
    space = SearchSpace(a=Integer(1, TABLE), b=Categorical((1, 2)))
    assert Encoding(space).domain.table is None
    assert Encoding(MIXED).domain.table is None


def test_a_range_too_wide_to_list_is_searched_as_a_continuum_and_decoded_to_its_values():
    space = SearchSpace(n=Integer(1, 10**9, scale="log"))
    encoding = Encoding(space)
    assert encoding.domain.order == (Continuous(0),)
    (config,) = [encoding.config(torch.tensor([0.5]).double(), torch.empty(0, dtype=torch.int64))]
    assert isinstance(config["n"], int)


def test_runs_of_like_spaces_share_a_key_and_others_do_not():
    renamed = SearchSpace(a=Float(0, 1), b=Float(-5, 5))
    assert Encoding(SearchSpace(x=Float(0, 2), y=Float(1, 2))).key == Encoding(renamed).key
    assert Encoding(SearchSpace(x=Float(0, 2))).key != Encoding(renamed).key
    listed = [
        SearchSpace({"x": Float(0, 1)}, among=[{"x": v}, {"x": 1.0}]) for v in (0.25, 0.5, 0.25)
    ]
    assert Encoding(listed[0]).key == Encoding(listed[2]).key != Encoding(listed[1]).key
