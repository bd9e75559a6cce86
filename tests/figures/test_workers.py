"""What the slots of a run trained, and which runs ended before others."""

from itertools import pairwise

import pytest
from handmade import changed, made
from matplotlib.figure import Figure

import hpo_research as hpo
from hpo_research.analysis.early_ends import early_ends
from hpo_research.analysis.timeline import timeline
from hpo_research.errors import StoreError
from hpo_research.figures.incumbent import incumbent_figure
from hpo_research.figures.ranks import ranks_figure
from hpo_research.figures.workers import draw_workers, workers_figure
from hpo_research.store import RunName
from tests.figures.reading import mistakes


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> hpo.Result:
    experiment = hpo.Experiment(
        name="slots",
        problems=[hpo.problem("digits-mlp-table")],
        strategies={
            "random": hpo.Random(),
            "asha": hpo.ASHA(),
            "gives up": hpo.Completion(hpo.Random(), not_improving=2),
        },
        seeds=[0],
        budget=hpo.Budget(evaluations=12),
        parallel=3,
        execution="simulated",
    )
    return hpo.run(experiment, out=tmp_path_factory.mktemp("slots"), device="cpu")


@pytest.mark.parametrize("strategy", ["random", "asha"])
def test_a_slot_trains_one_segment_at_a_time_and_all_epochs_are_there(result, strategy):
    own = result.run_history(RunName("digits-mlp-table", strategy, 0))
    found = timeline(own)
    assert found.slots == 3
    for slot in range(3):
        spans = sorted((s.start, s.end) for s in found.stretches if s.slot == slot)
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert sum(s.last - s.first for s in found.stretches) == own.cost.epochs
    trained = sum(s.end - s.start for s in found.stretches)
    assert trained == pytest.approx(sum(trial.seconds for trial in own.run.trials))
    assert found.idle == pytest.approx(1 - trained / (3 * own.cost.clock))


def test_the_figure_has_a_panel_a_strategy_and_says_how_long_slots_were_idle(result):
    picture = workers_figure(result, "digits-mlp-table")
    titles = [axes.get_title() for axes in picture.figure.axes]
    assert [title.split("\n")[0] for title in titles] == ["random", "asha", "gives up"]
    assert all(title.endswith("% idle") for title in titles)
    assert "paused" in picture.caption
    assert mistakes(picture.figure) == []


def test_a_run_that_is_not_there_is_named(result):
    with pytest.raises(StoreError, match=r"no run \('p', 's', 0\)"):
        draw_workers(Figure().subplots(), result, RunName("p", "s", 0))


def test_in_lock_step_there_is_no_figure_of_slots():
    result = made({RunName("p", "s", 0): [(0, 1, 1.0)]})
    assert workers_figure(changed(result, "is_over", {}), "p") is None


def test_who_ends_before_the_others_is_said_with_the_reason(result):
    (end,) = early_ends(result, "digits-mlp-table").values()
    assert (end.strategy, end.count, end.why) == ("gives up", 1, ("ended by the strategy",))
    assert end.most < 0.9
    told = f"On digits-mlp-table, {end}."
    assert told in incumbent_figure(result).caption
    assert (
        "count with their last value: gives up on digits-mlp-table." in ranks_figure(result).caption
    )


def test_the_line_that_ends_says_so_where_it_ends(result):
    (axes,) = incumbent_figure(result).figure.axes
    (word,) = [text for text in axes.texts if text.get_text() == "ends"]
    assert word.xy[0] < 0.9 * axes.get_xlim()[1]
