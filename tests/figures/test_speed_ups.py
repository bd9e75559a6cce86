"""Speed-up bars and search times: what is drawn is what was counted."""

from dataclasses import replace

import numpy as np
import pytest
from handmade import changed, made
from matplotlib.figure import Figure

from hpo_research.analysis.search_times import search_times
from hpo_research.analysis.speed_ups import speed_ups
from hpo_research.errors import StoreError
from hpo_research.figures import draw_search_times, draw_speed_ups
from hpo_research.figures.search_times import search_times_figure
from hpo_research.figures.speed_ups import speed_ups_figure
from hpo_research.records import Ask, Start
from hpo_research.store import RunName
from tests.analysis.test_speed_ups import falling
from tests.figures.reading import mistakes


def three():
    found = {}
    for i, problem in enumerate("pqr"):
        found |= falling([9.0, 9.0, 9.0, 1.0][i:], problem=problem)
        found |= falling([2.0] * 4, problem=problem, strategy="b")
    return made(found, budget=4)


def test_bars_are_the_shares_and_what_is_not_reached_is_hollow():
    result = three()
    picture = speed_ups_figure(result)
    assert not mistakes(picture.figure)
    found = speed_ups(result)
    against = {panel.get_title(): panel for panel in picture.figure.axes}
    (reaches,) = against["to be where b ends"].patches
    (hollow,) = against["to be where a ends"].patches
    assert reaches.get_width() == found.share[0, 1]
    assert hollow.get_width() == 1.0
    assert hollow.get_facecolor()[:3] == (1.0, 1.0, 1.0)
    assert [text.get_text() for text in against["to be where a ends"].texts] == ["– (0 of 3)"]
    assert "no interval for fewer than 5 seeds" in picture.caption


def test_an_unknown_strategy_and_nothing_to_compare_are_refused():
    with pytest.raises(StoreError, match="other"):
        draw_speed_ups(Figure().subplots(), three(), "other")
    with pytest.raises(StoreError, match="expected a budget and two strategies or more"):
        draw_speed_ups(Figure().subplots(), made(falling([1.0]), budget=None), "a")


def test_search_times_are_medians_by_proposal_without_the_first_ask():
    names = [RunName("p", "a", seed) for seed in range(3)]
    seconds = [[9.0, 2.0, 4.0], [9.0, 4.0, 4.0], [9.0, 6.0, 40.0]]
    asked = {name: list(enumerate(own)) for name, own in zip(names, seconds, strict=True)}
    result = made({name: [(0, 1, 1.0)] for name in names}, asked=asked)
    asks = (
        Ask((Start({"x": 0.1}, 1), Start({"x": 0.2}, 1))),
        Ask((Start({"x": 0.3}, 1), Start({"x": 0.4}, 1))),
        Ask((Start({"x": 0.5}, 1),)),
    )
    result = changed(result, "run", {n: replace(result.runs[n], asks=asks) for n in names})
    (own,) = search_times(result)["p"]
    assert own.trials.tolist() == [2, 4]
    assert own.seconds.tolist() == [2.0, 4.0]
    assert own.low.tolist() == [1.5, 4.0]
    picture = search_times_figure(result)
    assert not mistakes(picture.figure)
    (line,) = (line for line in picture.figure.axes[0].lines if line.get_label() == "a")
    np.testing.assert_array_equal(line.get_ydata()[:-1], own.seconds)
    assert search_times_figure(three()) is None
    with pytest.raises(StoreError, match="expected a strategy that was asked more than once"):
        draw_search_times(Figure().subplots(), three(), "p")
