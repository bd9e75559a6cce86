"""Mean ranks of the strategies as the budget goes on."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from hpo_research.analysis import early_ends
from hpo_research.analysis.ranks import RankAxis, Ranks, ranks, unit
from hpo_research.analysis.result import Result
from hpo_research.figures.labels import counted, listed
from hpo_research.figures.layout import Picture, sheet
from hpo_research.figures.lines import bands_said, cost_axis, draw_bands, key, nothing
from hpo_research.figures.style import dressed, styled

_HEIGHT = 2.2
_POINTS = 101  # costs: more would be a fringe of single epochs
_COSTS = {
    "budget": "share of a run's budget",
    "evaluations": "trials ended in a run",
    "epochs": "epochs trained in a run",
    "seconds": "seconds of a run",
}


def draw_ranks(
    axes: Axes,
    result: Result,
    axis: RankAxis = "budget",
    *,
    strategies: Sequence[str] | None = None,
) -> None:
    """Draw the mean rank of each strategy over problems and seeds, with 95 % bootstrap bands.

    Below `LEAST_SEEDS` paired seeds there is no band. What is ranked, and what is left out, is said
    at `analysis.ranks.ranks`. 1 is best. A strategy keeps its colour where only some `strategies`
    are compared, though not its rank.
    """
    with styled():
        shown = ranks(result, axis, strategies=strategies, points=_POINTS)
        _draw(axes, shown, list(result.facts.strategies))


def ranks_figure(result: Result, axis: RankAxis = "budget") -> Picture | None:
    """Draw the mean ranks; None where fewer than two strategies have runs to be compared by."""
    if len({name.strategy for name in result.runs}) < 2:
        return None
    shown = ranks(result, axis, points=_POINTS)
    if not shown.pairs:
        return None
    everyone = list(result.facts.strategies)
    with styled():
        legend = [key(everyone.index(name), name) for name in shown.bands]
        figure, (axes,) = sheet(1, _HEIGHT, legend)
        _draw(axes, shown, everyone)
    return Picture("ranks", "Mean rank over the budget", _caption(result, shown), figure)


def _draw(axes: Axes, shown: Ranks, strategies: Sequence[str]) -> None:
    draw_bands(dressed(axes), shown.bands, strategies)
    cost_axis(axes, _COSTS[shown.axis])
    axes.set_ylabel("mean rank\n(1 is best)")
    if shown.axis == "budget":
        axes.set_xlim(0, 1.02)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    if not shown.bands:
        nothing(axes, "x", "y")
        return
    axes.set_ylim(0.9, len(shown.bands) + 0.1)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))


def _caption(result: Result, shown: Ranks) -> str:
    seeds = len(shown.seeds)
    at = "share of the budget" if shown.axis == "budget" else "cost"
    counted_in = unit(result, shown.problems[0])[0] if shown.axis == "budget" else shown.axis
    value = "best value so far, at any epoch,"
    if counted_in == "evaluations":
        value = "best value so far by the experiment's rule"
    return " ".join(
        [
            f"Mean rank of each strategy over {counted([seeds], 'paired seed')} on "
            f"{listed(shown.problems)} ({counted([shown.pairs], 'pair')}); 1 is best.",
            f"At each {at}, strategies are ranked by their {value} on one problem and seed; equal "
            "values share the mean of their ranks, and runs without a value come last. Each pair "
            "of a problem and a seed counts equally; pairs without any value are left out.",
            bands_said([len(shown.bands)], [seeds], "mean"),
            *shown.left_out,
            *early_ends.said(result, shown.problems),
            "The table of mean ranks follows another rule and may differ: it ranks final values "
            "by the experiment's rule, weights problems equally, and counts seeds without any "
            "value as ties.",
        ]
    )
