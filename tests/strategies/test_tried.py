"""What a run has tried: the same as looking through all of it, at the cost of what is new."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hpo_research as hpo
from hpo_research.ledger import Ledger, Limits, RunInfo
from hpo_research.records import Outcome, Report, Run, Trial
from hpo_research.rows import forget
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.strategies.grid import Grid
from hpo_research.strategies.random import Random
from hpo_research.strategies.tried import ATTEMPTS, Places, left, taken, untried

SPACE = SearchSpace(a=Integer(1, 7), b=Float(0.0, 1.0, step=0.1), c=Categorical(("p", "q", 1, 1.0)))
LISTED = SearchSpace(SPACE.parameters, among=[SPACE.config_at(k) for k in range(0, 300, 7)])


def walked(space, known, draws):
    """`untried` as it is said: the draws one by one, then the space's own order."""
    if len(known) >= space.size:
        return None
    for config in space.from_uniform(draws.random((ATTEMPTS, space.dimension))):
        if space.identity(config) not in known:
            return config
    begin = int(draws.random() * 2**53) * space.size >> 53
    walk = (space.config_at((begin + k) % space.size) for k in range(space.size))
    return next(config for config in walk if space.identity(config) not in known)


@pytest.mark.parametrize("space", [SPACE, LISTED], ids=["product", "list"])
@settings(max_examples=25)
@given(st.data())
def test_what_is_untried_is_found_as_by_walking_through_all(space, data):
    places = st.sets(st.integers(0, space.size - 1))
    order = list(range(space.size)) if data.draw(st.booleans()) else []
    for place in data.draw(places):  # a few are tried, or a few are left
        (order.remove if place in order else order.append)(place)
    old, seed = order[: len(order) // 2], data.draw(st.integers(0, 99))
    trials = tuple(Trial(i, space.config_at(k), "finished", 1) for i, k in enumerate(old))
    known = {space.identity(space.config_at(k)) for k in order}
    with taken(Run(space, trials=trials)) as seen:
        for place in order[len(old) :]:
            seen.add(space.config_at(place))
        assert len(seen) == len(known) and sorted(seen.places) == sorted(order)
        generators = (np.random.default_rng(seed) for _ in range(2))
        assert untried(seen, next(generators)) == walked(space, known, next(generators))
    assert left(Run(space, trials=trials)) == space.size - len(old)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 30)), st.lists(st.integers(0, 30)))
def test_the_first_place_that_is_free_is_the_first_one(below, above):
    first = Places()
    second = Places(first)
    for k in range(max(len(below), len(above))):
        for places, own in ((first, below), (second, above)):
            if k < len(own):
                places.take(own[k])
        known = {*below[: k + 1], *above[: k + 1]}
        for place in (0, 7, 30):
            assert second.free(place) == next(p for p in range(place, 99) if p not in known)


def books(space):
    return Ledger(RunInfo(1, space, "value"), Limits())


def asked(book, strategy, slots):
    """Ask, and end what was asked for."""
    (ask,) = strategy.ask([book.run()], [slots])
    row = book.grant(ask)
    if not row.is_empty:
        book.append_ask(row)
    for grant in row.grants:
        book.append_report(Report(1, grant.trial, 1, {"value": float(grant.trial % 5)}))
        book.append_outcome(Outcome(1, grant.trial, "finished", 1))
    return ask


FINITE = {
    "random": Random(),
    "sobol": Random("sobol"),
    "grid": Grid(5),
    "bayesian": hpo.Bayesian(initial=3, starts=2, samples=4),
    "thompson": hpo.Bayesian("thompson", initial=3, starts=2),
}


@pytest.mark.parametrize("name", FINITE)
def test_to_forget_what_is_kept_between_asks_changes_nothing(name):
    space = SearchSpace(a=Integer(1, 3), c=Categorical(("p", "q"))) if name != "grid" else SPACE
    book, other, strategy = books(space), books(space), FINITE[name]
    for slots in (1, 3, 2):
        forget(other.run().trials)
        assert asked(book, strategy, slots) == asked(other, strategy, slots)
    # An older run is answered as it was.
    old = replace_trials(book.run(), 2)
    assert strategy.ask([book.run()], [1]) == strategy.ask([other.run()], [1])
    assert strategy.ask([old], [1]) == strategy.ask([replace_trials(other.run(), 2)], [1])


def replace_trials(run, count):
    return Run(run.space, seed=run.seed, trials=run.trials[:count], asks=run.asks[:1])


@pytest.mark.parametrize("name", ["random", "sobol", "grid"])
def test_a_late_ask_looks_at_what_is_new_alone(name, monkeypatch):
    space = SearchSpace(a=Integer(1, 25), b=Integer(1, 25), c=Integer(1, 4))
    book, strategy = books(space), Grid(25) if name == "grid" else FINITE[name]
    asked(book, strategy, 800)
    asked(book, strategy, 1)
    looks = [0]
    whole = SearchSpace.identity

    def counted(self, config):
        looks[0] += 1
        return whole(self, config)

    monkeypatch.setattr(SearchSpace, "identity", counted)
    asked(book, strategy, 1)
    assert looks[0] <= ATTEMPTS + 10 < 800


def test_many_seeds_are_checked_in_no_time():
    seeds = range(20_000)
    began = time.process_time()
    hpo.Experiment("s", [hpo.problem("branin")], {"r": Random()}, seeds, hpo.Budget(trials=1))
    assert time.process_time() - began < 1.0
    with pytest.raises(hpo.HpoError, match="seeds must be distinct, 3, 5 is repeated"):
        hpo.Experiment(
            "s", [hpo.problem("branin")], {"r": Random()}, [5, 3, 3, 5, 1], hpo.Budget(trials=1)
        )
