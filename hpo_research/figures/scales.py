"""Scales of axes: logarithmic where values span much, with ticks that can be read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import (
    FuncFormatter,
    Locator,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

_WIDE = 20.0  # values that span a larger ratio are drawn on a log axis
_FEW = 300.0  # the ratio up to which a log axis gets numbers between powers of ten
_MANY = 40  # powers of ten of a log axis that are more than papers have
_SUBS: list[tuple[int, ...]] = [(1,), (1, 3), (1, 2, 5), tuple(range(1, 10))]
_MOST_NUMBERS = {"x": 5, "y": 6}  # along a side
# What Matplotlib's transforms can lay out with margins on both sides, where floats end at 1e308.
_ENDS = {"linear": (-1e150, 1e150), "log": (1e-250, 1e250), "log and zero": (0.0, 1e250)}
_LEAST_STEP = 1e-40  # where a log axis that reaches 0 becomes linear at the latest
_ROOM = {"x": 0.16, "y": 0.11}  # that a number needs, as a part of a side


@dataclass(frozen=True)
class Scale:
    """How values are laid along an axis.

    `log and zero` is logarithmic down to `threshold`, a power of ten that no positive value is
    below, and linear from there to 0: regret reaches exactly 0 in finite spaces. `is_cut` says that
    some values lie beyond what can be drawn; they are drawn at its end.
    """

    kind: Literal["linear", "log", "log and zero"] = "linear"
    threshold: float = 0.0
    is_cut: bool = False

    @property
    def notes(self) -> list[str]:
        """What is special about the axis."""
        notes = []
        if self.kind == "log and zero":
            notes.append(f"the axis is linear between 0 and {self.threshold:g}")
        if self.is_cut:
            low, high = _ENDS[self.kind]
            ends = f"below {low:g} or above {high:g}"
            notes.append(f"values {ends} are drawn at that limit; tables have the true values")
        return notes

    def shown(self, values: np.ndarray) -> np.ndarray:
        """Return where values are drawn: themselves, or the end of what can be drawn."""
        inside: np.ndarray = np.clip(values, *_ENDS[self.kind])
        return inside


def scale_for(values: Sequence[float] | np.ndarray, *, is_distance: bool) -> Scale:
    """Choose the scale of values: logarithmic for distances, and for positive ones that span much.

    NaN is not a value. Distances that reach 0 and else span little stay linear.
    """
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    scale = _chosen(known, is_distance)
    return replace(scale, is_cut=bool((scale.shown(known) != known).any()))


def _chosen(known: np.ndarray, is_distance: bool) -> Scale:
    positive = known[known > 0]
    if not positive.size or known.min() < 0:
        return Scale()
    with np.errstate(over="ignore"):  # beyond the largest float, which no value is above
        spans_much = bool(positive.max() > _WIDE * positive.min())
    if known.min() > 0:
        return Scale("log") if is_distance or spans_much else Scale()
    if not (is_distance and spans_much):
        return Scale()
    least = max(positive.min(), _LEAST_STEP)
    return Scale("log and zero", float(10.0 ** np.floor(np.log10(least))))


def lay(scale: Scale, axes: Axes, side: Literal["x", "y"] = "y") -> None:
    """Lay the values along one side of the axes, once all are drawn."""
    axis = axes.yaxis if side == "y" else axes.xaxis
    set_scale = axes.set_yscale if side == "y" else axes.set_xscale
    if scale.kind == "log":
        set_scale("log")
        _number(axis, side)
    elif scale.kind == "log and zero":
        set_scale("symlog", linthresh=scale.threshold, linscale=0.5)
        _, high = axis.get_view_interval()
        decades = np.arange(np.log10(scale.threshold), np.floor(np.log10(high)) + 1)
        step = int(np.ceil(len(decades) / _MOST_NUMBERS[side]))
        axis.set_ticks([0.0, *(10.0 ** decades[::step])])
        axis.set_minor_locator(NullLocator())
        axis.set_view_interval(-0.1 * scale.threshold, high, ignore=True)


def _number(axis: Axis, side: Literal["x", "y"]) -> None:
    """Choose the numbers of a log axis: as many as have room, between powers of ten too."""
    low, high = axis.get_view_interval()
    decades = np.log10(high) - np.log10(low)
    if decades > _MANY:  # Matplotlib's own locator looks for numbers beyond the largest float
        powers = np.arange(np.ceil(np.log10(low)), np.floor(np.log10(high)) + 1)
        axis.set_ticks(10.0 ** powers[:: int(np.ceil(len(powers) / _MOST_NUMBERS[side]))])
        axis.set_minor_locator(NullLocator())
    if decades >= np.log10(_FEW):
        return
    best: Locator | None = None
    most = 1
    between: list[Locator] = [LogLocator(subs=subs) for subs in _SUBS]
    for locator in [*between, *map(MaxNLocator, range(2, 6))]:
        values = np.asarray(locator.tick_values(low, high))
        places = np.log(values[(values >= low) & (values <= high)]) / np.log(high / low)
        if len(places) > most and np.diff(places).min() >= _ROOM[side]:
            best, most = locator, len(places)
    if best is not None:
        axis.set_major_locator(best)
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
