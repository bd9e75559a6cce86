"""The look of every figure: sizes, fonts, colours and lines that survive print and grey."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes

from hpo_research.text import visible

COLUMN, PAGE = 3.4, 7.0
"""Widths in inches: one column of a two-column paper, and both."""

BODY, SMALL = 8.0, 6.5
"""Font sizes in points."""

DARK, MIDDLE, LIGHT = "#222222", "#666666", "#b0b0b0"
"""Greys of what belongs to no strategy: what matters, what helps, what stands behind."""


@dataclass(frozen=True)
class Look:
    """How one strategy is drawn. Colour, dash and marker each tell it apart; `size` in points."""

    color: str
    dash: Any
    marker: str
    size: float


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
    """Return the look of the strategy at this position of the experiment's list."""
    marker = _MARKERS[position % len(_MARKERS)]
    return Look(
        _COLORS[position % len(_COLORS)],
        _DASHES[position % len(_DASHES)],
        marker,
        _SIZE * _LARGER.get(marker, 1.0),
    )


_SETTINGS: Any = {
    "font.family": "DejaVu Sans",  # comes with Matplotlib, so it is the same everywhere
    "font.size": BODY,
    "axes.titlesize": BODY,
    "axes.labelsize": BODY,
    "xtick.labelsize": BODY - 1,
    "ytick.labelsize": BODY - 1,
    "legend.fontsize": BODY,
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
    "pdf.fonttype": 42,  # TrueType: journals refuse Type 3
    "ps.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "hpo_research",  # otherwise ids differ from one file to the next
    "text.usetex": False,
    "axes.unicode_minus": True,
    "path.simplify": True,
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
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_linewidth(0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=BODY - 1, width=0.6)
    axes.tick_params(which="minor", width=0.4)
    return axes


def ruled(axes: Axes, side: Literal["x", "y"]) -> None:
    """Draw faint lines at the numbers of one side."""
    axes.grid(axis=side, color=_SETTINGS["grid.color"], linewidth=_SETTINGS["grid.linewidth"])


@contextmanager
def styled() -> Iterator[None]:
    """Apply the look inside the block, whatever a user's own settings are."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        yield
