"""How well a run's model foresaw: coverage of its forecasts, and their residuals."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from hpo_research.analysis.calibration import LEVELS, TITLE, Calibration, calibration
from hpo_research.analysis.modelled import MOST_TRIALS, run_of
from hpo_research.analysis.result import Result
from hpo_research.figures.layout import Picture, sheet
from hpo_research.figures.style import DARK, LIGHT, MIDDLE, dressed, look, ruled, styled
from hpo_research.store import RunName

_HEIGHT = 1.9
_FAR = 5.0  # standard deviations; residuals beyond are drawn at the end


def draw_coverage(axes: Axes, found: Calibration) -> None:
    """Draw which share of values the central intervals of a model's forecasts held.

    Against their nominal coverage, with the binomial 95 % band of a model that is right, as if
    forecasts were independent. Above the diagonal it was too unsure, below too sure.
    """
    with styled():
        dressed(axes)
        levels = np.linspace(0.01, 0.99, 99)
        low, high = np.array([found.band(level) for level in levels]).T
        axes.fill_between(levels, low, high, color=LIGHT, alpha=0.5, lw=0, label="if it is right")
        axes.plot([0, 1], [0, 1], color=MIDDLE, lw=0.8, ls=(0, (4, 2)))
        shares = [found.covered(level) for level in levels]
        axes.plot(levels, shares, color=look(0).color, lw=1.4, label="values covered")
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        axes.set_xlabel("nominal coverage")
        axes.set_ylabel("values covered")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0))
            axis.set_major_locator(MaxNLocator(4))
        ruled(axes, "y")


def draw_residuals(axes: Axes, found: Calibration) -> None:
    """Draw the standardised residual of each value by its trial's number.

    Positive: the metric came above its forecast. Triangles at the ends lie beyond 5 deviations.
    """
    with styled():
        dressed(axes)
        shown = np.clip(found.residual, -_FAR, _FAR)
        is_far = np.abs(found.residual) > _FAR
        size = float(np.interp(len(shown), (50, 1000), (3.2, 1.5)))
        for end in (-1.96, 1.96):
            axes.axhline(end, color=MIDDLE, lw=0.8, ls=(0, (4, 2)))
        axes.axhline(0, color=LIGHT, lw=0.8)
        axes.plot(found.trials[~is_far], shown[~is_far], "o", ms=size, color=DARK, mew=0)
        for sign, marker in ((1, "^"), (-1, "v")):
            own = is_far & (found.residual * sign > 0)
            axes.plot(found.trials[own], shown[own], marker, ms=4, color=look(1).color)
        axes.set_ylim(-_FAR - 0.4, _FAR + 0.4)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlabel("trial")
        axes.set_ylabel("residual\n(standard deviations)")


def calibration_figure(result: Result, name: RunName | None = None) -> Picture | None:
    """Draw how well a run's model foresaw the values of the trials that it chose.

    By default of the only run of a result; None where its strategy has no model that can be fitted
    again, or too few values came. Raises `StoreError` where there is no such run.
    """
    name = run_of(result, name)
    found = calibration(result, name)
    if found is None:
        return None
    with styled():
        figure, (left, right) = sheet(2, _HEIGHT, [], columns=2)
        draw_coverage(left, found)
        draw_residuals(right, found)
    return Picture("calibration", TITLE, caption(found), figure)


def caption(found: Calibration) -> str:
    """Say what was foreseen, by what, and how it came out, in sentences."""
    n = len(found.residual)
    some = (
        f" Of its {found.of} asks {found.asks} were fitted again, evenly over those with up to "
        f"{MOST_TRIALS} trials."
        if found.asks < found.of
        else ""
    )
    shares = ", ".join(f"{found.covered(level):.0%} of {level:.0%}" for level in LEVELS)
    density = (
        f" Mean log density {found.mean_log_density:.3g} nats a value, {found.gain:+.3g} against a "
        "normal of the values known before."
        if np.isfinite(found.mean_log_density)
        else " The model's transform, by ranks, has no density."
    )
    whose = f"{found.name.strategy} on {found.name.problem}, seed {found.name.seed}"
    return (
        f"Forecasts of {n} finished trials of {whose}, by the model as it was when it chose them, "
        f"noise included.{some} Covered: {shares}.{density} The band is binomial, as if forecasts "
        "were independent; a model chooses where it hopes most, so that some optimism is to be "
        "expected."
    )
