import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo_research.errors import StrategyError
from hpo_research.problems.curves import LearningCurves
from hpo_research.records import Run, Trial, resume
from hpo_research.strategies.halving.asha import ASHA, AsynchronousHyperband
from hpo_research.strategies.halving.hyperband import Hyperband
from hpo_research.strategies.halving.successive_halving import SuccessiveHalving
from hpo_research.strategies.random import Random
from tests.strategies.simulated import Loop, accepted, born, settled
from tests.strategies.test_hyperband import SPACE, TINY, schedule_of, table_curve


def published(eta: int, max_epochs: int, curve, trials: int) -> list[tuple[int, int]]:
    """Algorithm 2 of arXiv:1810.05934 with one worker, plainly: every (trial, epochs) in order."""
    depth = 0
    while Fraction(max_epochs, eta ** (depth + 1)) >= 1:
        depth += 1
    epochs = [math.floor(Fraction(max_epochs, eta ** (depth - k))) for k in range(depth + 1)]
    losses: list[dict[int, float]] = [{} for _ in epochs]
    promoted: list[set[int]] = [set() for _ in epochs]
    schedule, fresh = [], 0
    while True:
        job = None
        for k in reversed(range(depth)):
            ordered = sorted(losses[k], key=lambda t: (losses[k][t], t))
            top = [t for t in ordered[: len(ordered) // eta] if t not in promoted[k]]
            healthy = [t for t in top if math.isfinite(losses[k][t])]
            if healthy:
                job = (healthy[0], k + 1)
                promoted[k].add(healthy[0])
                break
        if job is None:
            if fresh == trials:
                return schedule
            job, fresh = (fresh, 0), fresh + 1
        trial, k = job
        schedule.append((trial, epochs[k]))
        loss = curve(trial, epochs[k])
        losses[k][trial] = math.inf if loss is None else loss


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    max_epochs=st.integers(1, 30),
    eta=st.integers(2, 4),
    failures=st.sampled_from([0.0, 0.3]),
    levels=st.sampled_from([None, 2]),
    direction=st.sampled_from(["minimize", "maximize"]),
)
def test_with_one_worker_the_schedule_is_that_of_the_published_algorithm(
    seed, max_epochs, eta, failures, levels, direction
):
    losses = table_curve(seed, failures, levels)
    sign = 1 if direction == "minimize" else -1

    def curve(trial: Trial, epoch: int) -> float | None:
        loss = losses(trial.id, epoch)
        return None if loss is None else sign * loss

    def plain(trial: int, epochs: int) -> float | None:
        values = [losses(trial, epoch) for epoch in range(1, epochs + 1)]
        return None if None in values else values[-1]

    run = Run(SPACE, direction=direction, max_epochs=max_epochs, seed=seed)
    done = Loop(parallel=1, trials=20).drive(ASHA(eta=eta), run, curve)
    assert schedule_of(done) == published(eta, max_epochs, plain, 20)


def curves_of(problem: LearningCurves, order: str):
    """Eighty-one random configurations of a problem, in some order of their final values."""
    run = Run(problem.space, max_epochs=problem.max_epochs, seed=5)
    configs = [proposal.config for proposal in Random().ask([run], [81])[0].proposals]
    x = torch.tensor([list(config.values()) for config in configs], dtype=torch.float64)
    values = problem.curves(x)[:, :-1].tolist()
    if order == "best first":
        values.sort(key=lambda curve: curve[-1])
    return lambda trial, epoch: values[trial.id][epoch - 1]


@pytest.mark.parametrize(("order", "is_equal"), [("as drawn", False), ("best first", True)])
@pytest.mark.parametrize("eta", [2, 3])
def test_on_curves_that_agree_one_worker_promotes_what_successive_halving_promotes(
    eta, order, is_equal
):
    """And nothing beyond it where no promotion is a mistake, as when the best come first."""
    problem = LearningCurves(agreement=1.0, max_epochs=eta**3)
    run, curve, n = Run(SPACE, max_epochs=eta**3), curves_of(problem, order), eta**3
    ours = Loop(1, trials=n).drive(ASHA(eta=eta), run, curve)
    theirs = Loop(1, trials=n).drive(SuccessiveHalving(eta=eta), run, curve)
    for epochs in (1, eta, eta**2, eta**3):
        got, expected = (
            {trial.id for trial in done.trials if trial.reached >= epochs}
            for done in (ours, theirs)
        )
        assert expected <= got
        assert got == expected or not is_equal
    assert ours.best().id == theirs.best().id


@pytest.mark.parametrize("strategy", [ASHA(), AsynchronousHyperband()])
def test_no_trial_waits_for_another(strategy):
    """With eight of nine still running, three that ended are enough for a promotion."""
    run = Run(SPACE, max_epochs=27, seed=1)
    run = accepted(run, *strategy.ask([run], [9]))
    for last in (0, 1, 2):
        run = settled(run, lambda trial, epoch: float(trial.id), only=last)
    (ask,) = strategy.ask([run], [2])
    assert ask.proposals[0] == resume(0, 3)
    assert [p.kind for p in ask.proposals] == ["resume", "start"]
    assert (ask.notes["promoted"], ask.notes["promoted_to"]) == ([0.0], [3.0])


def test_the_highest_rung_comes_first_and_the_best_of_it():
    def paused(i: int, reached: int, value: float) -> Trial:
        epochs = tuple(range(1, reached + 1))
        return Trial(i, {"x": 0.1}, "paused", reached, epochs, (value,) * reached, value)

    trials = [paused(i, 3, float(10 - i)) for i in range(6)]
    trials += [paused(6 + i, 1, float(i)) for i in range(6)]
    (ask,) = ASHA().ask([Run(SPACE, max_epochs=9, trials=tuple(trials))], [9])
    resumed = [(p.trial, p.until) for p in ask.proposals if p.kind == "resume"]
    # Two of the six at 3 epochs; four of all twelve at 1 epoch, of which none has gone on.
    assert resumed == [(5, 9), (4, 9), (6, 3), (7, 3), (8, 3), (9, 3)]


@pytest.mark.parametrize("status", ["failed", "stopped"])
def test_a_trial_that_failed_counts_in_its_rung_and_ranks_last(status):
    lost = [Trial(i, {"x": 0.1}, status, 1) for i in range(2)]
    known = Trial(2, {"x": 0.1}, "paused", 1, (1,), (5.0,), 5.0)
    (ask,) = ASHA().ask([Run(SPACE, max_epochs=9, trials=(*lost, known))], [1])
    assert ask.proposals == (resume(2, 3),)


def test_rungs_below_the_least_epochs_are_left_out():
    assert ASHA().rungs(81) == (1, 3, 9, 27, 81)
    assert ASHA(min_epochs=4).rungs(81) == (9, 27, 81)
    assert ASHA().rungs(100) == (1, 3, 11, 33, 100)
    assert ASHA(min_epochs=200).rungs(100) == (100,)


@pytest.mark.parametrize("parallel", [1, 5])
def test_an_exhausted_space_empties_the_rungs(parallel):
    run = Run(TINY, max_epochs=9, seed=5)
    done = Loop(parallel).drive(ASHA(), run, lambda trial, epoch: float(trial.id))
    assert [trial.reached for trial in done.trials] == [9, 3, 1, 1, 1]


def test_trials_go_to_brackets_by_their_number():
    strategy = AsynchronousHyperband()
    run = Run(SPACE, max_epochs=9, seed=4)
    (ask,) = strategy.ask([run], [40])
    rows = strategy.ladders(9)
    assert [bracket[0] for bracket in Hyperband().brackets(9)] == [(9, 1), (5, 3), (3, 9)]
    assert [p.until for p in ask.proposals] == ([1] * 9 + [3] * 5 + [9] * 3) * 2 + [1] * 6
    assert [rows.bracket(i) for i in (0, 8, 9, 13, 14, 16, 17)] == [0, 0, 1, 1, 2, 2, 0]


def test_brackets_do_not_share_their_rungs():
    strategy = AsynchronousHyperband()
    run = Run(SPACE, max_epochs=9, seed=4)
    run = accepted(run, *strategy.ask([run], [17]))
    run = settled(run, lambda trial, epoch: float(trial.id))
    (ask,) = strategy.ask([run], [9])
    resumed = [(p.trial, p.until) for p in ask.proposals if p.kind == "resume"]
    assert resumed == [(9, 9), (0, 3), (1, 3), (2, 3)]
    assert ask.notes["bracket"] == [1, 0, 0, 0]


def test_a_trial_queued_below_its_lowest_rung_is_trained_on_to_it():
    queued = Trial(9, {"x": 0.1}, "paused", 1, (1,), (5.0,), 5.0)
    others = [Trial(i, {"x": 0.1}, "failed", 1) for i in range(9)]
    run = Run(SPACE, max_epochs=9, trials=(*others, queued))
    (ask,) = AsynchronousHyperband().ask([run], [1])
    assert ask.proposals == (resume(9, 3),)


# --- judged until it reports: the continual variant ---


def at_rung(values: list[float], *, running: int, more: tuple[Trial, ...] = ()) -> Run:
    """Trials that reported one epoch; the last `running` of them are still running."""
    n = len(values)
    trials = [
        Trial(i, {"x": 0.1}, "running" if i >= n - running else "stopped", 9, (1,), (v,), v)
        for i, v in enumerate(values)
    ]
    return Run(SPACE, max_epochs=9, trials=(*trials, *more))


@given(
    values=st.lists(st.integers(-9, 9), min_size=2, max_size=12),
    eta=st.integers(2, 4),
    direction=st.sampled_from(["minimize", "maximize"]),
)
def test_a_trial_goes_on_within_the_quantile_of_numpy(values, eta, direction):
    run = replace(at_rung([float(v) for v in values], running=1), direction=direction)
    (ask,) = ASHA("continual", eta=eta).ask([replace(run, max_epochs=eta**2)], [0])
    quantile = 1 / eta if direction == "minimize" else 1 - 1 / eta
    bound = np.quantile(values, quantile)
    assert ask.notes["rung_bound"] == pytest.approx([bound])
    if abs(values[-1] - bound) > 1e-9:
        is_worse = values[-1] > bound if direction == "minimize" else values[-1] < bound
        assert [p.trial for p in ask.proposals] == ([len(values) - 1] if is_worse else [])


def test_every_decision_is_noted_and_the_first_trial_is_not_judged():
    (ask,) = ASHA("continual").ask([at_rung([1.0], running=1)], [0])
    assert ask.proposals == ()
    assert ask.notes == {}
    (ask,) = ASHA("continual").ask([at_rung([1.0, 2.0, 4.0], running=2)], [0])
    assert [(p.kind, p.trial) for p in ask.proposals] == [("stop", 1), ("stop", 2)]
    assert ask.notes == {
        "rung_trial": [1, 2],
        "rung_epoch": [1, 1],
        "rung_value": [2, 4],
        "rung_bound": [pytest.approx(5 / 3)] * 2,
        "rung_stop": [1, 1],
    }


def test_a_trial_is_judged_at_its_rungs_only_and_never_at_the_last():
    run = Run(SPACE, max_epochs=9, seed=2)
    strategy, judged = ASHA("continual"), []

    def curve(trial: Trial, epoch: int) -> float:
        return float(trial.id)

    run = accepted(run, *strategy.ask([run], [9]))
    while run.running:
        run = settled(run, curve, most=1)
        (ask,) = strategy.ask([run], [0])
        judged.append(ask.notes.get("rung_epoch", [None])[0])
        run = accepted(run, ask)
    assert judged == [1, None, 3, None, None, None, None, None, None]
    # The quantile of three values at 3 epochs lies between the first and the second.
    assert [trial.reached for trial in run.trials] == [9, 3, 3] + [1] * 6


def test_failed_trials_are_the_worst_at_the_rung_they_did_not_reach():
    failed = tuple(Trial(3 + i, {"x": 0.1}, "failed", 9) for i in range(3))
    (alone,) = ASHA("continual").ask([at_rung([1.0, 2.0, 3.0], running=2)], [0])
    (beside,) = ASHA("continual").ask([at_rung([1.0, 2.0, 3.0], running=2, more=failed)], [0])
    assert [p.trial for p in alone.proposals] == [1, 2]
    assert [p.trial for p in beside.proposals] == [2]


@pytest.mark.parametrize("kind", ["stop", "continual"])
@pytest.mark.parametrize("made", [ASHA, AsynchronousHyperband])
def test_new_trials_are_to_go_to_the_end(made, kind):
    (ask,) = made(kind).ask([Run(SPACE, max_epochs=9)], [12])
    assert [p.until for p in ask.proposals] == [9] * 12


@pytest.mark.parametrize("kind", ["promote", "stop", "continual"])
@pytest.mark.parametrize("strategy", [ASHA, AsynchronousHyperband])
def test_with_one_rung_it_is_random_search(strategy, kind):
    run = Run(SPACE, max_epochs=2, seed=8)
    (ask,), (random,) = strategy(kind).ask([run], [4]), Random().ask([run], [4])
    assert ask.proposals == random.proposals


@pytest.mark.parametrize(
    ("made", "options", "message"),
    [
        (
            ASHA,
            {"kind": "pause"},
            r"ASHA\(kind='pause'\): kind must be one of promote, stop, continual",
        ),
        (ASHA, {"rule": "ray"}, r"ASHA\(kind='promote', rule='ray'\): only kind='stop' has a rule"),
        (ASHA, {"kind": "stop", "rule": "vizier"}, r"rule must be one of syne-tune, ray"),
        (ASHA, {"eta": 1}, r"ASHA\(eta=1\): eta must be an integer >= 2"),
        (ASHA, {"min_epochs": 0}, r"ASHA\(min_epochs=0\): min_epochs must be an integer"),
        (ASHA, {"batch": 0}, r"ASHA\(batch=0\): batch must be an integer >= 1"),
        (ASHA, {"inner": Random}, r"ASHA\(inner=.*inner must be a strategy"),
        (AsynchronousHyperband, {"eta": True}, r"AsynchronousHyperband\(eta=True\): eta must be"),
        (AsynchronousHyperband, {"kind": ""}, r"AsynchronousHyperband\(kind=''\): kind must be"),
    ],
)
def test_wrong_options_are_refused(made, options, message):
    with pytest.raises(StrategyError, match=message):
        born(made, options)


def test_a_bound_among_failures_stops_nobody_and_is_in_no_note():
    """The quantile between two trials that failed has no value."""
    config = SPACE.from_uniform(np.full((1, SPACE.dimension), 0.5))[0]
    failed = tuple(Trial(i, config, "failed", 9, reason="it broke") for i in range(1, 4))
    running = Trial(0, config, "running", 9, epochs=(1,), values=(1.0,), value=1.0)
    run = Run(SPACE, max_epochs=9, trials=(running, *failed))
    assert ASHA("continual", eta=2).ask([run], [0])[0].notes == {}
