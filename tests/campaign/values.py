"""Values that people really pass where another was meant: wrong types, sizes, other libraries'.

Objects that raise when they are printed or hashed are left out: no library is asked for that.
"""

import datetime
import decimal
import enum
import fractions
import math
import pathlib
import types
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Sequence
from random import Random
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
import torch

import hpo_research as hpo

Point = namedtuple("Point", "x y")
Make = Callable[[], object]


class Colour(enum.Enum):
    """A choice as an enum, as many write it."""

    RED = "red"


class Kind(enum.StrEnum):
    """A string that is also an enum."""

    LOG = "log"


class Whole(int):
    """An integer of a class of its own."""


def _deep() -> object:
    nested: list[object] = []
    for _ in range(200):
        nested = [nested]
    return nested


SPACE = hpo.SearchSpace(x=hpo.Float(0, 1), n=hpo.Integer(1, 9), c=hpo.Categorical(["a", "b"]))

NUMBERS: Sequence[Make] = (
    *(lambda n=n: n for n in (0, 1, -1, 2, 3, 7, 100, 2**31, 2**53 + 1, 2**63, 2**64, -(2**70))),
    lambda: 10**15,
    lambda: 10**400,
    *(lambda v=v: v for v in (0.0, -0.0, 0.5, 1.0, 3.0, 1e-320, 5e-324, 1e308, 1e-9, -2.5)),
    *(lambda v=v: v for v in (math.nan, math.inf, -math.inf, True, False)),
    lambda: 1 + 2j,
    lambda: decimal.Decimal("0.1"),
    lambda: decimal.Decimal("NaN"),
    lambda: fractions.Fraction(1, 3),
    lambda: Whole(3),
    lambda: np.int64(3),
    lambda: np.uint8(200),
    lambda: np.float32(0.1),
    lambda: np.float64(math.nan),
    lambda: np.bool_(True),
    lambda: np.array(3),
    lambda: torch.tensor(3),
    lambda: torch.tensor(0.5, requires_grad=True),
    lambda: torch.tensor(math.nan),
)
TEXTS: Sequence[Make] = (
    *(lambda v=v: v for v in ("", " ", "x", "log", "minimize", "max", "3", "1e-3", "None", "nan")),
    *(lambda v=v: v for v in ("a/b", "..", "~", "~/x", "\0", "a\x1b[31mb", "a\nb", "\ud800")),
    *(lambda v=v: v for v in ("é" * 3, "[red]x[/red]", "<b>&amp;", "$x_1$", "=1+1", "x" * 5000)),
    lambda: np.str_("log"),
    lambda: b"log",
    lambda: bytearray(b"x"),
    lambda: Kind.LOG,
    lambda: Colour.RED,
    lambda: pathlib.Path("x"),
)
COLLECTIONS: Sequence[Make] = (
    *(lambda v=v: v for v in ((), (0,), (1, 2), ("a", "b"), (None,), ((1,), (2,)))),
    lambda: (0.5, math.nan),
    list,
    lambda: [1],
    lambda: ["a", "a"],
    lambda: [True, 1, 1.0],
    lambda: ["x", 1, None, 2.5],
    lambda: [[1, 2], [3]],
    lambda: [b"x"],
    lambda: [10**30],
    lambda: [{"x": 0.5, "n": 2, "c": "a"}],
    lambda: [{"x": 0.5}],
    _deep,
    dict,
    lambda: {"x": 0.5, "n": 2, "c": "a"},
    lambda: {"x": 0.5},
    lambda: {"x": 0.5, "n": 2, "c": "z"},
    lambda: {"x": math.nan, "n": 2, "c": "a"},
    lambda: {"x": 0.5, "n": 2.5, "c": "a"},
    lambda: {1: 2},
    lambda: {None: None},
    lambda: {"": 1},
    lambda: {"x": {"y": 1}},
    lambda: OrderedDict(x=1),
    lambda: types.MappingProxyType({"x": 1}),
    set,
    lambda: {1, "a"},
    lambda: frozenset({1, 2}),
    lambda: range(0),
    lambda: range(3),
    lambda: range(3, 0, -1),
    lambda: range(10**12),
    lambda: (i for i in range(3)),
    lambda: iter([1, 2]),
    lambda: zip([1], [2], strict=True),
    lambda: Point(1, 2),
    lambda: slice(1, 2),
    lambda: memoryview(b"abc"),
)
ARRAYS: Sequence[Make] = (
    lambda: np.array([]),
    lambda: np.array([1, 2]),
    lambda: np.array([0.5, math.nan]),
    lambda: np.zeros((2, 2)),
    lambda: np.array(["a", "b"]),
    lambda: np.array([None, 1], dtype=object),
    lambda: np.ma.masked,
    lambda: np.datetime64("2026-01-01"),
    lambda: np.dtype("float64"),
    lambda: torch.tensor([1.0, 2.0]),
    lambda: torch.zeros(0),
    lambda: torch.float64,
    lambda: pd.NA,
    lambda: pd.NaT,
    lambda: pd.Series([1, 2]),
    lambda: pd.Series({"x": 0.5, "n": 2, "c": "a"}),
    lambda: pd.DataFrame({"x": [1]}),
    lambda: pd.Timestamp("2026-01-01"),
    lambda: pd.Index(["a", "b"]),
)
OBJECTS: Sequence[Make] = (
    lambda: None,
    object,
    lambda: ...,
    lambda: NotImplemented,
    lambda: int,
    lambda: float,
    lambda: math,
    lambda: print,
    lambda: lambda: 1,
    lambda: lambda config: config["x"],
    lambda: lambda a, b, c: 1,
    lambda: ValueError("x"),
    lambda: ValueError,
    lambda: datetime.timedelta(seconds=3),
    lambda: datetime.date(2026, 1, 1),
    MagicMock,
    lambda: MagicMock,
    lambda: property(lambda self: 1),
    lambda: hpo,
)
OURS: Sequence[Make] = (
    lambda: SPACE,
    lambda: hpo.SearchSpace,
    lambda: hpo.Float(0, 1),
    lambda: hpo.Integer(1, 3),
    lambda: hpo.Categorical(["a", "b"]),
    lambda: hpo.Random(),
    lambda: hpo.Random,
    lambda: hpo.Hyperband(),
    lambda: hpo.Bayesian(),
    lambda: hpo.MedianStopping(hpo.Random()),
    lambda: hpo.Budget(trials=3),
    lambda: hpo.problem("ackley"),
    lambda: hpo.problem("curves"),
    lambda: hpo.Ask(),
)
GROUPS = (NUMBERS, TEXTS, COLLECTIONS, ARRAYS, OBJECTS, OURS)
ALL: tuple[Make, ...] = tuple(make for group in GROUPS for make in group)


def hostile(draw: Random) -> object:
    """Return a value of any kind; one in eight stands inside a list, a tuple or a dict."""
    value = draw.choice(draw.choice(GROUPS))()
    wrap = draw.randrange(24)
    if wrap == 0:
        return [value]
    if wrap == 1:
        return (value, draw.choice(NUMBERS)())
    if wrap == 2:
        return {draw.choice(("x", "n", "c", "points")): value}
    return value
