"""Axes as a space of ConfigSpace, for the libraries that take one."""

from collections.abc import Sequence
from typing import Any

import ConfigSpace

from .protocol import Axis


def space_of(axes: Sequence[Axis], seed: int) -> ConfigSpace.ConfigurationSpace:
    """Return the space whose draws follow the seed."""
    space = ConfigSpace.ConfigurationSpace(seed=seed)
    space.add([_parameter(axis) for axis in axes])
    return space


def _parameter(axis: Axis) -> Any:
    low, high = axis.low, axis.high
    if axis.kind == "float":
        return ConfigSpace.UniformFloatHyperparameter(axis.name, low, high, log=axis.is_log)
    if axis.kind == "integer":
        return ConfigSpace.UniformIntegerHyperparameter(
            axis.name, int(low), int(high), log=axis.is_log
        )
    if axis.kind == "ordered":
        return ConfigSpace.OrdinalHyperparameter(axis.name, list(range(axis.size)))
    return ConfigSpace.CategoricalHyperparameter(axis.name, list(range(axis.size)))
