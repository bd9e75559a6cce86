"""One hyperparameter: `Float`, `Integer`, `Categorical`, and their maps to the unit interval.

Every parameter is one column of the unit cube. A finite parameter (integer, stepped float,
category) cuts its column into bins, one a value, whose widths are the values' masses; a value
encodes to the middle of its bin. On a scale, the mass of v is the width of [v − step/2,
v + step/2] on that scale; an outer edge outside the scale's domain is mirrored on the scale.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from numbers import Integral, Real
from typing import Protocol

import numpy as np

from hpo_research.errors import SpaceError
from hpo_research.space.scale import LINEAR, LOG, REVERSE_LOG, SCALES, Scale, resolve

Value = str | int | float | bool | None
"""What a hyperparameter can hold; it survives JSON with its type."""

_EXACT = 2**50  # integers and counts up to here keep half-steps and bins exact in float64
_EPS = float(np.finfo(float).eps)
_TOLERANCE = 1e-12  # of a Float's range: what a round trip may lose


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
        """Map points of [0, 1] to legal values of native type. Every float is accepted."""
        ...

    def validate(self, value: object) -> Value:
        """Return the value in its native type, or raise `SpaceError` saying what is legal."""
        ...

    def value_at(self, index: int) -> Value:
        """Return the index-th value of a finite parameter, in declared order."""
        ...


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
        call = _call("Float", self)
        _check_bounds(call, self, Real, "a number")
        for name in ("low", "high") + (("step",) if self.step is not None else ()):
            object.__setattr__(self, name, float(getattr(self, name)))
        _check_scale(call, self.low, self.high, self.scale)
        if self.step is not None:
            _check_step(call, self.low, self.high, self.step)
            _check_bins(call, self.bins)
        else:
            self._check_resolution(call)

    def _check_resolution(self, call: str) -> None:
        s = self.resolved
        span = float(self.high) - float(self.low)
        if not math.isfinite(span):
            raise SpaceError(f"{call}: high − low must be a finite number; narrow the range")
        line = max(1.0, *(abs(float(s.forward(np.float64(v)))) for v in (self.low, self.high)))
        magnitude = max(abs(self.low), abs(self.high))
        slope = {LINEAR.name: 1.0, LOG.name: self.high, REVERSE_LOG.name: 1 - self.low}[s.name]
        if 4 * _EPS * max(magnitude, slope * line if s is not LINEAR else 0) > _TOLERANCE * span:
            raise SpaceError(
                f"{call}: the range is too narrow beside its bounds to be exact in float64; "
                "search over the offset from low instead"
            )

    @cached_property
    def resolved(self) -> Scale:
        """The scale, with `auto` decided."""
        return resolve(self.scale, self.low, self.high)

    @cached_property
    def bins(self) -> "Bins":
        """The bins of a stepped float."""
        assert self.step is not None
        return Bins(self.low, self.step, _count(self.low, self.high, self.step), self.resolved)

    @property
    def size(self) -> int | None:
        """How many values there are, None without a step."""
        return None if self.step is None else self.bins.count

    def encode(self, values: Sequence[Value]) -> np.ndarray:
        """Map legal values to [0, 1]. Shape: n."""
        x = np.asarray(values, dtype=float)
        if self.step is not None:
            return self.bins.encode(np.rint((x - self.low) / self.step))
        low, high = self._line
        return np.asarray(np.clip((self.resolved.forward(x) - low) / (high - low), 0.0, 1.0))

    def decode(self, unit: np.ndarray) -> list[Value]:
        """Map points of [0, 1] to legal floats; points outside are clamped."""
        if self.step is not None:
            return [self.value_at(int(k)) for k in self.bins.decode(unit)]
        low, high = self._line
        x = self.resolved.backward(low + np.clip(unit, 0.0, 1.0) * (high - low))
        x = np.where(unit <= 0, self.low, np.where(unit >= 1, self.high, x))
        return list(np.clip(x, self.low, self.high).tolist())

    def validate(self, value: object) -> Value:
        """Return the value as a float; a stepped one is returned exactly on its step."""
        legal = f"a number from {self.low:g} to {self.high:g}"
        if isinstance(value, bool) or not isinstance(value, Real):
            raise SpaceError(f"expected {legal}, got {value!r}")
        x = float(value)
        if not self.low <= x <= self.high:  # also catches NaN
            raise SpaceError(f"expected {legal}, got {value!r}")
        if self.step is None:
            return x
        nearest = self.value_at(round((x - self.low) / self.step))
        assert isinstance(nearest, float)
        if abs(nearest - x) > _TOLERANCE * (self.high - self.low):
            raise SpaceError(
                f"expected {legal} in steps of {self.step:g}, got {value!r}; "
                f"the nearest is {nearest:g}"
            )
        return nearest

    def value_at(self, index: int) -> Value:
        """Return low + index × step, rounded as decimal arithmetic would."""
        return float(_decimal(self.low) + index * _decimal(self.step))

    @cached_property
    def _line(self) -> tuple[float, float]:
        ends = self.resolved.forward(np.array([self.low, self.high], dtype=float))
        return float(ends[0]), float(ends[1])


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
        call = _call("Integer", self)
        _check_bounds(call, self, Integral, "a whole number")
        for name in ("low", "high", "step"):
            object.__setattr__(self, name, int(getattr(self, name)))
        if max(abs(self.low), abs(self.high)) > _EXACT:
            raise SpaceError(
                f"{call}: bounds must lie within ±2^50 to be exact in float64; narrow the range"
            )
        if self.scale == "reverse_log":
            raise SpaceError(
                f"{call}: reverse_log needs {REVERSE_LOG.rule}, which no integer range has; "
                "use linear, log or auto"
            )
        _check_scale(call, self.low, self.high, self.scale)
        _check_step(call, self.low, self.high, self.step)
        _check_bins(call, self.bins)

    @cached_property
    def resolved(self) -> Scale:
        """The scale, with `auto` decided."""
        return resolve(self.scale, self.low, self.high)

    @cached_property
    def bins(self) -> "Bins":
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
        """Map points of [0, 1] to the integers whose bins they lie in."""
        return [self.value_at(int(k)) for k in self.bins.decode(unit)]

    def validate(self, value: object) -> Value:
        """Return the value as an int; a float is accepted where it is whole."""
        legal = f"a whole number from {self.low} to {self.high}"
        whole = isinstance(value, Integral) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not whole:
            raise SpaceError(f"expected {legal}, got {value!r}")
        k = int(value)  # type: ignore[call-overload]
        if not self.low <= k <= self.high:
            raise SpaceError(f"expected {legal}, got {value!r}")
        if (k - self.low) % self.step:
            raise SpaceError(f"expected {legal} in steps of {self.step}, got {value!r}")
        return k

    def value_at(self, index: int) -> Value:
        """Return low + index × step."""
        return self.low + index * self.step


@dataclass(frozen=True)
class Categorical:
    """A choice among values (str, int, float, bool or None), equally likely.

    `ordered` says that neighbours in the list are alike; an unordered choice has no distances.
    Values are told apart with their type: 1, 1.0, "1" and True are four categories.
    """

    values: tuple[Value, ...]
    ordered: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.values, str) or not isinstance(self.values, Sequence):
            raise SpaceError(f"Categorical({self.values!r}): expected a list of values")
        values = tuple(self.values)
        object.__setattr__(self, "values", values)
        call = f"Categorical({list(values)!r})"
        if not values:
            raise SpaceError(f"{call}: expected at least one value, got none")
        for value in values:
            if value is not None and type(value) not in (str, int, float, bool):
                raise SpaceError(
                    f"{call}: expected str, int, float, bool or None, got {value!r} of type "
                    f"{type(value).__name__}; give it a name and look the object up in your code"
                )
            if isinstance(value, float) and not math.isfinite(value):
                raise SpaceError(f"{call}: expected finite values, got {value!r}")
        repeated = [v for v in values if sum(identity(v) == identity(w) for w in values) > 1]
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
        """Map points of [0, 1] to the value in whose K-th they lie."""
        index = np.clip(np.floor(np.nan_to_num(unit) * self.size), 0, self.size - 1)
        return [self.values[int(k)] for k in index]

    def validate(self, value: object) -> Value:
        """Return the value if it is one of the categories, with its type."""
        native: object = value.item() if isinstance(value, np.generic) else value
        known = native is None or isinstance(native, str | int | float | bool)
        if not known or identity(native) not in self._index:  # type: ignore[arg-type]
            raise SpaceError(f"expected one of {list(self.values)!r}, got {value!r}")
        return native  # type: ignore[return-value]

    def value_at(self, index: int) -> Value:
        """Return the index-th value."""
        return self.values[index]


@dataclass(frozen=True)
class Bins:
    """The bins of `count` equally stepped values on a scale, one after another on [0, 1]."""

    low: float
    step: float
    count: int
    scale: Scale

    @cached_property
    def line(self) -> tuple[float, float]:
        """The outer edges on the scale."""
        low, high = self.low, self.low + (self.count - 1) * self.step
        half = self.step / 2
        f = self.scale.forward
        inner = f(np.array([low, low + half, high - half, high]))
        left = f(np.float64(low - half)) if low - half > self.scale.domain[0] else None
        right = f(np.float64(high + half)) if high + half < self.scale.domain[1] else None
        return (
            float(2 * inner[0] - inner[1] if left is None else left),
            float(2 * inner[3] - inner[2] if right is None else right),
        )

    def encode(self, index: np.ndarray) -> np.ndarray:
        """Map indices (as floats) to the middles of their bins."""
        if self.scale is LINEAR:
            return (index + 0.5) / self.count
        left, right = self.line
        middle = (self._edge(index - 0.5) + self._edge(index + 0.5)) / 2
        return np.asarray((middle - left) / (right - left))

    def decode(self, unit: np.ndarray) -> np.ndarray:
        """Map points of [0, 1] to the indices of their bins."""
        unit = np.clip(np.nan_to_num(unit), 0.0, 1.0)
        if self.scale is LINEAR:
            index = np.floor(unit * self.count)
        else:
            left, right = self.line
            x = self.scale.backward(left + unit * (right - left))
            index = np.floor((x - self.low) / self.step + 0.5)
        return np.asarray(np.clip(index, 0, self.count - 1))

    def narrowest(self) -> float:
        """Return the width of the narrowest bin on [0, 1]."""
        if self.scale is LINEAR:
            return 1 / self.count
        left, right = self.line
        ends = np.array([0.0, self.count - 1.0])
        return float(np.min(self._edge(ends + 0.5) - self._edge(ends - 0.5)) / (right - left))

    def _edge(self, index: np.ndarray) -> np.ndarray:
        left, right = self.line
        x = self.low + index * self.step
        inside = (x > self.scale.domain[0]) & (x < self.scale.domain[1])
        s = self.scale.forward(np.where(inside, x, self.low))
        outer = np.where(index > self.count - 1, right, s)
        return np.asarray(np.where(index < 0, left, outer))


def identity(value: Value) -> tuple[str, Value]:
    """Return what tells values apart, their type included (1, 1.0 and True differ)."""
    return (type(value).__name__, value)


def _call(name: str, parameter: Float | Integer) -> str:
    fields: dict[str, object] = {"low": parameter.low, "high": parameter.high}
    if parameter.scale != "linear":
        fields["scale"] = parameter.scale
    if parameter.step not in (None, 1):
        fields["step"] = parameter.step
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in fields.items())})"


def _check_bounds(call: str, parameter: Float | Integer, kind: type, words: str) -> None:
    for name in ("low", "high") + (("step",) if parameter.step is not None else ()):
        value = getattr(parameter, name)
        if isinstance(value, bool) or not isinstance(value, kind):
            raise SpaceError(f"{call}: {name} must be {words}, got {value!r}")
        if isinstance(value, Real) and not math.isfinite(value):
            raise SpaceError(f"{call}: {name} must be finite, got {value!r}")
    if not parameter.low < parameter.high:
        raise SpaceError(f"{call}: low must be below high")


def _check_scale(call: str, low: float, high: float, scale: str) -> None:
    if scale != "auto" and scale not in SCALES:
        expected = ", ".join([*SCALES, "auto"])
        raise SpaceError(f"{call}: scale must be one of {expected}, got {scale!r}")
    resolved = resolve(scale, low, high)
    from_zero = resolved is REVERSE_LOG and low < 0
    if not resolved.defined_on(low, high) or from_zero:
        raise SpaceError(f"{call}: a {scale} scale needs {resolved.rule}")


def _check_step(call: str, low: float, high: float, step: float) -> None:
    if step <= 0:
        raise SpaceError(f"{call}: step must be above 0, got {step!r}")
    whole = (_decimal(high) - _decimal(low)) / _decimal(step)
    if whole != whole.to_integral_value():
        below = low + int(whole) * step
        raise SpaceError(
            f"{call}: high must be low plus a whole number of steps; "
            f"use high={below:g} or high={below + step:g}"
        )


def _check_bins(call: str, bins: Bins) -> None:
    # A bin must be wide beside the rounding of the scale, or its middle decodes to a neighbour.
    left, right = bins.line
    rounding = 16 * _EPS * max(1.0, abs(left), abs(right)) / (right - left)
    if bins.count > _EXACT or bins.narrowest() < (rounding if bins.scale is not LINEAR else 0):
        raise SpaceError(
            f"{call}: the range is too wide to tell its values apart in float64; "
            "narrow it, or use a larger step"
        )


def _count(low: float, high: float, step: float) -> int:
    return int((_decimal(high) - _decimal(low)) / _decimal(step)) + 1


def _decimal(value: float | None) -> Decimal:
    return Decimal(repr(value))
