import math
import pickle
import re
from fractions import Fraction

import numpy as np
import pytest

from hpo_research.errors import HpoError, SpaceError
from hpo_research.space import Categorical, Float, Integer

NAN, INF = math.nan, math.inf
TOO_NARROW = "the range is too narrow relative to its bounds to be exact in float64; search over"
TOO_WIDE = "the range is too wide to tell its values apart in float64; narrow it, or use a larger"


def refused(message):
    return pytest.raises(SpaceError, match=f"^{re.escape(message)}")


def test_a_mistake_is_an_hpo_error_and_a_value_error():
    assert issubclass(SpaceError, HpoError)
    assert issubclass(SpaceError, ValueError)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"low": 1, "high": 0}, "Float(low=1, high=0): low must be below high"),
        ({"low": 1, "high": 1}, "Float(low=1, high=1): low must be below high"),
        (
            {"low": 2**53, "high": 2**53 + 1, "step": 1},
            f"Float(low={2**53}, high={2**53 + 1}, step=1): low must be below high",
        ),
        ({"low": NAN, "high": 1}, "Float(low=nan, high=1): low must be finite, got nan"),
        ({"low": 0, "high": NAN}, "Float(low=0, high=nan): high must be finite, got nan"),
        ({"low": -INF, "high": 1}, "Float(low=-inf, high=1): low must be finite, got -inf"),
        ({"low": 0, "high": 10**400}, f"Float(low=0, high={10**400}): high must be finite, got"),
        (
            {"low": 0, "high": 1e301},
            "Float(low=0, high=1e+301): high must lie within ±1e300, got 1e+301; rescale it",
        ),
        ({"low": "0", "high": 1}, "Float(low='0', high=1): low must be a number, got '0'"),
        ({"low": 0, "high": "1"}, "Float(low=0, high='1'): high must be a number, got '1'"),
        ({"low": 0, "high": None}, "Float(low=0, high=None): high must be a number, got None"),
        ({"low": False, "high": 1}, "Float(low=False, high=1): low must be a number, got False"),
        ({"low": 0, "high": True}, "Float(low=0, high=True): high must be a number, got True"),
        (
            {"low": 0, "high": 1, "scale": "log"},
            "Float(low=0, high=1, scale='log'): a log scale needs bounds above 0; move the bounds "
            "or use another scale",
        ),
        (
            {"low": -1, "high": 1, "scale": "log"},
            "Float(low=-1, high=1, scale='log'): a log scale needs bounds above 0",
        ),
        (
            {"low": 0, "high": 1, "scale": "reverse_log"},
            "Float(low=0, high=1, scale='reverse_log'): a reverse_log scale needs bounds from 0 to "
            "below 1; move the bounds or use another scale",
        ),
        (
            {"low": -0.5, "high": 0.5, "scale": "reverse_log"},
            "Float(low=-0.5, high=0.5, scale='reverse_log'): a reverse_log scale needs bounds from",
        ),
        (
            {"low": 0, "high": 1, "scale": "logit"},
            "Float(low=0, high=1, scale='logit'): scale must be one of linear, log, reverse_log, "
            "auto, got 'logit'",
        ),
        (
            {"low": 0, "high": 1, "scale": ["log"]},
            "Float(low=0, high=1, scale=['log']): scale must be one of linear, log, reverse_log,",
        ),
        (
            {"low": 1e9, "high": 1e9 + 1},
            f"Float(low=1000000000.0, high=1000000001.0): {TOO_NARROW}",
        ),
        ({"low": 0, "high": 1e-300}, f"Float(low=0, high=1e-300): {TOO_NARROW}"),
        (
            {"low": 0, "high": 1, "step": 0},
            "Float(low=0, high=1, step=0): step must be above 0, got 0.0",
        ),
        (
            {"low": 0, "high": 1, "step": -0.1},
            "Float(low=0, high=1, step=-0.1): step must be above 0, got -0.1",
        ),
        (
            {"low": 0, "high": 1, "step": NAN},
            "Float(low=0, high=1, step=nan): step must be finite, got nan",
        ),
        (
            {"low": 0, "high": 1, "step": "0.1"},
            "Float(low=0, high=1, step='0.1'): step must be a number, got '0.1'",
        ),
        (
            {"low": 0, "high": 1, "step": True},
            "Float(low=0, high=1, step=True): step must be a number, got True",
        ),
        (
            {"low": 0, "high": 1, "step": 0.3},
            "Float(low=0, high=1, step=0.3): high must be low plus a whole number of steps; "
            "use high=0.9 or high=1.2",
        ),
        (
            {"low": 0, "high": 1, "step": 3},
            "Float(low=0, high=1, step=3): high must be low plus a whole number of steps; "
            "use high=3.0",
        ),
        (
            {"low": 1e15, "high": 1e15 + 1, "step": 0.1},
            f"Float(low={1e15}, high={1e15 + 1}, step=0.1): {TOO_WIDE}",
        ),
        (
            {"low": 0, "high": 1, "step": 2.0**-53},
            f"Float(low=0, high=1, step={2.0**-53}): {TOO_WIDE}",
        ),
    ],
)
def test_a_float_refuses_what_it_cannot_be(fields, message):
    with refused(message):
        Float(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"low": 1, "high": 0}, "Integer(low=1, high=0): low must be below high"),
        ({"low": 5, "high": 5}, "Integer(low=5, high=5): low must be below high"),
        (
            {"low": 1.0, "high": 5},
            "Integer(low=1.0, high=5): low must be an integer (an int), got 1.0",
        ),
        (
            {"low": 1, "high": NAN},
            "Integer(low=1, high=nan): high must be an integer (an int), got nan",
        ),
        (
            {"low": "1", "high": 5},
            "Integer(low='1', high=5): low must be an integer (an int), got '1'",
        ),
        (
            {"low": False, "high": 5},
            "Integer(low=False, high=5): low must be an integer (an int), got False",
        ),
        (
            {"low": 0, "high": 2**51},
            f"Integer(low=0, high={2**51}): high must lie within ±2^50 to be exact in float64; "
            "narrow the range",
        ),
        ({"low": -(10**400), "high": 0}, f"Integer(low=-{10**400}, high=0): low must lie within"),
        (
            {"low": 1, "high": 2**50, "scale": "log"},
            f"Integer(low=1, high={2**50}, scale='log'): {TOO_WIDE}",
        ),
        (
            {"low": 0, "high": 8, "scale": "log"},
            "Integer(low=0, high=8, scale='log'): a log scale needs bounds above 0",
        ),
        (
            {"low": 0, "high": 1, "scale": "reverse_log"},
            "Integer(low=0, high=1, scale='reverse_log'): a reverse_log scale needs bounds from 0 "
            "to below 1, which no two integers have; use linear, log or auto",
        ),
        (
            {"low": 0, "high": 8, "scale": "ln"},
            "Integer(low=0, high=8, scale='ln'): scale must be one of",
        ),
        (
            {"low": 0, "high": 8, "step": 0},
            "Integer(low=0, high=8, step=0): step must be above 0, got 0",
        ),
        (
            {"low": 0, "high": 8, "step": 0.5},
            "Integer(low=0, high=8, step=0.5): step must be an integer (an int), got 0.5",
        ),
        (
            {"low": 0, "high": 1234567, "step": 2},
            "Integer(low=0, high=1234567, step=2): high must be low plus a whole number of steps; "
            "use high=1234566 or high=1234568",
        ),
        (
            {"low": 0, "high": 2**50 - 1, "step": 2},
            f"Integer(low=0, high={2**50 - 1}, step=2): high must be low plus a whole number",
        ),
    ],
)
def test_an_integer_refuses_what_it_cannot_be(fields, message):
    with refused(message):
        Integer(**fields)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "Categorical([]): expected at least one value, got none"),
        (["a", "b", "a"], "Categorical(['a', 'b', 'a']): values must be distinct, 'a' is repeated"),
        ([None, None], "Categorical([None, None]): values must be distinct, None is repeated"),
        ("relu", "Categorical: values must be a list, got 'relu'"),
        ({"a", "b"}, "Categorical: values must be a list, got {"),
        ([NAN], "Categorical([nan]): expected finite values, got nan"),
        ([1.0, INF], "Categorical([1.0, inf]): expected finite values, got inf"),
        (
            [(1, 2)],
            "Categorical([(1, 2)]): expected str, int, float, bool or None, got (1, 2) of type "
            "tuple; give it a name and look the object up in your code",
        ),
    ],
)
def test_a_categorical_refuses_what_it_cannot_be(values, message):
    with refused(message):
        Categorical(values)


def test_ordered_is_true_or_false():
    with refused("Categorical(['a']): ordered must be True or False, got 'b'"):
        Categorical(["a"], "b")


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        (Float(0, 1), 1.5, "expected a number from 0.0 to 1.0, got 1.5"),
        (Float(0, 1), -1e-9, "expected a number from 0.0 to 1.0, got -1e-09"),
        (Float(0, 1), NAN, "expected a number from 0.0 to 1.0, got nan"),
        (Float(0, 1), 10**400, "expected a number from 0.0 to 1.0, got 1000"),
        (Float(0, 1), "0.5", "expected a number from 0.0 to 1.0, got '0.5'"),
        (Float(0, 1), True, "expected a number from 0.0 to 1.0, got True"),
        (Float(0, 1), None, "expected a number from 0.0 to 1.0, got None"),
        (
            Float(0, 1, step=0.1),
            0.55,
            "expected a number from 0.0 to 1.0 in steps of 0.1, got 0.55; the nearest is ",
        ),
        (
            Float(0, 2.0**42, step=1),
            0.5,
            f"expected a number from 0.0 to {2.0**42} in steps of 1.0, got 0.5; the nearest is 0.0",
        ),
        (Integer(1, 9), 10, "expected an integer from 1 to 9, got 10"),
        (Integer(1, 9), 0, "expected an integer from 1 to 9, got 0"),
        (Integer(1, 9), 2.5, "expected an integer from 1 to 9, got 2.5"),
        (Integer(1, 9), NAN, "expected an integer from 1 to 9, got nan"),
        (Integer(1, 9), INF, "expected an integer from 1 to 9, got inf"),
        (Integer(1, 9), "3", "expected an integer from 1 to 9, got '3'"),
        (Integer(1, 9), True, "expected an integer from 1 to 9, got True"),
        (
            Integer(1, 9, step=2),
            4,
            "expected an integer from 1 to 9 in steps of 2 from 1, got 4",
        ),
        (Categorical(["a", "b"]), "c", "expected one of ['a', 'b'], got 'c'"),
        (Categorical([1, 2]), 1.0, "expected one of [1, 2], got 1.0"),
        (Categorical([1, 2]), True, "expected one of [1, 2], got True"),
        (Categorical([1, 2]), [1], "expected one of [1, 2], got [1]"),
    ],
)
def test_a_value_outside_is_refused(parameter, value, message):
    with refused(message):
        parameter.validate(value)


@pytest.mark.parametrize(
    ("parameter", "value", "native"),
    [
        (Float(0, 1), 1, 1.0),
        (Float(0, 1), np.float32(0.5), 0.5),
        (Float(0, 1), Fraction(1, 4), 0.25),
        (Float(0, 1, step=0.1), 0.1 + 0.2, 0.3),
        (Integer(1, 9), 3.0, 3),
        (Integer(1, 9), np.int64(3), 3),
        (Integer(1, 9), np.float32(3), 3),
        (Categorical(["a"]), np.str_("a"), "a"),
        (Categorical([True, 1, 1.0, "1"]), np.True_, True),
        (Categorical([None, 2]), None, None),
    ],
)
def test_a_legal_value_becomes_native(parameter, value, native):
    valid = parameter.validate(value)
    assert type(valid) is type(native)
    assert valid == native


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        (Float(0, 1, step=0.25), [0.0, 0.25, 0.5, 0.75, 1.0]),
        (Float(0, 0.3, step=0.1), [0.0, 0.1, 0.2, 0.3]),
        (Float(0.9, 1.2, step=0.3), [0.9, 1.2]),
        (Float(0, 1, step=1 / 3), [0.0, 0.3333333333333333, 0.6666666666666666, 1.0]),
        (Float(1, 1000, scale="log", step=333), [1.0, 334.0, 667.0, 1000.0]),
        (Integer(-2, 1), [-2, -1, 0, 1]),
        (Integer(1, 10, step=3), [1, 4, 7, 10]),
        (Categorical(["b", "a", 1, True, None]), ["b", "a", 1, True, None]),
        (Categorical([np.int64(1), np.str_("a")]), [1, "a"]),
        (Categorical(range(3)), [0, 1, 2]),
    ],
    ids=repr,
)
def test_a_finite_parameter_lists_its_values_in_order(parameter, values):
    listed = [parameter.value_at(k) for k in range(parameter.size)]
    assert listed == values
    assert [type(v) for v in listed] == [type(v) for v in values]


def test_a_continuous_float_has_no_size_and_no_index():
    assert Float(0, 1).size is None
    with pytest.raises(SpaceError, match="a continuous parameter has no values to count"):
        Float(0, 1).value_at(0)


@pytest.mark.parametrize(
    ("low", "high", "scale"),
    [(1, 99, "linear"), (1, 100, "log"), (0, 1000, "linear"), (-1, 1000, "linear")],
)
@pytest.mark.parametrize("kind", [Float, Integer])
def test_auto_is_log_from_a_factor_of_a_hundred(kind, low, high, scale):
    assert kind(low, high, scale="auto").resolved.name == scale


@pytest.mark.parametrize(
    ("parameter", "middle"),
    [
        (Float(1, 3), 2.0),
        (Float(1, 100, scale="log"), 10.0),
        (Float(0, 0.99, scale="reverse_log"), 0.9),
    ],
)
def test_the_middle_of_a_scale_is_where_it_must_be(parameter, middle):
    assert parameter.decode(np.array([0.5]))[0] == pytest.approx(middle, rel=1e-14)


def test_a_stepped_value_outside_the_scale_is_mirrored_on_it():
    parameter = Float(0, 0.9, scale="reverse_log", step=0.3)  # 0.9 + 0.15 has no reverse log
    (below, last) = parameter.encode([0.6, 0.9])
    inner_edge = parameter.bins.decode(np.array([(last + 1) / 2, 2 * last - 1 - 1e-9]))
    assert below < last < 1
    assert inner_edge.tolist() == [3, 2]


def test_equal_parameters_are_equal_however_they_were_written():
    assert Float(0, 1, step=1) == Float(0.0, np.float64(1), step=1.0)
    assert Integer(0, np.int64(4)) == Integer(0, 4)
    assert Categorical(["a"]) == Categorical(("a",))


@pytest.mark.parametrize(
    "parameter", [Float(0, 1), Float(0, 1, step=0.5), Integer(1, 8, scale="log"), Categorical([1])]
)
def test_a_used_parameter_survives_pickling(parameter):
    parameter.decode(parameter.encode([parameter.validate(1)]))
    assert pickle.loads(pickle.dumps(parameter)) == parameter


@pytest.mark.parametrize(
    "parameter",
    [Float(0, 1), Float(0, 1, step=0.5), Integer(1, 8, scale="log"), Categorical([1, "a"])],
    ids=repr,
)
def test_nothing_encodes_to_nothing(parameter):
    assert parameter.encode([]).shape == (0,)
    assert parameter.decode(np.empty(0)) == []
