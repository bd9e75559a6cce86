"""The laws that every strategy must pass: design, section 5. Add a strategy to `STRATEGIES`."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo_research.records import Run, Trial
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.strategies.answers import recommended
from hpo_research.strategies.bayesian import Bayesian
from hpo_research.strategies.completion import Completion
from hpo_research.strategies.freeze_thaw import FreezeThaw
from hpo_research.strategies.grid import Grid
from hpo_research.strategies.halving.asha import ASHA, AsynchronousHyperband
from hpo_research.strategies.halving.early_discarding import EarlyDiscarding
from hpo_research.strategies.halving.hyperband import Hyperband
from hpo_research.strategies.halving.successive_halving import SuccessiveHalving
from hpo_research.strategies.model_hyperband import ModelHyperband
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.random import Random
from hpo_research.strategies.stopping.curve import CurveStopping
from hpo_research.strategies.stopping.median import MedianStopping
from hpo_research.testing import strategies as laws
from hpo_research.testing.strategies import open_total
from tests.strategies.simulated import Loop, accepted, settled

# The run-time type checker samples containers with the global generator, inside our strategies too.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

STRATEGIES: dict[str, Strategy] = {
    "grid fit": Grid("fit"),
    "grid points": Grid(3),
    "random uniform": Random(),
    "random sobol": Random("sobol"),
    "hyperband ceil": Hyperband(),
    "hyperband floor": Hyperband(eta=2, rounding="floor"),
    "hyperband sobol": Hyperband(inner=Random("sobol")),
    "hyperband grid": Hyperband(inner=Grid(2)),
    "successive halving": SuccessiveHalving(eta=2, candidates=5, min_epochs=2),
    "early discarding": EarlyDiscarding(candidates=6, top=2),
    "asha promote": ASHA(eta=2),
    "asha stop": ASHA("stop", min_epochs=2),
    "median sagemaker": MedianStopping(Random(), min_trials=2),
    "median vizier": MedianStopping(ASHA("continual"), "vizier", min_epochs=2, min_trials=1),
    "curves": CurveStopping(Random(), threshold=0.4, min_epochs=2, min_trials=1),
    "asynchronous hyperband": AsynchronousHyperband(),
    "bayesian": Bayesian(initial=3, samples=16, starts=4),
    "bayesian ucb": Bayesian("ucb", "rbf", "by-evidence", initial=4, samples=8, starts=4),
    "bayesian thompson": Bayesian("thompson", initial=3, starts=2),
    "bayesian noisy": Bayesian("qlognei", "averaged", initial=3, samples=4, starts=2),
    "freeze thaw": FreezeThaw(initial=3, starts=2),
    "model hyperband": ModelHyperband(initial=3, starts=2),
    "completion values": Completion(MedianStopping(Random()), target=-2.2, not_improving=9),
    "completion draws": Completion(Random(), convergence=0.1, rounds=2),
    "hyperband bayesian": Hyperband(inner=Bayesian(initial=3, samples=16, starts=4)),
}
KEYED = {name: STRATEGIES[name] for name in STRATEGIES if name.startswith(("grid", "random"))}
MODELLED = {name: STRATEGIES[name] for name in STRATEGIES if "bayesian" in name}
FREE = {name: STRATEGIES[name] for name in STRATEGIES if name != "grid fit"}

PAIRED: dict[str, Callable[[Strategy], Strategy]] = {
    "hyperband": lambda inner: Hyperband(inner=inner),
    "successive halving": lambda inner: SuccessiveHalving(candidates=5, inner=inner),
    "early discarding": lambda inner: EarlyDiscarding(candidates=4, inner=inner),
    "asha promote": lambda inner: ASHA(eta=2, inner=inner),
    "asha stop": lambda inner: ASHA("stop", inner=inner),
    "asynchronous hyperband": lambda inner: AsynchronousHyperband(inner=inner),
    "curves": lambda inner: CurveStopping(inner, threshold=0.4, min_trials=1),
    "median": lambda inner: MedianStopping(inner, min_trials=2),
}

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
few = settings(max_examples=15, deadline=None)


@every_strategy
def test_what_earlier_runs_found_is_known_and_is_none_of_the_runs_trials(strategy):
    """A run of one epoch at its start, and one of nine that goes on: `check_strategy` has more."""
    has_model = strategy in MODELLED.values() or isinstance(strategy, FreezeThaw | ModelHyperband)
    for name in ("mixed",) if has_model else laws.SPACES:
        runs = [open_total(strategy, run) for run in laws.known_runs(laws.SPACES[name])]
        laws.earlier_is_known(strategy, [runs[0], runs[8]])


def trials_of(strategy: Strategy) -> int:
    """How many trials a drawn run has at most: fewer where every epoch is decided by a model."""
    return 8 if isinstance(strategy, FreezeThaw | ModelHyperband) else 25


@st.composite
def parameters(draw):
    return draw(
        st.sampled_from(
            [
                Float(-1.0, 2.0),
                Float(1e-5, 1.0, scale="log"),
                Float(0.5, 0.999, scale="reverse_log"),
                Float(0.0, 1.0, step=0.25),
                Integer(1, 3),
                Integer(1, 1000, scale="log"),
                Integer(-4, 8, step=4),
                Categorical(("a", "b")),
                Categorical((None, True, 1, 1.0), ordered=True),
            ]
        )
    )


@st.composite
def spaces(draw, finite: bool = False):
    """Spaces of up to three parameters; some finite, some a list of configurations."""
    small = st.sampled_from([Integer(1, 3), Categorical(("a", "b")), Float(0.0, 1.0, step=0.5)])
    chosen = draw(st.lists(small if finite else parameters(), min_size=1, max_size=3))
    named = {f"p{i}": parameter for i, parameter in enumerate(chosen)}
    space = SearchSpace(named)
    if not draw(st.booleans()):
        return space
    count = draw(st.integers(1, 9))
    cube = np.random.default_rng(draw(st.integers(0, 99))).random((count, len(chosen)))
    listed = {space.identity(config): config for config in space.decode(cube)}
    return SearchSpace(named, among=list(listed.values()))


@st.composite
def fresh_runs(draw, finite: bool = False):
    space = draw(spaces(finite))
    categories = [p.size for p in space.parameters.values() if isinstance(p, Categorical)]
    least = len(space.among) if space.among is not None else math.prod(categories)
    return Run(
        space,
        direction=draw(st.sampled_from(["minimize", "maximize"])),
        max_epochs=draw(st.sampled_from([1, 2, 9, 11])),
        seed=draw(st.integers(0, 2**40)),
        total=max(least, 30),
    )


def curve_of(kind: str):
    """Learning curves: noise, a constant, or failures of some or of all trials."""

    def value(trial: Trial, epoch: int) -> float | None:
        if kind == "all fail" or (kind == "some fail" and (trial.id + epoch) % 5 == 0):
            return None
        draws = np.random.default_rng((trial.id, epoch))
        return 1.0 if kind == "constant" else float(draws.normal())

    return value


curves = st.sampled_from(["noise", "constant", "some fail", "all fail"])


@st.composite
def known_runs(draw):
    """A run after some turns of random search: any mixture of statuses, often some running."""
    run = draw(fresh_runs())
    for _ in range(draw(st.integers(0, 3))):
        (ask,) = Random().ask([run], [draw(st.integers(1, 4))])
        short = [replace(p, until=draw(st.integers(1, p.until))) for p in ask.proposals]
        run = settled(run, curve_of(draw(curves)))
        run = accepted(run, replace(ask, proposals=tuple(short)))
    return settled(run, curve_of(draw(curves))) if draw(st.booleans()) else run


@every_strategy
@few
@given(run=known_runs(), slots=st.integers(0, 7))
def test_an_ask_is_lawful(strategy, run, slots):
    run = open_total(strategy, run)
    laws.an_ask_is_pure(strategy, run, slots)
    laws.an_ask_is_lawful(strategy, run, slots)


@every_strategy
@few
@given(runs=st.lists(known_runs(), min_size=2, max_size=4), slots=st.integers(1, 5))
def test_a_run_does_not_see_its_neighbours(strategy, runs, slots):
    runs = [open_total(strategy, run) for run in runs]
    laws.neighbours_are_unseen(strategy, runs, [(slots + i) % 6 for i in range(len(runs))])


@st.composite
def alike_runs(draw):
    """Runs of spaces that look alike to a model: other names, bounds, scales and values."""
    pairs = [
        (Float(-1.0, 2.0), Float(100.0, 200.0)),
        (Float(0.0, 1.0), Float(1e-5, 1.0, scale="log")),
        (Integer(1, 3), Integer(7, 9)),
        (Categorical(("a", "b")), Categorical((0, 1))),
        (Categorical((1, 2, 3), ordered=True), Integer(4, 6)),
    ]
    chosen = draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=3))
    runs = []
    for side in (0, 1):
        named = {f"{'pq'[side]}{i}": pair[side] for i, pair in enumerate(chosen)}
        run = Run(SearchSpace(named), seed=draw(st.integers(0, 99)), total=30, id=side)
        (ask,) = Random().ask([run], [6])
        runs.append(settled(accepted(run, ask), curve_of("noise")))
    return runs


@every_strategy
@few
@given(runs=alike_runs())
def test_a_run_does_not_see_a_neighbour_of_a_space_that_looks_alike(strategy, runs):
    runs = [open_total(strategy, run) for run in runs]
    together = strategy.ask(runs, [3, 3])
    assert together == [strategy.ask([run], [3])[0] for run in runs]
    for run, ask in zip(runs, together, strict=True):
        for proposal in ask.proposals:
            run.space.validate(proposal.config)


@every_strategy
@few
@given(runs=st.lists(known_runs(), min_size=2, max_size=4))
def test_a_recommendation_is_lawful(strategy, runs):
    laws.recommends_a_value(strategy, runs)


@pytest.mark.parametrize("strategy", MODELLED.values(), ids=MODELLED)
@settings(max_examples=6, deadline=None)
@given(runs=alike_runs())
def test_a_recommendation_does_not_see_a_neighbour_that_looks_alike(strategy, runs):
    alone = [recommended(strategy, [run])[0] for run in runs]
    assert recommended(strategy, runs) == alone


@every_strategy
@few
@given(
    run=fresh_runs(),
    curve=curves,
    parallel=st.sampled_from([1, 3, 50]),
    most=st.sampled_from([None, 1]),
)
def test_killed_and_resumed_equals_uninterrupted(strategy, run, curve, parallel, most):
    """And what is kept of runs between two asks changes nothing: a killed run has none of it."""
    loop = Loop(parallel, trials=trials_of(strategy), most=most)
    laws.killed_is_whole(strategy, open_total(strategy, run), laws.Drive(curve_of(curve), loop))


@every_strategy
@few
@given(run=fresh_runs(), curve=curves, seed=st.integers(0, 99), most=st.sampled_from([None, 1]))
def test_trials_that_end_in_any_order_keep_the_laws(strategy, run, curve, seed, most):
    loop = Loop(4, trials_of(strategy), np.random.default_rng(seed), most=most)
    laws.any_order_is_lawful(strategy, open_total(strategy, run), laws.Drive(curve_of(curve), loop))


@every_strategy
@few
@given(run=fresh_runs(finite=True), curve=curves, parallel=st.sampled_from([1, 4, 50]))
def test_a_finite_space_is_never_tried_twice_and_then_the_run_ends(strategy, run, curve, parallel):
    run = open_total(strategy, run)
    done = Loop(parallel, trials=100).drive(strategy, run, curve_of(curve))
    tried = [run.space.identity(trial.config) for trial in done.trials]
    assert len(set(tried)) == len(tried)
    assert done.running == ()
    assert strategy.ask([done], [3])[0].proposals == ()
    ends_early = isinstance(strategy, Completion) or strategy == STRATEGIES["hyperband grid"]
    if run.space.size <= 8 and not ends_early:
        assert len(tried) == run.space.size


@every_strategy
@pytest.mark.parametrize("status", ["running", "failed", "finished", "stopped"])
def test_one_configuration_left_is_found(strategy, status):
    space = SearchSpace(a=Categorical(("p", "q")), n=Integer(1, 2))
    value = 1.0 if status == "finished" else None
    known = tuple(Trial(k, space.config_at(k), status, 1, value=value) for k in (0, 1, 2))
    run = Run(space, trials=known, total=4)
    (ask,) = strategy.ask([run], [4])
    assert [proposal.config for proposal in ask.proposals] == [space.config_at(3)]


@every_strategy
@pytest.mark.parametrize("max_epochs", [1, 9])
def test_an_exhausted_space_waits_while_trials_run_and_then_ends(strategy, max_epochs):
    space = SearchSpace(a=Categorical(("p", "q")))
    known = tuple(Trial(k, space.config_at(k), "running", max_epochs) for k in (0, 1))
    run = Run(space, max_epochs=max_epochs, trials=known, total=4)
    assert strategy.ask([run], [4])[0].proposals == ()
    done = settled(run, curve_of("noise"))
    assert strategy.ask([done], [4])[0].proposals == ()


@pytest.mark.parametrize("strategy", FREE.values(), ids=FREE)
@few
@given(run=known_runs(), total=st.integers(10**6, 10**9), left=st.floats(0, 1e6))
def test_no_plan_depends_on_the_budget(strategy, run, total, left):
    laws.no_plan_needs_the_budget(strategy, run, 4)
    rich = replace(run, total=total, left=left)
    assert strategy.ask([replace(run, total=None)], [4]) == strategy.ask([rich], [4])


@every_strategy
@few
@given(run=known_runs())
def test_no_slots_give_no_work(strategy, run):
    laws.an_ask_is_lawful(strategy, open_total(strategy, run), 0)


@every_strategy
def test_no_runs_give_no_asks(strategy):
    laws.no_runs_give_no_asks(strategy)


@pytest.mark.parametrize("strategy", KEYED.values(), ids=KEYED)
@few
@given(run=fresh_runs())
def test_an_ask_for_four_equals_four_asks_for_one(strategy, run):
    run = open_total(strategy, run)
    (four,) = strategy.ask([run], [4])
    alone = run
    for _ in range(4):
        (one,) = strategy.ask([alone], [1])
        alone = accepted(alone, one)
    assert accepted(run, four).trials == alone.trials


@pytest.mark.parametrize("made", PAIRED.values(), ids=PAIRED)
@few
@given(run=fresh_runs(), kind=st.sampled_from(["uniform", "sobol"]), curve=curves)
def test_strategies_of_a_seed_try_the_same_configurations(made, run, kind, curve):
    """Whatever it has seen, a strategy around random search starts trial i with its i-th draw."""
    (random,) = Random(kind).ask([run], [12])
    done = Loop(parallel=3, trials=12).drive(made(Random(kind)), run, curve_of(curve))
    expected = [proposal.config for proposal in random.proposals]
    assert [trial.config for trial in done.trials] == expected[: len(done.trials)]


@every_strategy
def test_a_strategy_is_a_frozen_record(strategy):
    laws.is_a_record(strategy)
    assert isinstance(strategy, Strategy)
    assert eval(repr(strategy)) == strategy
    with pytest.raises(AttributeError, match="cannot assign to field"):
        strategy.inner = None
