"""The distribution of running times: what is drawn is what was counted."""

import numpy as np
import pytest
from handmade import histories, made
from matplotlib.figure import Figure

from hpo_research import tables
from hpo_research.analysis.running_times import ecdf, running_times
from hpo_research.errors import StoreError
from hpo_research.figures import draw, draw_running_times
from hpo_research.figures.running_times import running_times_figure
from tests.analysis.coco_data import result
from tests.figures.reading import mistakes


def test_lines_are_the_shares_and_crosses_stand_at_the_ends():
    found = made(histories(("p", "q"), ("a", "b")), optimum=0.0)
    picture = running_times_figure(found)
    assert not mistakes(picture.figure)
    titles = [panel.get_title() for panel in picture.figure.axes]
    assert titles == ["all problems", "p", "q"]
    shown = ecdf(running_times(found))
    first = picture.figure.axes[0]
    (line,) = (line for line in first.lines if line.get_label() == "b")
    np.testing.assert_array_equal(line.get_ydata()[:-1], shown.share.center[1])
    crosses = [line for line in first.lines if line.get_marker() == "x"]
    assert [float(line.get_xdata()[0]) for line in crosses] == pytest.approx(shown.ends.tolist())
    assert "they depend on who is compared" in picture.caption


def test_targets_of_coco_are_said_and_depend_on_nobody():
    picture = running_times_figure(result())
    assert "COCO's: 51 distances from the optimum, from 10² to 10⁻⁸" in picture.caption
    assert "depend" not in picture.caption
    assert "No band is drawn where a problem has fewer than 5 seeds." in picture.caption
    assert picture.name in [sketch.name for sketch in draw.sketches(result())]


def test_the_table_has_times_reached_counts_and_a_dash():
    (table,) = (t for t in tables.tables(result()) if t.name == "running-times")
    (own, *_) = running_times(result())
    row = [cell.text for cell in table.rows[0]]
    assert row[:2] == ["rastrigin", "10"]
    expected = own.expected[:, 5]
    reached = np.isfinite(own.times[:, :, 5]).sum(axis=1)
    for cell, time, count in zip(row[2:], expected, reached, strict=True):
        assert cell == ("–" if not count else f"{time:#.4g} / {count}")
    assert not any(cell.mark for cells in table.rows for cell in cells)
    assert len(table.data) == 3 * 3 * 51


def test_nothing_to_count_is_said():
    with pytest.raises(StoreError, match="expected a problem on which every strategy has"):
        draw_running_times(Figure().subplots(), made(histories(), over=False))
