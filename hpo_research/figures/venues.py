"""Styles of where figures are printed: widths, fonts and sizes as journals ask for them.

Those of NeurIPS, ICML, JMLR and of slides are tueplots' (`pip install 'hpo_research[figures]'`);
those of IEEE and Nature, which tueplots lacks, follow their guides: IEEE's columns are 3.5 and
7.16 inches wide, with letters of 8 points; Nature's 89 and 183 mm, with letters of 5 to 7 points in
Arial or Helvetica.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib import font_manager

from hpo_research.errors import MissingPackageError, StoreError
from hpo_research.figures.style import Style
from hpo_research.text import quoted

# Fonts that Matplotlib comes with and that are last: STIX looks like Times.
_LAST = {"serif": "STIXGeneral", "sans-serif": "DejaVu Sans"}
_COMPUTER_MODERN = ("Latin Modern Roman", "CMU Serif")
_MM = 1 / 25.4


def venue(name: str) -> Style:
    """Return the style of a name in `VENUES`.

    Raises `StoreError` for another, and `MissingPackageError` where tueplots is needed.
    """
    if not isinstance(name, str) or name not in VENUES:
        raise StoreError(f"style: expected one of {', '.join(VENUES)}, got {quoted(name)}")
    return VENUES[name]()


def _neurips() -> Style:
    from_bundle = _bundles("neurips").neurips2024(usetex=False)
    return _style("neurips", from_bundle, from_bundle)


def _icml() -> Style:
    bundles = _bundles("icml")
    half = bundles.icml2024(column="half", usetex=False)
    return _style("icml", half, bundles.icml2024(column="full", usetex=False))


def _jmlr() -> Style:
    found = dict(_bundles("jmlr").jmlr2001())
    found |= {"font.family": "serif", "font.serif": _COMPUTER_MODERN, "mathtext.fontset": "cm"}
    return _style("jmlr", found, found)


def _slides() -> Style:
    found = _bundles("slides").beamer_moml()
    plain = {key: value for key, value in found.items() if key in (*_SIZES, "figure.figsize")}
    plain |= {"font.family": "sans-serif", "font.sans-serif": ["Helvetica", "Arial"]}
    return _style("slides", plain, plain)


def _ieee() -> Style:
    sizes = dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 7.0)
    fonts = {"font.family": "serif", "font.serif": ["Times New Roman", "Times"]}
    return Style("ieee", 3.5, 7.16, 8.0, {**sizes, **_available(fonts), "mathtext.fontset": "stix"})


def _nature() -> Style:
    sizes = dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 6.0)
    fonts = {"font.family": "sans-serif", "font.sans-serif": ["Arial", "Helvetica"]}
    return Style("nature", 89 * _MM, 183 * _MM, 7.0, {**sizes, **_available(fonts)})


VENUES: Mapping[str, Callable[[], Style]] = {
    "plain": Style,
    "neurips": _neurips,
    "icml": _icml,
    "jmlr": _jmlr,
    "ieee": _ieee,
    "nature": _nature,
    "slides": _slides,
}
"""The styles by name; `plain` is that of reports where none is named."""

_SIZES = (
    *("font.size", "axes.labelsize", "axes.titlesize", "legend.fontsize"),
    *("xtick.labelsize", "ytick.labelsize"),
)


def _style(name: str, column: Mapping[str, Any], page: Mapping[str, Any]) -> Style:
    """Make a style of two bundles of tueplots: of a column, and of both."""
    settings = {key: column[key] for key in _SIZES if key != "font.size" and key in column}
    if "mathtext.fontset" in column:
        settings["mathtext.fontset"] = column["mathtext.fontset"]
    narrow, wide = (float(own["figure.figsize"][0]) for own in (column, page))
    body = float(column["font.size"])
    return Style(name, narrow, wide, body, {**settings, **_available(column)})


def _available(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the family of a style as the fonts that this machine has, one of Matplotlib's last.

    A sign that one font lacks is taken from the next.
    """
    family = wanted["font.family"]
    there = set(font_manager.get_font_names())
    named: Sequence[str] = wanted.get(f"font.{family}", ())
    return {"font.family": [*(name for name in named if name in there), _LAST[family]]}


def _bundles(style: str) -> Any:
    try:
        from tueplots import bundles
    except ImportError:
        raise MissingPackageError(
            f"style {style}: its widths and sizes are those of the package tueplots; "
            "install it with: pip install 'hpo_research[figures]'"
        ) from None
    return bundles
