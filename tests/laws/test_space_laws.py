"""The laws of search spaces, for whatever parameters and spaces are legal."""

import json
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hpo_research.errors import SpaceError
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.text import name_mistake

# The shape checker samples the lists it sees, also where a strategy builds a space.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module")

DOMAINS = {
    "linear": (-1e300, 1e300),
    "log": (5e-324, 1e300),
    "reverse_log": (0.0, math.nextafter(1.0, 0.0)),
    "auto": (-1e300, 1e300),
}
EVERYWHERE = st.floats() | st.floats(0, 1)


def legal(make, *arguments):
    """The parameter, or another example where float64 cannot hold it."""
    try:
        return make(*arguments)
    except SpaceError:
        assume(False)


ANY_CHARACTER = st.characters(exclude_categories=())  # lone surrogates too: names of files
NAMES = st.text(min_size=1).filter(lambda name: not name_mistake(name))


@st.composite
def bounds(draw, scale):
    anything = st.floats(*DOMAINS[scale])
    plain = st.builds(lambda n, e: float(f"{n}e{e}"), st.integers(-999, 999), st.integers(-9, 9))
    number = anything | plain.filter(lambda x: DOMAINS[scale][0] <= x <= DOMAINS[scale][1])
    return sorted((draw(number), draw(number)))


@st.composite
def continuous_floats(draw):
    scale = draw(st.sampled_from(sorted(DOMAINS)))
    low, high = draw(bounds(scale))
    return legal(Float, low, high, scale)


@st.composite
def stepped_floats(draw):
    scale = draw(st.sampled_from(sorted(DOMAINS)))
    low, step = draw(bounds(scale))
    if draw(st.booleans()):
        step = draw(st.sampled_from([0.1, 0.25, 1 / 3, 1e-3, 7.0]))
    high = low + draw(st.integers(1, 1000) | st.integers(1, 2**49)) * step
    return legal(Float, low, high, scale, step)


@st.composite
def integers(draw):
    scale = draw(st.sampled_from(["linear", "log", "auto"]))
    most = draw(st.sampled_from([10, 1000, 2**30, 2**50]))
    low = draw(st.integers(1 if scale == "log" else -most, most))
    step = draw(st.integers(1, 5) | st.integers(1, most))
    high = low + step * draw(st.integers(1, 100) | st.integers(1, 2**50))
    return legal(Integer, low, high, scale, step)


@st.composite
def categoricals(draw):
    numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    value = st.none() | st.booleans() | numbers | st.text(ANY_CHARACTER, max_size=5)
    values = draw(
        st.lists(value, min_size=1, max_size=8, unique_by=lambda v: (type(v).__name__, v))
    )
    return Categorical(values, ordered=draw(st.booleans()))


EXACT = integers() | stepped_floats() | categoricals()
NUMERIC = integers() | stepped_floats() | continuous_floats()
PARAMETER = EXACT | continuous_floats()


def values_of(parameter):
    """Any legal value, the bounds often among them."""
    if parameter.size is None:
        bound = st.sampled_from([parameter.low, parameter.high])
        return bound | st.floats(parameter.low, parameter.high)
    return st.integers(0, parameter.size - 1).map(parameter.value_at)


def same(value, other):
    return type(value) is type(other) and value == other


@st.composite
def spaces(draw, parameters=PARAMETER):
    return SearchSpace(draw(st.dictionaries(NAMES, parameters, min_size=1, max_size=4)))


@st.composite
def configs_of(draw, space):
    return {name: draw(values_of(p)) for name, p in space.parameters.items()}


@st.composite
def listed_spaces(draw):
    space = draw(spaces())
    configs = draw(st.lists(configs_of(space), min_size=1, max_size=6, unique_by=space.identity))
    return legal(lambda: SearchSpace(space.parameters, among=configs))


@given(st.data())
def test_a_round_trip_keeps_integers_steps_and_categories_exactly(data):
    parameter = data.draw(EXACT)
    value = data.draw(values_of(parameter))
    assert same(parameter.decode(parameter.encode([value]))[0], value)


@given(continuous_floats())
def test_a_round_trip_keeps_the_bounds_of_a_float_exactly(parameter):
    ends = [parameter.low, parameter.high]
    assert parameter.decode(parameter.encode(ends)) == ends
    assert parameter.encode(ends).tolist() == [0.0, 1.0]


@given(st.data())
def test_a_round_trip_keeps_a_float_within_1e12_of_its_range(data):
    parameter = data.draw(continuous_floats())
    value = data.draw(values_of(parameter))
    (back,) = parameter.decode(parameter.encode([value]))
    assert type(back) is float
    assert abs(back - value) <= 1e-12 * (parameter.high - parameter.low)


@given(st.data())
def test_encoding_never_decreases(data):
    parameter = data.draw(NUMERIC)
    lower, upper = sorted(data.draw(st.tuples(values_of(parameter), values_of(parameter))))
    below, above = parameter.encode([lower, upper])
    assert below <= above


@given(st.data())
def test_encoding_never_decreases_from_a_float_to_the_next(data):
    parameter = data.draw(continuous_floats())
    value = data.draw(values_of(parameter).filter(lambda x: x < parameter.high))
    below, above = parameter.encode([value, math.nextafter(value, math.inf)])
    assert below <= above


@given(st.data())
def test_neighbouring_values_of_a_finite_number_encode_apart(data):
    parameter = data.draw(integers() | stepped_floats())
    k = data.draw(st.integers(0, parameter.size - 2))
    below, above = parameter.encode([parameter.value_at(k), parameter.value_at(k + 1)])
    assert below < above


@given(st.data())
def test_encoding_stays_in_the_unit_interval(data):
    parameter = data.draw(PARAMETER)
    (unit,) = parameter.encode([data.draw(values_of(parameter))])
    assert 0 <= unit <= 1


@given(PARAMETER, st.lists(EVERYWHERE, max_size=5))
def test_every_point_decodes_to_a_legal_value(parameter, unit):
    values = parameter.decode(np.array(unit, dtype=float))
    assert len(values) == len(unit)
    assert all(same(parameter.validate(value), value) for value in values)


@given(PARAMETER)
def test_points_outside_decode_as_the_nearer_end(parameter):
    outside = np.array([-math.inf, -0.5, math.nan, 1.5, math.inf])
    inside = np.array([0.0, 0.0, 0.0, 1.0, 1.0])
    assert parameter.decode(outside) == parameter.decode(inside)


@given(PARAMETER, st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_points_decode_alike_alone_and_together(parameter, unit):
    together = parameter.decode(np.array(unit))
    strided = parameter.decode(np.repeat(np.array(unit), 3)[::3])
    alone = [parameter.decode(np.array([u]))[0] for u in unit]
    assert together == alone == strided


@given(st.data())
def test_a_legal_value_validates_to_itself(data):
    parameter = data.draw(PARAMETER)
    value = data.draw(values_of(parameter))
    assert same(parameter.validate(value), value)


@given(st.data())
def test_a_sum_of_steps_validates_to_its_step(data):
    parameter = data.draw(stepped_floats())
    k = data.draw(st.integers(0, parameter.size - 1))
    total = min(parameter.low + k * parameter.step, parameter.high)
    assert same(parameter.validate(total), parameter.value_at(k))


@st.composite
def short_log_integers(draw):
    low, step = draw(st.integers(1, 50)), draw(st.integers(1, 60))
    return Integer(low, low + step * draw(st.integers(1, 12)), scale="log", step=step)


@given(short_log_integers())
def test_the_mass_of_a_log_integer_is_the_width_of_its_bin(parameter):
    half = parameter.step / 2
    values = np.array([parameter.value_at(k) for k in range(parameter.size)], dtype=float)
    edges = np.append(values - half, values[-1] + half)
    if edges[0] <= 0:  # mirrored on the scale
        edges[0] = values[0] ** 2 / edges[1]
    widths = np.diff(np.log(edges)) / np.log(edges[-1] / edges[0])
    points = 2**12
    decoded = parameter.decode((np.arange(points) + 0.5) / points)
    masses = np.array([decoded.count(int(value)) for value in values]) / points
    assert np.abs(masses - widths).max() <= 1.001 / points


@given(st.integers(-99, 99), st.integers(1, 9), st.integers(1, 40))
def test_linear_integers_are_equally_likely(low, step, steps):
    parameter = Integer(low, low + step * steps, step=step)
    decoded = parameter.decode((np.arange(parameter.size * 50) + 0.5) / (parameter.size * 50))
    assert {decoded.count(value) for value in decoded} == {50}
    assert len(set(decoded)) == parameter.size


@given(categoricals())
def test_categories_are_equally_likely(parameter):
    decoded = parameter.decode((np.arange(parameter.size * 50) + 0.5) / (parameter.size * 50))
    expected = [value for value in parameter.values for _ in range(50)]
    assert decoded == expected


@given(st.data())
def test_a_space_decodes_what_it_encodes(data):
    space = data.draw(spaces(EXACT))
    configs = data.draw(st.lists(configs_of(space), max_size=4))
    cube = space.encode(configs)
    assert cube.shape == (len(configs), space.dimension)
    assert [space.identity(c) for c in space.decode(cube)] == [space.identity(c) for c in configs]


@given(st.data())
def test_every_point_of_the_cube_decodes_to_a_legal_configuration(data):
    space = data.draw(spaces() | listed_spaces())
    rows = st.lists(EVERYWHERE, min_size=space.dimension, max_size=space.dimension)
    (config,) = space.decode(np.array([data.draw(rows)], dtype=float))
    assert space.identity(space.validate(config)) == space.identity(config)


@given(st.data())
def test_validation_is_idempotent_and_keeps_declared_order(data):
    space = data.draw(spaces())
    config = data.draw(configs_of(space))
    once = space.validate(dict(reversed(config.items())))
    assert tuple(once) == space.names
    assert space.identity(once) == space.identity(config)
    assert space.identity(space.validate(once)) == space.identity(once)


@given(st.data())
def test_a_configuration_survives_json_with_its_types(data):
    space = data.draw(spaces())
    config = data.draw(configs_of(space))
    back = json.loads(json.dumps(config))
    assert space.identity(space.validate(back)) == space.identity(config)


@given(listed_spaces())
def test_listed_configurations_encode_and_decode_exactly(space):
    back = space.decode(space.encode(space.among))
    assert [space.identity(c) for c in back] == [space.identity(c) for c in space.among]


@given(listed_spaces())
def test_listed_configurations_are_equally_likely_and_all_drawn(space):
    points = np.zeros((space.size * 20, space.dimension))
    points[:, 0] = (np.arange(len(points)) + 0.5) / len(points)
    drawn = [space.identity(c) for c in space.from_uniform(points)]
    assert drawn == [space.identity(c) for c in space.among for _ in range(20)]


@given(spaces(EXACT).filter(lambda s: s.size <= 300) | listed_spaces())
def test_config_at_enumerates_each_configuration_once(space):
    configs = [space.config_at(k) for k in range(space.size)]
    identities = {space.identity(space.validate(c)) for c in configs}
    assert len(identities) == space.size


@pytest.mark.parametrize("scale", ["log", "reverse_log"])
def test_encoding_never_decreases_over_a_million_neighbours(scale):
    low, high = {"log": (1e-12, 1e12), "reverse_log": (0.0, 1 - 1e-12)}[scale]
    parameter = Float(low, high, scale=scale)
    below = np.array(parameter.decode(np.linspace(0, 1, 500_000)[:-1]))
    above = np.nextafter(below, np.inf)
    assert (parameter.encode(below.tolist()) <= parameter.encode(above.tolist())).all()


@settings(max_examples=20)
@given(spaces(EXACT) | listed_spaces())
def test_an_index_is_where_a_configuration_stands_and_no_other_has_one(space):
    for k in {0, space.size // 2, space.size - 1}:
        config = space.config_at(k)
        assert space.index(config) == k
        for name in config:
            assert space.index({**config, name: ()}) is None
