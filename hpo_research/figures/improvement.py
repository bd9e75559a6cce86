"""The probability of improvement: how often a run of one strategy ends better than another's."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from hpo_research.analysis.finals import finals
from hpo_research.analysis.improvement import LEAST_SEEDS, Improvement, improvement
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.figures.labels import counted
from hpo_research.figures.layout import Picture, sheet
from hpo_research.figures.style import DARK, LIGHT, MIDDLE, dressed, ruled, styled, verbatim

_MOST_PAIRS = 15
_LETTERS = 20  # of a name beside its row


def draw_improvement(axes: Axes, result: Result) -> None:
    """Draw the probability of improvement of pairs of strategies, a row each, with intervals.

    The better one stands first. Of more than 15 pairs, those of the strategy that is best in the
    mean over the others. Small marks are single problems. Raises `StoreError` where fewer than two
    strategies differ.
    """
    found = _found(result)
    if found is None:
        raise StoreError(
            "draw_improvement: expected two strategies or more that differ, with finished runs on "
            "the same seeds"
        )
    with styled():
        _draw(axes, found, _pairs(found))


def improvement_figure(result: Result) -> Picture | None:
    """Draw the probability of improvement; None where fewer than two strategies differ."""
    found = _found(result)
    if found is None:
        return None
    pairs = _pairs(found)
    with styled():
        row = 0.3 if _has_long_names(found, pairs) else 0.2
        figure, (axes,) = sheet(1, 0.6 + row * len(pairs), [])
        _draw(axes, found, pairs)
    caption = improvement_caption(found)
    k = len(found.strategies)
    if len(pairs) < k * (k - 1) // 2:
        caption += f" Shown are the pairs of {found.names[pairs[0][0]]}; the table has all."
    return Picture("improvement", "Probability of improvement", caption, figure)


def improvement_caption(found: Improvement) -> str:
    """Say what is shown, and of what the intervals are."""
    marks = "small marks are single problems"
    band = (
        "bars are 95% percentile bootstrap intervals, runs resampled within problems "
        f"(2,000 resamples); {marks}."
        if found.has_interval
        else f"there is no interval, as a problem has fewer than {LEAST_SEEDS} seeds; {marks}."
    )
    return (
        "The probability that a run of the first strategy ends better than one of the second "
        "(Agarwal et al. 2021), equal ones counting half: over all pairs of their runs, the mean "
        f"over {counted([len(found.problems)], 'problem')} with {counted(found.seeds, 'seed')}; "
        f"{band} An interval that holds 50% tells no difference; intervals are not corrected for "
        "their number, and the tables of comparisons have the tests."
    )


def _found(result: Result) -> Improvement | None:
    present = {name.problem for name in result.runs}
    return improvement(result, [finals(result, p) for p in result.facts.problems if p in present])


def _pairs(found: Improvement) -> list[tuple[int, int]]:
    """Return the pairs to be shown, the better one first, the clearest on top."""
    k, mean = len(found.strategies), found.mean
    pairs = [(i, j) if mean[i, j] >= 0.5 else (j, i) for i, j in combinations(range(k), 2)]
    if len(pairs) > _MOST_PAIRS:
        best = int(np.argmax(mean.sum(axis=1)))
        pairs = [(best, j) for j in range(k) if j != best]
    return sorted(pairs, key=lambda pair: -mean[pair])


def _has_long_names(found: Improvement, pairs: Sequence[tuple[int, int]]) -> bool:
    """Whether the two names of a pair need a line each, or they would leave no room for marks."""
    lengths = [min(len(name), _LETTERS) for name in found.names]
    return any(lengths[i] + lengths[j] > _LETTERS for i, j in pairs)


def _draw(axes: Axes, found: Improvement, pairs: Sequence[tuple[int, int]]) -> None:
    dressed(axes)
    axes.axvline(0.5, color=MIDDLE, linewidth=0.8, zorder=1)
    for row, (i, j) in enumerate(pairs):
        each = found.each[:, i, j]
        axes.plot(each, [row] * len(each), "|", color=LIGHT, markersize=5, zorder=2)
        if found.has_interval:
            ends = [found.low[i, j], found.high[i, j]]
            axes.plot(ends, [row, row], color=DARK, linewidth=1.4, zorder=3)
        axes.plot([found.mean[i, j]], [row], "o", color=DARK, markersize=4, zorder=4)
    names = [verbatim(name, _LETTERS) for name in found.names]
    between = "\n" if _has_long_names(found, pairs) else " "
    axes.set_yticks(range(len(pairs)), [f"{names[i]}{between}against {names[j]}" for i, j in pairs])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(pairs) - 0.4, -0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("probability of improvement")
    ruled(axes, "x")
