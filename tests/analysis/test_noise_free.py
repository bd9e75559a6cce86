"""Values without noise: which trial a run stands for, and what it is worth."""

import json
from dataclasses import replace

import numpy as np
import pytest
from botorch.models import SingleTaskGP
from handmade import changed, made

import hpo_research as hpo
from hpo_research.analysis import noise_free as module
from hpo_research.analysis.noise_free import is_noisy, noise_free
from hpo_research.analysis.rebuild import strategy_of
from hpo_research.analysis.result import Result
from hpo_research.experiment.description import describe
from hpo_research.problems.wrappers import Noisy
from hpo_research.store import RunName

A, B = [RunName("p", "random", seed) for seed in (0, 1)]


def disturbed(clean: dict[RunName, list[float]], **options: object) -> Result:
    """Two reports a trial; the second is `clean` and the first 1 more, each with its noise of 0.5.

    The noise is added to the odd trials and taken from the even ones.
    """
    histories = {
        name: [(i // 2, i % 2 + 1, v + 0.5 * (-1) ** (i // 2 + 1)) for i, v in enumerate(own)]
        for name, own in clean.items()
    }
    result = made(histories, **options)
    history = {
        name: [
            (replace(r, metrics={**r.metrics, "noise_free": clean[name][i]}), spent, turn)
            for i, (r, spent, turn) in enumerate(entries)
        ]
        for name, entries in result.history.items()
    }
    described = {"random": describe(hpo.Random(), "random")}
    result = changed(result, "reports", history)
    return replace(result, description={**result.description, "strategies": described})


def described(strategy: hpo.Strategy) -> dict[str, object]:
    return json.loads(json.dumps(describe(strategy, "strategy")))


# --- by hand ---


def test_the_best_observed_trial_is_worth_its_value_without_noise():
    # Trial 0 is observed at 1.5 and trial 1 at 2.2.
    result = disturbed({A: [3.0, 2.0, 2.7, 1.7]}, optimum=1.0)
    (found,) = noise_free(result)
    assert found.observed.values["random"].tolist() == [1.0]
    assert found.recommended.values["random"].tolist() == [1.0]
    assert (found.observed.is_regret, found.observed.direction) == (True, "minimize")


def test_reports_beyond_the_optimum_by_noise_alone_leave_regret_as_it_is():
    (found,) = noise_free(disturbed({A: [3.0, 2.0]}, optimum=1.9))
    assert found.observed.is_regret
    assert found.observed.values["random"].tolist() == pytest.approx([0.1])


def test_without_an_optimum_the_values_are_those_of_the_metric():
    (found,) = noise_free(disturbed({A: [3.0, 2.0], B: []}, direction="maximize"))
    assert (found.observed.is_regret, found.observed.direction) == (False, "maximize")
    np.testing.assert_array_equal(found.recommended.values["random"], [2.0, np.nan])


def test_by_the_rule_best_a_value_is_that_of_the_epoch_that_counts():
    result = disturbed({A: [1.0, 2.0]})
    best = replace(result, description={**result.description, "final": "best"})
    assert noise_free(result)[0].observed.values["random"].tolist() == [2.0]
    assert noise_free(best)[0].observed.values["random"].tolist() == [1.0]


def test_a_problem_without_noise_is_left_out_and_no_model_is_fitted(monkeypatch):
    monkeypatch.setattr(module, "recommended", None)
    result = made({A: [(0, 1, 1.0)]})
    assert not is_noisy(result, "p")
    assert noise_free(result) == []


# --- strategies read back ---


@pytest.mark.parametrize(
    "strategy",
    [
        hpo.Bayesian(),
        hpo.Bayesian("ucb", initial=5, beta=2),
        hpo.Hyperband(inner=hpo.Bayesian()),
        hpo.MedianStopping(hpo.ASHA("stop", inner=hpo.Bayesian())),
        hpo.Random(),
        hpo.Hyperband(inner=hpo.Grid({"class": 3, "function": (1, 2)})),
        hpo.FreezeThaw(),
    ],
    ids=["default", "options", "in Hyperband", "in a rule", "random", "a grid", "freeze thaw"],
)
def test_a_strategy_of_ours_is_read_back(strategy):
    assert strategy_of(described(strategy)) == strategy


@pytest.mark.parametrize(
    "strategy",
    [
        hpo.Bayesian(model=SingleTaskGP),
        hpo.Hyperband(inner=hpo.Bayesian(model=SingleTaskGP)),
    ],
    ids=["botorch", "botorch inside hyperband"],
)
def test_a_strategy_of_parts_that_are_known_by_name_is_not(strategy):
    assert strategy_of(described(strategy)) is None


@pytest.mark.parametrize(
    "name",
    ["os.system", "hpo_research.strategies.gone.Gone", "hpo_research.strategies.asha.partial"],
)
def test_what_is_no_strategy_of_this_package_is_neither_imported_nor_made(name):
    assert strategy_of({"class": name}) is None


def test_an_option_that_this_version_does_not_know_is_no_strategy():
    assert strategy_of({**described(hpo.Bayesian()), "temperature": 3}) is None


# --- an experiment ---


def test_every_strategy_is_fitted_once_to_all_of_its_noisy_runs(tmp_path, monkeypatch):
    experiment = hpo.Experiment(
        name="noise",
        problems=[
            Noisy(hpo.problem("branin"), 20.0),
            hpo.problem("branin"),
            Noisy(hpo.problem("hartmann6"), 0.5),
        ],
        strategies={"random": hpo.Random(), "model": hpo.Bayesian(samples=8, starts=4)},
        seeds=range(2),
        parallel=4,
        budget=hpo.Budget(evaluations=8),
    )
    hpo.run(experiment, out=tmp_path, device="cpu")
    result, calls = Result.read(tmp_path), []

    def counted(strategy, runs):
        calls.append((strategy, len(runs)))
        return [3 for _ in runs]

    monkeypatch.setattr(module, "recommended", counted)
    found = noise_free(result)
    assert calls == [(experiment.strategies["model"], 4)]
    assert [own.observed.problem for own in found] == ["branin+noise(20)", "hartmann6+noise(0.5)"]
    branin, problem = found[0].recommended, hpo.problem("branin")
    assert branin.is_regret
    for strategy, number in (("model", 3), ("random", None)):
        for seed in branin.seeds:
            run = result.runs[RunName(branin.problem, strategy, seed)]
            trial = run.best() if number is None else run.trials[number]
            regret = branin.values[strategy][seed] + problem.optimum
            history = result.history[RunName(branin.problem, strategy, seed)]
            (report,) = [own for own, _, _ in history if own.trial == trial.id]
            assert report.metrics["noise_free"] == pytest.approx(regret)
