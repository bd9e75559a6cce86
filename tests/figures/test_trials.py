"""Every trial of a run: all of them are there, as what they are, under the best one so far."""

import numpy as np
import pytest
from handmade import histories, made
from matplotlib.figure import Figure

from hpo_research.figures import draw_trials
from hpo_research.figures.trials import trials_figure
from hpo_research.records import Run, Trial
from hpo_research.space import Float, SearchSpace

SPACE = SearchSpace(x=Float(0, 1))
STATUSES = ("finished", "stopped", "paused", "failed", "running")


def run(values, direction="minimize", statuses=("finished",)) -> Run:
    trials = [
        Trial(i, {"x": 0.5}, statuses[i % len(statuses)], 3, value=value)
        for i, value in enumerate(values)
    ]
    return Run(SPACE, direction, max_epochs=3, trials=tuple(trials))


def drawn(one: Run) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    axes = Figure().subplots()
    draw_trials(axes, one, "val_loss")
    return {str(line.get_label()): line.get_data() for line in axes.lines}


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_line_is_the_best_value_so_far(direction: str):
    values = [3.0, 1.0, None, 5.0, 0.5, 2.0]
    statuses = ["failed" if value is None else "finished" for value in values]
    x, y = drawn(run(values, direction, statuses))["best so far"]
    better = np.minimum if direction == "minimize" else np.maximum
    known = better.accumulate([value for value in values if value is not None])
    assert x.tolist() == [0, 1, 3, 4, 5, 5] and y.tolist() == [*known, known[-1]]


def test_every_trial_stands_among_those_that_ended_alike():
    values = [None if i % 5 == 3 else 1.0 + i for i in range(20)]
    found = drawn(run(values, statuses=STATUSES))
    for k, status in enumerate(STATUSES):
        assert found[status][0].tolist() == list(range(k, 20, 5))


def test_without_a_value_the_axes_say_so():
    axes = Figure().subplots()
    draw_trials(axes, run([None, None], statuses=["failed"]))
    assert [text.get_text() for text in axes.texts] == ["no values"]


@pytest.mark.parametrize(
    ("problems", "strategies", "seeds", "titles"),
    [
        (["p"], ["a"], 1, ["p"]),
        (["p"], ["a"], 2, ["p, seed 0", "p, seed 1"]),
        (["p", "q"], ["a"], 1, ["p", "q"]),
        (["p", "q"], ["a"], 2, None),
        (["p"], ["a", "b"], 1, None),
        (["p"], ["a"], 13, None),
    ],
)
def test_a_panel_is_of_one_run(problems, strategies, seeds, titles):
    picture = trials_figure(made(histories(problems, strategies, seeds=seeds, n=4)))
    found = picture and [panel.get_title() for panel in picture.figure.axes if panel.axison]
    assert found == titles
