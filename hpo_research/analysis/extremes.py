"""Sums that do not overflow: values up to the largest float are values like others.

For ordinary values the results are those of NumPy's own functions, to the bit.
"""

from collections.abc import Callable

import numpy as np

_LARGE = 1e290  # of so many values, sums stay below the largest float
_SHIFT = 100  # powers of two that larger values are divided by: exact


def located(
    statistic: Callable[[np.ndarray], np.ndarray], values: np.ndarray | list[float]
) -> np.ndarray:
    """Return a statistic of location (a mean, median or quantile) of values, NaN among them.

    It must lie between the least and the greatest of them, and scale with them.
    """
    given = np.asarray(values, dtype=float)
    known = given[np.isfinite(given)]
    if not known.size or np.abs(known).max() < _LARGE:
        return np.asarray(statistic(given))
    small = np.ldexp(given, -_SHIFT)
    low, high = np.ldexp([known.min(), known.max()], -_SHIFT)
    found: np.ndarray = np.ldexp(np.clip(statistic(small), low, high), _SHIFT)
    return found


def difference(
    values: np.ndarray | list[float], other: np.ndarray | list[float] | float
) -> np.ndarray:
    """Return values − other; of finite ones, what lies beyond the largest float becomes it."""
    first, second = np.asarray(values, dtype=float), np.asarray(other, dtype=float)
    with np.errstate(over="ignore"):
        found = first - second
    largest = np.finfo(float).max
    is_beyond = np.isinf(found) & np.isfinite(first) & np.isfinite(second)
    kept: np.ndarray = np.where(is_beyond, np.copysign(largest, found), found)
    return kept
