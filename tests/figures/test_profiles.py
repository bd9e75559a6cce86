"""Profiles: what is drawn is what was counted."""

import numpy as np
import pytest
from handmade import histories, made
from matplotlib.figure import Figure

from hpo_research import tables
from hpo_research.analysis.profiles import profiles
from hpo_research.errors import StoreError
from hpo_research.figures import draw_profiles
from hpo_research.figures.profiles import profiles_figure
from tests.figures.reading import mistakes


def test_lines_are_the_shares():
    found = made(histories(("p", "q"), ("a", "b")), optimum=0.0)
    picture = profiles_figure(found)
    assert not mistakes(picture.figure)
    titles = [panel.get_title() for panel in picture.figure.axes]
    assert titles == [
        f"{kind} profile, τ = {t}" for kind in ("performance", "data") for t in (0.1, 0.01)
    ]
    (line,) = (line for line in picture.figure.axes[1].lines if line.get_label() == "b")
    shown = profiles(found, 0.01)
    np.testing.assert_array_equal(line.get_ydata()[:-1], shown.within_ratio.center[1])
    assert "within problems." in picture.caption


def test_the_tables_have_every_share_and_every_area():
    found = made(histories(("p", "q"), ("a", "b"), seeds=7), optimum=0.0)
    named = {table.name: table for table in tables.tables(found)}
    shown = profiles(found)
    assert named["profiles"].rows[0][2].text.startswith(f"{shown.fastest.center[0, 0]:.0%} [")
    assert len(named["areas"].data) == 2 * 2 * 7
    medians = named["areas"].data.groupby(["problem", "strategy"]).area_log.median()
    assert named["areas"].rows[0][5].text == f"{medians['p', 'a']:#.4g}"


def test_what_cannot_be_drawn_is_said():
    axes = Figure().subplots()
    with pytest.raises(StoreError, match="expected two strategies or more with finished runs"):
        draw_profiles(axes, made(histories(), over=False))
    with pytest.raises(StoreError, match="kind must be one of performance, data"):
        draw_profiles(axes, made(histories()), "other")
