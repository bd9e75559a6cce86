"""The look of every figure: sizes, fonts, colours and lines that survive print and grey.

What is drawn inside `using(style)` has the sizes, fonts and colours of that style. The user's own
`rcParams`, of a `matplotlibrc` or set in the session, go before those of any style, but for the few
that would break a layout or a file (`_OURS`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Literal, cast

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import is_color_like, to_hex
from matplotlib.patheffects import AbstractPathEffect, withStroke

from hpo_research.errors import StoreError
from hpo_research.text import quoted, visible

COLUMN, PAGE = 3.4, 7.0
"""Widths in inches of the plain style: one column of a two-column paper, and both."""

BODY, SMALL = 8.0, 6.5
"""Font sizes of the plain style, in points."""

DARK, MIDDLE, LIGHT = "#222222", "#666666", "#b0b0b0"
"""Greys of what belongs to no strategy: what matters, what helps, what stands behind."""


@dataclass(frozen=True)
class Look:
    """How one strategy is drawn. Colour, dash and marker each tell it apart; `size` in points."""

    color: str
    dash: Any
    marker: str
    size: float


@dataclass(frozen=True)
class Style:
    """How figures look: `column` and `page` are widths in inches, `body` a font size in points.

    `settings` are rcParams beside them. `looks` are those of the strategies by position; further
    ones have that of their position.
    """

    name: str = "plain"
    column: float = COLUMN
    page: float = PAGE
    body: float = BODY
    settings: Mapping[str, Any] = field(default_factory=dict)
    looks: Sequence[Look] = ()


_PLAIN = Style()
_STYLE: ContextVar[Style] = ContextVar("style", default=_PLAIN)


def current() -> Style:
    """Return the style in use, the plain one where none is."""
    return _STYLE.get()


@contextmanager
def using(style: Style) -> Iterator[Style]:
    """Draw in a style inside the block."""
    token = _STYLE.set(style)
    try:
        yield style
    finally:
        _STYLE.reset(token)


def body() -> float:
    """Return the font size in points: the user's own, or that of the style."""
    return float(_own().get("font.size", current().body))


def small() -> float:
    """Return the size in points of what is written beside lines."""
    return body() * SMALL / BODY


# The palette of Okabe and Ito (2008), made for all kinds of colour vision, without its yellow, too
# light for a line on white; and five that keep as far from them, and from each other, as they do
# (`tests/figures/test_style.py` measures it). The first line is solid and lies below; later ones
# are dashed, so that one that coincides with it shows through the gaps.
_COLORS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"),
    *("#9000F0", "#603000", "#C0A860", "#900060", "#000090"),
)
_DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)), (0, (3, 1, 1, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "p", "d")

_SIZE = 4.2
_LARGER = {"*": 1.5, "d": 1.2}  # they fill less of their square


def look(position: int) -> Look:
    """Return the look of the strategy at this position of the experiment's list.

    Colours are those of the style, or of the user's own `axes.prop_cycle`.
    """
    style = current()
    if position < len(style.looks):
        return style.looks[position]
    own = _own().get("axes.prop_cycle")
    colors = [] if own is None else own.by_key().get("color", [])
    plain = _plain(position)
    return replace(plain, color=to_hex(colors[position])) if position < len(colors) else plain


def _plain(position: int) -> Look:
    marker = _MARKERS[position % len(_MARKERS)]
    return Look(
        _COLORS[position % len(_COLORS)],
        _DASHES[position % len(_DASHES)],
        marker,
        _SIZE * _LARGER.get(marker, 1.0),
    )


def looks_of(names: Sequence[str], colors: Mapping[str, str]) -> tuple[Look, ...]:
    """Return the looks of strategies, some of which have colours of the user's.

    The others keep theirs, unless a user's is the same: then theirs is the next that is free.
    Raises `StoreError` with every mistake: a name that is not there, what is no colour.
    """
    mistakes = [
        f"no strategy {quoted(name)} to colour; there are {', '.join(names)}"
        for name in colors
        if name not in names
    ]
    mistakes += [
        f"{name}: expected a colour of Matplotlib, such as tab:red or #0072B2, got {quoted(color)}"
        for name, color in colors.items()
        if not is_color_like(color)
    ]
    if mistakes:
        raise StoreError("colors: " + "; ".join(mistakes))
    chosen = {name: to_hex(color).upper() for name, color in colors.items()}
    taken, free, found = set(chosen.values()), count(len(names)), []
    for position, name in enumerate(names):
        own = look(position)
        if name in chosen:
            own = replace(own, color=chosen[name])
        while name not in chosen and own.color.upper() in taken and len(taken) < len(_COLORS):
            own = replace(own, color=_plain(next(free)).color)
        taken.add(own.color.upper())
        found.append(own)
    return tuple(found)


# Of the user's own settings these do not count: widths are those of a column, names are shown as
# they are and not run by TeX, journals refuse Type 3, and the same result gives the same bytes.
_OURS: Mapping[str, Any] = {
    "text.usetex": False,
    "text.parse_math": True,
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
    "savefig.bbox": None,
    "savefig.orientation": "portrait",
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "hpo_research",  # otherwise ids differ from one file to the next
    "path.simplify": True,
}
_ELSEWHERE = (
    "backend",
    "interactive",
    "toolbar",
    "timezone",
    "webagg",
    "tk",
    "keymap",
    "animation",
)


def _settings(style: Style) -> Mapping[str, Any]:
    """Return the rcParams of a style, the user's own among them."""
    size = body()
    ours = {
        "font.family": ["DejaVu Sans"],  # comes with Matplotlib, so it is the same everywhere
        "font.size": size,
        "axes.titlesize": size,
        "axes.labelsize": size,
        "xtick.labelsize": size - 1,
        "ytick.labelsize": size - 1,
        "legend.fontsize": size,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.minor.width": 0.4,
        "ytick.minor.width": 0.4,
        "grid.linewidth": 0.4,
        "grid.color": "#dddddd",
        "axes.unicode_minus": True,
    }
    return {**ours, **style.settings, **_own(), **_OURS}


def _own() -> dict[str, Any]:
    """Return the settings that the user has made: those that differ from Matplotlib's."""
    made, default = matplotlib.rcParams, matplotlib.rcParamsDefault
    return {
        key: made[key]
        for key in default
        if not key.startswith(_ELSEWHERE) and key not in _OURS and made[key] != default[key]
    }


def verbatim(text: str, letters: int = 72) -> str:
    """Return a user's text so that Matplotlib shows it as it is, dollar signs included.

    What a figure cannot hold is not: control characters are escapes, and of lines of more letters,
    which would leave no room for anything else, the middle is left out.
    """
    lines = [_shortened(line, letters) for line in visible(text).split("\n")]
    return "\n".join(lines).replace("$", r"\$")


def _shortened(line: str, letters: int) -> str:
    if len(line) <= letters:
        return line
    return f"{line[: letters // 2]}…{line[1 - letters // 2 :]}"


def dressed(axes: Axes) -> Axes:
    """Give axes that were made elsewhere, in a notebook say, the spines and ticks of the look."""
    params = cast("Mapping[str, Any]", matplotlib.rcParams)
    for side, spine in axes.spines.items():
        spine.set_visible(params[f"axes.spines.{side}"])
        spine.set_linewidth(params["axes.linewidth"])
    axes.set_axisbelow(True)
    sides: tuple[Literal["x", "y"], ...] = ("x", "y")
    levels: tuple[Literal["major", "minor"], ...] = ("major", "minor")
    for side in sides:
        axes.tick_params(side, labelsize=params[f"{side}tick.labelsize"])
        for which in levels:
            axes.tick_params(side, which=which, width=params[f"{side}tick.{which}.width"])
    return axes


def halo() -> list[AbstractPathEffect]:
    """Return a white edge around letters, so that they can be read over lines."""
    return [withStroke(linewidth=1.5, foreground="white")]


def ruled(axes: Axes, side: Literal["x", "y"]) -> None:
    """Draw faint lines at the numbers of one side."""
    params = matplotlib.rcParams
    axes.grid(axis=side, color=params["grid.color"], linewidth=params["grid.linewidth"])


@contextmanager
def styled() -> Iterator[None]:
    """Apply the style in use inside the block, the user's own settings among it."""
    settings = _settings(current())
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings)  # type: ignore[arg-type]
        yield
