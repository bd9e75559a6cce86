"""Performance and data profiles: what share of problems is solved within how many evaluations."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from hpo_research.analysis.bootstrap import LEAST_SEEDS, Band
from hpo_research.analysis.pooled import Pooled
from hpo_research.analysis.profiles import TOLERANCES, Profiles, profiles
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.figures.labels import counted
from hpo_research.figures.layout import Picture, fit_labels, sheet
from hpo_research.figures.lines import bands_said, cost_axis, draw_bands, key
from hpo_research.figures.style import dressed, styled
from hpo_research.options import one_of, require

_HEIGHT = 1.9
Kind = Literal["performance", "data"]


def draw_profiles(
    axes: Axes, result: Result, kind: Kind = "performance", tolerance: float = TOLERANCES[0]
) -> None:
    """Draw the `performance` or the `data` profile of each strategy at a tolerance.

    They are explained at `analysis.profiles.Profiles`. Raises `StoreError` for another kind, for a
    tolerance that is none, and where nothing can be compared.
    """
    require("kind", kind, one_of(("performance", "data")), error=StoreError, call="draw_profiles")
    found = profiles(result, tolerance)
    if found is None:
        raise StoreError(
            "draw_profiles: expected two strategies or more with finished runs on the same seeds"
        )
    with styled():
        _draw(axes, found, kind, list(result.facts.strategies))


def profiles_figure(result: Result) -> Picture | None:
    """Draw both profiles at the tolerances of `TOLERANCES`; None where nothing can be compared."""
    found = [own for own in (profiles(result, t) for t in TOLERANCES) if own is not None]
    if not found:
        return None
    everyone = list(result.facts.strategies)
    kinds: Sequence[Kind] = ("performance", "data")
    with styled():
        legend = [key(everyone.index(name), name) for name in found[0].strategies]
        figure, panels = sheet(len(found) * len(kinds), _HEIGHT, legend)
        drawn = [(kind, own) for kind in kinds for own in found]
        for axes, (kind, own) in zip(panels, drawn, strict=True):
            _draw(axes, own, kind, everyone)
            axes.set_title(f"{kind} profile, τ = {own.tolerance:g}")
        fit_labels(panels)
    return Picture("profiles", "Performance and data profiles", _caption(found), figure)


def _draw(axes: Axes, shown: Profiles, kind: Kind, everyone: Sequence[str]) -> None:
    is_performance = kind == "performance"
    grid = shown.ratio if is_performance else shown.cost
    share = shown.within_ratio if is_performance else shown.within_cost
    draw_bands(
        dressed(axes),
        pooled_bands(shown.strategies, grid, share),
        everyone,
        is_log=is_performance,
    )
    label = "evaluations / those of the fastest" if is_performance else _COST
    cost_axis(axes, label, is_log=is_performance)
    if is_performance:
        axes.set_xlim(left=1)
    axes.set_ylabel("solved")
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


_COST = "evaluations / (hyperparameters + 1)"


def pooled_bands(
    strategies: Sequence[str], cost: Float[np.ndarray, " m"], share: Pooled
) -> dict[str, Band]:
    """Return what is pooled over problems as bands that can be drawn."""
    return {
        name: Band(cost, share.center[i], share.low[i], share.high[i], share.center[i : i + 1])
        for i, name in enumerate(strategies)
    }


def pooled_bands_said(lines: int, seeds: Sequence[int]) -> str:
    """Say what the bands of means over problems and seeds are, and where there is none."""
    if min(seeds) < LEAST_SEEDS:
        return f"No band is drawn where a problem has fewer than {LEAST_SEEDS} seeds."
    return f"{bands_said([lines], [max(seeds)], 'mean')[:-1]}, within problems."


def _caption(found: Sequence[Profiles]) -> str:
    shown = found[0]
    return " ".join(
        [
            "Performance profiles (Dolan and Moré 2002): the share of instances that a strategy "
            "solves in so many times the evaluations of the fastest on the instance; at 1, how "
            "often it is the fastest, or as fast. Data profiles (Moré and Wild 2009): the share "
            "that it solves within so many evaluations, divided by the number of hyperparameters "
            "and one. An instance is a problem with a seed, "
            f"{counted(shown.seeds, 'paired seed')} on "
            f"{counted([len(shown.problems)], 'problem')}, problems weighted equally; it is solved "
            "when what is left to the best loss that any strategy found on it is at most τ of the "
            "way from the worst first loss. So both depend on who is compared. An evaluation is a "
            "full training.",
            pooled_bands_said(len(shown.strategies), shown.seeds),
        ]
    )
