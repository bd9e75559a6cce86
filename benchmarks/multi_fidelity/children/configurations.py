"""A table's axes as a space of ConfigSpace, for the searches that take one."""

from collections.abc import Sequence

import ConfigSpace
from exchange import Axis, names


def space_of(axes: Sequence[Axis], seed: int) -> ConfigSpace.ConfigurationSpace:
    """Return the space whose draws follow the seed."""
    space = ConfigSpace.ConfigurationSpace(seed=seed)
    space.add([_parameter(*pair) for pair in zip(names(axes), axes, strict=True)])
    return space


def _parameter(name: str, axis: Axis) -> object:
    if axis["kind"] == "unit":
        return ConfigSpace.UniformFloatHyperparameter(name, 0.0, 1.0)
    values = list(range(axis["size"]))
    if axis["kind"] == "ordered":
        return ConfigSpace.OrdinalHyperparameter(name, values)
    return ConfigSpace.CategoricalHyperparameter(name, values)
