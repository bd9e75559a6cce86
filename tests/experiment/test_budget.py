"""The budget: its units, its limits, its mistakes, and what it buys."""

import math

import numpy as np
import pytest
from doubles import Walk

import hpo_research as hpo
from hpo_research.device import Compute
from hpo_research.errors import ExperimentError
from hpo_research.experiment.loop import execute
from hpo_research.ledger import Limits
from hpo_research.store import Store


def trials(budget: hpo.Budget, strategy: hpo.Strategy, **options: object):
    """The trials of one run on a problem whose trials never fail."""
    experiment = hpo.Experiment(
        name="budget",
        problems=[options.pop("problem", Walk(fails_above=2.0))],
        strategies={"one": strategy},
        seeds=[0],
        budget=budget,
        **options,
    )
    with Store.in_memory() as store:
        execute(experiment, store, Compute())
        result = hpo.Result.of(store)
    assert result.is_finished
    return result


@pytest.mark.parametrize(
    ("budget", "limits"),
    [
        (hpo.Budget(evaluations=5), Limits(epochs=45, total=5)),
        (hpo.Budget(epochs=44), Limits(epochs=44, total=4)),
        (hpo.Budget(trials=7), Limits(trials=7, total=7)),
        (hpo.Budget(seconds=60), Limits(seconds=60)),
        (hpo.Budget(evaluations=5, epochs=30), Limits(epochs=30, total=3)),
        (hpo.Budget(evaluations=5, trials=2), Limits(epochs=45, trials=2, total=2)),
        (hpo.Budget(trials=2, seconds=1.5), Limits(trials=2, seconds=1.5, total=2)),
        (hpo.Budget(epochs=8), Limits(epochs=8, total=0)),
    ],
    ids=str,
)
def test_a_budget_is_limits_on_a_problem_of_nine_epochs(budget: hpo.Budget, limits: Limits):
    assert budget.limits(9) == limits


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"Budget\(\): expected evaluations, epochs, trials or seconds, got none"),
        (
            {"evaluations": 0},
            r"Budget\(evaluations=0\): evaluations must be an integer >= 1, or None",
        ),
        ({"epochs": -1}, r"Budget\(epochs=-1\): epochs must be an integer >= 1"),
        ({"trials": 2.0}, r"Budget\(trials=2\.0\): trials must be an integer >= 1"),
        ({"trials": "2"}, r"Budget\(trials='2'\): trials must be an integer >= 1"),
        ({"trials": True}, r"Budget\(trials=True\): trials must be an integer >= 1"),
        ({"seconds": True}, r"Budget\(seconds=True\): seconds must be a number of seconds > 0"),
        ({"seconds": "1"}, r"Budget\(seconds='1'\): seconds must be a number of seconds"),
        (
            {"seconds": math.inf},
            r"Budget\(seconds=inf\): seconds must be a .* > 0 and <= 2\*\*53, or None",
        ),
        ({"seconds": math.nan}, r"Budget\(seconds=nan\): seconds must be a number of seconds"),
        ({"seconds": 0}, r"Budget\(seconds=0\): seconds must be a number of seconds > 0"),
    ],
)
def test_a_budget_that_cannot_be_is_refused(given: dict[str, object], message: str):
    with pytest.raises(ExperimentError, match=message):
        hpo.Budget(**given)


def test_a_budget_with_several_mistakes_lists_them_all():
    with pytest.raises(ExperimentError) as caught:
        hpo.Budget(evaluations=0, trials=1.5, seconds="long")
    assert str(caught.value).splitlines() == [
        "Budget(evaluations=0): evaluations must be an integer >= 1, or None",
        "Budget(trials=1.5): trials must be an integer >= 1, or None",
        "Budget(seconds='long'): seconds must be a number of seconds > 0 and <= 2**53, or None",
    ]


def test_numpy_numbers_are_numbers():
    budget = hpo.Budget(trials=np.int64(3), seconds=np.float32(1.5))
    assert budget == hpo.Budget(trials=3, seconds=1.5)
    assert (type(budget.trials), type(budget.seconds)) == (int, float)


# --- what it buys ---


@pytest.mark.parametrize("parallel", [None, 1, 5])
@pytest.mark.parametrize("strategy", [hpo.Random(), hpo.Grid(points=2)], ids=["random", "grid"])
@pytest.mark.parametrize(
    "budget",
    [hpo.Budget(evaluations=6), hpo.Budget(epochs=62), hpo.Budget(trials=6)],
    ids=str,
)
def test_the_same_trials_are_bought_however_many_run_at_once(budget, strategy, parallel):
    frame = trials(budget, strategy, parallel=parallel).frame()
    expected = trials(budget, strategy, parallel=3).frame()
    assert len(frame) == 6
    columns = ["trial", "status", "value", "epochs", "config.x", "config.kind"]
    assert frame[columns].equals(expected[columns])


# A law of lock-step alone, and of runs without failures: what a failed trial does not spend comes
# back when it fails, and buys something else at another moment.
@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize("epochs", [5, 12, 16, 22, 36, 75])
def test_hyperband_is_cut_at_the_same_place_however_many_run_at_once(epochs: int, parallel: int):
    budget = hpo.Budget(epochs=epochs)
    got, all_at_once = (trials(budget, hpo.Hyperband(), parallel=p) for p in (parallel, None))
    columns = ["trial", "status", "value", "epochs", "until", "config.x", "config.kind"]
    assert got.frame()[columns].equals(all_at_once.frame()[columns])
    (cost,) = got.costs.values()
    assert cost.epochs == got.frame()["epochs"].sum() <= epochs


def test_no_strategy_spends_more_than_its_budget_when_trials_fail():
    result = trials(
        hpo.Budget(evaluations=6), hpo.Random(), parallel=1, problem=Walk(fails_above=0.2)
    )
    failed = (result.frame()["status"] == "failed").sum()
    (cost,) = result.costs.values()
    assert failed > 0
    assert cost.epochs == result.frame()["epochs"].sum() + failed <= 54


def test_a_run_in_which_everything_fails_at_once_ends():
    space = hpo.SearchSpace(x=hpo.Float(0.9, 1), kind=hpo.Categorical(["c"]))
    result = trials(hpo.Budget(epochs=20), hpo.Random(), parallel=1, problem=Walk(space=space))
    # Each reaches epoch 1 and pays for 2; nine epochs must be left to begin.
    assert len(result.frame()) == 6
    (message,) = result.messages()
    assert message == (
        "one on walk, seed 0: all 6 trials failed; the first: loss is nan at epoch 2"
    )


def test_a_run_that_can_afford_nothing_says_so():
    result = trials(hpo.Budget(epochs=8), hpo.Random())
    assert len(result.frame()) == 0
    assert result.messages() == [
        "one on walk, seed 0: no trial was started; the strategy proposed none that fits the budget"
    ]


@pytest.mark.parametrize("parallel", [1, 3])
def test_seconds_end_a_simulated_run_by_its_clock_and_running_trials_finish(parallel: int):
    result = trials(
        hpo.Budget(seconds=30.0), hpo.Random(), parallel=parallel, execution="simulated"
    )
    frame = result.frame()
    assert set(frame["status"]) == {"finished"}
    assert set(frame["epochs"]) == {9}
    begun = result.reports().query("epoch == 1")
    assert ((begun["clock_seconds"] - begun["epoch_seconds"]) < 30.0).all()
    assert result.reports()["clock_seconds"].max() >= 30.0


def test_seconds_end_a_lock_step_run_by_the_work_it_did():
    frame = trials(hpo.Budget(seconds=30.0), hpo.Random(), parallel=2).frame()
    seconds = 9 * (0.5 + frame["config.x"].astype(float))
    assert seconds[:-2].sum() < 30.0 <= seconds.sum() + 1.0
    assert set(frame["status"]) == {"finished"}
