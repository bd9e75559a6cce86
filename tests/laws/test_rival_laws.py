"""The laws of strategies in their form for other libraries' optimisers: `make rivals`.

Held to them is every rival that is installed here or in an environment that `HPO_RIVALS` names; the
others skip. Each law drives few trials, since an ask may take seconds. Without `HPO_RIVAL_LAWS=1`
all skip: they take minutes.
"""

import math
import os
from dataclasses import replace

import pytest

import hpo_research as hpo
from hpo_research.errors import MissingPackageError
from hpo_research.records import Run
from hpo_research.rivals import live
from hpo_research.rivals.catalogue import CATALOGUE
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.testing import strategies as laws
from hpo_research.testing.simulated import Loop, accepted, settled

pytestmark = [
    pytest.mark.skipif(not os.environ.get("HPO_RIVAL_LAWS"), reason="make rivals runs these"),
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore"),
]

MIXED = SearchSpace(
    rate=Float(1e-5, 1.0, scale="log"),
    layers=Integer(1, 256, scale="log"),
    width=Integer(1, 300),
    size=Categorical((1, 2, 4, 8), ordered=True),
    kind=Categorical(("a", "b", "c")),
)
SPACES = {"mixed": MIXED, "finite": laws.SPACES["finite"]}
TRIALS = 9
EARLY = {
    "optuna-tpe": {"n_startup_trials": 4},
    "optuna-gp": {"n_startup_trials": 4},
    "ax": {"initialization_budget": 4},
    "ax-quality": {"initialization_budget": 4},
    "botorch": {"initial": 4},
    "smac-rf": {"n_trials": 16},
    "smac-gp": {"n_trials": 16},
    "hebo": {"rand_sample": 4},
    "neps": {"initial_design_size": 4},
}
"""Options under which a model chooses from the fifth trial on, so that few trials hold it to laws.

Without them most laws would see initial designs alone: 10 trials of Optuna's, 25 of SMAC's."""


@pytest.fixture(params=CATALOGUE)
def strategy(request):
    try:
        return hpo.rival(request.param, **EARLY.get(request.param, {}))
    except MissingPackageError as error:
        pytest.skip(str(error))


def epochs_of(strategy):
    return 9 if CATALOGUE[strategy.name].is_by_epoch else 1


def drive(parallel=3, trials=TRIALS, **how):
    return laws.Drive(laws.curve_of("some fail"), Loop(parallel, trials, **how))


def test_a_rival_is_a_record_and_answers_no_runs(strategy):
    laws.is_a_record(strategy)
    laws.no_runs_give_no_asks(strategy)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_killed_before_each_ask_with_failures_it_comes_to_the_same(strategy, space):
    run = Run(space, seed=11, max_epochs=epochs_of(strategy))
    laws.killed_is_whole(strategy, run, drive())


def test_trials_may_end_in_any_order(strategy):
    run = Run(MIXED, seed=12, direction="maximize", max_epochs=epochs_of(strategy))
    laws.any_order_is_lawful(strategy, run, drive())


@pytest.mark.parametrize("epochs", [1, 9])
def test_an_ask_is_lawful_pure_and_its_runs_own(strategy, epochs):
    run = Run(MIXED, seed=13, max_epochs=epochs)
    (ask,) = strategy.ask([run], [2])
    later = settled(accepted(run, ask), laws.curve_of("noise"))
    for one in (run, later, laws.aware(run)):
        laws.an_ask_is_lawful(strategy, one, 2)
        laws.an_ask_is_pure(strategy, one, 2)
        laws.no_plan_needs_the_budget(strategy, one, 2)
    laws.neighbours_are_unseen(strategy, [run, later, replace(run, seed=14)], [2, 1, 2])


def test_a_value_that_is_not_finite_neither_ends_nor_blinds_it(strategy):
    run = Run(MIXED, seed=15)
    for turn in range(5):
        (ask,) = strategy.ask([run], [2])
        run = settled(accepted(run, ask), laws.curve_of("noise"))
        if turn == 1:
            last = replace(run.trials[-1], values=(math.nan,), value=math.nan)
            run = replace(run, trials=(*run.trials[:-1], last))
    told = [loss for ask in run.asks for loss in ask.notes.get("rival_losses", [])]
    assert len(run.trials) >= 6
    assert all(math.isfinite(loss) for loss in told)


def test_dropping_engines_changes_nothing(strategy):
    run = plain = Run(MIXED, seed=16, max_epochs=epochs_of(strategy))
    for _ in range(3):
        live.clear()
        (ask,) = strategy.ask([run], [2])
        run = settled(accepted(run, ask), laws.curve_of("noise"))
    for _ in range(3):
        (ask,) = strategy.ask([plain], [2])
        plain = settled(accepted(plain, ask), laws.curve_of("noise"))
    assert run == plain


def test_an_experiment_of_it_is_resumed(strategy, tmp_path):
    epochs = epochs_of(strategy)
    problem = hpo.problem("curves", max_epochs=9) if epochs > 1 else hpo.problem("branin")
    small, large = (
        hpo.Experiment(
            "x", [problem], {"theirs": strategy}, [0, 1], hpo.Budget(trials=n), parallel=2
        )
        for n in (5, 8)
    )
    hpo.run(small, out=tmp_path / "resumed", device="cpu")
    live.clear()
    resumed = hpo.run(large, out=tmp_path / "resumed", device="cpu")
    whole = hpo.run(large, out=tmp_path / "whole", device="cpu")
    for name, run in whole.runs.items():
        again = [(t.config, t.values) for t in resumed.runs[name].trials]
        assert again == [(t.config, t.values) for t in run.trials]
        assert all(ask.seconds["rival"] >= 0 for ask in run.asks)
