"""The recommended trial: the best posterior mean, and what stands for it where there is none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from botorch.models import SingleTaskGP

from hpo_research.records import Run, Trial
from hpo_research.space import Config, Float, SearchSpace
from hpo_research.strategies.answers import recommended
from hpo_research.strategies.bayesian import Bayesian
from hpo_research.strategies.freeze_thaw import FreezeThaw
from hpo_research.strategies.grid import Grid
from hpo_research.strategies.halving.asha import ASHA, AsynchronousHyperband
from hpo_research.strategies.halving.early_discarding import EarlyDiscarding
from hpo_research.strategies.halving.hyperband import Hyperband
from hpo_research.strategies.halving.successive_halving import SuccessiveHalving
from hpo_research.strategies.model_hyperband import ModelHyperband
from hpo_research.strategies.models.curve_data import CurveForecast, CurveRun, fitted
from hpo_research.strategies.models.surrogate import surrogate
from hpo_research.strategies.random import Random
from hpo_research.strategies.stopping.curve import CurveStopping
from hpo_research.strategies.stopping.median import MedianStopping

LINE = SearchSpace(x=Float(0, 1))
BAYESIAN = Bayesian()


def bowl(config: Config) -> float:
    return (config["x"] - 0.3) ** 2


def noisy(seed: int = 0, count: int = 48, sd: float = 0.1) -> Run:
    """Random points of a quadratic, with noise of a fifth of its range."""
    draws = np.random.default_rng(seed)
    configs = LINE.from_uniform(draws.random((count, 1)))
    values = [bowl(config) + sd * draws.standard_normal() for config in configs]
    return of(values, [config["x"] for config in configs])


def of(values: list[float | None], places: list[float] | None = None, **options: object) -> Run:
    """A run of finished trials, of failed ones where the value is None."""
    places = np.linspace(0, 1, len(values)).tolist() if places is None else places
    trials = [
        Trial(i, {"x": x}, "failed" if value is None else "finished", 1, value=value)
        for i, (value, x) in enumerate(zip(values, places, strict=True))
    ]
    return Run(LINE, trials=tuple(trials), **options)


def mirrored(run: Run) -> Run:
    trials = [replace(t, value=None if t.value is None else -t.value) for t in run.trials]
    return replace(run, direction="maximize", trials=tuple(trials))


# --- with a model ---


def test_in_noise_the_recommended_trial_is_better_in_median_than_the_best_observed():
    """Of 200 sets of 20 seeds, this one among them, 9 were the other way round and 1 was equal.

    An error rate of 5 %, for 48 trials; with fewer or noisier ones it is higher (11 of 60 sets at
    32 trials), since the model then takes noise for the function.
    """
    runs = [noisy(seed) for seed in range(20)]
    chosen = recommended(BAYESIAN, runs)
    ours = [bowl(run.trials[trial].config) for run, trial in zip(runs, chosen, strict=True)]
    theirs = [bowl(run.best().config) for run in runs]
    assert np.median(ours) < np.median(theirs)


def test_it_is_the_trial_that_the_surrogate_believes_in_most():
    for run in (noisy(1), mirrored(noisy(1))):
        belief = surrogate(BAYESIAN, run).believe(LINE.encode([t.config for t in run.trials]))
        sign = 1.0 if run.direction == "minimize" else -1.0
        assert recommended(BAYESIAN, [run]) == [int(np.argmin(sign * belief.median))]


@pytest.mark.parametrize("count", [2, 5, 20])
def test_without_noise_on_a_slope_it_is_the_best_observed(count):
    down = of([-3.0 * k for k in range(count)])
    assert recommended(BAYESIAN, [down, mirrored(down)]) == [count - 1, count - 1]


def test_where_all_values_are_equal_it_is_the_first_of_them():
    assert recommended(BAYESIAN, [of([None, None, 2.0, 2.0, 2.0])]) == [2]


def test_a_failed_trial_is_never_recommended():
    run = of([3.0, 2.0, 1.0, None, 1.1, 2.0, 3.0])
    assert recommended(BAYESIAN, [run]) == [2]


def test_a_running_trial_changes_nothing():
    run = noisy(2, count=16)
    running = Trial(16, {"x": 0.3}, "running", 9, (1,), (-9.0,), -9.0)
    more = replace(run, trials=(*run.trials, running))
    assert recommended(BAYESIAN, [more]) == recommended(BAYESIAN, [run])


def test_runs_of_every_length_are_recommended_for_in_their_order():
    runs = [noisy(seed, count) for seed, count in enumerate((20, 3, 40, 17, 0, 1))]
    together = recommended(BAYESIAN, runs)
    assert together == [recommended(BAYESIAN, [run])[0] for run in runs]
    assert together[-2:] == [None, 0]


# --- without one ---


@pytest.mark.parametrize(
    "strategy",
    [Random(), Grid(3), Hyperband(), Bayesian(model=SingleTaskGP)],
    ids=["random", "grid", "hyperband", "botorch"],
)
def test_without_a_model_of_ours_it_is_the_best_observed(strategy):
    run = noisy(3)
    assert recommended(strategy, [run, mirrored(run)]) == [run.best().id] * 2


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], None), ([None, None], None), ([None, 4.0], 1), ([1.0], 0)],
    ids=["nothing", "all failed", "one value and a failure", "one value"],
)
@pytest.mark.parametrize("strategy", [BAYESIAN, Hyperband(inner=BAYESIAN), Random()], ids=str)
def test_below_two_values_it_is_the_best_observed_if_there_is_any(strategy, values, expected):
    assert recommended(strategy, [of(values)]) == [expected]


# --- Hyperband around a model ---


def climbed(long: int) -> Run:
    """Six trials of one epoch, the first `long` of them trained on until the ninth.

    Values grow with the epochs, which tells a comparison across them from one at the same epoch.
    """
    trials = []
    for i in range(6):
        epochs = tuple(range(1, 10 if i < long else 2))
        values = tuple(epoch + 0.1 * abs(i - 1) for epoch in epochs)
        status = "finished" if i < long else "paused"
        config = {"x": i / 5}
        trials.append(Trial(i, config, status, epochs[-1], epochs, values, values[-1]))
    return Run(LINE, max_epochs=9, trials=tuple(trials))


@pytest.mark.parametrize(
    "around",
    [Hyperband, SuccessiveHalving, EarlyDiscarding, ASHA, AsynchronousHyperband],
)
def test_inside_hyperband_and_its_like_the_trials_trained_furthest_are_compared(around):
    run = climbed(3)  # one hyperparameter: the model sees what three trials have reached
    assert run.best().id == 3
    assert recommended(around(inner=BAYESIAN), [run]) == [1]
    assert recommended(MedianStopping(around(inner=BAYESIAN)), [run]) == [1]


@pytest.mark.parametrize("rule", [MedianStopping, CurveStopping])
def test_a_rule_of_stopping_recommends_what_the_strategy_inside_does(rule):
    run = noisy(4, count=20)
    assert recommended(rule(BAYESIAN), [run]) == recommended(BAYESIAN, [run])


def test_inside_hyperband_it_is_the_best_observed_until_the_model_sees_the_furthest_epoch():
    run = climbed(2)
    assert recommended(Hyperband(inner=BAYESIAN), [run]) == [run.best().id]


def test_inside_hyperband_of_one_rung_it_is_that_of_the_inner_strategy():
    run = noisy(4, count=20)
    done = [replace(t, epochs=(1,), values=(t.value,)) for t in run.trials]
    run = replace(run, trials=tuple(done))
    assert recommended(Hyperband(inner=BAYESIAN), [run]) == recommended(BAYESIAN, [run])


# --- models of learning curves ---


def worse_of_both(strategy, run: Run) -> list[float]:
    """The worse of each trial's predicted losses, where it is and at the last epoch."""
    transform = getattr(strategy, "transform", "yeo-johnson")
    known = CurveRun.of(run)
    ((theta, _),) = fitted({0: known}, transform, "matern52", "cpu").values()
    model = CurveForecast.of([known], [theta], transform, "matern52", "cpu")
    x = known.encoding.points([trial.config for trial in run.trials]).x
    trial = torch.tensor([[trial.id for trial in run.trials]])
    now = torch.tensor([[float(trial.epochs[-1]) for trial in run.trials]])
    epochs = (now.double(), model.epochs(run.max_epochs, trial))
    means = [model.posterior.predict(x, trial, epoch)[0][0] for epoch in epochs]
    return torch.maximum(*means).tolist()


def curve_of(x: float) -> tuple[float, ...]:
    return tuple(5 * (x - 0.3) ** 2 + 4 / epoch for epoch in range(1, 10))


def falling(count: int = 12, finished: int = 3) -> Run:
    """Curves that fall to a bowl about 0.3; some are trained to the end, most for an epoch.

    Those of one epoch start lower the further they are from its middle.
    """
    trials = []
    for i in range(count):
        epochs = tuple(range(1, 10 if i < finished else 2))
        x = i / max(1, count - 1)
        values = curve_of(x)[: len(epochs)]
        status = "finished" if i < finished else "paused"
        trials.append(Trial(i, {"x": x}, status, epochs[-1], epochs, values, values[-1]))
    return Run(LINE, max_epochs=9, trials=tuple(trials))


CURVED = [FreezeThaw(), ModelHyperband()]


@pytest.mark.parametrize("strategy", CURVED, ids=["freeze thaw", "model hyperband"])
def test_of_learning_curves_it_is_the_trial_that_is_good_and_stays_so(strategy):
    run = falling()
    losses = worse_of_both(strategy, run)
    assert recommended(strategy, [run]) == [int(np.argmin(losses))] == [2] == [run.best().id]
    assert recommended(strategy, [mirrored(curves_mirrored(run))]) == [2]
    assert recommended(MedianStopping(strategy), [run]) == [2]


@pytest.mark.parametrize("strategy", CURVED, ids=["freeze thaw", "model hyperband"])
def test_a_trial_that_is_foreseen_to_end_best_is_not_recommended_before_it_is_there(strategy):
    """At the first epoch trials 3 and 4 are best; trained on, they would be the best at the end."""
    run = falling()
    longer = [
        replace(t, epochs=run.trials[0].epochs, values=curve_of(t.config["x"])) for t in run.trials
    ]
    done = [replace(t, status="finished", until=9, value=t.values[-1]) for t in longer]
    assert recommended(strategy, [run]) == [2]
    assert recommended(strategy, [replace(run, trials=tuple(done))])[0] in (3, 4)


def curves_mirrored(run: Run) -> Run:
    trials = [replace(t, values=tuple(-value for value in t.values)) for t in run.trials]
    return replace(run, trials=tuple(trials))


@pytest.mark.parametrize("strategy", CURVED, ids=["freeze thaw", "model hyperband"])
def test_a_first_value_that_will_rise_is_not_recommended_before_ends(strategy):
    """Losses that grow with the epochs: the best observed are those hardly trained."""
    run = climbed(3)
    assert run.best().id == 3
    assert recommended(strategy, [run]) == [1]


@pytest.mark.parametrize("strategy", CURVED, ids=["freeze thaw", "model hyperband"])
def test_a_failed_curve_is_never_recommended_and_a_running_one_as_far_as_it_goes(strategy):
    run = falling()
    (first,) = recommended(strategy, [run])
    failed, running = list(run.trials), list(run.trials)
    failed[first] = replace(failed[first], status="failed", value=None)
    (other,) = recommended(strategy, [replace(run, trials=tuple(failed))])
    assert other != first and run.trials[other].value is not None
    running[first] = replace(running[first], status="running", until=9)
    assert recommended(strategy, [replace(run, trials=tuple(running))]) == [first]


@pytest.mark.parametrize("strategy", CURVED, ids=["freeze thaw", "model hyperband"])
def test_curves_of_many_runs_are_recommended_for_in_their_order(strategy):
    runs = [falling(count) for count in (12, 3, 40, 1)]
    runs.append(replace(runs[0], trials=runs[0].trials[:0]))
    together = recommended(strategy, runs)
    assert together == [recommended(strategy, [run])[0] for run in runs]
    assert together[-2:] == [0, None]
