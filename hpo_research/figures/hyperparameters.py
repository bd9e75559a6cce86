"""Hyperparameters along an axis: the unit interval of their scale, numbered by their values."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float as Array
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from hpo_research.figures.style import verbatim
from hpo_research.records import Run, Trial
from hpo_research.space import Categorical, Float, Integer
from hpo_research.space.parameters import Parameter, Value
from hpo_research.space.scale import LOG, REVERSE_LOG

_MARGIN = 0.04  # of an axis, beyond the bounds
_LEAST_SUBS: tuple[tuple[float, ...], ...] = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0))


def places(parameter: Parameter, values: Sequence[Value]) -> Array[np.ndarray, " n"]:
    """Return where values stand: in the unit interval, but for numbers outside their bounds."""
    if isinstance(parameter, Categorical):
        return np.asarray(parameter.encode(values), dtype=float)
    assert isinstance(parameter, Float | Integer)
    scale = parameter.resolved
    if parameter.bins is not None:
        left, right = parameter.bins.line
    else:
        left, right = scale.forward(np.array([parameter.low, parameter.high], dtype=float))
    at = scale.forward(np.asarray(values, dtype=float))
    return np.asarray((at - left) / (right - left), dtype=float)


def places_of(run: Run, name: str, trials: Sequence[Trial]) -> Array[np.ndarray, " n"]:
    """Return where the values of trials stand along a hyperparameter.

    Of an unordered choice, spread over the value's share by the trials' numbers, or all would lie
    on one another.
    """
    parameter = run.space.parameters[name]
    found = places(parameter, [trial.config[name] for trial in trials])
    if not isinstance(parameter, Categorical):
        return found
    golden = np.array([trial.id for trial in trials], dtype=float) * 0.618033988749895
    return found + (golden % 1.0 - 0.5) * 0.5 / parameter.size


def lay_parameter(
    axes: Axes, side: Literal["x", "y"], parameter: Parameter, *, most: int = 5, letters: int = 10
) -> None:
    """Lay a hyperparameter along one side of axes: limits, and numbers or names of values."""
    at, names = ticks(parameter, most=most, letters=letters)
    axis = axes.xaxis if side == "x" else axes.yaxis
    (axes.set_xlim if side == "x" else axes.set_ylim)(-_MARGIN, 1 + _MARGIN)
    axis.set_ticks(at, names)
    axis.set_minor_locator(NullLocator())


def ticks(parameter: Parameter, *, most: int, letters: int = 10) -> tuple[list[float], list[str]]:
    """Return places along a hyperparameter to be named, and the names there."""
    if isinstance(parameter, Categorical):
        step = -(-parameter.size // (3 * most))
        shown = parameter.values[::step]
        names = [verbatim(str(value), letters) for value in shown]
        return places(parameter, shown).tolist(), names
    assert isinstance(parameter, Float | Integer)
    values = _numbers(parameter, most)
    return places(parameter, values).tolist(), [_written(value) for value in values]


def _numbers(parameter: Float | Integer, most: int) -> list[float]:
    low, high = float(parameter.low), float(parameter.high)
    if not low < high:
        return [low]
    is_whole = isinstance(parameter, Integer)
    scale = parameter.resolved
    if scale == LOG:
        for subs in _LEAST_SUBS:
            found = _within(LogLocator(subs=subs, numticks=50).tick_values(low, high), low, high)
            if is_whole:
                found = [value for value in found if value.is_integer()]
            if len(found) > 1:
                return found[:: -(-len(found) // most)]
    if scale == REVERSE_LOG:
        first, last = scale.forward(np.array([low, high])).tolist()
        evenly = scale.backward(np.linspace(first, last, min(most, 4)))
        return [min(max(float(f"{v:.3g}"), low), high) for v in evenly]
    for parts in range(most - 1, 0, -1):
        found = _within(MaxNLocator(parts, integer=is_whole).tick_values(low, high), low, high)
        if len(found) <= most:
            break
    return found if len(found) > 1 else [low, high]


def _within(values: Sequence[float], low: float, high: float) -> list[float]:
    slack = 1e-9 * (high - low)
    return [float(v) for v in values if low - min(slack, abs(low) * 1e-9) <= v <= high + slack]


def _written(value: float) -> str:
    """Return a number as short as it can be: a power of ten where it is one, and far from 1."""
    if value > 0 and not 1e-3 < value < 1e5:
        power = np.log10(value)
        if abs(power - round(power)) < 1e-9:
            return f"$10^{{{round(power)}}}$"
    return f"{value:g}".replace("-", "\N{MINUS SIGN}", 1) if value < 0 else f"{value:g}"
