"""Twelve strategies are told apart, by people of all kinds of colour vision and in grey."""

from itertools import combinations

import numpy as np
import pytest

from hpo_research.figures.style import look

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
