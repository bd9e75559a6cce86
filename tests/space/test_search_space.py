import pickle
import re

import numpy as np
import pytest

from hpo_research.errors import SpaceError
from hpo_research.space import Categorical, Float, Integer, SearchSpace

SPACE = SearchSpace(
    learning_rate=Float(1e-5, 1e-1, scale="log"),
    width=Integer(16, 256, scale="log"),
    activation=Categorical(["relu", "gelu"]),
)
FINITE = SearchSpace(a=Integer(0, 1), b=Categorical(["x", "y", "z"]))
LISTED = SearchSpace(FINITE.parameters, among=[{"a": 1, "b": "x"}, {"a": 0, "b": "z"}])
GOOD = {"learning_rate": 1e-3, "width": 64, "activation": "relu"}


def refused(message):
    return pytest.raises(SpaceError, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SearchSpace(), "SearchSpace(): expected at least one hyperparameter, got none"),
        (lambda: SearchSpace({}), "SearchSpace(): expected at least one hyperparameter, got none"),
        (
            lambda: SearchSpace({"": Integer(0, 1)}),
            "SearchSpace: a name must be a non-empty string, got ''",
        ),
        (
            lambda: SearchSpace({3: Integer(0, 1)}),
            "SearchSpace: a name must be a non-empty string, got 3",
        ),
        (
            lambda: SearchSpace({"x": Integer(0, 1)}, x=Integer(0, 2)),
            "SearchSpace: 'x' is given twice; keep one",
        ),
        (
            lambda: SearchSpace(x=3),
            "SearchSpace: x must be Float, Integer or Categorical, got 3; a fixed value belongs in "
            "the problem, not in the space",
        ),
        (
            lambda: SearchSpace(["x"]),
            "SearchSpace: expected a mapping from name to hyperparameter, or name=Float(...), got "
            "['x']",
        ),
        (
            lambda: SearchSpace(a=Integer(0, 1), among=[]),
            "SearchSpace(among=[]): expected at least one configuration",
        ),
        (
            lambda: SearchSpace(a=Integer(0, 1), among=[{"a": 0}, {"a": 1}, {"a": 0}]),
            "SearchSpace: among[2] repeats among[0]: {'a': 0}",
        ),
        (
            lambda: SearchSpace(a=Integer(0, 1), among=[{"a": 0}, {"a": 2}]),
            "among[1]: a: expected an integer from 0 to 1, got 2",
        ),
        (
            lambda: SearchSpace(a=Integer(0, 1), among={"a": 0}),
            "SearchSpace: among must be a list of configurations, got {'a': 0}",
        ),
        (
            lambda: SearchSpace(x=Float(0, 1e6), among=[{"x": 0.0}, {"x": 1e-320}]),
            "SearchSpace: among[1] and among[0] are too close to be told apart in float64: "
            "{'x': 1e-320} and {'x': 0.0}; drop one",
        ),
    ],
)
def test_a_space_refuses_what_it_cannot_be(build, message):
    with refused(message):
        build()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            GOOD | {"depth": 3},
            "configuration: 'depth' is not a hyperparameter of this space; it has learning_rate, "
            "width, activation",
        ),
        ({"learning_rate": 1e-3, "width": 64}, "configuration: 'activation' is missing"),
        (
            GOOD | {"learning_rate": 1},
            "configuration: learning_rate: expected a number from 1e-05 to 0.1, got 1",
        ),
        (
            GOOD | {"width": "64"},
            "configuration: width: expected an integer from 16 to 256, got '64'",
        ),
        (
            GOOD | {"activation": "tanh"},
            "configuration: activation: expected one of ['relu', 'gelu'], got 'tanh'",
        ),
        (
            {"learning_rate": 0, "depth": 3, "activation": None},
            "configuration: 'depth' is not a hyperparameter of this space; it has learning_rate, "
            "width, activation\n"
            "configuration: learning_rate: expected a number from 1e-05 to 0.1, got 0\n"
            "configuration: 'width' is missing\n"
            "configuration: activation: expected one of ['relu', 'gelu'], got None",
        ),
        (None, "configuration: expected a mapping from name to value, got None"),
    ],
)
def test_a_point_outside_is_refused_with_every_mistake_named(config, message):
    with refused(message):
        SPACE.validate(config)


def test_a_mistake_carries_the_callers_name_for_the_configuration():
    with refused("enqueue: 'width' is missing"):
        SPACE.validate({"learning_rate": 1e-3, "activation": "relu"}, "enqueue")


def test_an_unlisted_configuration_is_refused():
    with refused("configuration: {'a': 0, 'b': 'x'} is not among the 2 listed configurations"):
        LISTED.validate({"a": 0, "b": "x"})


def test_names_keep_their_declared_order():
    assert SPACE.names == ("learning_rate", "width", "activation")
    assert SearchSpace({"any name": Integer(0, 1)}, b=Integer(0, 1)).names == ("any name", "b")


def test_native_types_survive_a_round_trip():
    (back,) = SPACE.decode(SPACE.encode([GOOD]))
    assert [type(v) for v in back.values()] == [float, int, str]
    assert back["learning_rate"] == pytest.approx(1e-3, abs=1e-13)


@pytest.mark.parametrize(("space", "size"), [(SPACE, None), (FINITE, 6), (LISTED, 2)])
def test_a_space_knows_how_many_configurations_it_has(space, size):
    assert space.size == size


def test_enumeration_varies_the_last_parameter_first():
    configs = [FINITE.config_at(k) for k in range(6)]
    assert configs[:4] == [
        {"a": 0, "b": "x"},
        {"a": 0, "b": "y"},
        {"a": 0, "b": "z"},
        {"a": 1, "b": "x"},
    ]
    assert list(configs[0]) == ["a", "b"]


def test_a_listed_space_enumerates_its_list():
    assert [LISTED.config_at(k) for k in range(2)] == [{"a": 1, "b": "x"}, {"a": 0, "b": "z"}]


@pytest.mark.parametrize("space", [FINITE, LISTED], ids=["product", "listed"])
@pytest.mark.parametrize("index", [-1, 6])
def test_an_index_outside_is_refused(space, index):
    with refused(f"expected an index from 0 to {space.size - 1}, got {index}"):
        space.config_at(index)


def test_a_continuous_space_has_no_index():
    with refused("learning_rate: a continuous parameter has no index"):
        SPACE.config_at(0)


@pytest.mark.parametrize(
    ("point", "nearest"),
    [([0.9, 0.1], 0), ([0.1, 0.9], 1), ([5.0, -5.0], 0), ([np.nan, np.inf], 1)],
)
def test_a_listed_space_decodes_to_the_nearest(point, nearest):
    assert LISTED.decode(np.array([point])) == [LISTED.among[nearest]]


@pytest.mark.parametrize(("first", "chosen"), [(0.0, 0), (0.499, 0), (0.5, 1), (1.0, 1)])
def test_the_first_column_alone_draws_from_a_list(first, chosen):
    assert LISTED.from_uniform(np.array([[first, 0.7]])) == [LISTED.among[chosen]]


def test_uniform_points_of_a_product_decode():
    cube = np.array([[0.2, 0.9], [0.7, 0.4]])
    assert FINITE.from_uniform(cube) == FINITE.decode(cube)


def test_what_is_decoded_is_the_callers_own():
    LISTED.decode(np.array([[0.9, 0.1]]))[0]["a"] = 99
    LISTED.config_at(0)["a"] = 99
    LISTED.from_uniform(np.array([[0.0, 0.0]]))[0]["a"] = 99
    assert LISTED.among[0] == {"a": 1, "b": "x"}


def test_categories_of_different_types_are_different_configurations():
    space = SearchSpace(v=Categorical([1, 1.0, True, "1", None]))
    identities = {space.identity(space.config_at(k)) for k in range(5)}
    assert len(identities) == 5


@pytest.mark.parametrize("space", [SPACE, FINITE, LISTED], ids=["mixed", "finite", "listed"])
def test_a_used_space_survives_pickling(space):
    assert space.size is None or space.config_at(0)
    cube = np.full((1, space.dimension), 0.3)
    before = space.decode(cube)
    assert pickle.loads(pickle.dumps(space)) == space
    assert pickle.loads(pickle.dumps(space)).decode(cube) == before
