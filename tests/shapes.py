"""The run-time checker of array shapes that every test runs under (`--jaxtyping-packages`).

Only functions whose annotations name a shape are checked. Plain types are mypy's work, and a
wrong type at a public door must reach the door, whose message is under test.
"""

import inspect
from collections.abc import Callable
from typing import Any, get_args

import jaxtyping
from beartype import BeartypeConf, beartype

_CONF = BeartypeConf(is_pep484_tower=True)  # an int will do for a float


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    annotations = inspect.get_annotations(function).values()
    return beartype(function, conf=_CONF) if any(map(names_a_shape, annotations)) else function


def names_a_shape(annotation: object) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, jaxtyping.AbstractArray):
        return True
    return any(names_a_shape(part) for part in get_args(annotation))
