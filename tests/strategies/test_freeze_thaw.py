from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch

from hpo_research.acquisition import Search
from hpo_research.errors import StrategyError
from hpo_research.records import Ask, Run, Trial
from hpo_research.space import Categorical, Float, SearchSpace
from hpo_research.strategies.freeze_thaw import FreezeThaw
from hpo_research.strategies.models.curve_batch import newcomers
from hpo_research.strategies.models.curve_data import (
    CurveForecast,
    CurveObservations,
    CurveRun,
    ladder,
    thinned,
)
from hpo_research.strategies.random import Random
from tests.strategies.simulated import Loop, accepted, born, settled

SPACE = SearchSpace(x=Float(0.0, 1.0), y=Float(0.0, 1.0))
RUN = Run(SPACE, max_epochs=9)


def falling(trial: Trial, epoch: int) -> float:
    """Fall from a value that depends on y towards a bowl with its bottom at (0.3, 0.6)."""
    x, y = trial.config["x"], trial.config["y"]
    return (x - 0.3) ** 2 + (y - 0.6) ** 2 + (1 + y) / epoch


def paused(values, config=None, **changes):
    known = {"epochs": tuple(range(1, len(values) + 1)), "values": tuple(values)}
    known |= {"value": values[-1]} if values else {}
    trial = Trial(0, config or {"x": 0.5, "y": 0.5}, "paused", max(1, len(values)), **known)
    return replace(trial, **changes)


@pytest.mark.parametrize(
    ("max_epochs", "rungs"),
    [(1, (1,)), (2, (1, 2)), (9, (1, 2, 4, 6, 9)), (27, (1, 2, 4, 6, 9, 13, 19, 27))],
)
def test_a_ladder_ends_at_the_last_epoch(max_epochs, rungs):
    assert ladder(max_epochs) == rungs


def test_curves_are_thinned_to_the_rungs_and_the_last_epoch():
    assert thinned([1, 2, 3, 4, 5], (1, 2, 4, 6)) == [0, 1, 3, 4]
    assert thinned([3, 5], (1, 2, 4, 6)) == [0, 1]
    assert thinned([], (1, 2)) == []


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_failed_trial_counts_as_bad_as_the_worst_where_it_failed(direction):
    failed = Trial(1, {"x": 0.1, "y": 0.1}, "failed", 9, epochs=(1, 2), values=(-5.0, -6.0))
    seen = CurveObservations.of(
        replace(RUN, direction=direction, trials=(paused([3.0, 2.0]), failed))
    )
    worst = 3.0 if direction == "minimize" else -2.0
    assert [(o.trial, o.epoch, o.loss) for o in seen.observations if o.trial == 1] == [
        (1, 3, worst)
    ]
    assert seen.values == 2


def test_of_many_observations_the_last_ones_of_the_best_trials_are_kept():
    trials = tuple(paused([9.0, float(k)], id=k) for k in range(10))
    seen = CurveObservations.of(replace(RUN, trials=trials), most=4)
    assert [(o.trial, o.epoch) for o in seen.observations] == [(k, 2) for k in range(4)]
    whole = CurveObservations.of(replace(RUN, trials=trials), most=20)
    assert len(whole.observations) == 20


def test_a_run_begins_with_the_sobol_sequence_one_epoch_each():
    (ask,) = FreezeThaw().ask([RUN], [3])
    (sobol,) = Random("sobol").ask([RUN], [3])
    assert [p.config for p in ask.proposals] == [p.config for p in sobol.proposals]
    assert [p.until for p in ask.proposals] == [1, 1, 1]


def driven(strategy, trials=20, run=RUN, curve=falling, parallel=2):
    return Loop(parallel, trials).drive(strategy, run, curve)


@cache
def modelled():
    """A run of which most asks had a model."""
    return driven(FreezeThaw(initial=6))


def test_what_is_promising_goes_on_and_the_rest_stays_paused():
    done = modelled()
    final = [falling(trial, 9) for trial in done.trials]
    epochs = [trial.reached for trial in done.trials]
    finished = [value for value, epoch in zip(final, epochs, strict=True) if epoch == 9]
    assert min(finished) < min(final) + 0.01
    assert np.median(epochs) <= 4
    assert sum(epochs) < 0.6 * 9 * len(epochs)
    assert min(finished) < 0.22  # the bowl's bottom has 1.6 / 9


def test_the_greedy_proposal_resumes_the_trial_of_the_best_predicted_end():
    (ask,) = FreezeThaw(initial=6).ask([RUN], [12])
    run = settled(accepted(RUN, ask), falling)
    (ask,) = FreezeThaw(greedy=12).ask([run], [1])  # 12 proposals were made
    assert ask.notes["winner"] == "greedy"
    (proposal,) = ask.proposals
    assert proposal.kind == "resume" and proposal.until == 2
    first = sorted(run.trials, key=lambda trial: falling(trial, 1))
    assert proposal.trial in [trial.id for trial in first[:3]]


def gained(means, i, deviation):
    """What the least mean is expected to fall by when the i-th moves, by the trapezoidal rule."""
    z = np.linspace(-9.0, 9.0, 200_001)
    others = np.delete(means, i).min()
    falls = means.min() - np.minimum(others, means[i] + deviation * z)
    return float((falls * np.exp(-0.5 * z * z)).sum() * (z[1] - z[0]) / np.sqrt(2 * np.pi))


@pytest.mark.parametrize("seed", [0, 1])
def test_the_others_go_where_the_least_foreseen_end_is_expected_to_fall_most(seed):
    """The trial foreseen to end best is compared with the second best, any other with the best.

    Also where one of them is new, or is running and has reported nothing.
    """
    (ask,) = FreezeThaw(initial=6).ask([replace(RUN, seed=seed)], [12])
    run = settled(accepted(replace(RUN, seed=seed), ask), falling)
    running = Trial(12, {"x": 0.31, "y": 0.4}, "running", 1)
    run = replace(run, trials=(*run.trials, *[running] * seed))
    (ask,) = FreezeThaw(greedy=1000).ask([run], [16])
    assert set(ask.notes["winner"].split()) == {"curious"}
    thetas = [tuple(ask.notes["curve_fit"])]
    model = CurveForecast.of([CurveRun.of(run)], thetas, "yeo-johnson", "matern52", "cpu")
    (new,) = newcomers(model, 16, search=Search(16))
    rows = [(trial.config, trial.id, 2.0) for trial in run.trials]
    rows += [(one.config, -1, 1.0) for one in new]
    x = torch.tensor([[[config["x"], config["y"]] for config, _, _ in rows]]).double()
    trial = torch.tensor([[trial for _, trial, _ in rows]])
    until = torch.tensor([[until for _, _, until in rows]]).double()
    last = torch.full_like(until, 9.0)
    (mean,), _, (covariance,), (variance,) = model.posterior.foretell(x, trial, last, until)
    deviation = covariance.abs() / (variance + model.posterior.hyperparameters["noise"]).sqrt()
    gains = [gained(mean.numpy(), i, float(deviation[i])) for i in range(len(rows))]
    free = [i for i in range(len(rows)) if seed == 0 or rows[i][1] != running.id]
    expected = sorted((gains[i] for i in free), reverse=True)[:16]
    assert np.exp(ask.notes["acquisition"]) == pytest.approx(expected, rel=1e-4, abs=1e-7)
    order = sorted(free, key=lambda i: -gains[i])[:3]
    chosen = [p.config or run.trials[p.trial].config for p in ask.proposals[:3]]
    assert chosen == [rows[i][0] for i in order]


def test_hyperparameters_are_fitted_again_only_when_there_are_a_fifth_more_observations():
    done = modelled()
    sizes = [a.notes["curve_observations"] for a in done.asks if "curve_fit" in a.notes]
    numbers = [a.notes["curve_fits"] for a in done.asks if "curve_fit" in a.notes]
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(b > 1.2 * a for a, b in pairwise(sizes))
    asks = [ask for ask in done.asks if "winner" in ask.notes]
    assert len(sizes) < len(asks) / 2


def test_fits_go_on_when_there_are_more_observations_than_a_model_takes():
    trials = tuple(paused([2.0, float(k)], id=k) for k in range(200))
    notes = {"curve_fit": [0.0] * 9, "curve_observations": 256.0, "curve_fits": 3.0}
    known = replace(RUN, trials=trials, asks=(Ask(notes=notes),))
    seen = CurveObservations.of(known)
    assert (len(seen.observations), seen.count, seen.is_due) == (256, 400, True)
    assert not CurveObservations.of(
        replace(known, asks=(Ask(notes={**notes, "curve_observations": 400.0}),))
    ).is_due
    (ask,) = FreezeThaw(starts=2).ask([known], [1])
    assert ask.notes["curve_observations"] == 400.0


def test_between_fits_the_hyperparameters_come_from_the_notes():
    done = modelled()
    notes = next(ask.notes for ask in done.asks if "curve_fit" in ask.notes)
    notes = {**notes, "curve_observations": 1e9}  # nothing is due
    other = {**notes, "curve_fit": [value + 1.0 for value in notes["curve_fit"]]}
    noted = [replace(done, asks=(*done.asks, Ask(notes=own))) for own in (notes, other)]
    asks = FreezeThaw(initial=6).ask(noted, [2, 2])
    assert all("curve_fit" not in ask.notes for ask in asks)
    assert asks[0].notes["acquisition"] != asks[1].notes["acquisition"]


def test_a_diverged_trial_is_not_resumed_and_its_place_is_left():
    def diverging(trial, epoch):
        return None if trial.config["x"] > 0.5 else falling(trial, epoch)

    done = driven(FreezeThaw(initial=8), trials=24, curve=diverging, parallel=4)
    failed = [trial.status == "failed" for trial in done.trials]
    assert sum(failed[:8]) >= 3
    assert sum(failed[12:]) <= 4  # of 12, half of which would fail by chance


def test_enormous_early_losses_do_not_hide_the_differences_of_late_ones():
    def exploding(trial, epoch):
        return falling(trial, epoch) + (1e9 if trial.id % 5 == 0 else 0.0) / epoch

    done = driven(FreezeThaw(initial=6), trials=26, curve=exploding, parallel=3)
    best = min(trial.value for trial in done.trials if trial.reached == 9)
    assert best < 0.3


def test_with_one_epoch_trials_are_started_and_finished():
    run = replace(RUN, max_epochs=1)
    done = driven(FreezeThaw(initial=4), trials=12, run=run, parallel=4)
    assert {trial.status for trial in done.trials} == {"finished"}
    near = [abs(t.config["x"] - 0.3) + abs(t.config["y"] - 0.1) for t in done.trials]
    assert np.mean(near[6:]) < np.mean(near[:4])


def test_all_of_a_small_space_is_trained_to_the_end_at_last():
    space = SearchSpace(c=Categorical(("a", "b", "c", "d", "e")))
    order = {"a": 3.0, "b": 1.0, "c": 2.0, "d": 5.0, "e": 4.0}
    run = Run(space, max_epochs=4)
    done = driven(FreezeThaw(initial=2), run=run, curve=lambda t, e: order[t.config["c"]] + 1 / e)
    assert sorted(trial.config["c"] for trial in done.trials) == list("abcde")
    assert {trial.status for trial in done.trials} == {"finished"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"initial": 1}, r"FreezeThaw\(initial=1\): initial must be an integer >= 2"),
        ({"greedy": 0}, r"FreezeThaw\(greedy=0\): greedy must be an integer >= 1"),
        ({"batch": 0}, r"FreezeThaw\(batch=0\): batch must be an integer >= 1"),
        ({"starts": 1}, r"FreezeThaw\(starts=1\): starts must be an integer >= 2"),
        ({"model": "cubic"}, r"FreezeThaw\(model='cubic'\): model must be one of matern52"),
        (
            {"transform": "log"},
            r"FreezeThaw\(transform='log'\): transform must be one of yeo-johnson",
        ),
    ],
)
def test_a_wrong_option_is_refused(options, message):
    with pytest.raises(StrategyError, match=message):
        born(FreezeThaw, options)
