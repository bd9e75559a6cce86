"""What a space is to an optimiser of another library, and its points as configurations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hpo_research.errors import StrategyError
from hpo_research.rivals.engines.protocol import Axis, Point
from hpo_research.space import Categorical, Config, Float, Integer, SearchSpace
from hpo_research.space.parameters import Parameter, Value
from hpo_research.space.scale import LINEAR, LOG


@dataclass(frozen=True)
class Placed:
    """A configuration of a point, and how many of its values lay outside their bounds."""

    config: Config
    clipped: int = 0


@dataclass(frozen=True)
class Axes:
    """The axes of a space: one a hyperparameter that has more than one value.

    Floats and integers keep their bounds, on a linear or a logarithmic scale; what no library
    knows is told as what each of them does: another scale as its place on the unit interval, steps
    as the index of the step, an ordered choice as the index of the value. Where a space lists its
    configurations, a point stands for the nearest of them.
    """

    space: SearchSpace
    axes: tuple[Axis, ...] = field(init=False)
    _known: Mapping[str, Parameter] = field(init=False)

    def __post_init__(self) -> None:
        known = {name: p for name, p in self.space.parameters.items() if p.size != 1}
        axes = (_axis(f"x{i:03}", parameter) for i, parameter in enumerate(known.values()))
        object.__setattr__(self, "_known", known)
        object.__setattr__(self, "axes", tuple(axes))

    def config(self, point: Point) -> Placed:
        """Return the configuration at a point; what is outside its bounds is moved to them."""
        values: dict[str, Value] = {
            name: parameter.value_at(0)
            for name, parameter in self.space.parameters.items()
            if parameter.size == 1
        }
        clipped = 0
        for axis, (name, parameter), value in zip(
            self.axes, self._known.items(), point, strict=True
        ):
            inside = min(max(value, axis.low), axis.high)
            clipped += inside != value
            values[name] = _value(axis, parameter, inside)
        ordered = {name: values[name] for name in self.space.names}
        if self.space.among is not None:
            box = SearchSpace(self.space.parameters)
            (ordered,) = self.space.decode(box.encode([box.validate(ordered)]))
        return Placed(self.space.validate(ordered), clipped)

    def point(self, config: Config) -> Point | None:
        """Return the point of a configuration, None where it lies outside the space."""
        point = []
        for axis, (name, parameter) in zip(self.axes, self._known.items(), strict=True):
            try:
                legal = parameter.validate(config.get(name))
            except (ValueError, KeyError):
                return None
            point.append(_place(axis, parameter, legal))
        return point


def _axis(name: str, parameter: Parameter) -> Axis:
    if isinstance(parameter, Categorical):
        return Axis(name, "ordered" if parameter.ordered else "choice", 0, parameter.size - 1)
    if isinstance(parameter, Integer) and parameter.step == 1:
        is_log = _is_log(parameter)
        return Axis(name, "integer", parameter.low, parameter.high, is_log)
    if parameter.size is not None:
        return Axis(name, "integer", 0, parameter.size - 1)
    if not isinstance(parameter, Float):
        raise StrategyError(f"{type(parameter).__name__}: expected a Float, Integer or Categorical")
    if parameter.resolved is LINEAR or parameter.resolved is LOG:
        return Axis(name, "float", parameter.low, parameter.high, _is_log(parameter))
    return Axis(name, "float", 0.0, 1.0)


def _is_log(parameter: Float | Integer) -> bool:
    return parameter.resolved is LOG


def _is_itself(axis: Axis, parameter: Parameter) -> bool:
    """Whether the numbers of an axis are those of the hyperparameter."""
    if isinstance(parameter, Integer):
        return parameter.step == 1
    return isinstance(parameter, Float) and (axis.low, axis.high) == (parameter.low, parameter.high)


def _value(axis: Axis, parameter: Parameter, inside: Any) -> Value:
    if axis.kind != "float":
        whole = round(inside)
        return whole if _is_itself(axis, parameter) else parameter.value_at(whole)
    if _is_itself(axis, parameter):
        return float(inside)
    (value,) = parameter.decode(np.array([float(inside)]))
    return value


def _place(axis: Axis, parameter: Parameter, value: Value) -> Any:
    if _is_itself(axis, parameter):
        return value
    if axis.kind == "float":
        return float(parameter.encode([value])[0])
    return parameter.index(value)
