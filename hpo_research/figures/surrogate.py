"""What a model believed when it chose a batch: for problems of one and two hyperparameters."""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from hpo_research.analysis.believed import believed, believer, is_as_noted, modelled_asks
from hpo_research.analysis.extremes import difference
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.figures.labels import counted, listed, noted
from hpo_research.figures.layout import Picture, fit_labels, sheet
from hpo_research.figures.learning import median_run
from hpo_research.figures.scales import Scale
from hpo_research.figures.style import DARK, MIDDLE, body, dressed, look, styled, verbatim
from hpo_research.records import Run, Trial
from hpo_research.space import Float as FloatParameter
from hpo_research.space import Integer
from hpo_research.store import RunName
from hpo_research.strategies.answers import View

Quantity = Literal["median", "uncertainty", "acquisition"]
_LINE, _SIDE = 400, 80  # points of a line, and along each side of a surface
_NATS = 10.0  # below the largest value, logarithms of acquisition values are all alike
_HEIGHT = {1: 1.9, 2: 2.3}
_ACQUISITIONS = {"qlogei": "ln EI", "qlognei": "ln NEI", "qei": "EI", "ucb": "UCB"}
_SPOKEN = {
    "qlogei": "logarithm of the expected improvement",
    "qlognei": "logarithm of the noisy expected improvement",
    "qei": "expected improvement",
    "ucb": "confidence bound",
}


def draw_belief(axes: Axes, view: View) -> None:
    """Draw the model of a problem of one hyperparameter: its median, its 95 % band, its batch.

    Dots are trials with values; numbered lines are the points of the batch, in the order in which
    they were chosen. `axes.legend()` names them.
    """
    with styled():
        (name,) = _one(dressed(axes), view)
        cube = np.linspace(0, 1, _LINE)[:, None]
        x = _values(view, cube, name)
        belief, shown = view.believe(cube), _laid(view).shown
        low, high = shown(belief.low), shown(belief.high)
        axes.fill_between(x, low, high, color=MIDDLE, alpha=0.25, linewidth=0, label="central 95%")
        axes.plot(x, shown(belief.median), color=DARK, linewidth=1.2, label="median")
        seen = [trial for trial in view.run.trials if trial.value is not None]
        values = [float(t.value) for t in seen if t.value is not None]
        axes.plot(
            _numbers(seen, name),
            shown(np.array(values)),
            linestyle="none",
            marker="o",
            markersize=3.5,
            color="black",
            zorder=5,
            label="trials",
        )
        _lines(axes, view, name, count=len(view.chosen))


def draw_acquisition(axes: Axes, view: View) -> None:
    """Draw the acquisition function of a problem of one hyperparameter as the batch grows.

    One line a point of the batch: what that point maximises, the earlier ones being pending.
    """
    with styled():
        (name,) = _one(dressed(axes), view)
        cube = np.linspace(0, 1, _LINE)[:, None]
        x = _values(view, cube, name)
        top = -np.inf
        for k in range(max(len(view.chosen), 1)):
            values = Scale().shown(view.acquisition(cube, k))
            top = max(top, float(values.max()))
            drawn = look(k + 1)
            label = f"before point {k + 1}"
            axes.plot(x, values, color=drawn.color, linestyle=drawn.dash, lw=1.2, label=label)
            if k < len(view.chosen):
                at = float(view.chosen[k][name])  # type: ignore[arg-type]
                height = float(np.interp(at, x, values))
                axes.plot(at, height, marker="v", color=drawn.color)
                _number(axes, k + 1, (at, height), above=4)
        if _is_log(view):
            axes.set_ylim(top - _NATS, top + 0.12 * _NATS)
        axes.set_ylabel(_names(view)["acquisition"])


def draw_surface(axes: Axes, view: View, quantity: Quantity) -> None:
    """Draw the median, the uncertainty or the acquisition function over two hyperparameters.

    Uncertainty is the width of the central 95% of the function's values. Light means large. Circles
    are trials with values; numbers are the points of the batch in the order of their choice.
    """
    with styled():
        first, second = _one(dressed(axes), view)
        side = np.linspace(0, 1, _SIDE)
        cube = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
        values = _quantity(view, cube, quantity).reshape(_SIDE, _SIDE)
        ends = np.repeat(side[:, None], 2, axis=1)
        x, y = _values(view, ends, first), _values(view, ends, second)
        filled = axes.contourf(x, y, values.T, levels=12, cmap="cividis")
        figure = axes.get_figure(root=True)
        assert figure is not None
        bar = figure.colorbar(filled, ax=axes, pad=0.02)
        bar.ax.tick_params(labelsize=body() - 1)
        bar.set_label(_names(view)[quantity], fontsize=body())
        seen = [trial for trial in view.run.trials if trial.value is not None]
        axes.plot(
            _numbers(seen, first),
            _numbers(seen, second),
            linestyle="none",
            marker="o",
            markersize=4,
            markerfacecolor="white",
            markeredgecolor="black",
            markeredgewidth=0.6,
        )
        for k, config in enumerate(view.chosen, 1):
            axes.annotate(
                str(k),
                (config[first], config[second]),
                ha="center",
                va="center",
                fontsize=body() - 1,
                fontweight="bold",
                zorder=6,
                bbox={"boxstyle": "circle,pad=0.15", "fc": "white", "ec": look(1).color, "lw": 1.2},
            )


def surrogate_figure(result: Result, problem: str, strategy: str) -> Picture | None:
    """Draw what the model of the median seed's run believed at its first, middle and last batch.

    Side by side, fewer where there were fewer. None where the problem has not one or two numbers
    to choose, the strategy has no such model, or what is stored does not come to what an ask noted.
    """
    name = median_run(result, problem, strategy)
    if name is None or not _can_be_drawn(result.runs[name]):
        return None
    modelled = modelled_asks(result.runs[name])
    if not modelled or believer(result, strategy) is None:
        return None
    asks = sorted({modelled[0], modelled[len(modelled) // 2], modelled[-1]})
    if not all(is_as_noted(result, name, ask) for ask in asks):
        return None
    views = [believed(result, name, ask) for ask in asks]
    d = views[0].run.space.dimension
    rows = 2 if d == 1 else 3
    with styled():
        figure, places = sheet(rows * len(views), _HEIGHT[d], _legend(views[0]), columns=len(views))
        for column, view in enumerate(views):
            _draw_column(places[column :: len(views)], view)
        fit_labels(places)
    title = f"What {strategy} believed about {problem}"
    text = _caption(result, name, views)
    return Picture(f"surrogate-{problem}-{strategy}", title, text, figure)


def _draw_column(places: Sequence[Axes], view: View) -> None:
    """Draw one batch from above to below, under the number of values that the model had."""
    if len(places) == 2:
        draw_belief(places[0], view)
        draw_acquisition(places[1], view)
    else:
        for axes, quantity in zip(places, get_args(Quantity), strict=True):
            draw_surface(axes, view, quantity)
    places[0].set_title(f"after {counted([_known(view)], 'value')}")


def _known(view: View) -> int:
    return sum(trial.value is not None for trial in view.run.trials)


def _can_be_drawn(run: Run) -> bool:
    space = run.space
    numeric = all(isinstance(p, FloatParameter | Integer) for p in space.parameters.values())
    return numeric and space.among is None and space.dimension in (1, 2)


def _one(axes: Axes, view: View) -> tuple[str, ...]:
    """Name the axes after the hyperparameters, on their scales; return their names."""
    space = view.run.space
    if not _can_be_drawn(view.run):
        raise StoreError(f"expected one or two numbers to draw over, got {', '.join(space.names)}")
    names = space.names
    axes.set_xlabel(verbatim(names[0].replace("_", " ")))
    axes.set_xscale(_axis_scale(view, names[0]))
    if len(names) == 2:
        axes.set_ylabel(verbatim(names[1].replace("_", " ")))
        axes.set_yscale(_axis_scale(view, names[1]))
    if len(names) == 1:
        axes.set_ylabel(_names(view)["median"])
    return names


def _axis_scale(view: View, name: str) -> str:
    parameter = view.run.space.parameters[name]
    assert isinstance(parameter, FloatParameter | Integer)  # `_one` has seen to it
    return "log" if parameter.resolved.name == "log" else "linear"


def _values(view: View, cube: Float[np.ndarray, "q p"], name: str) -> Float[np.ndarray, " q"]:
    """Return the values of a hyperparameter along the unit interval, not rounded to steps."""
    parameter = view.run.space.parameters[name]
    unit = cube[:, 0]
    if isinstance(parameter, FloatParameter) and parameter.step is None:
        return np.array(parameter.decode(unit), dtype=float)
    assert isinstance(parameter, FloatParameter | Integer) and parameter.bins is not None
    left, right = parameter.bins.line
    return np.asarray(parameter.resolved.backward(left + unit * (right - left)), dtype=float)


def _numbers(trials: Sequence[Trial], name: str) -> list[float]:
    return [float(trial.config[name]) for trial in trials]  # type: ignore[arg-type]


def _quantity(view: View, cube: Float[np.ndarray, "q p"], quantity: Quantity) -> np.ndarray:
    if quantity == "acquisition":
        values = view.acquisition(cube)
        return np.maximum(values, values.max() - _NATS) if _is_log(view) else values
    belief = view.believe(cube)
    width = difference(belief.high, belief.low)
    return _laid(view).shown(belief.median if quantity == "median" else width)


def _laid(view: View) -> Scale:
    values = [trial.value for trial in view.run.trials if trial.value is not None]
    return Scale(is_cut=bool((Scale().shown(np.array(values)) != values).any()))


def _is_log(view: View) -> bool:
    return view.acquisition_name in ("qlogei", "qlognei")


def _names(view: View) -> Mapping[Quantity, str]:
    return {
        "median": "model's median",
        "uncertainty": "95% width",
        "acquisition": _ACQUISITIONS.get(view.acquisition_name, view.acquisition_name),
    }


def _lines(axes: Axes, view: View, name: str, *, count: int) -> None:
    for k, config in enumerate(view.chosen[:count], 1):
        at = float(config[name])  # type: ignore[arg-type]
        label = "batch" if k == 1 else "_"  # one entry of a legend for all
        axes.axvline(at, color=look(1).color, lw=0.9, linestyle=(0, (4, 2)), zorder=1, label=label)
        _number(axes, k, (at, axes.get_ylim()[1]), above=1)


def _number(axes: Axes, number: int, place: tuple[float, float], *, above: float) -> None:
    axes.annotate(
        str(number),
        place,
        xytext=(0, above),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=body() - 1,
        color=DARK,
        annotation_clip=False,
    )


def _legend(view: View) -> Sequence[Artist]:
    dots = Line2D([], [], label="trials", linestyle="none", marker="o", markersize=4, color="black")
    if view.run.space.dimension == 1:
        return [
            dots,
            Line2D([], [], label="median", color=DARK, linewidth=1.2),
            Patch(label="central 95%", color=MIDDLE, alpha=0.25, linewidth=0),
            Line2D(
                [], [], label="batch", color=look(1).color, linestyle=(0, (4, 2)), linewidth=0.9
            ),
        ]
    dots.set_markerfacecolor("white")
    batch = Line2D([], [], label="batch, in order", linestyle="none", marker="o", markersize=7)
    batch.set(markeredgecolor=look(1).color, markeredgewidth=1.2, markerfacecolor="white")
    return [dots, batch]


def _caption(result: Result, name: RunName, views: Sequence[View]) -> str:
    view = views[0]
    seeds = len(result.select(name.problem, name.strategy))
    median = f", the median of {seeds} seeds by its best value" if seeds > 1 else ""
    spoken = _SPOKEN.get(view.acquisition_name, view.acquisition_name)
    down = f", down to {_NATS:g} below its largest value" if _is_log(view) else ""
    shown = (
        "Above: the model's median and the central 95% of the function's values, without noise. "
        f"Below: the {spoken}, one line for each point of the batch, the points before it being "
        "pending; each triangle is the point chosen."
        if view.run.space.dimension == 1
        else "From above: the model's median; the width of the central 95% of the function's "
        f"values; the {spoken} before the first point{down}."
    )
    known = listed([str(_known(own)) for own in views])
    sizes = sorted({len(own.chosen) for own in views})
    several = "its first, a middle and its last batch" if len(views) > 2 else "its batches"
    which = several if len(views) > 1 else "its first batch"
    batch = f"{which} of {listed([str(size) for size in sizes], 'or')}"
    text = (
        f"The Gaussian process of {name.strategy} on {name.problem}, seed {name.seed}{median}, "
        f"when it chose {batch} after {known} values. {shown}"
    )
    notes = dict.fromkeys(note for own in views for note in _laid(own).notes)
    return " ".join([text, *noted({name.problem: list(notes)})])
