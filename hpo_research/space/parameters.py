"""One hyperparameter: `Float`, `Integer`, `Categorical`, and their maps to the unit interval.

Every parameter is one column of the unit cube. A finite parameter (integer, stepped float,
category) cuts its column into bins, one a value, whose widths are the values' masses; a value
encodes to the middle of its bin. On a scale, the mass of v is the width of [v − step/2,
v + step/2] on that scale; an outer edge outside the scale's domain is mirrored on the scale.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any, Protocol, runtime_checkable

import numpy as np

from hpo_research import habits
from hpo_research.errors import SpaceError
from hpo_research.lists import items
from hpo_research.options import as_float, flag, is_integer, is_real, require
from hpo_research.space import bounds
from hpo_research.space.bins import Bins, clamped
from hpo_research.space.scale import LINEAR, REVERSE_LOG, Scale, resolve
from hpo_research.text import is_one_of, quoted

Value = str | int | float | bool | None
"""What a hyperparameter can hold; it survives JSON with its type."""

_NATIVE = (str, int, float, bool, type(None))
_FEW = 8  # numbers that Python multiplies sooner than NumPy looks at them


@runtime_checkable
class Parameter(Protocol):
    """One hyperparameter: legal values and their place on the unit interval."""

    @property
    def size(self) -> int | None:
        """How many values there are, None for a continuum."""
        ...

    def encode(self, values: Sequence[Value]) -> np.ndarray:
        """Map legal values to [0, 1]. Shape: n."""
        ...

    def decode(self, unit: np.ndarray) -> list[Value]:
        """Map points of [0, 1] to legal values of native type.

        Every float is accepted: points outside are clamped, NaN is taken for 0.
        """
        ...

    def validate(self, value: object) -> Value:
        """Return the value in its native type, or raise `SpaceError` saying what is legal."""
        ...

    def value_at(self, index: int) -> Value:
        """Return the index-th value of a finite parameter, in declared order."""
        ...

    def index(self, value: Value) -> int | None:
        """Return which value of a finite parameter this is, by type too; None where it is none."""
        ...


@habits.answering
@dataclass(frozen=True)
class Float:
    """A real hyperparameter on [low, high], both included; with `step`, low, low+step, ..., high.

    `scale`: `linear`, `log`, `reverse_log` (−log(1−x), for values near 1) or `auto` (log when
    low > 0 and high ≥ 100 × low). A round trip through the unit interval keeps stepped values
    exact and others within 1e-12 of the range.
    """

    low: float
    high: float
    scale: str = "linear"
    step: float | None = None

    def __post_init__(self) -> None:
        call = _call("Float", self, default_step=None)
        for name in ("low", "high") + (("step",) if self.step is not None else ()):
            object.__setattr__(self, name, bounds.finite(call, name, getattr(self, name)))
        bounds.check_order(call, self.low, self.high)
        bounds.check_scale(call, self.low, self.high, self.scale)
        if self.step is not None:
            tolerance = bounds.slack(self.low, self.high, self.step)
            bounds.check_step(call, self.low, self.high, self.step, tolerance)
        if self.bins is not None:
            bounds.check_bins(call, self.low, self.high, self.bins)
        else:
            bounds.check_continuum(call, self.low, self.high, self.resolved)

    @cached_property
    def resolved(self) -> Scale:
        """The scale, with `auto` decided."""
        return resolve(self.scale, self.low, self.high)

    @cached_property
    def bins(self) -> Bins | None:
        """The bins of a stepped float, None for a continuum."""
        if self.step is None:
            return None
        count = bounds.step_count(self.low, self.high, self.step) + 1
        return Bins(self.low, self.step, count, self.resolved)

    @property
    def size(self) -> int | None:
        """How many values there are, None without a step."""
        return None if self.bins is None else self.bins.count

    def encode(self, values: Sequence[Value]) -> np.ndarray:
        """Map legal values to [0, 1]. Shape: n."""
        x = np.asarray(values, dtype=float)
        if self.bins is not None:
            return self.bins.encode(np.rint((x - self.bins.low) / self.bins.step))
        low, high = self._line
        return np.asarray(np.clip((self.resolved.forward(x) - low) / (high - low), 0.0, 1.0))

    def decode(self, unit: np.ndarray) -> list[Value]:
        """Map points of [0, 1] to legal floats; points outside are clamped, NaN is taken for 0."""
        if self.bins is not None:
            return [self.value_at(int(k)) for k in self.bins.decode(unit)]
        least, most = self.low, self.high
        if self.resolved is LINEAR and len(unit) <= _FEW and unit.dtype == np.float64:
            span = most - least
            return [
                (most if u >= 1 else min(max(least + u * span, least), most)) if u > 0 else least
                for u in unit.tolist()
            ]
        unit = clamped(unit)
        low, high = self._line
        x = self.resolved.backward(low + unit * (high - low))
        return [
            least if u == 0 else most if u == 1 else min(max(value, least), most)
            for u, value in zip(unit.tolist(), x.tolist(), strict=True)
        ]

    def validate(self, value: object) -> float:
        """Return the value as a float; a stepped one is returned exactly on its step."""
        x = value if type(value) is float else as_float(value) if is_real(value) else math.nan
        if self.step is None and self.low <= x <= self.high:
            return x
        legal = f"a number from {self.low!r} to {self.high!r}"
        if self.step is None or not self.low <= x <= self.high:  # also catches NaN
            raise SpaceError(f"expected {legal}, got {quoted(value)}")
        nearest = self.value_at(round((x - self.low) / self.step))
        if abs(nearest - x) > bounds.slack(self.low, self.high, self.step):
            raise SpaceError(
                f"expected {legal} in steps of {self.step!r}, got {quoted(value)}; "
                f"the nearest is {nearest!r}"
            )
        return nearest

    def value_at(self, index: int) -> float:
        """Return low + index × step, rounded as decimal arithmetic would; the last is `high`."""
        if self.bins is None:
            raise SpaceError(f"{self}: a continuous parameter has no values to count")
        if index == self.bins.count - 1:
            return self.high
        return bounds.value_at(self.bins.low, self.bins.step, index)

    def index(self, value: Value) -> int | None:
        """Return which of its steps a value is, None where it is none."""
        if self.bins is None or not isinstance(value, float):
            return None
        near = round((value - self.bins.low) / self.bins.step)
        is_one = 0 <= near < self.bins.count and self.value_at(near) == value
        return near if is_one else None

    @cached_property
    def _line(self) -> tuple[float, float]:
        ends = self.resolved.forward(np.array([self.low, self.high]))
        return float(ends[0]), float(ends[1])


@habits.answering
@dataclass(frozen=True)
class Integer:
    """A whole-number hyperparameter: low, low+step, ..., high, both bounds included.

    `scale`: `linear`, `log` or `auto` (log when low > 0 and high ≥ 100 × low). On a log scale the
    mass of k is the width of [k − step/2, k + step/2] there.
    """

    low: int
    high: int
    scale: str = "linear"
    step: int = 1

    def __post_init__(self) -> None:
        call = _call("Integer", self, default_step=1)
        for name in ("low", "high", "step"):
            object.__setattr__(self, name, bounds.whole(call, name, getattr(self, name)))
        bounds.check_order(call, self.low, self.high)
        if is_one_of(self.scale, (REVERSE_LOG.name,)):
            raise SpaceError(
                f"{call}: a reverse_log scale needs {REVERSE_LOG.rule}, which no two integers "
                "have; use linear, log or auto"
            )
        bounds.check_scale(call, self.low, self.high, self.scale)
        bounds.check_step(call, self.low, self.high, self.step, tolerance=0)
        bounds.check_bins(call, self.low, self.high, self.bins)

    @cached_property
    def resolved(self) -> Scale:
        """The scale, with `auto` decided."""
        return resolve(self.scale, self.low, self.high)

    @cached_property
    def bins(self) -> Bins:
        """The bins of the values."""
        count = (self.high - self.low) // self.step + 1
        return Bins(float(self.low), float(self.step), count, self.resolved)

    @property
    def size(self) -> int:
        """How many values there are."""
        return self.bins.count

    def encode(self, values: Sequence[Value]) -> np.ndarray:
        """Map legal values to the middles of their bins. Shape: n."""
        return self.bins.encode((np.asarray(values, dtype=float) - self.low) / self.step)

    def decode(self, unit: np.ndarray) -> list[Value]:
        """Map points of [0, 1] to the integers whose bins they lie in; see `Parameter`."""
        return [self.value_at(int(k)) for k in self.bins.decode(unit)]

    def validate(self, value: object) -> int:
        """Return the value as an int; a float is accepted where it is whole."""
        legal = f"an integer from {self.low} to {self.high}"
        if isinstance(value, float | np.floating) and float(value).is_integer():
            value = int(value)
        if not (is_real(value) and isinstance(value, Integral)):
            raise SpaceError(f"expected {legal}, got {quoted(value)}")
        k = int(value)
        if not self.low <= k <= self.high:
            raise SpaceError(f"expected {legal}, got {quoted(value)}")
        if (k - self.low) % self.step:
            raise SpaceError(
                f"expected {legal} in steps of {self.step} from {self.low}, got {quoted(value)}"
            )
        return k

    def value_at(self, index: int) -> int:
        """Return low + index × step."""
        return self.low + index * self.step

    def index(self, value: Value) -> int | None:
        """Return which of its values this is, None where it is none."""
        if not is_integer(value):
            return None
        index, rest = divmod(value - self.low, self.step)
        return index if rest == 0 and 0 <= index < self.size else None


@habits.answering
@dataclass(frozen=True)
class Categorical:
    """A choice among values (str, int, float, bool or None), equally likely.

    `ordered` says that neighbours in the list are alike; an unordered choice has no distances.
    Values are told apart with their type: 1, 1.0, "1" and True are four categories. A string may
    hold anything, as the names of files do, and comes back as it is; where it is shown, control
    characters and bytes that are not UTF-8 are escapes.
    """

    values: tuple[Value, ...]
    ordered: bool = False

    def __post_init__(self) -> None:
        given = items(self.values, "Categorical: values", SpaceError)
        values = tuple(_native(value) for value in given)
        object.__setattr__(self, "values", values)
        call = f"Categorical({quoted(list(values))})"
        require("ordered", self.ordered, flag, error=SpaceError, call=call)
        if not values:
            raise SpaceError(f"{call}: expected at least one value, got none")
        for value in values:
            if type(value) not in _NATIVE:
                raise SpaceError(
                    f"{call}: expected str, int, float, bool or None, got {quoted(value)} of type "
                    f"{type(value).__name__}; give it a name and look the object up in your code"
                )
            if isinstance(value, float) and not math.isfinite(value):
                raise SpaceError(f"{call}: expected finite values, got {quoted(value)}")
        counts = Counter(identity(value) for value in values)
        repeated = [value for value in values if counts[identity(value)] > 1]
        if repeated:
            raise SpaceError(f"{call}: values must be distinct, {repeated[0]!r} is repeated")

    @property
    def size(self) -> int:
        """How many values there are."""
        return len(self.values)

    @cached_property
    def _index(self) -> dict[tuple[str, Value], int]:
        return {identity(value): k for k, value in enumerate(self.values)}

    def encode(self, values: Sequence[Value]) -> np.ndarray:
        """Map value k of K to (k + 1/2) / K. Shape: n."""
        index = np.array([self._index[identity(value)] for value in values], dtype=float)
        return (index + 0.5) / self.size

    def decode(self, unit: np.ndarray) -> list[Value]:
        """Map points of [0, 1] to the value in whose K-th they lie; see `Parameter`."""
        unit = clamped(unit)
        index = np.minimum(np.floor(unit * self.size), self.size - 1)
        return [self.values[int(k)] for k in index]

    def validate(self, value: object) -> Value:
        """Return the value if it is one of the categories, with its type."""
        native: Value = _native(value)
        if type(native) not in _NATIVE or identity(native) not in self._index:
            raise SpaceError(f"expected one of {quoted(list(self.values))}, got {quoted(value)}")
        return native

    def value_at(self, index: int) -> Value:
        """Return the index-th value."""
        return self.values[index]

    def index(self, value: Value) -> int | None:
        """Return which of its values this is, None where it is none."""
        return self._index.get(identity(value))


def identity(value: Value) -> tuple[str, Value]:
    """Return what tells values apart, their type included (1, 1.0 and True differ)."""
    return (type(value).__name__, value)


def _native(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _call(name: str, parameter: Float | Integer, default_step: int | None) -> str:
    fields: dict[str, object] = {"low": parameter.low, "high": parameter.high}
    if not is_one_of(parameter.scale, ("linear",)):
        fields["scale"] = parameter.scale
    if type(parameter.step) is not type(default_step) or parameter.step != default_step:
        fields["step"] = parameter.step
    return f"{name}({', '.join(f'{key}={quoted(value)}' for key, value in fields.items())})"
