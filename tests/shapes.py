"""The run-time checker of array shapes that every test runs under (`--jaxtyping-packages`).

Only functions whose annotations name a shape are checked. Plain types are mypy's work, and a
wrong type at a public door must reach the door, whose message is under test.

jaxtyping binds and checks every call anew, which took two thirds of the time of the tests. What it
says depends on types, dtypes and shapes alone, so here each form of a call is checked once; but of
a sequence of arrays beartype checks a random one, so where one is named every call is checked.
"""

import dataclasses
import functools
import inspect
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, get_args, get_origin

import jaxtyping
import numpy as np
import torch
from beartype import BeartypeConf, beartype

_CONF = BeartypeConf(is_pep484_tower=True)  # an int will do for a float
_jaxtyped = jaxtyping.jaxtyped


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    annotations = inspect.get_annotations(function).values()
    return beartype(function, conf=_CONF) if any(map(names_a_shape, annotations)) else function


def names_a_shape(annotation: object) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, jaxtyping.AbstractArray):
        return True
    return any(names_a_shape(part) for part in get_args(annotation))


def names_many(annotation: object) -> bool:
    """Return whether a sequence, a mapping or the like of arrays is named, of any length."""
    origin, parts = get_origin(annotation), get_args(annotation)
    is_many = inspect.isclass(origin) and issubclass(origin, Iterable)
    is_many = is_many and (origin is not tuple or ... in parts)
    return (is_many and names_a_shape(annotation)) or any(map(names_many, parts))


def jaxtyped(*, typechecker: Callable[..., Any]) -> Callable[[Any], Any]:
    """Stand in for `jaxtyping.jaxtyped` as its import hook calls it."""

    def decorated(made: Any) -> Any:
        if not inspect.isclass(made):
            return once(made, typechecker)
        if dataclasses.is_dataclass(made) and "__init__" in vars(made):
            made.__init__ = once(made.__init__, typechecker)
        return made

    return decorated


def once(function: Callable[..., Any], typechecker: Callable[..., Any]) -> Callable[..., Any]:
    """Check a call unless one of the same form was found right; functions without shapes never."""
    for name, annotation in function.__annotations__.items():
        if isinstance(annotation, str) and annotation.startswith("heavy.jaxtyping."):
            # Of a module that loads without jaxtyping, whose hints are texts.
            function.__annotations__[name] = eval(annotation, function.__globals__)
    annotations = inspect.get_annotations(function).values()
    if not any(map(names_a_shape, annotations)):
        return function
    if any(map(names_many, annotations)):
        checking: Callable[..., Any] = _jaxtyped(function, typechecker=typechecker)
        return checking
    held = threading.local()  # a value that is there already, and only to be checked

    @functools.wraps(function)
    def computed(*args: Any, **kwargs: Any) -> Any:
        return held.value if hasattr(held, "value") else function(*args, **kwargs)

    check = _jaxtyped(computed, typechecker=typechecker)
    right: dict[Hashable, set[Hashable]] = {}

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        given = (form(args), form(kwargs)) if kwargs else form(args)
        returned = right.get(given)
        if returned is None:
            value = check(*args, **kwargs)
            right[given] = {form(value)}
            return value
        value = function(*args, **kwargs)
        if (shape := form(value)) not in returned:
            held.value = value
            try:
                check(*args, **kwargs)
            finally:
                del held.value
            returned.add(shape)
        return value

    return call


def form(value: object) -> Hashable:
    """Tell what a check of a value can depend on: types, dtypes, shapes, words and booleans."""
    kind = type(value)
    if kind is torch.Tensor or kind is np.ndarray:
        return kind, value.dtype, value.shape  # type: ignore[attr-defined]
    if kind is tuple or kind is list:
        return kind, *[form(part) for part in value]  # type: ignore[attr-defined]
    if isinstance(value, torch.Tensor | np.ndarray):
        return kind, value.dtype, value.shape
    if isinstance(value, tuple | list):
        return kind, *[form(part) for part in value]
    if isinstance(value, Mapping):
        return kind, *[(key, form(part)) for key, part in value.items()]
    return (kind, value) if isinstance(value, str | bool) else kind
