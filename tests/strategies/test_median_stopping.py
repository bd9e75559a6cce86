import statistics
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hpo_research as hpo
from hpo_research.errors import StrategyError
from hpo_research.records import Ask, Run, Trial, stop
from hpo_research.space import Float, SearchSpace
from hpo_research.strategies.bayesian import Bayesian
from hpo_research.strategies.halving.asha import ASHA
from hpo_research.strategies.halving.hyperband import Hyperband
from hpo_research.strategies.random import Random
from hpo_research.strategies.stopping.curve import CurveStopping
from hpo_research.strategies.stopping.median import KINDS, MedianStopping
from tests.strategies.simulated import born

SPACE = SearchSpace(x=Float(0.0, 1.0))


def run_of(*curves: list[float], running: int = 1, status: str = "finished", **options) -> Run:
    """Trials with these values from epoch 1 on, of 9; the last `running` are still running."""
    trials = []
    for i, values in enumerate(curves):
        own = "running" if i >= len(curves) - running else status
        epochs = tuple(range(1, len(values) + 1))
        trials.append(Trial(i, {"x": 0.1}, own, 9, epochs, tuple(values), values[-1]))
    return Run(SPACE, max_epochs=9, trials=tuple(trials), **options)


def stopped(kind: str, run: Run, **options) -> list[int]:
    (ask,) = MedianStopping(Random(), kind, **{"min_trials": 3, **options}).ask([run], [0])
    return [proposal.trial for proposal in ask.proposals]


# Running means at epoch 3 of the company: 4, 5 and 6; the median is 5.
COMPANY = ([6.0, 4.0, 2.0, 1.0], [7.0, 5.0, 3.0, 2.0], [8.0, 6.0, 4.0, 3.0])


@pytest.mark.parametrize(
    ("curve", "stops"),
    [
        # It falls late: now 5.5 is worse than 5, its best was 3, its mean of 4.8 is the second.
        ([6.0, 3.0, 5.5], {"sagemaker"}),
        # It falls fast: now 4.5 is better than 5, its mean of 8.2 is the worst of the four.
        ([12.0, 8.0, 4.5], {"syne-tune"}),
        # Now 5.2 is worse than 5, and so is its best; its mean of 5.4 has only two before it.
        ([5.6, 5.4, 5.2], {"sagemaker", "vizier"}),
        ([9.0, 8.0, 7.0], {"sagemaker", "vizier", "syne-tune"}),
        ([5.0, 5.0, 5.0], set()),  # equal to the median in all three
        ([1.0, 1.0, 1.0], set()),
    ],
)
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_three_rules_on_curves_where_they_differ(curve, stops, direction):
    sign = 1.0 if direction == "minimize" else -1.0
    curves = [[sign * value for value in own] for own in (*COMPANY, curve)]
    run = run_of(*curves, direction=direction)
    assert {kind for kind in KINDS if stopped(kind, run) == [3]} == stops


def test_every_number_is_noted():
    run = run_of(*COMPANY, [6.0, 3.0, 5.5], running=1)
    numbers = {"sagemaker": (5.5, 5.0), "vizier": (3.0, 5.0), "syne-tune": (14.5 / 3, 29.5 / 6)}
    for kind, (value, bound) in numbers.items():
        (ask,) = MedianStopping(Random(), kind, min_trials=3).ask([run], [0])
        assert ask.notes["median_trial"] == [3]
        assert ask.notes["median_epoch"] == [3]
        assert ask.notes["median_value"] == [pytest.approx(value)]
        assert ask.notes["median_bound"] == [pytest.approx(bound)]
        assert ask.notes["median_stop"] == [float(kind == "sagemaker")]


def syne_tune(curves: list[list[float]], cutoff: float, samples: int) -> bool:
    """Its `MedianStoppingRule.on_trial_result` for the last curve, reported after all others."""
    results: list[float] = []
    for curve in curves:
        mean = np.mean(curve)
        index = np.searchsorted(results, mean)
        results = np.insert(results, index, mean)
    return len(results) >= samples and index / float(len(results)) > cutoff


@given(
    curves=st.lists(st.lists(st.integers(-5, 5), min_size=4, max_size=4), min_size=1, max_size=9)
)
def test_syne_tunes_rule_is_that_of_syne_tune(curves):
    curves = [[float(value) for value in curve] for curve in curves]
    expected = syne_tune(curves, 0.5, samples=5)
    assert (stopped("syne-tune", run_of(*curves), min_trials=5) != []) == expected


@given(
    curves=st.lists(st.lists(st.integers(-5, 5), min_size=4, max_size=4), min_size=2, max_size=9)
)
def test_sagemakers_and_viziers_rules_are_those_of_their_pages(curves):
    *others, own = [[float(value) for value in curve] for curve in curves]
    middle = statistics.median([sum(curve) / 4 for curve in others])
    run = run_of(*others, own)
    assert (stopped("sagemaker", run, min_trials=1) != []) == (own[-1] > middle)
    assert (stopped("vizier", run, min_trials=1) != []) == (min(own) > middle)


def test_only_trials_that_have_come_as_far_are_company():
    short = run_of([1.0], [1.0], [1.0, 1.0], [9.0, 9.0], status="stopped")
    assert stopped("sagemaker", short, min_trials=1) == [3]
    assert stopped("sagemaker", short, min_trials=2) == []


def test_vizier_compares_with_ended_trials_alone():
    run = run_of([1.0], [1.0], [1.0], [9.0], running=3)
    assert stopped("sagemaker", run) == [3]
    assert stopped("vizier", run) == []
    assert stopped("vizier", run, min_trials=1) == [3]


def test_failed_trials_are_no_company():
    run = run_of([1.0], [1.0], [1.0], [9.0], status="failed")
    assert all(stopped(kind, run, min_trials=2) == [] for kind in KINDS)


@pytest.mark.parametrize(("least", "expected"), [(1, [3]), (2, [3]), (3, [])])
def test_a_trial_is_judged_from_its_least_epoch_on(least, expected):
    run = run_of([1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [9.0, 9.0])
    assert stopped("sagemaker", run, min_epochs=least) == expected


def test_a_trial_at_its_last_epoch_or_without_a_report_is_not_judged():
    run = run_of(*[[1.0] * 9] * 3, [9.0] * 9, running=1)
    assert stopped("sagemaker", run) == []
    fresh = replace(run, trials=(*run.trials[:3], Trial(3, {"x": 0.2}, "running", 9)))
    assert stopped("sagemaker", fresh) == []


@dataclass(frozen=True)
class Ender:
    """Stops every running trial."""

    def ask(self, runs, slots):
        return [Ask(tuple(stop(t.id) for t in run.running), {"ended": 1.0}) for run in runs]


def test_a_trial_that_the_inner_strategy_stops_is_not_stopped_twice():
    run = run_of([1.0], [1.0], [1.0], [9.0], [1.0], running=2)
    (ask,) = MedianStopping(Ender(), min_trials=3).ask([run], [0])
    assert sorted(proposal.trial for proposal in ask.proposals) == [3, 4]
    assert ask.notes["ended"] == 1.0
    assert ask.notes["median_stop"] == [1, 0]


def test_the_inner_strategy_is_asked_as_it_would_be():
    run = run_of([1.0], [1.0], [1.0], [9.0], running=1)
    (ask,) = MedianStopping(ASHA(), min_trials=3).ask([run], [2])
    (inner,) = ASHA().ask([run], [2])
    assert ask.proposals == (stop(3), *inner.proposals)


def test_a_rule_within_the_same_rule_keeps_its_notes():
    """Also where another stands between, and where only the one or the other has a verdict."""
    inner = MedianStopping(Random(), "sagemaker", min_trials=3)
    between = CurveStopping(inner, min_trials=1, min_epochs=1)
    run = run_of(*COMPANY, [5.6, 5.4, 5.2])
    (alone,) = inner.ask([run], [0])
    for middle in (inner, between):
        (ask,) = MedianStopping(middle, "syne-tune", min_trials=3).ask([run], [0])
        assert {key: ask.notes[key] for key in alone.notes} == alone.notes
        assert ask.notes["median_stop"] == [1.0] and ask.notes["median2_stop"] == [0.0]
        assert ask.notes["median2_value"] == [pytest.approx(5.4)]
        assert ask.proposals == (stop(3),)
    (ask,) = MedianStopping(replace(inner, min_trials=9), min_trials=3).ask([run], [0])
    assert "median_trial" not in ask.notes and ask.notes["median2_trial"] == [3.0]


def test_as_many_train_at_once_as_in_the_inner_strategy():
    assert MedianStopping(Bayesian(batch=7)).batch == 7
    assert MedianStopping(Hyperband()).batch is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"kind": "mean"},
            r"MedianStopping\(kind='mean'\): kind must be one of sagemaker, vizier, syne-tune",
        ),
        ({"min_epochs": 0}, r"\(min_epochs=0\): min_epochs must be an integer >= 1"),
        ({"min_trials": 0}, r"\(min_trials=0\): min_trials must be an integer >= 1"),
        ({"inner": Random}, r"inner must be a strategy, such as Random\(\)"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(StrategyError, match=message):
        born(MedianStopping, {"inner": Random(), **options})


@pytest.mark.parametrize("execution", ["lock-step", "simulated"])
@pytest.mark.parametrize("rule", [MedianStopping, CurveStopping], ids=lambda rule: rule.__name__)
def test_in_an_experiment_every_stop_is_stored_with_the_numbers_compared(tmp_path, rule, execution):
    experiment = hpo.Experiment(
        name="stored",
        problems=[hpo.problem("curves", max_epochs=9)],
        strategies={"rule": rule(Random(), min_trials=3)},
        seeds=[0],
        budget=hpo.Budget(evaluations=10),
        parallel=3,
        execution=execution,
    )
    hpo.run(experiment, out=tmp_path, device="cpu")
    (run,) = hpo.Result.read(tmp_path).runs.values()
    key = "median" if rule is MedianStopping else "curve"
    noted = {
        int(trial): int(epoch)
        for ask in run.asks
        for trial, epoch, stops in zip(
            *(ask.notes.get(f"{key}_{part}", []) for part in ("trial", "epoch", "stop")),
            strict=True,
        )
        if stops
    }
    stopped = {trial.id: trial.reached for trial in run.trials if trial.status == "stopped"}
    assert len(stopped) >= 2
    assert noted == stopped
