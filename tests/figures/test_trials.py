"""Every trial of a run: all of them are there, as what they are, under the best one so far."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import hpo_research as hpo
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


def test_a_figure_is_of_one_run_a_problem(tmp_path):
    experiment = hpo.Experiment(
        name="two",
        problems=[hpo.problem("branin")],
        strategies={"a": hpo.Random()},
        seeds=[0],
        budget=hpo.Budget(trials=3),
    )
    result = hpo.run(experiment, out=tmp_path / "one", progress=False)
    picture = trials_figure(result)
    assert picture is not None and "failure" not in picture.caption
    assert [axes.get_title() for axes in picture.figure.axes] == ["branin"]
    more = hpo.run(
        hpo.Experiment(
            name="two",
            problems=[hpo.problem("branin")],
            strategies={"a": hpo.Random()},
            seeds=[0, 1],
            budget=hpo.Budget(trials=3),
        ),
        out=tmp_path / "two",
        progress=False,
    )
    assert trials_figure(more) is None
