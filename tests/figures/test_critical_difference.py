"""The critical-difference diagram: what is drawn is what was tested."""

import numpy as np
import pytest
from handmade import made
from matplotlib.figure import Figure

from hpo_research.analysis.finals import finals
from hpo_research.analysis.over_problems import over_problems
from hpo_research.errors import StoreError
from hpo_research.figures import critical_difference, draw, draw_critical_difference
from hpo_research.figures.style import look
from hpo_research.store import RunName
from tests.figures.reading import mistakes

NAMES = ["worst", "best", "twin of the best", "a strategy with quite a long name", "middle"]


def result(problems=6):
    """The strategies in an order of their own, with noise; two come to the same."""
    values = {"best": 0.0, "middle": 2.0, NAMES[3]: 3.0, "worst": 5.0}
    generator = np.random.default_rng(1)
    found = {
        RunName(f"p{p}", name, seed): [(0, 1, values[name] + generator.normal())]
        for p in range(problems)
        for name in values
        for seed in range(3)
    }
    twins = {
        name._replace(strategy=NAMES[2]): own
        for name, own in found.items()
        if name.strategy == "best"
    }
    every = found | twins
    return made({name: every[name] for name in sorted(every, key=lambda n: NAMES.index(n[1]))})


def compared(found):
    return over_problems(found, [finals(found, problem) for problem in found.facts.problems])


def test_rows_and_marks_are_the_mean_ranks_from_the_best_on():
    found = result()
    axes = critical_difference.critical_difference_figure(found).figure.axes[0]
    test = compared(found).test
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["best = twin of the best", "middle", NAMES[3], "worst", "critical difference"]
    marks = [line for line in axes.lines if line.get_marker() not in ("None", "|")]
    shown = [float(line.get_xdata()[0]) for line in marks]
    assert shown == sorted(test.mean_ranks.tolist())
    assert [line.get_color() for line in marks] == [look(i).color for i in (1, 4, 3, 0)]
    (unit,) = (line for line in axes.lines if line.get_marker() == "|")
    assert np.ptp(unit.get_xdata()) == pytest.approx(test.critical_difference)


def test_bars_join_the_rows_that_are_not_separated_and_never_cover_each_other():
    found = result()
    axes = Figure().subplots()
    critical_difference.draw_critical_difference(axes, found)
    bars = [line for line in axes.lines if line.get_linewidth() > 2]
    rows = [tuple(np.round(line.get_ydata()).astype(int)) for line in bars]
    assert rows == compared(found).test.cliques()
    columns: dict[float, int] = {}
    for line, (first, last) in zip(bars, rows, strict=True):
        column = float(line.get_xdata()[0])
        assert columns.get(column, -1) < first
        columns[column] = last


def test_it_is_among_the_figures_without_mistakes_and_only_where_there_is_a_test():
    names = [picture.name for picture in draw.pictures(result())]
    assert names.index("critical-difference") == names.index("ranks") + 1
    picture = critical_difference.critical_difference_figure(result())
    assert not mistakes(picture.figure)
    assert "Friedman's test in Iman and Davenport's form: F = " in picture.caption
    assert critical_difference.critical_difference_figure(result(problems=1)) is None
    with pytest.raises(StoreError, match="expected 3 strategies or more that differ, with"):
        draw_critical_difference(Figure().subplots(), result(problems=1))
