import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from jaxtyping import Float, TypeCheckError
from shapes import checked, jaxtyped, names_a_shape, names_many

from hpo_research.space import Float as FloatParameter
from hpo_research.space import SearchSpace

VECTOR = Float[np.ndarray, "n"]


def test_the_package_is_checked_for_shapes():
    space = SearchSpace(x=FloatParameter(0, 1))
    with pytest.raises(TypeCheckError, match="cube"):
        space.decode(np.zeros(3))


def test_a_module_that_is_light_is_checked_too():
    cube = np.zeros((2, 3))
    with pytest.raises(TypeCheckError, match="cube"):
        SearchSpace(x=FloatParameter(0, 1)).from_uniform(cube.astype(int))


def test_a_function_without_shapes_is_left_alone():
    def door(low: float) -> float:
        return low

    assert checked(door) is door


def test_each_form_of_a_call_is_checked_once_and_a_new_one_again():
    calls, checks = [], []

    def counted(function):
        def check(*args, **kwargs):
            checks.append(args)
            return inner(*args, **kwargs)

        inner = checked(function)
        return functools.wraps(function)(check)

    @jaxtyped(typechecker=counted)
    def longer(x: VECTOR, by: int = 0) -> VECTOR:
        calls.append(by)
        return np.zeros(len(x) + by)

    longer(np.ones(3))
    first = len(checks)
    for _ in range(5):
        longer(np.zeros(3))
    assert len(checks) == first > 0
    longer(np.ones(4))
    assert len(checks) > first
    assert calls == [0] * 7


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((np.ones((3, 1)),), "checking the parameters"),
        ((np.ones(3, dtype=int),), "checking the parameters"),
        (([1.0, 1.0, 1.0],), "checking the parameters"),
        ((np.ones(3), 1), "checking the return value"),
        ((np.ones(4), 1), "checking the return value"),
    ],
    ids=["shape", "dtype", "type", "a known call's value", "a new call's value"],
)
def test_a_wrong_call_is_found_after_right_ones(args, message):
    calls = []

    @jaxtyped(typechecker=checked)
    def longer(x: VECTOR, by: int = 0) -> VECTOR:
        calls.append(by)
        return np.zeros(len(x) + by)

    longer(np.ones(3))
    longer(np.ones(3), 0)
    for _ in range(2):  # what was wrong once is not remembered as right
        with pytest.raises(TypeCheckError, match=message):
            longer(*args)
    assert longer(np.ones(3)).shape == (3,)
    assert calls[:2] == [0, 0] and set(calls[2:-1]) <= {1}


def test_a_record_with_arrays_is_checked_and_one_without_is_left_alone():
    @dataclass(frozen=True)
    class Pair:
        x: VECTOR
        y: VECTOR

    @dataclass(frozen=True)
    class Plain:
        x: float

    plain = Plain.__init__
    assert jaxtyped(typechecker=checked)(Plain).__init__ is plain
    pair = jaxtyped(typechecker=checked)(Pair)
    pair(np.ones(2), np.ones(2))
    with pytest.raises(TypeCheckError, match="parameters"):
        pair(np.ones(2), np.ones(3))


def test_one_wrong_array_among_many_is_found_sooner_or_later():
    """Beartype looks at a random one of a sequence: a lucky look must not be remembered."""

    @jaxtyped(typechecker=checked)
    def count(arrays: Sequence[VECTOR]) -> int:
        return len(arrays)

    arrays = [np.ones(2)] * 9 + [np.ones((2, 2))]
    with pytest.raises(TypeCheckError, match="parameters"):
        for _ in range(1000):  # misses with probability 0.9**1000
            count(arrays)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (VECTOR, False),
        (VECTOR | None, False),
        (tuple[VECTOR, VECTOR], False),
        (tuple[VECTOR, ...], True),
        (list[VECTOR], True),
        (Sequence[VECTOR] | None, True),
        (Mapping[str, VECTOR], True),
        (tuple[int, list[VECTOR]], True),
        (Sequence[int], False),
        (Callable[[VECTOR], VECTOR], False),
    ],
    ids=str,
)
def test_many_arrays_are_told_from_few(annotation, expected):
    assert names_many(annotation) == expected


def test_values_inside_lists_and_mappings_are_seen():
    @jaxtyped(typechecker=checked)
    def first(x: list[Float[np.ndarray, "2"]], y: dict[str, Float[np.ndarray, "2"]]) -> float:
        return float(x[0][0])

    good, bad = np.ones(2), np.ones(3)
    first([good], {"a": good})
    with pytest.raises(TypeCheckError, match="parameters"):
        first([bad], {"a": good})
    with pytest.raises(TypeCheckError, match="parameters"):
        first([good], {"a": bad})


@pytest.mark.parametrize(
    "annotation",
    [VECTOR, VECTOR | None, list[VECTOR]],
    ids=["plain", "optional", "in a list"],
)
def test_a_shape_is_seen_wherever_it_stands(annotation):
    assert names_a_shape(annotation)
