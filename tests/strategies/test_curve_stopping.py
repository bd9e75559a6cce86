import time

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal

from hpo_research.errors import StrategyError
from hpo_research.problems.curves import LearningCurves
from hpo_research.records import Run, Trial
from hpo_research.rng import Stream
from hpo_research.space import Float, SearchSpace
from hpo_research.strategies.random import Random
from hpo_research.strategies.stopping import curve as curve_stopping
from hpo_research.strategies.stopping import curve_extrapolation
from hpo_research.strategies.stopping.curve import CurveStopping
from hpo_research.strategies.stopping.curve_extrapolation import Prior, fitted, forecast, learnt
from tests.strategies.simulated import born

LAST = 27
EPOCHS = tuple(range(1, LAST + 1))


def drawn(agreement: float, noise: float = 0.0, base: str = "hartmann6") -> np.ndarray:
    """Four hundred curves of random configurations. Shape: 400 27."""
    problem = LearningCurves(base, agreement=agreement, max_epochs=LAST)
    low, high = torch.tensor(problem.function.bounds, dtype=torch.float64).T
    x = low + (high - low) * Stream(3).uniform(400, len(low), like=low)
    values = problem.curves(x)[:, :-1].numpy()
    return values + noise * values[:, -1].std() * np.random.default_rng(0).normal(size=(400, LAST))


def test_a_cell_is_the_joint_normal_of_its_definition():
    """Evidence, mean and sd of every cell against SciPy's dense normal, built term by term."""
    draws = np.random.default_rng(1)
    y, at = draws.normal(size=(3, 4)), (1, 2, 5, 9)
    k = 16 * len(curve_extrapolation._DRIFTS) * len(curve_extrapolation._NOISES)
    prior = Prior(LAST, 2.0, (0.5, 3.0), (1.0, 0.7), np.full(k, 1 / k))
    fit = fitted(prior, y, at)
    t = np.array([*at, LAST], dtype=float)
    shapes = [(t**-p - LAST**-p) / (1 - LAST**-p) for p in curve_extrapolation._POWERS]
    shapes.append(1 - np.log(t) / np.log(LAST))
    for rate in curve_extrapolation._DECAYS:
        raw = np.exp(-rate * (t - 1) / (LAST - 1))
        shapes.append((raw - raw[-1]) / (raw[0] - raw[-1]))
    for middle, power in curve_extrapolation._HILLS:
        raw = 1 / (1 + ((t - 1) / (LAST - 1) / middle) ** power)
        shapes.append((raw - raw[-1]) / (raw[0] - raw[-1]))
    log = np.log(t) / np.log(LAST)
    cells = [
        (shape, 2.0 * drift, 2.0 * noise)
        for drift in curve_extrapolation._DRIFTS
        for noise in curve_extrapolation._NOISES
        for shape in shapes
    ]
    assert len(cells) == fit.mean.shape[1]
    evidence = []
    for i, (shape, drift, noise) in enumerate(cells):
        covariance = 9.0 + 0.49 * np.outer(shape, shape) + noise**2 * np.eye(5)
        covariance += drift**2 * np.minimum(log[:, None], log[None])
        mean = 0.5 + 1.0 * shape
        gain = np.linalg.solve(covariance[:4, :4], covariance[:4, 4])
        assert_allclose(fit.mean[:, i], mean[4] + (y - mean[:4]) @ gain, rtol=1e-8)
        sd = np.sqrt(covariance[4, 4] - covariance[4, :4] @ gain)
        assert_allclose(fit.sd[:, i], sd, rtol=1e-8)
        evidence.append(multivariate_normal(mean[:4], covariance[:4, :4]).logpdf(y))
    # Of four epochs, worth two; up to what is the same for all cells of a curve.
    expected = np.array(evidence).T / 2
    assert_allclose(
        fit.evidence - fit.evidence[:, :1], expected - expected[:, :1], rtol=1e-8, atol=1e-6
    )


@pytest.mark.parametrize("agreement", [0.3, 0.8, 1.0])
@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("seen", [3, 9, 18])
def test_what_is_stopped_would_hardly_have_won(agreement, noise, seen):
    """Twenty curves complete: of the others, those that would win and are stopped are few.

    The threshold is 5 %; of 380 curves, 31 are better than the best of the twenty. Deterministic.
    """
    y = drawn(agreement, noise)
    prior = learnt(y[:20], EPOCHS, y[:20, -1])
    best = y[:20, -1].min()
    chance = forecast(prior, y[20:, :seen], EPOCHS[:seen]).below(best)
    wins = y[20:, -1] < best
    assert 20 <= wins.sum() <= 40
    assert (wins & (chance < 0.05)).sum() <= 2
    assert (chance < 0.05).mean() > 0.6


@pytest.mark.parametrize("seen", [3, 9, 18])
def test_intervals_cover_about_as_often_as_they_say(seen):
    y = drawn(0.8, 0.05)
    expected = forecast(learnt(y[:20], EPOCHS, y[:20, -1]), y[20:, :seen], EPOCHS[:seen])
    z = (y[20:, -1] - expected.mean) / expected.sd
    assert 0.8 <= (np.abs(z) < 1.645).mean() <= 1


def test_curves_that_start_slowly_are_not_taken_for_flat_ones():
    """Half of the complete curves fall at once, the others late: no forecast is sure of either."""
    t = np.arange(1.0, LAST + 1)
    draws = np.random.default_rng(2).random((60, 3))
    late = 0.2 + draws[:, :1] + 2 / (1 + (t / (8 + 6 * draws[:, 1:2])) ** (3 + draws[:, 2:]))
    early = 0.2 + 2 * draws[:, :1] + t ** -(0.5 + draws[:, 1:2])
    complete = np.concatenate([late[:10], early[:10]])
    prior = learnt(complete, EPOCHS, complete[:, -1])
    for seen in (4, 6, 9):
        for curves in (late[10:], early[10:]):
            expected = forecast(prior, curves[:, :seen], EPOCHS[:seen])
            z = (curves[:, -1] - expected.mean) / expected.sd
            assert (np.abs(z) < 1.645).mean() > 0.8


def test_a_curve_does_not_see_the_others_beside_it():
    y = drawn(0.8)
    prior = learnt(y[:20], EPOCHS, y[:20, -1])
    together = forecast(prior, y[20:40, :5], EPOCHS[:5])
    alone = forecast(prior, y[30:31, :5], EPOCHS[:5])
    assert_allclose(together.mean[10], alone.mean[0], rtol=1e-9)
    assert_allclose(together.sd[10], alone.sd[0], rtol=1e-9)


def test_curves_that_do_not_move_teach_nothing():
    assert learnt(np.ones((6, 9)), EPOCHS[:9], np.ones(6)) is None


def run_of(values: np.ndarray, *, seen: int, running: int, **options) -> Run:
    """Complete trials, but for the last `running`, which have reported `seen` epochs."""
    trials = []
    for i, row in enumerate(values.tolist()):
        is_running = i >= len(values) - running
        own = tuple(row[:seen] if is_running else row)
        status = "running" if is_running else "finished"
        trials.append(Trial(i, {"x1": 0.1}, status, LAST, EPOCHS[: len(own)], own, own[-1]))
    space = LearningCurves().space
    return Run(space, max_epochs=LAST, trials=tuple(trials), **options)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_hopeless_trials_are_stopped_and_every_number_is_noted(direction):
    sign = 1.0 if direction == "minimize" else -1.0
    y = drawn(0.8)
    order = y[:, -1].argsort()
    values = y[[*order[50:60], order[0], order[390]]]  # the last two run: the best, a bad one
    run = run_of(sign * values, seen=9, running=2, direction=direction)
    (ask,) = CurveStopping(Random()).ask([run], [0])
    assert [(p.kind, p.trial) for p in ask.proposals] == [("stop", 11)]
    assert ask.notes["curve_trial"] == [10, 11]
    assert ask.notes["curve_epoch"] == [9, 9]
    assert ask.notes["curve_bound"] == [0.05, 0.05]
    assert ask.notes["curve_stop"] == [0, 1]
    assert ask.notes["curve_incumbent"] == sign * values[:10, -1].min()
    assert ask.notes["curve_value"][0] > 0.5
    means, sds = np.array(ask.notes["curve_mean"]), np.array(ask.notes["curve_sd"])
    assert (np.abs(sign * means - values[10:, -1]) < 3 * sds).all()


def test_a_diverged_curve_is_stopped():
    y = drawn(0.8)
    y[11, :3] = [1e3, 1e150, 1e300]
    (ask,) = CurveStopping(Random()).ask([run_of(y[:12], seen=3, running=1)], [0])
    assert [p.trial for p in ask.proposals] == [11]


@pytest.mark.parametrize(
    "options", [{"min_epochs": 10}, {"min_trials": 21}], ids=["epochs", "trials"]
)
def test_nothing_is_judged_before_there_is_enough_to_go_by(options):
    y = drawn(0.8)
    bad = y[:, -1].argsort()[250]
    run = run_of(y[[*range(20), bad]], seen=9, running=1)
    assert len(CurveStopping(Random()).ask([run], [0])[0].proposals) == 1
    (ask,) = CurveStopping(Random(), **options).ask([run], [0])
    assert (ask.proposals, ask.notes) == ((), {})


def test_a_poll_takes_milliseconds():
    """A hundred complete curves and eight that run: about 3 ms alone on a core of 2024."""
    run = run_of(drawn(0.8)[:108], seen=9, running=8)
    rule, seconds = CurveStopping(Random()), []
    for _ in range(7):
        began = time.process_time()
        rule.ask([run], [0])
        seconds.append(time.process_time() - began)
    assert min(seconds) < 0.05  # of processor time, which a busy machine does not change


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0.0}, r"CurveStopping\(threshold=0\.0\): threshold must be a probability"),
        ({"threshold": True}, r"\(threshold=True\): threshold must be a probability"),
        ({"min_epochs": 0}, r"\(min_epochs=0\): min_epochs must be an integer >= 1"),
        ({"min_trials": 0}, r"\(min_trials=0\): min_trials must be an integer >= 1"),
        ({"inner": "random"}, r"\(inner='random'\): inner must be a strategy"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(StrategyError, match=message):
        born(CurveStopping, {"inner": Random(), **options})


def test_a_rule_of_curves_within_another_keeps_its_notes():
    curves = drawn(0.8)[:9]
    trials = []
    for i, curve in enumerate(curves):
        until = 5 if i == 8 else LAST
        known = {"epochs": EPOCHS[:until], "values": tuple(curve[:until].tolist())}
        status = "running" if i == 8 else "finished"
        trials.append(Trial(i, {"x": 0.5}, status, LAST, value=float(curve[until - 1]), **known))
    run = Run(SearchSpace(x=Float(0.0, 1.0)), max_epochs=LAST, trials=tuple(trials))
    inner = CurveStopping(Random(), threshold=0.999)
    (alone,) = inner.ask([run], [0])
    (ask,) = CurveStopping(inner, threshold=0.001).ask([run], [0])
    assert {key: ask.notes[key] for key in alone.notes} == alone.notes
    assert ask.notes["curve_bound"] == [0.999] and ask.notes["curve2_bound"] == [0.001]
    assert ask.notes["curve2_incumbent"] == ask.notes["curve_incumbent"]


def test_of_many_trials_the_latest_teach_what_a_curve_is(monkeypatch):
    monkeypatch.setattr(curve_stopping, "_MOST", 12)
    values = drawn(0.8)[:22]
    run = run_of(values, seen=9, running=2)
    (ask,) = CurveStopping(Random()).ask([run], [0])
    last = np.array([trial.values[-1] for trial in run.trials[10:]])
    expected = forecast(learnt(values[8:20], EPOCHS, last), values[20:, :9], EPOCHS[:9])
    assert ask.notes["curve_mean"] == expected.mean.tolist()
    assert ask.notes["curve_incumbent"] == values[:20, -1].min()
