"""The laws of strategies, each for one run, and `check_strategy`, which holds a strategy to all."""

import copy
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, is_dataclass, replace

from hpo_research.experiment.checks import strategy_mistake
from hpo_research.experiment.description import describe
from hpo_research.records import PRIOR, Ask, Direction, Run, Start, Trial
from hpo_research.rng import Stream
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.strategies.answers import needs_total, recommended
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.random import Random
from hpo_research.testing.laws import check, need, same
from hpo_research.testing.simulated import Curve, Loop, accepted, settled

SPACES = {
    "mixed": SearchSpace(
        rate=Float(1e-5, 1.0, scale="log"), width=Integer(1, 300), kind=Categorical(("a", "b", "c"))
    ),
    "finite": SearchSpace(k=Integer(1, 3), c=Categorical(("a", "b"))),
}
_TOTAL = 30


def check_strategy(strategy: Strategy, *, space: SearchSpace | None = None) -> None:
    """Hold a strategy to the laws that every strategy must keep.

    By asking it about some dozens of small runs: in both directions, of 1 and 9 epochs, with trials
    that run, wait, failed and ended, over a mixed and a finite space, or over `space` where it is
    made for one. Raises `LawError` with a line for each law that is broken: what was expected, and
    what came.
    """
    spaces = list(SPACES.values()) if space is None else [space]
    runs = [open_total(strategy, run) for own in spaces for run in known_runs(own)]
    fresh = [run for run in runs if not run.trials]
    many = [
        Drive(curve_of(kind), Loop(3, 12, most=most))
        for kind, most in (("noise", None), ("some fail", 1))
    ]

    def every(law: object, cases: Sequence[Run], given: Sequence[object]) -> None:
        for run in cases:
            for one in given:
                law(strategy, run, one)  # type: ignore[operator]

    check(
        strategy,
        {
            "a strategy is a frozen record that an experiment can describe": lambda: is_a_record(
                strategy
            ),
            "no runs give no asks": lambda: no_runs_give_no_asks(strategy),
            "an ask is lawful": lambda: every(an_ask_is_lawful, runs, [1, 4]),
            "the same run gives the same ask, and is left as it is": lambda: every(
                an_ask_is_pure, runs, [0, 3]
            ),
            "no slots give no work": lambda: every(an_ask_is_lawful, runs, [0]),
            "a run does not see its neighbours": lambda: neighbours_are_unseen(
                strategy, runs, [(3 + i) % 5 for i in range(len(runs))]
            ),
            "no plan depends on the budget": lambda: every(no_plan_needs_the_budget, runs, [4]),
            "killed and resumed equals uninterrupted": lambda: every(killed_is_whole, fresh, many),
            "trials may end in any order": lambda: every(any_order_is_lawful, fresh, many),
            "a recommendation is a trial with a value": lambda: recommends_a_value(strategy, runs),
            "what earlier runs found is known, and is none of the run's trials": lambda: (
                earlier_is_known(strategy, runs)
            ),
        },
    )


# -- the laws


def is_a_record(strategy: Strategy) -> None:
    """A frozen dataclass, equal to its pickled copy, that can be stored with an experiment."""
    mistake = strategy_mistake(strategy)
    need(not mistake, "a strategy", mistake)
    need(is_dataclass(strategy), "a frozen dataclass", type(strategy))
    describe(strategy, "strategy")
    reborn = pickle.loads(pickle.dumps(strategy))
    same(reborn, strategy, "a pickled copy that is equal")


def no_runs_give_no_asks(strategy: Strategy) -> None:
    """An empty list for an empty list."""
    same(strategy.ask([], []), [], "asks of no runs")


def an_ask_is_lawful(strategy: Strategy, run: Run, slots: int) -> None:
    """One ask, no more than the slots, in the space; only what can be stopped and resumed is."""
    asks = strategy.ask([run], [slots])
    need(isinstance(asks, list | tuple) and len(asks) == 1, "a list of one Ask per run", asks)
    (ask,) = asks
    need(isinstance(ask, Ask), "an Ask", ask)
    work = [proposal for proposal in ask.proposals if proposal.kind != "stop"]
    need(len(work) <= slots, f"at most {slots} trials to start or resume", len(work))
    accepted(run, ask)  # resumes of paused trials, stops of running ones, each once
    for proposal in work:
        until = proposal.until
        need(1 <= until <= run.max_epochs, f"until between 1 and {run.max_epochs}", until)
        if isinstance(proposal, Start):
            _in_the_space(run, proposal)


def _in_the_space(run: Run, proposal: Start) -> None:
    config = proposal.config
    legal = run.space.validate(config, "a configuration")
    is_same = run.space.identity(legal) == run.space.identity(config)
    need(is_same, f"a configuration as the space has it, {legal}", config)
    names = list(run.space.names)
    need(list(config) == names, f"parameters in declared order, {names}", list(config))
    need(bool(proposal.origin), "an origin, why it was chosen", proposal.origin)


def an_ask_is_pure(strategy: Strategy, run: Run, slots: int) -> None:
    """Asked twice, the same; the run is as it was."""
    before = copy.deepcopy(run)
    first = strategy.ask([run], [slots])
    need(run == before, "the run as it was before the ask", "one that the ask has changed")
    same(strategy.ask([run], [slots]), first, "the same ask again")


def neighbours_are_unseen(strategy: Strategy, runs: Sequence[Run], slots: Sequence[int]) -> None:
    """Together, in any order and under any id, the same as alone."""
    runs = [replace(run, id=i) for i, run in enumerate(runs)]
    together = strategy.ask(runs, slots)
    for run, free, ask in zip(runs, slots, together, strict=True):
        (alone,) = strategy.ask([replace(run, id=77)], [free])
        same(ask, alone, "the ask of the run alone")
    turned = strategy.ask(runs[::-1], slots[::-1])
    same(turned, together[::-1], "the same asks in another order")


def no_plan_needs_the_budget(strategy: Strategy, run: Run, slots: int) -> None:
    """Whatever the budget is, the same; but for a strategy that says that it needs it."""
    if not needs_total(strategy):
        rich = replace(run, total=10**6, left=1e5)
        found = strategy.ask([rich], [slots])
        same(found, strategy.ask([replace(run, total=None)], [slots]), "the same without a budget")


@dataclass(frozen=True)
class Drive:
    """How trials come out, and how a run is driven."""

    curve: Curve
    loop: Loop


def killed_is_whole(strategy: Strategy, run: Run, drive: Drive) -> None:
    """Read back from text before each ask, by a pickled copy, a run comes to the same."""
    whole = drive.loop.drive(strategy, run, drive.curve)
    reborn = pickle.loads(pickle.dumps(strategy))
    killed = replace(drive.loop, is_killed=True).drive(reborn, run, drive.curve)
    same(list(killed.trials), list(whole.trials), "the trials of the uninterrupted run")
    same(list(killed.asks), list(whole.asks), "the asks of the uninterrupted run")


def any_order_is_lawful(strategy: Strategy, run: Run, drive: Drive) -> None:
    """Each trial ends on its own, in a drawn order; every ask can be carried out."""
    order = drive.loop.order or run.stream.at("order").generator()
    done = replace(drive.loop, order=order).drive(strategy, run, drive.curve)
    numbers = [trial.id for trial in done.trials]
    same(numbers, list(range(len(numbers))), "trials numbered from 0")


def recommends_a_value(strategy: Strategy, runs: Sequence[Run]) -> None:
    """A trial with a value if there is any; inputs untouched, neighbours unseen."""
    before = copy.deepcopy(list(runs))
    together = recommended(strategy, runs)
    need(list(runs) == before, "the runs as they were", "others")
    alone = [recommended(strategy, [replace(run, id=77)])[0] for run in runs]
    same(together, alone, "what is recommended for each run alone")
    for run, trial in zip(runs, together, strict=True):
        if trial is None:
            need(run.best() is None, "a trial, since one has a value", trial)
        else:
            need(run.trials[trial].value is not None, "a trial with a value", trial)


def earlier_is_known(strategy: Strategy, runs: Sequence[Run]) -> None:
    """The same laws for runs that know earlier trials, of their task and of two related ones.

    Beside runs that know nothing; such a run killed and resumed equals uninterrupted.
    """
    known = [aware(run) for run in runs]
    for run in known:
        an_ask_is_lawful(strategy, run, 2)
        an_ask_is_pure(strategy, run, 2)
    neighbours_are_unseen(strategy, [*known, *runs[:2]], [2] * (len(known) + len(runs[:2])))
    recommends_a_value(strategy, known)
    for run in known:
        if not run.trials:
            killed_is_whole(strategy, run, Drive(curve_of("noise"), Loop(2, 6)))


# -- runs


def aware(run: Run, count: int = 3) -> Run:
    """Return a run that knows what earlier ones found; the last trial of each failed."""

    def found(seed: int) -> tuple[Trial, ...]:
        fresh = Run(run.space, max_epochs=run.max_epochs, seed=seed)
        (ask,) = Random().ask([fresh], [count])
        done = settled(accepted(fresh, ask), curve_of("noise")).trials
        *first, last = (replace(trial, origin=PRIOR) for trial in done)
        return (*first, Trial(last.id, last.config, "failed", last.until, origin=PRIOR))

    return replace(run, prior=found(11), related=(found(12), found(13)))


def known_runs(space: SearchSpace) -> Iterator[Run]:
    """Yield runs at their start and after some turns of random search, of any mixture of states."""
    directions: tuple[Direction, ...] = ("minimize", "maximize")
    for epochs, direction in zip((1, 9), directions, strict=True):
        run = Run(space, direction=direction, max_epochs=epochs, seed=epochs, total=_TOTAL)
        yield run
        for kind, until in (("noise", epochs), ("some fail", 1), ("noise", 1)):
            (ask,) = Random().ask([run], [3])
            starts = [proposal for proposal in ask.proposals if isinstance(proposal, Start)]
            short = tuple(replace(proposal, until=until) for proposal in starts)
            run = settled(accepted(run, replace(ask, proposals=short)), curve_of(kind))
            yield run
        (ask,) = Random().ask([run], [2])
        yield accepted(run, ask)  # two are running


def curve_of(kind: str) -> Curve:
    """Return learning curves: noise, a constant, or failures of some or of all trials."""

    def value(trial: Trial, epoch: int) -> float | None:
        if kind == "all fail" or (kind == "some fail" and (trial.id + epoch) % 5 == 0):
            return None
        draws = Stream(trial.id).at("epoch", epoch).generator()
        return 1.0 if kind == "constant" else float(draws.standard_normal())

    return value


def open_total(strategy: Strategy, run: Run) -> Run:
    """Lift the budget in trials, but for a strategy that says that it needs it."""
    return run if needs_total(strategy) else replace(run, total=None)
