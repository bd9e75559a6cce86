"""Values without noise of noisy problems: of the trials recommended, and of the best observed."""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from matplotlib.axes import Axes

from hpo_research.analysis.arguments import check_name
from hpo_research.analysis.bootstrap import Band, band
from hpo_research.analysis.choices import Choices
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.figures.labels import (
    Measure,
    counted,
    listed,
    noted,
    regret_where,
    unfinished,
    value_label,
)
from hpo_research.figures.layout import Picture, fit_labels, sheet
from hpo_research.figures.lines import (
    LEVEL,
    bands_said,
    cost_axis,
    draw_bands,
    key,
    nothing,
)
from hpo_research.figures.scales import Scale, lay, scale_for
from hpo_research.figures.style import dressed, styled, verbatim
from hpo_research.options import one_of, require

Choice = Literal["recommended", "observed"]
TITLE = "Values without noise over the epochs"
_SAID: Mapping[Choice, str] = {"recommended": "recommended", "observed": "best observed"}
_CHOSEN = Measure("chosen", "{} without noise")
_HEIGHT = 1.75


def draw_choices(axes: Axes, result: Result, problem: str, choice: Choice = "recommended") -> None:
    """Draw the median over seeds of the noise-free value of the trial that a run stands for.

    At each of a few costs it is the trial that the strategy would have recommended there, or the
    best `observed` one. With 95 % bands from `LEAST_FOR_MEDIAN` seeds on. Raises `StoreError`
    where the problem is not known to be noisy.
    """
    known = {own.problem: own for own in result.choices}
    check_name("noisy problem", problem, known)
    require("choice", choice, one_of(get_args(Choice)), error=StoreError)
    with styled():
        _draw(axes, result, known[problem], choice)


def choices_figure(result: Result) -> Picture | None:
    """Draw both choices, a panel each, on one scale a problem; None where no problem is noisy."""
    shown = [own for own in result.choices if _bands(own, "observed")]
    if not shown:
        return None
    everyone = list(result.facts.strategies)
    used = {name for own in shown for name in own.observed}
    with styled():
        legend = [key(i, name) for i, name in enumerate(everyone) if name in used]
        figure, places = sheet(2 * len(shown), _HEIGHT, legend)
        upper, lower = places[: len(shown)], places[len(shown) :]
        for above, below, own in zip(upper, lower, shown, strict=True):
            below.sharey(above)
            _draw(above, result, own, "recommended")
            _draw(below, result, own, "observed")
        fit_labels(places)
    return Picture("noise-free", TITLE, _caption(result, shown), figure)


def _draw(axes: Axes, result: Result, shown: Choices, choice: Choice) -> None:
    facts, scale = result.facts.problems[shown.problem], _scale(shown)
    bands = {name: own.mapped(scale.shown) for name, own in _bands(shown, choice).items()}
    draw_bands(dressed(axes), bands, list(result.facts.strategies))
    axes.set_title(verbatim(f"{shown.problem}: {_SAID[choice]}"))
    label = value_label(facts.metric, facts.direction, _CHOSEN, is_regret=shown.is_regret)
    axes.set_ylabel(verbatim(label))
    cost_axis(axes, "epochs trained in a run" if facts.max_epochs != 1 else "evaluations in a run")
    if not bands:
        nothing(axes, "x", "y")
        return
    lay(scale, axes)


def _bands(shown: Choices, choice: Choice) -> dict[str, Band]:
    curves = shown.recommended if choice == "recommended" else shown.observed
    found = {name: band(own, level=LEVEL) for name, own in curves.items()}
    return {name: own for name, own in found.items() if not np.isnan(own.center).all()}


def _scale(shown: Choices) -> Scale:
    bands = [own for choice in _SAID for own in _bands(shown, choice).values()]
    seen = [own.extent() for own in bands]
    return scale_for(np.concatenate([[], *seen]), is_distance=shown.is_regret)


def _caption(result: Result, shown: Sequence[Choices]) -> str:
    problems = [own.problem for own in shown]
    lines = [_bands(own, "observed") for own in shown]
    seeds = [band.seeds for own in lines for band in own.values()]
    parts = max(len(c.cost) for own in shown for c in own.observed.values())
    notes = {
        own.problem: [*_scale(own).notes, *unfinished(result, own.problem, list(own.observed))]
        for own in shown
    }
    return " ".join(
        [
            f"Value without noise of the trial that a run on {listed(problems)} stands for, at "
            f"{parts} equal parts of its epochs: median over {counted(seeds, 'seed')}.",
            *regret_where(problems, [own.problem for own in shown if own.is_regret]),
            "Recommended: the trial that the strategy's own model holds for the best at that time; "
            "the best observed one where it has no model. Best observed: the trial with the best "
            "value as reported, with noise. A value is that at the epoch that counted then. "
            "Lines may rise, since another trial may be chosen.",
            bands_said([len(own) for own in lines], seeds, "median"),
            *noted(notes),
        ]
    )
