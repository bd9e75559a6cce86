"""More budget comes to what it would have come to from the start, whatever the smaller one cut."""

import contextlib
import os
from dataclasses import dataclass, field, replace

import pytest
from doubles import Halving, Walk

import hpo_research as hpo
from hpo_research.device import Compute
from hpo_research.experiment.loop import execute
from hpo_research.experiment.rewinding import rewind
from hpo_research.records import Ask, start
from hpo_research.store import Store
from tests.laws.test_strategy_laws import FREE

IS_WHOLE = "HPO_CAMPAIGN" in os.environ
EVERY = {**FREE, "its own stops": Halving(rung=2), "grid points": hpo.Grid(2)}
EVERY["its own end"] = hpo.Completion(hpo.Random(), not_improving=2)
QUICK = ("random uniform", "hyperband ceil", "asha promote", "asha stop", "median sagemaker")
QUICK += ("curves", "bayesian", "its own stops", "its own end")
STRATEGIES = {name: EVERY[name] for name in (EVERY if IS_WHOLE else QUICK)}
PARALLEL = (1, 3, None) if IS_WHOLE else (3,)
BUDGETS = [(18, 33)] if not IS_WHOLE else [(9, 33), (18, 33), (22, 25, 33), (20, 33), (31, 33)]
# A grid is refused where the budget does not hold it: six configurations of four epochs.
GROWING = [
    pytest.param(strategy, budgets, id=f"{name}-{budgets}")
    for name, strategy in STRATEGIES.items()
    for budgets in BUDGETS
    if "grid" not in name or min(budgets) >= 24
]


def experiment(epochs, strategy, **options):
    """A run of up to eight trials of four epochs on a problem of which some trials fail."""
    given = {
        "problems": [Walk(max_epochs=4, fails_above=0.6)],
        "strategies": {"one": strategy},
        "seeds": [0],
        "parallel": 3,
        "budget": hpo.Budget(epochs=epochs),
        **options,
    }
    return hpo.Experiment(name="more", **given)


def everything(store):
    """All trials, and all asks with their notes, of every run in order of its name."""
    result = hpo.Result.of(store)
    assert result.is_finished
    clocks = {
        name: [(r.key[1:], r.epoch, r.clock) for r, _, _ in own]
        for name, own in result.history.items()
    }
    simulated = result.description["execution"] == "simulated"
    return {
        name: (
            [replace(trial, seconds=0.0) for trial in run.trials],
            list(run.asks),
            sorted(clocks[name]) if simulated else None,
            result.costs[name].epochs,
        )
        for name, run in sorted(result.runs.items())
    }


def run(*experiments):
    with Store.in_memory() as store:
        for one in experiments:
            execute(one, store, Compute())
        return everything(store)


@pytest.mark.parametrize("execution", ["lock-step", "simulated"])
@pytest.mark.parametrize("parallel", PARALLEL)
@pytest.mark.parametrize(("strategy", "budgets"), GROWING)
def test_more_budget_comes_to_the_same_as_all_of_it_from_the_start(
    strategy, budgets, parallel, execution
):
    options = {"parallel": parallel, "execution": execution}
    steps = [experiment(epochs, strategy, **options) for epochs in budgets]
    assert run(*steps) == run(steps[-1])


@pytest.mark.parametrize(
    "strategy",
    [hpo.Hyperband(eta=2, rounding="floor"), hpo.EarlyDiscarding(candidates=6, top=2)],
    ids=["hyperband floor", "early discarding"],
)
@pytest.mark.parametrize("budgets", [(31, 33), (22, 25, 33)], ids=str)
def test_an_ask_that_got_all_slots_of_a_smaller_budget_was_cut_short_too(strategy, budgets):
    steps = [experiment(epochs, strategy, parallel=None) for epochs in budgets]
    assert run(*steps) == run(steps[-1])


def test_more_budget_beside_more_of_everything_else_changes_nothing():
    small = experiment(18, hpo.ASHA("stop"))
    large = {
        "problems": [*small.problems, Walk(name="added", max_epochs=4)],
        "strategies": {**small.strategies, "added": hpo.Random()},
        "seeds": [0, 1],
    }
    grown = experiment(33, hpo.ASHA("stop"), **large)
    assert run(small, grown) == run(grown)


class Stopped(BaseException):
    """Stands for SIGKILL."""


@pytest.mark.parametrize(
    ("strategy", "execution"),
    [(hpo.ASHA("stop"), "lock-step"), (hpo.ASHA(), "simulated")],
    ids=["lock-step", "simulated"],
)
def test_killed_while_it_goes_on_with_more_budget_it_comes_to_the_same(
    strategy, execution, monkeypatch
):
    steps = [experiment(epochs, strategy, execution=execution) for epochs in (18, 33)]
    expected = run(steps[-1])
    for door in ("retract", "append_asks", "append_poll"):
        for calls in (1, 3):
            with Store.in_memory() as store, monkeypatch.context() as patch:
                execute(steps[0], store, Compute())
                left, whole = [calls], getattr(Store, door)

                def dying(self, *given, left=left, whole=whole):
                    whole(self, *given)
                    left[0] -= 1
                    if left[0] == 0:
                        raise Stopped

                patch.setattr(Store, door, dying)
                for _ in range(2):
                    with contextlib.suppress(Stopped):
                        execute(steps[1], store, Compute())
                assert left[0] <= 0 or door == "retract"
                assert everything(store) == expected


@dataclass(frozen=True)
class Moody(Walk):
    """Gives another value whenever an epoch is trained, and counts how often each was."""

    name: str = "moody"
    trained: dict[tuple[int, int], int] = field(
        default_factory=dict, metadata={"identity": False}, compare=False
    )

    def evaluate(self, segments, device="cpu"):
        for reports in Walk.evaluate(self, segments, device):
            for report in reports:
                place = report.trial, report.epoch
                self.trained[place] = self.trained.get(place, 0) + 1
            times = [self.trained[report.trial, report.epoch] for report in reports]
            yield [
                replace(r, metrics={"loss": r.metrics["loss"] + 10 * (k - 1)})
                for r, k in zip(reports, times, strict=True)
            ]


def test_what_was_trained_is_neither_trained_again_nor_changed():
    problem = Moody(max_epochs=4)
    options = {"problems": [problem], "parallel": 4}
    with Store.in_memory() as store:
        execute(experiment(18, hpo.Random(), **options), store, Compute())
        before = hpo.Result.of(store).frame().set_index("trial")["value"]
        spent = dict(problem.trained)
        execute(experiment(33, hpo.Random(), **options), store, Compute())
        after = hpo.Result.of(store).frame().set_index("trial")["value"]
    assert len(after) == 8 > len(before) == 4
    assert after[before.index].equals(before)
    assert {place: problem.trained[place] for place in spent} == spent
    assert set(problem.trained.values()) == {1}


@dataclass(frozen=True)
class Turning:
    """Starts what a list outside of it says: no strategy of ours would."""

    values: list[float] = field(metadata={"identity": False})

    def ask(self, runs, slots):
        return [
            Ask(
                tuple(start({"x": x, "kind": "a"}, 4, "list") for x in self.values[len(r.trials) :])
            )
            if free
            else Ask()
            for r, free in zip(runs, slots, strict=True)
        ]


def test_another_configuration_is_not_given_what_is_known_of_the_one_before():
    problem, values = Walk(max_epochs=4), [0.1, 0.2, 0.3, 0.4]
    options = {"problems": [problem], "parallel": 4}
    with Store.in_memory() as store:
        execute(experiment(8, Turning(values), **options), store, Compute())
        values[1] = 0.9
        execute(experiment(16, Turning(values), **options), store, Compute())
        found = hpo.Result.of(store).frame()["value"].tolist()
    fresh = run(experiment(16, Turning(list(values)), **options))
    assert found == [trial.value for trial in next(iter(fresh.values()))[0]]


def test_where_time_is_real_nothing_is_taken_back():
    small = experiment(18, hpo.Random())
    with Store.in_memory() as store:
        execute(small, store, Compute())
        grown = replace(experiment(33, hpo.Random()), execution="asynchronous")
        ledgers = {1: grown.ledger(grown.problems[0], 0, 1)}
        rows = store.rows()
        assert rewind(grown, store, ledgers) == set()
        assert store.rows() == rows
        assert rewind(replace(grown, execution="lock-step"), store, ledgers) == {1}
        assert store.rows() < rows
