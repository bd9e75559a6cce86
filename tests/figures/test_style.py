"""Twelve strategies are told apart, by people of all kinds of colour vision and in grey."""

import importlib.util
from itertools import combinations

import numpy as np
import pytest

from hpo_research.errors import StoreError
from hpo_research.figures.layout import sheet
from hpo_research.figures.lines import key
from hpo_research.figures.style import look, looks_of, styled, using
from hpo_research.figures.venues import VENUES, venue

# Linear RGB to XYZ, and linear RGB as it is seen (Machado et al., IEEE TVCG 2009, severity 1).
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
SEEN = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]
    ),
    "deutan": np.array(
        [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]
    ),
    "tritan": np.array(
        [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]]
    ),
}
STRATEGIES = 12


def lab(color: str, seen: np.ndarray) -> np.ndarray:
    """A colour in CIELAB (D65)."""
    encoded = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(seen @ linear, 0, 1) / np.array([0.9505, 1, 1.089])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", SEEN)
def test_no_two_of_twelve_colours_are_alike(vision):
    colors = [lab(look(i).color, SEEN[vision]) for i in range(STRATEGIES)]
    assert min(np.linalg.norm(a - b) for a, b in combinations(colors, 2)) > 16
    assert max(color[0] for color in colors) < 75  # seen on white


def test_in_grey_markers_and_dashes_tell_them_apart():
    assert len({look(i).marker for i in range(STRATEGIES)}) == STRATEGIES
    for i in range(STRATEGIES - 1):
        assert look(i).dash != look(i + 1).dash
    every = {(str(look(i).dash), look(i).marker) for i in range(5 * STRATEGIES)}
    assert len(every) == 5 * STRATEGIES


# --- styles of venues ---

HAS_TUEPLOTS = importlib.util.find_spec("tueplots") is not None
# Widths in inches of a column and of the page, from the instructions to authors.
WIDTHS = {
    "plain": (3.4, 7.0),
    "neurips": (5.5, 5.5),
    "icml": (3.25, 6.75),
    "jmlr": (6.0, 6.0),
    "ieee": (3.5, 7.16),
    "nature": (89 / 25.4, 183 / 25.4),
    "slides": (398.3386 / 72.27, 398.3386 / 72.27),
}
needs_tueplots = pytest.mark.skipif(not HAS_TUEPLOTS, reason="tueplots is not installed")


@pytest.mark.parametrize(
    "name",
    [
        name if name in ("plain", "ieee", "nature") else pytest.param(name, marks=needs_tueplots)
        for name in VENUES
    ],
)
def test_a_figure_is_as_wide_as_a_column_or_a_page_of_its_venue(name):
    with using(venue(name)) as style, styled():
        widths = [sheet(panels, 1.0, [])[0].get_figwidth() for panels in (1, 9)]
        sizes = [text.get_fontsize() for text in sheet(1, 1.0, [key(0, "a")])[0].legends[0].texts]
    assert widths == pytest.approx(WIDTHS[name], abs=0.01)
    assert all(5 <= size <= style.body for size in sizes)


@pytest.mark.parametrize("panels", range(1, 12))
@pytest.mark.parametrize("name", ["plain", pytest.param("jmlr", marks=needs_tueplots)])
def test_no_row_of_panels_is_empty(name, panels):
    with using(venue(name)), styled():
        _, axes = sheet(panels, 1.0, [])
    grid = axes[0].get_subplotspec().get_gridspec()
    assert 0 <= grid.nrows * grid.ncols - panels < grid.ncols


@pytest.mark.parametrize("wrong", ["nips", "", None, ["icml"]])
def test_another_style_is_refused_with_those_there_are(wrong):
    with pytest.raises(StoreError, match=r"style: expected one of plain, neurips, icml, jmlr"):
        venue(wrong)


@pytest.mark.skipif(HAS_TUEPLOTS, reason="tueplots is installed")
def test_a_style_of_tueplots_names_its_extra():
    with pytest.raises(ImportError, match=r"pip install 'hpo_research\[figures\]'"):
        venue("icml")


def test_a_style_holds_inside_its_block_alone():
    with using(venue("nature")):
        pass
    assert sheet(1, 1.0, [])[0].get_figwidth() == WIDTHS["plain"][0]


# --- colours of the user's ---


def test_a_users_colour_moves_who_else_had_it():
    names = [f"s{i}" for i in range(STRATEGIES)]
    looks = looks_of(names, {"s1": look(0).color, "s4": "tab:olive"})
    assert looks[1].color == look(0).color
    assert looks[4].color == "#BCBD22"
    assert len({own.color for own in looks}) == STRATEGIES
    assert [own.marker for own in looks] == [look(i).marker for i in range(STRATEGIES)]


def test_wrong_colours_are_told_at_once():
    with pytest.raises(StoreError) as raised:
        looks_of(["a", "b"], {"a": "reddish", "c": "red"})
    assert "no strategy 'c' to colour; there are a, b" in str(raised.value)
    assert "a: expected a colour of Matplotlib, such as tab:red" in str(raised.value)
