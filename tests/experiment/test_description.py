"""The description: what identifies an experiment, as plain JSON, and how two differ."""

import enum
import functools
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from doubles import label

import hpo_research as hpo
from hpo_research.errors import ExperimentError
from hpo_research.experiment.description import describe, differences


def loss(config, scale=1.0, data=None):
    return scale * config["x"]


def other(config):
    return config["x"]


@dataclass(frozen=True)
class Options:
    number: float = 1.0
    inner: object = None
    workers: int = field(default=1, metadata={"identity": False})


class Callable:
    def __call__(self, config):
        return 0.0


class Colour(enum.Enum):
    RED = 1


HERE = __name__


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (0.1, 0.1),
        ("text", "text"),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (Path("a/b"), "a/b"),
        ((1, 2), [1, 2]),
        (range(3), [0, 1, 2]),
        (frozenset({"b"}), ["b"]),
        ({"k": (1,)}, {"k": [1]}),
        (loss, {"function": f"{HERE}.loss"}),
        (Callable, {"function": f"{HERE}.Callable"}),
        (Callable(), {"function": f"{HERE}.Callable"}),
        (Options(2.0), {"class": f"{HERE}.Options", "number": 2.0, "inner": None}),
        (
            Options(inner=Options()),
            {
                "class": f"{HERE}.Options",
                "number": 1.0,
                "inner": {"class": f"{HERE}.Options", "number": 1.0, "inner": None},
            },
        ),
    ],
    ids=label,
)
def test_a_value_is_described_as_plain_json(value: object, expected: object):
    described = describe(value, "it")
    assert described == expected
    assert json.loads(json.dumps(described)) == expected
    assert type(described) is type(expected)


@pytest.mark.parametrize(
    "value", [object(), torch.zeros(2), np.zeros(2), Colour.RED], ids=lambda v: type(v).__name__
)
def test_what_cannot_be_described_is_named_by_its_place(value: object):
    with pytest.raises(
        ExperimentError, match=r"strategies\['a'\]\.inner\[1\]: .* cannot be stored"
    ):
        describe(Options(inner=[1, value]), "strategies['a']")


@pytest.mark.parametrize(
    ("one", "two", "differ"),
    [
        (functools.partial(loss, scale=1.0), functools.partial(loss, scale=2.0), True),
        (functools.partial(loss, scale=1.0), functools.partial(other), True),
        (functools.partial(loss, scale=1.0), functools.partial(loss, scale=1.0), False),
        (
            functools.partial(loss, data=torch.zeros(2)),
            functools.partial(loss, data=torch.ones(2)),
            False,  # data sets are known by their class alone
        ),
    ],
    ids=["option", "function", "same", "data"],
)
def test_functions_with_bound_arguments_are_told_apart(one, two, differ: bool):
    first, second = describe(one, "f"), describe(two, "f")
    assert (first != second) == differ
    json.dumps(first)


SPACES = [
    hpo.SearchSpace(x=hpo.Float(0, 1)),
    hpo.SearchSpace(x=hpo.Float(0, 1, step=0.25)),
    hpo.SearchSpace(x=hpo.Float(1e-5, 1, scale="log")),
    hpo.SearchSpace(x=hpo.Integer(0, 1)),
    hpo.SearchSpace(x=hpo.Categorical([0, 1])),
    hpo.SearchSpace(x=hpo.Categorical([0.0, 1.0])),
    hpo.SearchSpace(x=hpo.Categorical([False, True])),
    hpo.SearchSpace(x=hpo.Categorical([1, 0])),
    hpo.SearchSpace(x=hpo.Categorical([0, 1], ordered=True)),
    hpo.SearchSpace(x=hpo.Float(0, 1), y=hpo.Float(0, 1)),
    hpo.SearchSpace(y=hpo.Float(0, 1), x=hpo.Float(0, 1)),
    hpo.SearchSpace(x=hpo.Float(0, 1), among=[{"x": 0.5}]),
    hpo.SearchSpace(x=hpo.Float(0, 1), among=[{"x": 0.25}]),
]


@pytest.mark.parametrize("i", range(len(SPACES)))
@pytest.mark.parametrize("j", range(len(SPACES)))
def test_spaces_differ_exactly_where_they_do(i: int, j: int):
    one, two = (json.loads(json.dumps(describe(SPACES[k], "space"))) for k in (i, j))
    assert bool(differences(one, two)) == (i != j)


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["p.a.b: 1 became 2"]),
        ({"a": 1}, {"b": 1}, ["p.a: 1 became None", "p.b: None became 1"]),
        ([1, 2], [1, 3], ["p[1]: 2 became 3"]),
        ([1, 2], [1], ["p: [1, 2] became [1]"]),
        (1, 1.0, ["p: 1 became 1.0"]),
        (1, True, ["p: 1 became True"]),
        (math.nan, math.nan, []),
        (math.inf, math.inf, []),
        ("a", None, ["p: 'a' became None"]),
    ],
    ids=label,
)
def test_each_difference_is_a_line(old: object, new: object, lines: list[str]):
    assert differences(old, new, "p") == lines
