"""Configurations that may lie outside a space's bounds: values that came from elsewhere.

A model learns from them where they lie; nobody proposes them.
"""

import math
from collections.abc import Mapping, Sequence
from numbers import Integral

import numpy as np

from hpo_research import heavy
from hpo_research.errors import SpaceError
from hpo_research.options import as_float, is_real
from hpo_research.space.parameters import Categorical, Float, Integer, Parameter, Value
from hpo_research.space.search_space import Config, SearchSpace, natives

FARTHEST = 100.0
"""How many widths of its range a number may lie outside of it: farther off it is a wrong unit."""


def extended(space: SearchSpace, config: Mapping[str, object], what: str) -> Config:
    """Return a configuration with native types, of which numbers may lie outside their bounds.

    Raises `SpaceError` with one line for each mistake, as `SearchSpace.validate`: names, types and
    categories must be those of the space, numbers such that their scale has a place for them.
    """
    native, mistakes = natives(space, config, what, _value)
    if mistakes:
        raise SpaceError("\n".join(f"{what}: {mistake}" for mistake in mistakes))
    return native


def is_inside(space: SearchSpace, config: Config) -> bool:
    """Return whether a configuration, as `extended` returns it, is one that can be proposed."""
    if not all(_is_legal(p, config[name]) for name, p in space.parameters.items()):
        return False
    return space.among is None or space.identity(config) in space.positions


def located(
    space: SearchSpace, configs: Sequence[Config]
) -> "heavy.jaxtyping.Float64[np.ndarray, 'n d']":
    """Map configurations to the unit cube, and to where they lie outside of it. Shape: n d."""
    cube = space.encode(configs)
    for j, (name, parameter) in enumerate(space.parameters.items()):
        if isinstance(parameter, Float | Integer):
            values = np.array([config[name] for config in configs], dtype=float)
            is_out = (values < parameter.low) | (values > parameter.high)
            if is_out.any():
                cube[is_out, j] = _place(parameter, values[is_out])
    return cube


def _is_legal(parameter: Parameter, value: Value) -> bool:
    try:
        return parameter.validate(value) == value
    except SpaceError:
        return False


def _value(parameter: Parameter, value: object) -> Value:
    """Return a value in its native type, or raise `SpaceError`."""
    if isinstance(parameter, Categorical) or not is_real(value):
        return parameter.validate(value)
    assert isinstance(parameter, Float | Integer)
    try:
        return parameter.validate(value)
    except SpaceError as error:
        number = as_float(value)
        is_whole = isinstance(value, Integral) or number.is_integer()
        if not math.isfinite(number) or (isinstance(parameter, Integer) and not is_whole):
            raise
        low, high = parameter.resolved.domain
        is_defined = low < number < high
        place = float(_place(parameter, np.array([number]))[0]) if is_defined else math.inf
        if not -FARTHEST <= place <= 1 + FARTHEST:
            raise SpaceError(
                f"{error}; it may lie outside, but this one is more than {FARTHEST:g} times the "
                f"width of that range away on its {parameter.resolved.name} scale: check its unit"
            ) from None
        return int(number) if isinstance(parameter, Integer) else number


def _place(parameter: Float | Integer, values: np.ndarray) -> np.ndarray:
    """Return where numbers lie on the scale whose range is [0, 1], inside of it or not."""
    scale, bins = parameter.resolved, parameter.bins
    if bins is None:
        low, high = (float(end) for end in scale.forward(np.array([parameter.low, parameter.high])))
    else:
        low, high = bins.line
    return np.asarray((scale.forward(values) - low) / (high - low))
