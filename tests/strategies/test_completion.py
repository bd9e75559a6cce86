"""Completion: each criterion by hand, and what holds of it for any run."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from doubles import Walk
from hypothesis import given, settings
from hypothesis import strategies as st

import hpo_research as hpo
from hpo_research import Completion, Float, Grid, Hyperband, MedianStopping, Random, SearchSpace
from hpo_research.device import Compute
from hpo_research.errors import StrategyError
from hpo_research.experiment.loop import execute
from hpo_research.records import Ask, Run, Stop, Trial, start
from hpo_research.store import Store
from hpo_research.strategies.answers import Belief
from hpo_research.strategies.completion import expected_improvement, gain_of_draws

SPACE = SearchSpace(x=Float(0, 1))
few = settings(max_examples=40, deadline=None)


def made(*curves, direction="minimize", max_epochs=9, statuses=(), asks=()):
    """A run of trials with these curves, ended in order of id unless told otherwise."""
    trials = []
    for i, values in enumerate(curves):
        status = dict(statuses).get(i, "finished")
        value = None if status == "failed" or not values else float(values[-1])
        epochs = tuple(range(1, len(values) + 1))
        place = None if status in ("running", "paused") else i
        trials.append(
            Trial(i, {"x": i / 50}, status, max_epochs, epochs, tuple(map(float, values)), value)
        )
        trials[-1] = replace(trials[-1], place=place)
    return Run(SPACE, direction, max_epochs, trials=tuple(trials), asks=tuple(asks))


def ends(strategy, run, slots=1):
    (ask,) = strategy.ask([run], [slots])
    return ask.ends


# --- the target ---


def test_a_target_is_reached_by_a_value_as_good_at_any_epoch():
    strategy = Completion(Random(), target=0.5)
    assert ends(strategy, made([0.9, 0.51])) == ""
    assert ends(strategy, made([0.9], [0.8, 0.5, 0.7], statuses={1: "running"})) == (
        "the target 0.5 is reached: trial 1 reported 0.5 at epoch 2"
    )


def test_where_higher_is_better_a_target_is_reached_from_below():
    strategy = Completion(Random(), target=0.5)
    assert ends(strategy, made([0.4], direction="maximize", max_epochs=1)) == ""
    assert ends(strategy, made([0.6], direction="maximize", max_epochs=1)) == (
        "the target 0.5 is reached: trial 0 reported 0.6"
    )


def test_the_final_value_alone_may_count():
    strategy = Completion(Random(), target=0.5, final_only=True)
    assert ends(strategy, made([0.4, 0.6])) == ""
    assert ends(strategy, made([0.6, 0.4], statuses={0: "running"})) == ""
    for status in ("finished", "stopped"):
        assert ends(strategy, made([0.6, 0.4], statuses={0: status}))
    assert ends(strategy, made([0.6, 0.4], statuses={0: "failed"})) == ""


def test_a_failed_trial_reaches_nothing():
    assert ends(Completion(Random(), target=0.5), made([0.4], statuses={0: "failed"})) == ""


# --- not improving ---


def test_trials_in_a_row_that_do_not_improve_are_counted_by_hand():
    # Best so far: 5, 4, 4, 4, 4, 3, 3, 3, 3; in a row without: 0, 0, 1, 2, 3, 0, 1, 2, 3.
    curves = [[5], [4], [4], [6], [4.5], [3], [7], [3], [3]]
    strategy = Completion(Random(), not_improving=3)
    said = [bool(ends(strategy, made(*curves[:n], max_epochs=1))) for n in range(1, 10)]
    assert said == [False, False, False, False, True, False, False, False, True]
    assert ends(strategy, made(*curves, max_epochs=1)) == (
        "no improvement: 3 finished trials in a row did not beat the best value, 3.0 of trial 5"
    )


def test_an_improvement_may_have_to_be_a_share_of_the_best_value():
    # 0.5 % better each, then 2 %: of the best so far, whatever the ones before it were.
    curves = [[100], [99.5], [99.0], [98.5], [96.5], [96.4]]
    by_one = Completion(Random(), not_improving=3, improvement=0.01)
    said = [bool(ends(by_one, made(*curves[:n], max_epochs=1))) for n in range(1, 7)]
    assert said == [False, False, False, True, False, False]
    assert ends(by_one, made(*curves[:4], max_epochs=1)) == (
        "no improvement: 3 finished trials in a row did not beat the best value, "
        "98.5 of trial 3, by 0.01 of it"
    )
    assert ends(Completion(Random(), not_improving=1), made(*curves, max_epochs=1)) == ""


def test_failed_and_stopped_trials_are_not_counted_but_may_begin_the_count_anew():
    strategy = Completion(Random(), not_improving=2)
    worse = {1: "failed", 2: "stopped", 3: "running"}
    assert ends(strategy, made([1], [2], [2], [2], [2], statuses=worse)) == ""
    assert ends(strategy, made([1], [2], [2], statuses={}))
    assert ends(strategy, made([1], [2], [0], [2], statuses={2: "stopped"})) == ""


def test_the_order_is_that_of_ending():
    run = made([1], [2], [0], max_epochs=1)
    late = replace(run, trials=tuple(replace(t, place=2 - t.id) for t in run.trials))
    strategy = Completion(Random(), not_improving=2)
    assert ends(strategy, run) == ""
    assert ends(strategy, late)  # 0 came first


# --- convergence ---


def normal_improvement(best, mean, deviation):
    z = (best - mean) / deviation
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return deviation * (z * 0.5 * math.erfc(-z / math.sqrt(2)) + density)


@pytest.mark.parametrize("sign", [1, -1])
@few
@given(
    best=st.floats(-5, 5),
    mean=st.floats(-5, 5),
    deviation=st.floats(1e-3, 5),
)
def test_what_a_normal_prediction_may_gain_is_its_expected_improvement(sign, best, mean, deviation):
    spread = 1.959963984540054 * deviation
    belief = Belief(
        *(np.array([sign * m]) for m in (mean, mean - sign * spread, mean + sign * spread))
    )
    (found,) = expected_improvement(belief, sign * best, sign)
    assert found == pytest.approx(normal_improvement(best, mean, deviation), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("best", [0.2, 1.0, 2.5])
def test_what_a_skewed_prediction_may_gain_is_that_of_its_two_halves(best):
    belief = Belief(np.array([1.0]), np.array([0.5]), np.array([3.0]))
    (found,) = expected_improvement(belief, best, 1)
    z = np.random.default_rng(0).standard_normal(2_000_000)
    values = 1 + z * np.where(z < 0, 0.5, 2.0) / 1.959963984540054
    assert found == pytest.approx(np.maximum(best - values, 0).mean(), abs=2e-3)


def test_a_model_that_is_sure_gains_what_it_says():
    belief = Belief(*(np.array([1.0, 3.0]) for _ in range(3)))
    assert expected_improvement(belief, 2.0, 1).tolist() == [1.0, 0.0]
    assert expected_improvement(belief, 2.0, -1).tolist() == [0.0, 1.0]


def test_a_prediction_without_end_is_never_small_on_the_good_side_alone():
    low, median, high = np.array([1.5, -math.inf]), np.array([2.0, 2.0]), np.array([math.inf, 3.0])
    belief = Belief(median, low, high)
    finite, endless = expected_improvement(belief, 1.0, 1)
    assert finite == pytest.approx(normal_improvement(1.0, 2.0, 0.5 / 1.959963984540054), rel=1e-9)
    assert endless > 1e290
    beyond, _ = expected_improvement(belief, 4.0, 1)  # half of what lies behind is passed
    assert beyond == pytest.approx(1.0 + 0.5 / 1.959963984540054 / math.sqrt(2 * math.pi))


@few
@given(values=st.lists(st.integers(0, 9), min_size=2, max_size=7), failed=st.integers(0, 1))
def test_what_draws_have_gained_is_the_mean_over_all_their_halves(values, failed):
    run = made(*([v] for v in values), *([9],) * failed, statuses={len(values): "failed"})
    losses = [*values, *[max(values)] * failed]
    first = len(losses) - len(losses) // 2
    halves = [min(some) for some in itertools.combinations(losses, first)]
    assert gain_of_draws(run) == pytest.approx(np.mean(halves) - min(losses), abs=1e-12)


def test_a_gain_of_draws_is_computed_by_hand():
    # Of 4, 1, 2 the best of two is 1, 1 or 2; of all it is 1.
    assert gain_of_draws(made([4], [1], [2], [5], statuses={3: "running"})) == pytest.approx(1 / 3)
    up = made([4], [1], [2], direction="maximize")
    assert gain_of_draws(up) == pytest.approx((4 + 4 + 2) / 3 * -1 + 4)


@pytest.mark.filterwarnings("error")
def test_a_gain_beyond_the_largest_float_is_no_convergence():
    run = made([-1.7e308], [1.7e308], [1.7e308], [1.7e308])
    assert 8e307 < gain_of_draws(run) < math.inf


def test_it_has_converged_once_little_was_to_be_gained_often_enough():
    strategy = Completion(Random(), convergence=0.01, rounds=3)
    calm, far = {"completion_gain": 0.5, "completion_bound": 1.0}, {"completion_gain": 2.0}
    far["completion_bound"] = 1.0
    curves = [[100]] * 6

    def with_notes(*notes):
        return made(*curves, asks=[Ask((start({"x": 0.5}, 9, "mine"),), n) for n in notes])

    assert ends(strategy, with_notes(calm)) == ""
    assert ends(strategy, with_notes(calm, far, calm)) == ""
    stop = {"median_trial": [1.0]}
    assert ends(strategy, with_notes(far, calm, stop, calm)) == (
        "converged: at 3 asks in a row at most 0.01 of the best value, 100.0 of trial 0, could be "
        "expected to be gained; 0 at the last"
    )
    (ask,) = strategy.ask([with_notes(calm)], [2])
    assert (ask.notes["completion_gain"], ask.notes["completion_bound"]) == (0.0, 1.0)
    assert ends(strategy, with_notes(calm, calm), slots=0) == ""  # nothing is asked for


def test_nothing_has_converged_before_enough_values():
    strategy = Completion(Random(), convergence=0.01, rounds=1)
    assert ends(strategy, made([1], [1], [1], statuses={2: "failed"})) == ""
    assert ends(strategy, made([1], [1], [1]))


def test_a_model_says_when_little_is_to_be_gained():
    """A bowl of which the best value is 1: the model sees its bottom after a few trials."""
    run = made(*[[1 + (x - 0.3) ** 2] for x in (0.0, 0.2, 0.3, 0.5, 0.8)], max_epochs=1)
    xs = (0.0, 0.2, 0.3, 0.5, 0.8)
    run = replace(
        run,
        trials=tuple(replace(t, config={"x": x}) for t, x in zip(run.trials, xs, strict=True)),
    )
    strategy = Completion(hpo.Bayesian(initial=2, samples=4, starts=2), convergence=0.01, rounds=1)
    (ask,) = strategy.ask([run], [1])
    assert ask.ends.startswith("converged: at 1 asks in a row")
    assert 0 <= ask.notes["completion_gain"] <= ask.notes["completion_bound"] == 0.01


def test_the_first_criterion_that_is_met_gives_the_reason():
    strategy = Completion(Random(), target=1.0, not_improving=2, convergence=0.5, rounds=1)
    assert ends(strategy, made([2], [2], [1.0])).startswith("the target")
    assert ends(strategy, made([2], [2], [2])).startswith("no improvement")
    assert ends(strategy, made([3], [2.5], [2])).startswith("converged")
    assert ends(strategy, made([3], [2])) == ""


# --- what is refused ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"Completion\(\): expected target, not_improving or convergence, got none"),
        ({"target": "low"}, r"target must be a finite number, or None"),
        ({"target": math.nan}, r"target must be a finite number, or None"),
        ({"not_improving": 0}, r"not_improving must be an integer >= 1, or None"),
        ({"convergence": 1}, r"convergence must be a share of the best value > 0 and < 1, or None"),
        (
            {"target": 1, "improvement": 0.1},
            r"\(improvement=0.1\): is for not_improving, which is not given",
        ),
        ({"target": 1, "rounds": 2}, r"\(rounds=2\): is for convergence, which is not given"),
        (
            {"not_improving": 2, "final_only": True},
            r"\(final_only=True\): is for target, which is not given",
        ),
        ({"target": 1, "inner": Random}, r"inner must be a strategy, such as Random\(\)"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(StrategyError, match=message):
        Completion(**{"inner": Random(), **options})


@pytest.mark.parametrize("inner", [Grid(), hpo.FreezeThaw(), Hyperband(inner=Grid(2))])
def test_convergence_needs_a_model_or_draws(inner):
    with pytest.raises(StrategyError, match="has no model to show and does not draw"):
        Completion(inner, convergence=0.01)
    for drawing in (Random("sobol"), MedianStopping(Random()), Hyperband()):
        Completion(drawing, convergence=0.01)


def test_a_reason_that_is_no_text_is_refused():
    class Odd:
        def ask(self, runs, slots):
            return [Ask(ends=1) for _ in runs]

    with pytest.raises(StrategyError, match="ends must be why the run is over, as a string"):
        hpo.Study(SPACE, Odd())


# --- any run ---


@few
@given(
    values=st.lists(st.lists(st.integers(-3, 3), min_size=1, max_size=4), max_size=9),
    target=st.integers(-3, 3),
    patience=st.integers(1, 4),
    share=st.sampled_from([0.0, 0.3]),
    direction=st.sampled_from(["minimize", "maximize"]),
)
def test_criteria_equal_a_plain_loop(values, target, patience, share, direction):
    run = made(*values, direction=direction)
    sign = run.sign
    is_reached = any(sign * v <= sign * target for curve in values for v in curve)
    assert bool(ends(Completion(Random(), target=target), run)) == is_reached
    count, best = 0, None
    for *_, value in values:
        if best is None or sign * (best - value) > share * abs(best):
            count = 0
        else:
            count += 1
        best = value if best is None or sign * value < sign * best else best
    strategy = Completion(Random(), not_improving=patience, improvement=share)
    assert bool(ends(strategy, run)) == (best is not None and count >= patience)


def test_a_run_that_goes_on_is_asked_as_if_alone():
    run, over = made([2], max_epochs=1), made([0], max_epochs=1)
    strategy = Completion(Random(), target=1)
    asks = strategy.ask([over, run, over], [1, 2, 1])
    assert asks[1] == Random().ask([run], [2])[0]
    assert [ask.proposals for ask in asks[::2]] == [(), ()]


# --- in the loop ---


def run_of(strategy, *, trials=20, parallel=3, execution="lock-step", folder=None, **options):
    experiment = hpo.Experiment(
        "complete",
        [Walk(fails_above=2)],
        {"one": strategy},
        seeds=[0],
        budget=hpo.Budget(trials=trials),
        parallel=parallel,
        execution=execution,
        **options,
    )
    with Store.in_memory() if folder is None else Store.write(folder) as store:
        execute(experiment, store, Compute())
        return hpo.Result.of(store)


@pytest.mark.parametrize("execution", ["lock-step", "simulated"])
def test_the_loop_stops_what_runs_and_stores_why(execution):
    plain = run_of(Random(), execution=execution)
    ((name, run),) = plain.runs.items()
    target = min(v for t in run.trials[9:] for v in t.values)
    result = run_of(Completion(Random(), target=target), execution=execution)
    ended = result.histories[name]
    assert ended.is_over
    assert ended.ended_by == "strategy"
    assert ended.ended.startswith(f"the target {target:g} is reached: trial ")
    assert result.ended[name] == ended.ended
    assert len(ended.run.trials) < len(run.trials)
    assert {t.status for t in ended.run.trials[-1:]} == {"stopped"}
    assert any(f"was ended: {ended.ended}" in line for line in result.endings())


def test_more_budget_leaves_a_completed_run_as_it_is(tmp_path):
    strategy = Completion(Random(), not_improving=3)
    first = run_of(strategy, folder=tmp_path)
    again = run_of(strategy, trials=40, folder=tmp_path)
    assert first.is_finished
    assert again.ended == first.ended != {}
    assert again.runs == {n: replace(r, left=again.runs[n].left) for n, r in first.runs.items()}


def test_a_completed_run_tries_no_more_of_what_was_enqueued():
    queue = [{"x": i / 9, "kind": "a"} for i in range(9)]
    result = run_of(Completion(Random(), not_improving=2), parallel=1, enqueue=queue)
    (run,) = result.runs.values()
    assert result.ended
    assert 3 <= len(run.trials) < 9
    assert {t.origin for t in run.trials} == {"enqueued"}


def test_a_study_is_finished_once_its_strategy_says_so(tmp_path):
    space = SearchSpace(x=Float(0, 1))
    strategy = Completion(Random(), target=0.0, not_improving=9)
    with hpo.Study(space, strategy, max_epochs=3, path=tmp_path) as study:
        one, two = study.ask(2)
        assert study.report(one.id, 1, 0.5)
        assert study.report(two.id, 1, 0.5)
        assert not study.report(one.id, 2, -0.1)
        assert study.ended == "the target 0 is reached: trial 0 reported -0.1 at epoch 2"
        assert study.ask() == []
        assert not study.is_finished  # the other one has not ended yet
    with hpo.Study(space, strategy, max_epochs=3, path=tmp_path) as study:
        assert study.is_finished
        assert [trial.status for trial in study.trials] == ["stopped", "stopped"]
        study.reopen()
        assert study.ask() == []
        assert study.ended.startswith("the target 0 is reached")


def test_stops_of_others_stay_beside_the_end():
    run = made([5, 9], [1], [1], statuses={0: "running", 1: "running", 2: "running"})
    strategy = MedianStopping(Completion(Random(), target=1), min_trials=1)
    (ask,) = strategy.ask([run], [0])
    assert ask.ends
    assert all(isinstance(proposal, Stop) for proposal in ask.proposals)
