"""An experiment: mistakes at birth, and what may be added or changed when it is run again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from doubles import SPACE, Halving, Walk, label

import hpo_research as hpo
from hpo_research.device import Compute
from hpo_research.errors import ExperimentError, StrategyError
from hpo_research.experiment.experiment import parallel_of
from hpo_research.experiment.loop import execute
from hpo_research.store import Store


def loss(config, scale=1.0):
    return scale * config["x"]


GIVEN = {
    "name": "made",
    "problems": [Walk()],
    "strategies": {"random": hpo.Random()},
    "seeds": [0, 1],
    "budget": hpo.Budget(evaluations=5),
}


def made(**options: object) -> hpo.Experiment:
    return hpo.Experiment(**{**GIVEN, **options})


FUNCTION = hpo.FunctionProblem(loss, hpo.SearchSpace(x=hpo.Float(0, 1)))


# --- birth ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": ""}, "name must be a non-empty string, got ''"),
        ({"name": "a/b"}, "name must be a string without '/', got 'a/b'"),
        ({"name": ".."}, r"name must be a string without '/', got '\.\.'"),
        ({"name": None}, "name must be a non-empty string, got None"),
        ({"problems": []}, "problems is empty; name at least one"),
        ({"problems": Walk()}, r"problems must be a list, got Walk\("),
        ({"problems": [loss]}, "problems must be problems, got <function loss"),
        ({"problems": [Walk]}, "problems must be problems, got <class"),
        ({"problems": [Walk(), Walk()]}, "two problems are named 'walk'; give one another name="),
        ({"strategies": {}}, "strategies is empty; name at least one"),
        ({"strategies": [hpo.Random()]}, "strategies must be a dict of strategies by name, got"),
        (
            {"strategies": {"r": hpo.Random}},
            r"strategies\['r'\] .* the class .*Random.*call it",
        ),
        (
            {"strategies": {"r": "random"}},
            r"strategies\['r'\] must have ask\(runs, slots\)",
        ),
        ({"strategies": {1: hpo.Random()}}, "a strategy's name must be a non-empty string, got 1"),
        ({"seeds": []}, "seeds is empty; name at least one, or a range"),
        ({"seeds": 3}, r"seeds must be a list, got 3; range\(3\) has that many"),
        ({"seeds": "123"}, "seeds must be a list, got '123'"),
        ({"seeds": (i for i in range(3))}, "seeds must be a list, got <generator"),
        ({"seeds": [0, "1"]}, r"seeds\[1\] must be an integer, got '1'"),
        ({"seeds": [0.0]}, r"seeds\[0\] must be an integer, got 0\.0"),
        ({"seeds": [True]}, r"seeds\[0\] must be an integer, got True"),
        ({"seeds": [2**63]}, r"seeds\[0\] must be an integer between -2\*\*63 and 2\*\*63"),
        ({"seeds": [3, 1, 3, 1]}, "seeds must be distinct, 1, 3 is repeated"),
        (
            {"problems": ["branin"]},
            r"problems must be problems, got 'branin'; use problem\('branin'\)",
        ),
        (
            {"strategies": {"r": "random"}},
            r"strategies\['r'\] must have .* got 'random'; use Random\(\)",
        ),
        ({"budget": 5}, "budget must be a Budget, such as .*, got 5"),
        ({"parallel": 0}, "parallel must be an integer from 1 to 1,000,000, or None, got 0"),
        ({"parallel": 1.5}, r"parallel must be an integer from 1 to 1,000,000, or None, got 1\.5"),
        ({"parallel": True}, "parallel must be an integer from 1 to 1,000,000, or None, got True"),
        ({"parallel": "2"}, "parallel must be an integer from 1 to 1,000,000, or None, got '2'"),
        ({"execution": "parallel"}, "execution must be one of lock-step, asynchronous, simulated"),
        ({"final": "mean"}, "final must be one of last, best, got 'mean'"),
        ({"execution": "asynchronous"}, "asynchronous execution needs parallel"),
        ({"budget": hpo.Budget(seconds=1)}, "a budget of seconds alone needs parallel"),
        (
            {"problems": [FUNCTION], "execution": "simulated", "parallel": 2},
            "loss records no seconds, so a simulated clock has nothing to replay; use execution=",
        ),
    ],
    ids=label,
)
def test_an_experiment_that_cannot_be_is_refused(options: dict[str, object], message: str):
    with pytest.raises(ExperimentError, match=f"^Experiment: {message}"):
        made(**options)


def test_all_mistakes_are_listed_at_once():
    with pytest.raises(ExperimentError) as caught:
        made(name="", problems=[], strategies={"a": 1}, seeds=[0, 0], budget=None, parallel=-1)
    assert str(caught.value).splitlines() == [
        "Experiment: name must be a non-empty string, got ''",
        "Experiment: problems is empty; name at least one",
        "Experiment: strategies['a'] must have ask(runs, slots), got 1",
        "Experiment: seeds must be distinct, 0 is repeated",
        "Experiment: budget must be a Budget, such as Budget(evaluations=48), got None",
        "Experiment: parallel must be an integer from 1 to 1,000,000, or None, got -1",
    ]


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (hpo.Grid(), "x is numeric and without points"),
        (hpo.Grid(points=2), "the grid has 6 combinations, the budget allows 5 trials"),
        (hpo.Hyperband(inner=hpo.Grid(points=2)), "the grid has 6 combinations"),
    ],
    ids=label,
)
def test_a_strategy_that_does_not_suit_a_problem_is_refused(strategy, message: str):
    with pytest.raises(StrategyError, match=message):
        made(strategies={"grid": strategy})


def test_a_strategy_that_cannot_be_stored_is_refused():
    class Plain:
        def ask(self, runs, slots):
            return [hpo.Ask() for _ in runs]

    with pytest.raises(ExperimentError, match=r"strategies\['p'\]: .*make it a frozen dataclass"):
        made(strategies={"p": Plain()})


@pytest.mark.parametrize("seeds", [range(2), (0, 1), np.arange(2)], ids=label)
def test_seeds_are_plain_integers_of_any_list(seeds: object):
    experiment = made(seeds=seeds)
    assert experiment.seeds == (0, 1)
    assert {type(seed) for seed in experiment.seeds} == {int}


# --- going on ---

COLUMNS = ["problem", "strategy", "seed", "trial"]


def stable(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[[c for c in frame if not c.endswith("_seconds")]]


def assert_same(got: hpo.Result, expected: hpo.Result) -> None:
    pd.testing.assert_frame_equal(stable(got.frame()), stable(expected.frame()), check_exact=True)
    pd.testing.assert_frame_equal(
        stable(got.reports()), stable(expected.reports()), check_exact=True
    )
    assert got.over == expected.over


def in_turn(*experiments: hpo.Experiment) -> list[hpo.Result]:
    """Run each in the same store, one after another."""
    results = []
    with Store.in_memory() as store:
        for experiment in experiments:
            execute(experiment, store, Compute())
            results.append(hpo.Result.of(store))
    return results


WHOLE = {
    "problems": [Walk(), Walk(name="short", max_epochs=3, can_resume=False)],
    "strategies": {
        "random": hpo.Random(),
        "grid": hpo.Grid(points=2),
        "hyperband": hpo.Hyperband(),
        "halving": Halving(),
    },
    "seeds": [0, 1, 2],
    "budget": hpo.Budget(evaluations=6),
    "parallel": 3,
}
PARTS = [
    {"seeds": [1]},
    {"problems": [WHOLE["problems"][1]]},
    {"strategies": {"hyperband": hpo.Hyperband()}},
    {"seeds": [2], "strategies": {"halving": Halving(), "grid": hpo.Grid(points=2)}},
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> hpo.Result:
    return hpo.run(made(**WHOLE), out=tmp_path_factory.mktemp("whole"), device="cpu")


@pytest.mark.parametrize("part", PARTS, ids=lambda part: "+".join(part))
def test_what_is_added_gives_what_a_whole_run_gives(whole, part):
    first, then = in_turn(made(**{**WHOLE, **part}), made(**WHOLE))
    assert 0 < len(first.frame()) < len(whole.frame())
    assert_same(then, whole)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: "+".join(part))
def test_a_part_that_is_run_again_leaves_the_others_alone(whole, part):
    _, then = in_turn(made(**WHOLE), made(**{**WHOLE, **part}))
    assert_same(then, whole)
    description = then.description
    assert description["seeds"] == [0, 1, 2]
    assert description["problems"].keys() == {"walk", "short"}
    assert description["strategies"].keys() == WHOLE["strategies"].keys()


@dataclass(frozen=True)
class First:
    """The first of several strategies."""

    among: tuple[hpo.Strategy, ...]

    def ask(self, runs, slots):
        return self.among[0].ask(runs, slots)


WIDER = hpo.SearchSpace(x=hpo.Float(0, 2), kind=SPACE.parameters["kind"])
SMALL, LARGE = hpo.Budget(evaluations=4), hpo.Budget(evaluations=9)


# Without failures: what a failed trial does not spend comes back, and whether it comes back before
# or after the small budget ends decides what else it buys.
@pytest.mark.parametrize(
    ("strategy", "parallel"),
    [
        (hpo.Random(), 1),
        (hpo.Random(kind="sobol"), None),
        (hpo.Hyperband(), 1),
        (hpo.Hyperband(), None),
    ],
    ids=label,
)
@pytest.mark.parametrize(
    ("small", "large"),
    [
        (SMALL, LARGE),
        (hpo.Budget(epochs=13), hpo.Budget(epochs=70)),  # cut in the middle of a rung
        (hpo.Budget(epochs=4), hpo.Budget(epochs=70)),
        (hpo.Budget(trials=4), hpo.Budget(trials=9)),
    ],
    ids=label,
)
def test_a_larger_budget_gives_the_trials_of_a_whole_run(
    strategy: hpo.Strategy, parallel: int | None, small: hpo.Budget, large: hpo.Budget
):
    options = {
        "problems": [Walk(fails_above=2.0)],
        "strategies": {"one": strategy},
        "parallel": parallel,
    }
    (once,) = in_turn(made(**options, budget=large))
    _, twice = in_turn(made(**options, budget=small), made(**options, budget=large))
    pd.testing.assert_frame_equal(stable(once.frame()), stable(twice.frame()), check_exact=True)
    assert twice.is_finished
    if parallel == 1:  # with more at once, epochs come in another order
        assert_same(twice, once)


def test_running_again_changes_nothing(tmp_path: Path, whole):
    hpo.run(made(**WHOLE), out=tmp_path, device="cpu")
    assert_same(hpo.run(made(**WHOLE), out=tmp_path, device="cpu"), whole)


@pytest.mark.parametrize(
    ("options", "change", "message"),
    [
        ({}, {"name": "other"}, "name: 'made' became 'other'"),
        ({}, {"parallel": 2}, "parallel: None became 2"),
        (
            {"parallel": 2},
            {"parallel": 2, "execution": "simulated"},
            "execution: 'lock-step' became 'simulated'",
        ),
        ({}, {"final": "best"}, "final: 'last' became 'best'"),
        ({}, {"budget": hpo.Budget(evaluations=4)}, "budget.evaluations: 5 became 4; it can only"),
        ({}, {"budget": hpo.Budget(trials=5)}, "budget.evaluations: 5 became None"),
        (
            {},
            {"strategies": {"random": hpo.Random(kind="sobol")}},
            r"strategies\['random'\]\.kind: 'uniform' became 'sobol'",
        ),
        (
            {"strategies": {"h": hpo.Hyperband()}},
            {"strategies": {"h": hpo.Hyperband(inner=hpo.Random(kind="sobol"))}},
            r"strategies\['h'\]\.inner\.kind: 'uniform' became 'sobol'",
        ),
        ({}, {"problems": [Walk(max_epochs=3)]}, r"problems\['walk'\]\..*max_epochs: 9 became 3"),
        (
            {},
            {"problems": [Walk(fails_above=0.5)]},
            r"problems\['walk'\]\.identity\.fails_above: 0\.7 became 0\.5",
        ),
        (
            {},
            {
                "problems": [
                    Walk(space=hpo.SearchSpace(x=hpo.Float(0, 2), kind=SPACE.parameters["kind"]))
                ]
            },
            r"problems\['walk'\]\.space\.parameters\[0\]\[1\]\.high: 1\.0 became 2\.0",
        ),
        (
            {"strategies": {"g": hpo.Grid(points="fit")}},
            {"strategies": {"g": hpo.Grid(points="fit")}, "budget": hpo.Budget(evaluations=9)},
            "budget: g is a grid fitted to the budget, so it cannot grow",
        ),
        (
            {"strategies": {"h": hpo.Hyperband(inner=hpo.Grid(points="fit"))}},
            {
                "strategies": {"h": hpo.Hyperband(inner=hpo.Grid(points="fit"))},
                "budget": hpo.Budget(evaluations=9),
            },
            "budget: h is a grid fitted to the budget",
        ),
        (
            {"strategies": {"f": First((hpo.Grid(points="fit"), hpo.Random()))}},
            {"budget": hpo.Budget(evaluations=9)},
            "budget: f is a grid fitted to the budget",
        ),
        (
            {"strategies": {"g": hpo.Grid(points="fit")}},
            {"budget": hpo.Budget(evaluations=9)},  # the grid is left out, and would still change
            "budget: g is a grid fitted to the budget",
        ),
        (
            {"problems": [replace(FUNCTION, f=partial(loss, scale=1.0))]},
            {"problems": [replace(FUNCTION, f=partial(loss, scale=2.0))]},
            r"problems\['loss'\]\.identity\.f\.keywords\.scale: 1\.0 became 2\.0",
        ),
    ],
    ids=label,
)
def test_a_changed_entry_is_refused_with_the_difference(
    tmp_path: Path, monkeypatch, options, change, message: str
):
    small = {"budget": hpo.Budget(evaluations=5), "seeds": [0]}
    before = hpo.run(made(**{**small, **options}), out=tmp_path, device="cpu")
    with pytest.raises(
        ExperimentError, match="has changed since this folder's store was created"
    ) as e:
        hpo.run(made(**{**small, **options, **change}), out=tmp_path, device="cpu")
    e.match(message)
    assert_same(hpo.Result.read(tmp_path), before)
    assert hpo.Result.read(tmp_path).description == before.description


def test_every_difference_is_listed(tmp_path: Path):
    hpo.run(made(seeds=[0]), out=tmp_path, device="cpu")
    with pytest.raises(ExperimentError) as caught:
        hpo.run(made(seeds=[0], final="best", parallel=1), out=tmp_path, device="cpu")
    assert str(caught.value).splitlines()[1:] == [
        "final: 'last' became 'best'",
        "parallel: None became 1",
    ]


@dataclass(frozen=True)
class Named:
    """A strategy with a function among its options."""

    choose: Callable[..., object]

    def ask(self, runs, slots):
        return hpo.Random().ask(runs, slots)


def test_a_function_is_compared_by_its_name(tmp_path: Path):
    strategies = {"named": Named(loss)}
    hpo.run(made(strategies=strategies), out=tmp_path, device="cpu")
    hpo.run(made(strategies=strategies), out=tmp_path, device="cpu")
    with pytest.raises(ExperimentError, match=r"strategies\['named'\]\.choose\.function: .*made'"):
        hpo.run(made(strategies={"named": Named(made)}), out=tmp_path, device="cpu")


class Killed(BaseException):
    """Stands for SIGKILL."""


@pytest.mark.parametrize("execution", ["lock-step", "simulated"])
@pytest.mark.parametrize("poll", [3, 9])
def test_killed_then_run_in_part_then_whole_equals_uninterrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, execution: str, poll: int
):
    options = {
        "problems": [Walk(fails_above=2.0)],
        "strategies": {"halving": Halving(), "random": hpo.Random()},
        "parallel": 3,
        "execution": execution,
    }
    once = hpo.run(made(**options), out=tmp_path / "once", device="cpu")
    count = iter(range(1, 1000))

    def append(store: Store, *rows: object, whole=Store.append_poll) -> None:
        whole(store, *rows)
        if next(count) == poll:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Store, "append_poll", append)
        hpo.run(made(**options), out=tmp_path / "twice", device="cpu")
    part = {**options, "strategies": {"random": hpo.Random()}}
    hpo.run(made(**part), out=tmp_path / "twice", device="cpu")
    assert_same(hpo.run(made(**options), out=tmp_path / "twice", device="cpu"), once)


@dataclass(frozen=True)
class Batched(hpo.Random):
    """Random search that says how many trials train at once, rightly or wrongly."""

    batch: object = 3


def test_a_strategy_with_a_batch_trains_so_many_where_the_experiment_leaves_it_open(tmp_path):
    experiment = hpo.Experiment(
        "open", [hpo.problem("branin")], {"three": Batched()}, [0], hpo.Budget(evaluations=7)
    )
    run = next(iter(hpo.run(experiment, out=tmp_path, device="cpu").runs.values()))
    assert [len(ask.proposals) for ask in run.asks] == [3, 3, 1]


def test_model_based_strategies_have_batches_where_the_experiment_leaves_it_open():
    named = {
        "q-EI": (hpo.Bayesian(), 4),
        "freeze-thaw": (hpo.FreezeThaw(batch=2), 2),
        "model hyperband": (hpo.ModelHyperband(), 4),
        "hyperband, q-EI": (hpo.Hyperband(inner=hpo.Bayesian(batch=3)), 3),
        "hyperband": (hpo.Hyperband(), None),
    }
    strategies = {name: strategy for name, (strategy, _) in named.items()}
    options = ([hpo.problem("branin")], strategies, [0], hpo.Budget(evaluations=7))
    experiment = hpo.Experiment("open", *options)
    for strategy, batch in named.values():
        assert parallel_of(experiment, strategy) == batch
        assert parallel_of(replace(experiment, parallel=5), strategy) == 5


@pytest.mark.parametrize("batch", ["full", 0, True, 2.0], ids=repr)
def test_a_batch_that_is_no_number_of_trials_is_refused(batch):
    with pytest.raises(StrategyError, match=r"Batched\(batch=.*integer >= 1"):
        hpo.Experiment(
            "open", [hpo.problem("branin")], {"x": Batched(batch=batch)}, [0], hpo.Budget(trials=7)
        )
