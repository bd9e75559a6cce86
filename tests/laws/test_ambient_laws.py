"""No number depends on what a program has set for torch, NumPy or Python as a whole."""

import os
import pickle
import threading
from dataclasses import dataclass, field, replace

import matplotlib
import numpy as np
import pytest
import torch
from ambient import SETTINGS, TOGETHER, under
from doubles import Walk

from hpo_research.ambient import full_precision, ordinary, stepwise
from hpo_research.analysis.export import export
from hpo_research.analysis.result import Result
from hpo_research.device import Compute
from hpo_research.experiment import Budget, Experiment
from hpo_research.experiment.loop import execute
from hpo_research.figures.draw import save
from hpo_research.figures.incumbent import incumbent_figure
from hpo_research.problems.wrappers import Noisy
from hpo_research.records import Report, Run
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.store import Store
from hpo_research.strategies.answers import recommended
from hpo_research.strategies.bayesian import Bayesian
from hpo_research.strategies.halving.hyperband import Hyperband
from hpo_research.strategies.random import Random
from hpo_research.strategies.stopping.curve import CurveStopping
from hpo_research.strategies.stopping.median import MedianStopping
from hpo_research.tables import write
from hpo_research.testing.problems import bits, segments, states
from tests.laws.test_problem_laws import PROBLEMS
from tests.laws.test_strategy_laws import STRATEGIES, curve_of
from tests.strategies.simulated import Loop

SPACES = {
    "mixed": SearchSpace(
        rate=Float(1e-5, 1.0, scale="log"), k=Integer(1, 300), c=Categorical(("a", "b", "c"))
    ),
    "finite": SearchSpace(a=Integer(1, 9), c=Categorical(("a", "b"))),
}
# Of each kind of arithmetic one; the campaign takes all, under every setting alone.
QUICK = ("random sobol", "grid points", "curves", "bayesian", "bayesian thompson", "freeze thaw")
TRAINED = ("digits-mlp",)
IS_WHOLE = "HPO_CAMPAIGN" in os.environ
COMBINED = TOGETHER | ({name: (name,) for name in SETTINGS} if IS_WHOLE else {})
DECIDING = {name: STRATEGIES[name] for name in (STRATEGIES if IS_WHOLE else QUICK)}
REPORTING = {
    name: problem
    for name, problem in PROBLEMS.items()
    if IS_WHOLE or name in TRAINED or not name.startswith("digits")
}
together = pytest.mark.parametrize("names", COMBINED.values(), ids=COMBINED)


def driven(strategy, space):
    """Everything that a strategy said in a short run, and the trial it recommends, as bytes."""
    run = Run(space, max_epochs=4, seed=3, total=20)
    done = Loop(parallel=3, trials=6, most=1).drive(strategy, run, curve_of("noise"))
    return pickle.dumps((done.trials, [a.notes for a in done.asks], recommended(strategy, [done])))


@pytest.mark.parametrize("name", DECIDING)
@together
def test_a_strategy_decides_the_same_whatever_a_program_has_set(name, names):
    strategy = STRATEGIES[name]
    space = SPACES["finite" if name.endswith(("points", "thompson")) else "mixed"]
    with under(*names):
        found = driven(strategy, space)
    assert found == driven(strategy, space)


def reported(problem):
    """The reports of two trials trained together, to the bit, one of them resumed; the optimum."""
    most = min(problem.max_epochs, 2)
    batch = segments(problem, 2, most)
    found = [[bits(r) for r in reports] for reports in problem.evaluate(batch)]
    if most > 1:
        state = states(problem, [replace(batch[1], until=1)])[batch[1].key]
        rest = replace(batch[1], start=1, state=state)
        found += [[bits(r) for r in reports] for reports in problem.evaluate([rest])]
    return found, problem.optimum


@pytest.mark.parametrize("problem", REPORTING.values(), ids=REPORTING)
@together
def test_a_problem_reports_the_same_whatever_a_program_has_set(problem, names):
    with under(*names):
        found = reported(pickle.loads(pickle.dumps(problem)))  # nothing kept in the object either
    assert found == reported(problem)


@pytest.fixture(scope="module")
def result():
    with Store.in_memory() as store:
        strategies = {"random": Random(), "median": MedianStopping(Random(), min_trials=1)}
        problem, budget = Walk(max_epochs=3, fails_above=0.5), Budget(epochs=11)
        shown = Experiment("shown", [problem], strategies, [0, 1], budget, parallel=2)
        execute(shown, store, Compute())
        yield Result.of(store)


def shown(result, folder):
    """The bytes of every table and of a figure, whatever the user's look is."""
    with matplotlib.rc_context({"font.size": 30, "savefig.dpi": 20, "svg.hashsalt": folder.name}):
        before = dict(matplotlib.rcParams)
        write(result, folder)
        export(result, folder)
        save(incumbent_figure(result, "epochs"), folder)
        assert dict(matplotlib.rcParams) == before
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_shown_is_the_same_whatever_a_program_has_set(result, tmp_path):
    with under(*TOGETHER["wide"]):
        found = shown(result, tmp_path / "wide")
    assert found == shown(result, tmp_path / "ordinary")
    assert {"incumbent.svg", "trials.csv", "summary.csv"} <= found.keys()


# --- and what a program has set is still set, for its own code and afterwards ---


def seen() -> tuple[object, ...]:
    """What code of the user's own sees now."""
    return (
        torch.get_default_dtype(),
        str(torch.get_default_device()),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_float32_matmul_precision(),
        torch.backends.mkldnn.matmul.fp32_precision,
        torch.backends.cuda.matmul.fp32_precision,
        torch.are_deterministic_algorithms_enabled(),
        np.geterr(),
        float(np.float64(5e-324) * 1.0) if np.geterr()["under"] == "ignore" else None,
    )


@dataclass(frozen=True)
class Watching:
    """A strategy of the user's own that keeps what it sees."""

    found: list[tuple[object, ...]] = field(default_factory=list)

    def ask(self, runs, slots):
        self.found.append(seen())
        return Bayesian(initial=2, starts=2, samples=4).ask(runs, slots)


@dataclass(frozen=True)
class Watched(Walk):
    """A problem of the user's own that keeps what it sees at every epoch."""

    found: list[tuple[object, ...]] = field(default_factory=list)

    def evaluate(self, segments, device="cpu"):
        for epoch in range(1, 3):
            self.found.append(seen())
            yield [Report(*segment.key, epoch, {self.metric: 1.0}) for segment in segments]


@together
def test_code_of_the_user_sees_what_the_program_has_set(names):
    with under(*names):
        before = seen()
        strategy, problem = Watching(), Watched(fails_above=2.0)
        driven(CurveStopping(Hyperband(inner=strategy), min_trials=1), SPACES["mixed"])
        list(Noisy(problem, 0.1).evaluate(segments(problem, 2, 2)))
        after = seen()
    assert {*map(repr, strategy.found), *map(repr, problem.found)} == {repr(before)}
    assert after == before


@together
def test_between_two_epochs_of_ours_nothing_is_changed(names):
    problem = PROBLEMS["digits-mlp"]
    with under(*names):
        before, between = seen(), []
        for _ in problem.evaluate(segments(problem, 1, 2)):
            between.append(seen())
    assert between == [before, before]


def test_blocks_of_full_precision_may_overlap():
    first, second = full_precision(), full_precision()
    with under("coarse products"):
        before = seen()
        first.__enter__(), second.__enter__()
        first.__exit__(None, None, None)
        assert torch.backends.mkldnn.matmul.fp32_precision == "ieee"
        second.__exit__(None, None, None)
        assert seen() == before


def test_another_thread_does_not_see_what_is_ordinary_here():
    with under("float errors"), ordinary():
        found = []
        thread = threading.Thread(target=lambda: found.append(torch.is_grad_enabled()))
        with torch.no_grad(), ordinary():  # within a block, what the block sets stays
            assert not torch.is_grad_enabled()
        thread.start(), thread.join()
    assert found == [True]


def test_steps_that_are_closed_or_broken_leave_nothing_behind():
    @stepwise
    def steps(count):
        for k in range(count):
            assert torch.is_grad_enabled()
            if k == 2:
                raise ValueError("the third")
            got = yield k
            assert got in (None, "sent")

    with under("no gradients", "coarse products"):
        before = seen()
        made = steps(5)
        assert (next(made), made.send("sent")) == (0, 1)
        with pytest.raises(ValueError, match="the third"):
            next(made)
        other = steps(2)
        next(other), other.close()
        assert seen() == before
