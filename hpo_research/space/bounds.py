"""Bounds: what low, high, scale and step of a number must satisfy for its maps to be exact."""

import math
from decimal import Decimal
from numbers import Integral

import numpy as np

from hpo_research.errors import SpaceError
from hpo_research.options import as_float, is_real, one_of, require
from hpo_research.space.bins import Bins
from hpo_research.space.scale import LINEAR, LOG, REVERSE_LOG, SCALES, Scale, resolve
from hpo_research.text import quoted

TOLERANCE = 1e-12  # of a Float's range: what a round trip may lose
_EPS = float(np.finfo(float).eps)
_LARGEST_INTEGER = 2**50  # half-steps are exact in float64 up to here
_LARGEST, _NARROWEST = 1e300, 1e-290  # no sum overflows, no tolerance underflows


def finite(call: str, name: str, value: object) -> float:
    """Return the value as a float, or raise `SpaceError` where it is no finite number."""
    if not is_real(value):
        raise SpaceError(f"{call}: {name} must be a number, got {quoted(value)}")
    number = as_float(value)
    if not math.isfinite(number):
        raise SpaceError(f"{call}: {name} must be finite, got {quoted(value)}")
    if abs(number) > _LARGEST:
        raise SpaceError(f"{call}: {name} must lie within ±1e300, got {quoted(value)}; rescale it")
    return number


def whole(call: str, name: str, value: object) -> int:
    """Return the value as an int, or raise `SpaceError` where it is none."""
    if not (is_real(value) and isinstance(value, Integral)):
        raise SpaceError(f"{call}: {name} must be an integer (an int), got {quoted(value)}")
    if abs(int(value)) > _LARGEST_INTEGER:
        raise SpaceError(
            f"{call}: {name} must lie within ±2^50 to be exact in float64; narrow the range"
        )
    return int(value)


def check_order(call: str, low: float, high: float) -> None:
    """Raise `SpaceError` unless low is below high."""
    if not low < high:
        hint = f"; swap them: low={high!r}, high={low!r}" if high < low else ""
        raise SpaceError(f"{call}: low must be below high{hint}")


def check_scale(call: str, low: float, high: float, scale: object) -> None:
    """Raise `SpaceError` for an unknown scale, or bounds on which it is not defined."""
    require("scale", scale, one_of([*SCALES, "auto"]), error=SpaceError, call=call)
    resolved = resolve(str(scale), low, high)
    if not resolved.is_defined_on(low, high):
        raise SpaceError(
            f"{call}: a {scale} scale needs {resolved.rule}; move the bounds or use another scale"
        )


def check_step(call: str, low: float, high: float, step: float, tolerance: float) -> None:
    """Raise `SpaceError` unless whole steps lead from low to high, within the tolerance."""
    if step <= 0:
        raise SpaceError(f"{call}: step must be above 0, got {step!r}")
    if abs(value_at(low, step, step_count(low, high, step)) - high) > tolerance:
        below = int((_decimal(high) - _decimal(low)) / _decimal(step))
        fitting = [type(step)(value_at(low, step, k)) for k in (below, below + 1) if k > 0]
        raise SpaceError(
            f"{call}: high must be low plus a whole number of steps; "
            f"use {' or '.join(f'high={value!r}' for value in fitting)}"
        )


def check_continuum(call: str, low: float, high: float, scale: Scale) -> None:
    """Raise `SpaceError` where float64 cannot keep a round trip within 1e-12 of the range."""
    slope = {LINEAR.name: 0.0, LOG.name: high, REVERSE_LOG.name: 1 - low}[scale.name]
    line = max(1.0, abs(scale.forward(low)), abs(scale.forward(high)))
    rounding = 4 * _EPS * max(abs(low), abs(high), slope * line)
    if high - low < _NARROWEST or rounding > TOLERANCE * (high - low):
        raise SpaceError(
            f"{call}: the range is too narrow relative to its bounds to be exact in float64; "
            "search over the offset from low instead"
        )


def check_bins(call: str, low: float, high: float, bins: Bins) -> None:
    """Raise `SpaceError` where float64 cannot tell the values, or their bins, apart."""
    rounding = 16 * _EPS * max(abs(low), abs(high))
    if high - low < _NARROWEST or bins.step < rounding or not bins.are_distinct():
        raise SpaceError(
            f"{call}: the range is too wide to tell its values apart in float64; "
            "narrow it, or use a larger step"
        )


def step_count(low: float, high: float, step: float) -> int:
    """Return how many steps lead from low to high, to the nearest, in decimal arithmetic."""
    return round((_decimal(high) - _decimal(low)) / _decimal(step))


def value_at(low: float, step: float, index: int) -> float:
    """Return low + index × step, rounded as decimal arithmetic would."""
    return float(_decimal(low) + index * _decimal(step))


def slack(low: float, high: float, step: float) -> float:
    """Return how far from a step a float may lie and still mean it: what sums of steps lose."""
    sums = max(TOLERANCE * (high - low), 4 * _EPS * max(abs(low), abs(high)))
    return min(sums, step / 4)


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value))
