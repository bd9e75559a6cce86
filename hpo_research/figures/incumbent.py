"""The first picture: best value so far against what it cost, one panel a problem."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from hpo_research.analysis.incumbents import Axis
from hpo_research.analysis.result import Result
from hpo_research.figures.labels import listed, noted
from hpo_research.figures.layout import Picture, fit_labels, sheet
from hpo_research.figures.lines import cost_axis, draw_bands, key, nothing
from hpo_research.figures.panel import Panel, caption, panel
from hpo_research.figures.scales import lay
from hpo_research.figures.style import MIDDLE, dressed, halo, small, styled, verbatim

_HEIGHT = 1.75


def draw_incumbent(
    axes: Axes,
    result: Result,
    problem: str,
    axis: Axis = "epochs",
    *,
    strategies: Sequence[str] | None = None,
) -> None:
    """Draw the median over seeds of the best value so far, with 95 % bands over seeds.

    They lie between order statistics; below `LEAST_FOR_MEDIAN` seeds each is a thin line. Regret
    where the optimum is known and no value lies beyond it, otherwise the value. A strategy keeps
    its colour where only some `strategies` are drawn. `axes.legend()` names the lines.
    """
    with styled():
        _draw(axes, panel(result, problem, axis, strategies), list(result.facts.strategies))


def incumbent_figure(
    result: Result,
    axis: Axis = "epochs",
    *,
    strategies: Mapping[str, Sequence[str]] | None = None,
) -> Picture:
    """Draw the best value so far over one cost axis, one panel a problem.

    `strategies` says which problems are shown, each with its strategies; all if it is left out.
    """
    everyone = list(result.facts.strategies)
    shown = strategies or dict.fromkeys(result.facts.problems, everyone)
    panels = [panel(result, problem, axis, own) for problem, own in shown.items()]
    named = [name for name in everyone if any(name in own for own in shown.values())]
    with styled():
        legend = [key(everyone.index(name), name) for name in named]
        figure, places = sheet(len(panels), _HEIGHT, legend)
        for place, drawn in zip(places, panels, strict=True):
            _draw(place, drawn, everyone)
        fit_labels(places)
    absent = {problem: [n for n in everyone if n not in own] for problem, own in shown.items()}
    left_out = {
        problem: [
            f"{listed(names)} {'are' if len(names) > 1 else 'is'} left out: not every "
            "trial was trained to the last epoch"
        ]
        for problem, names in absent.items()
        if names
    }
    text = " ".join([caption(panels, axis), *noted(left_out)])
    name = "incumbent" if strategies is None and axis != "seconds" else f"incumbent-{axis}"
    return Picture(name, f"Best value so far over {axis}", text, figure)


def _draw(axes: Axes, shown: Panel, strategies: Sequence[str]) -> None:
    is_log = shown.cost_scale.kind == "log"
    draw_bands(dressed(axes), shown.bands, strategies, is_log=is_log, ended=shown.ended)
    axes.set_title(verbatim(shown.problem))
    axes.set_ylabel(verbatim(shown.label))
    cost_axis(axes, shown.cost, is_log=is_log)
    if not shown.bands:
        nothing(axes, "x", "y")
        return
    if shown.optimum is not None:
        axes.axhline(shown.optimum, color=MIDDLE, linewidth=0.6, zorder=1)
        axes.annotate(
            "optimum without noise" if shown.is_noisy else "optimum",
            (1, shown.optimum),
            xycoords=("axes fraction", "data"),
            xytext=(0, 1.5),
            textcoords="offset points",
            fontsize=small(),
            color=MIDDLE,
            horizontalalignment="right",
            path_effects=halo(),
            zorder=20,
        )
    lay(shown.scale, axes)
