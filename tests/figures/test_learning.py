"""Learning curves of one run: rungs, promotions, and what became of every trial."""

from dataclasses import replace

import pytest
from handmade import changed, histories, made
from matplotlib.figure import Figure

import hpo_research as hpo
from hpo_research.errors import StoreError
from hpo_research.figures.learning import (
    draw_learning_curves,
    learning_figure,
    median_run,
    rungs,
    spares_epochs,
)
from hpo_research.records import Ask, Trial, resume, start, stop
from hpo_research.store import RunName
from tests.figures.reading import mistakes

NAME = RunName("p", "s", 0)


def trial(number: int, status: str, values: list[float], until: int = 9) -> Trial:
    value = None if status == "failed" or not values else values[-1]
    epochs = tuple(range(1, len(values) + 1))
    return Trial(number, {"x": 0.5}, status, until, epochs, tuple(values), value)


def falling(first: float, epochs: int) -> list[float]:
    return [first / epoch for epoch in range(1, epochs + 1)]


TRIALS = (
    trial(0, "finished", falling(4, 9)),
    trial(1, "paused", falling(8, 3), until=3),
    trial(2, "paused", falling(9, 1), until=1),
    trial(3, "failed", falling(7, 2), until=3),
    trial(4, "stopped", falling(6, 4)),
    trial(5, "finished", falling(5, 9)),
    trial(6, "failed", []),
)
ASKS = (
    Ask(tuple(start({"x": 0.5}, 1, "") for _ in range(4))),
    Ask((resume(0, 3), resume(1, 3), resume(3, 3))),
    Ask((resume(0, 9), start({"x": 0.5}, 9, ""), start({"x": 0.5}, 9, ""), stop(4))),
    Ask((start({"x": 0.5}, 9, ""),)),
)


def run_by_hand(**changes: object) -> hpo.Result:
    result = made({NAME: [(0, 1, 1.0)]}, **changes)
    return changed(result, "run", {NAME: replace(result.runs[NAME], trials=TRIALS, asks=ASKS)})


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> hpo.Result:
    experiment = hpo.Experiment(
        name="rungs",
        problems=[hpo.problem("curves", max_epochs=27), hpo.problem("branin")],
        strategies={"random": hpo.Random(), "hyperband": hpo.Hyperband()},
        seeds=range(3),
        budget=hpo.Budget(evaluations=12),
    )
    return hpo.run(experiment, out=tmp_path_factory.mktemp("rungs"), device="cpu")


def drawn(result: hpo.Result, name: RunName = NAME):
    axes = Figure(figsize=(3.4, 2.4)).subplots()
    draw_learning_curves(axes, result, name)
    return axes


def marked(axes, marker: str) -> set[tuple[float, float]]:
    """Where a marker is drawn, by epoch and value."""
    return {
        (float(line.get_xdata()[i]), round(float(line.get_ydata()[i]), 9))
        for line in axes.lines
        if line.get_marker() == marker and len(line.get_xdata())
        for i in line.get_markevery()
    }


def test_rungs_are_the_epochs_at_which_trials_were_to_pause():
    found = rungs(run_by_hand().runs[NAME])
    assert found.epochs == (1, 3)
    assert found.left(0) == (1, 3)
    assert found.left(1) == (1,)
    assert found.left(2) == ()


def test_the_rungs_of_hyperband_are_those_of_its_brackets(result):
    run = result.runs[RunName("curves", "hyperband", 0)]
    assert rungs(run).epochs == (1, 3, 9)
    first = hpo.Hyperband().brackets(27)[0]
    promoted = [sum(epoch in rungs(run).left(i) for i in range(27)) for _, epoch in first[:-1]]
    assert promoted == [size for size, _ in first[1:]]


def test_what_became_of_a_trial_is_its_last_marker():
    axes = drawn(run_by_hand())
    assert marked(axes, "*") == {(9, round(4 / 9, 9))}
    assert marked(axes, "D") == {(9, round(5 / 9, 9))}
    assert marked(axes, "o") == {(3, round(8 / 3, 9)), (1, 9)}
    assert marked(axes, "X") == {(2, 3.5)}
    assert marked(axes, "s") == {(4, 1.5)}
    assert marked(axes, "^") == {(1, 4), (3, round(4 / 3, 9)), (1, 8), (1, 7)}


def test_the_legend_names_what_is_there():
    axes = drawn(run_by_hand())
    names = [text.get_text() for text in axes.legend().get_texts()]
    assert names == [
        *("best trial", "trained to the end", "promoted", "not promoted", "stopped", "failed"),
    ]


def test_a_rung_is_a_line_and_says_how_many_went_on():
    axes = drawn(run_by_hand())
    upright = [line for line in axes.lines if list(line.get_ydata()) == [0, 1]]
    assert [line.get_xdata()[0] for line in upright] == [1, 3]
    assert [text.get_text() for text in axes.texts] == ["3/4", "1/2"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "3", "9"]
    assert axes.get_xscale() == "log"


def test_no_two_fates_look_alike_in_grey():
    axes = drawn(run_by_hand())
    looks = [line.get_marker() for line in axes.legend().get_lines()]
    assert len(set(looks)) == len(looks)


@pytest.mark.parametrize(
    ("optimum", "label", "least"),
    [
        (0.4, "log loss regret\n(value − optimum)", 4 / 9 - 0.4),
        (0.5, "log loss\n(lower is better)", 4 / 9),
    ],
)
def test_values_are_regret_where_the_optimum_is_known_and_not_passed(optimum, label, least):
    axes = drawn(run_by_hand(optimum=optimum))
    assert axes.get_ylabel() == label
    assert marked(axes, "*") == {(9, round(least, 9))}


def test_the_median_run_is_the_middle_one_and_the_worse_of_two():
    found = {RunName("p", "s", k): [(0, 1, value)] for k, value in enumerate([3.0, 1.0, 2.0])}
    assert median_run(made(found), "p", "s").seed == 2
    found[RunName("p", "s", 3)] = [(0, 1, 9.0)]
    assert median_run(made(found), "p", "s").seed == 0
    higher = made(found, direction="maximize")
    assert median_run(higher, "p", "s").seed == 2
    assert median_run(made({NAME: []}), "p", "s") is None


def test_a_run_that_trains_all_to_the_end_spares_no_epochs(result):
    assert not spares_epochs(result.runs[RunName("curves", "random", 0)])
    assert spares_epochs(result.runs[RunName("curves", "hyperband", 0)])
    assert not spares_epochs(result.runs[RunName("branin", "hyperband", 0)])


def test_only_problems_where_epochs_are_spared_have_a_panel(result):
    assert learning_figure(result, "random") is None
    figure = learning_figure(result, "hyperband").figure
    assert [axes.get_title() for axes in figure.axes] == ["curves"]


def test_the_caption_says_which_run_is_shown(result):
    seed = median_run(result, "curves", "hyperband").seed
    trials = len(result.runs[RunName("curves", "hyperband", seed)].trials)
    assert learning_figure(result, "hyperband").caption == (
        "Every trial of one run of hyperband, its value at each epoch. Vertical lines are the "
        "rungs, where trials pause; a triangle is a promotion; numbers above a rung are the trials "
        "promoted and those that reached it. The last marker of a curve shows the status of its "
        f"trial. curves: seed {seed}, the median of 3 seeds by its best value, {trials} trials; "
        "rungs at 1, 3 and 9."
    )


def test_the_caption_names_trials_that_cannot_be_drawn():
    text = learning_figure(changed(run_by_hand(), "is_over", {NAME: False}), "s").caption
    assert "p: seed 0, 7 trials; rungs at 1 and 3. Not drawn: one trial without a report." in text
    assert text.endswith("This run is not finished.")


def test_a_run_that_is_not_there_is_named():
    with pytest.raises(StoreError, match=r"no run \('p', 't', 0\)"):
        drawn(run_by_hand(), RunName("p", "t", 0))


def test_a_run_without_values_says_so():
    assert drawn(made({NAME: []})).texts[0].get_text() == "no values"


def test_a_run_without_rungs_has_plain_epochs():
    axes = drawn(made(histories(strategies=["s"])))
    assert axes.get_xlim()[0] == 0
    assert axes.get_xscale() == "linear"


def test_no_text_is_cut_off_small_or_over_another(result):
    assert mistakes(learning_figure(result, "hyperband").figure) == []
    assert mistakes(learning_figure(run_by_hand(optimum=0.4), "s").figure) == []


@pytest.mark.parametrize("eta", [2, 3])
def test_many_rungs_on_a_narrow_panel_are_numbered_as_far_as_there_is_room(eta):
    goals = [eta**k for k in range(9)]
    one = trial(0, "finished", falling(4, goals[-1]), until=goals[-1])
    asks = (Ask((start({"x": 0.5}, 1, ""),)), *(Ask((resume(0, goal),)) for goal in goals[1:]))
    base = made({RunName(f"p{i}", "s", 0): [(0, 1, 1.0)] for i in range(5)}, max_epochs=goals[-1])
    runs = {n: replace(run, trials=(one,), asks=asks) for n, run in base.runs.items()}
    figure = learning_figure(changed(base, "run", runs), "s").figure
    assert len(figure.axes[0].get_xticks()) >= 3
    assert mistakes(figure) == []
