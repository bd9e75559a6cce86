"""The figure and the table of importance: what they show, and where there is none."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure

import hpo_research as hpo
from hpo_research.analysis.importance import Importance, importances
from hpo_research.analysis.result import Result
from hpo_research.figures import draw_importance
from hpo_research.figures.importance import importance_figure
from hpo_research.tables.importance import importance_table


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Result:
    """Thirty hyperparameters, of which `p7` decides, and sixty trials."""
    folder = tmp_path_factory.mktemp("many")
    space = hpo.SearchSpace(**{f"p{i}": hpo.Float(0, 1) for i in range(30)})
    with hpo.Study(space, hpo.Random(), path=folder) as study:
        for trial in study.ask(60):
            study.tell(trial.id, trial.config["p7"])
    return Result.read(folder)


def test_thirty_bars_stand_in_order_and_apart(many):
    picture = importance_figure(many)
    (axes,) = picture.figure.axes
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == sorted(widths, reverse=True) and len(widths) == 30
    assert axes.get_yticklabels()[0].get_text() == "p7" and axes.get_ylim()[0] > axes.get_ylim()[1]
    picture.figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(boxes))
    assert "6 of 60 on study" in picture.caption and "10%" in picture.caption


def test_the_table_has_every_digit_and_the_figures_order(many):
    table, found = importance_table(many), importances(many, "study")
    assert table.data["share"].tolist() == [own.share for own in found]
    assert [row[1].text for row in table.rows] == [own.parameter for own in found]
    assert np.isclose(table.data["share"].sum(), 1) and table.rows[0][0].text == "study"


def test_names_are_shown_as_they_are():
    axes = Figure().subplots()
    draw_importance(axes, [Importance("p", "$x$ <b>" + "y" * 60, 1.0, 50, 5)])
    (label,) = axes.get_yticklabels()
    assert label.get_text().startswith(r"\$x\$ <b>") and len(label.get_text()) < 30


def test_without_trials_enough_there_is_neither(tmp_path):
    space = hpo.SearchSpace(x=hpo.Float(0, 1), y=hpo.Float(0, 1))
    with hpo.Study(space, hpo.Random(), path=tmp_path) as study:
        for trial in study.ask(20):
            study.tell(trial.id, trial.config["x"])
    result = Result.read(tmp_path)
    assert importance_figure(result) is None and importance_table(result) is None
