"""Which axis is logarithmic, and whether its numbers can be read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from hpo_research.figures.scales import Scale, lay, scale_for


@pytest.mark.parametrize(
    ("values", "is_distance", "scale"),
    [
        ([1.0, 3.0], True, Scale("log")),
        ([1.0, 3.0], False, Scale()),
        ([0.1, 3.0], False, Scale("log")),
        ([0.0, 1.0, 3.0], True, Scale()),
        ([0.0, 0.02, 3.0], True, Scale("log and zero", 0.01)),
        ([0.0, 0.02, 3.0], False, Scale()),
        ([-1.0, 0.02, 3.0], False, Scale()),
        ([np.nan, np.nan], True, Scale()),
        ([0.0], True, Scale()),
    ],
    ids=str,
)
def test_the_scale_is_chosen_by_sign_and_span(values, is_distance, scale):
    assert scale_for(values, is_distance=is_distance) == scale


@given(st.floats(-8, 6), st.floats(0.001, 12), st.sampled_from(["x", "y"]), st.booleans())
def test_a_log_axis_has_at_least_two_numbers_and_not_too_many(low, decades, side, has_zero):
    values = 10.0 ** np.linspace(low, low + decades, 9)
    axes = Figure(figsize=(3.4, 2)).subplots()
    shown = np.append(values, 0.0) if has_zero else values
    axes.plot(shown, shown)
    lay(scale_for(shown, is_distance=True), axes, side)
    axis = axes.xaxis if side == "x" else axes.yaxis
    left, right = axis.get_view_interval()
    numbers = [t for t in axis.get_majorticklocs() if left <= t <= right]
    assert 2 <= len(numbers) <= 10
    assert left <= shown.min() <= shown.max() <= right
