"""A strategy of a user's own that only passes runs on is treated like the one that it wraps."""

import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import hpo_research as hpo
from hpo_research.analysis.believed import believed
from hpo_research.analysis.noise_free import noise_free
from hpo_research.analysis.rebuild import answers_of
from hpo_research.analysis.result import Result
from hpo_research.analysis.spending import ledger
from hpo_research.analysis.stops import stops
from hpo_research.errors import StrategyError
from hpo_research.experiment.description import describe, stored
from hpo_research.experiment.experiment import merged
from hpo_research.figures.surrogate import surrogate_figure
from hpo_research.problems.curves import LearningCurves
from hpo_research.problems.wrappers import Noisy
from hpo_research.records import Ask, Run, Trial
from hpo_research.report.identical_strategies import identical_strategies
from hpo_research.store import RunName
from hpo_research.store.damage import DamagedRows
from hpo_research.store.described import experiment_of
from hpo_research.store.facts import facts_of
from hpo_research.strategies import answers
from hpo_research.strategies.answers import recommended
from hpo_research.strategies.models.surrogate import surrogate
from hpo_research.strategies.stop_decisions import name_of
from hpo_research.tables.noise_free import noise_free_table

USERS_FILE = """
from dataclasses import dataclass

import hpo_research as hpo


@dataclass(frozen=True)
class Mine:
    base: hpo.Strategy

    def ask(self, runs, slots):
        return self.base.ask(runs, slots)


@dataclass(frozen=True)
class Making:
    starts: int = 2

    @property
    def wraps(self):
        return hpo.Bayesian(initial=3, samples=4, starts=self.starts)

    def ask(self, runs, slots):
        return self.wraps.ask(runs, slots)
"""
MODEL = hpo.Bayesian(initial=3, samples=4, starts=2)
WRAPPED: dict[str, hpo.Strategy] = {
    "bayesian": MODEL,
    "median": hpo.MedianStopping(MODEL, min_trials=1),
    "freeze thaw": hpo.FreezeThaw(initial=3, starts=2),
    "model hyperband": hpo.ModelHyperband(initial=3, starts=2),
    "hyperband": hpo.Hyperband(inner=MODEL),
    "curves": hpo.CurveStopping(hpo.ASHA(inner=MODEL)),
    "random": hpo.Random(),
    "grid": hpo.Hyperband(inner=hpo.Grid("fit")),
}
LINE = hpo.SearchSpace(x=hpo.Float(0, 1))


@dataclass(frozen=True)
class Passing:
    """Passes runs on, and knows of nothing else."""

    within: object

    def ask(self, runs, slots):
        return self.within.ask(runs, slots)


class Forwarding:
    """Passes everything on, as proxies do."""

    def __init__(self, within):
        self.within = within

    def __getattr__(self, name):
        return getattr(self.within, name)

    def ask(self, runs, slots):
        return self.within.ask(runs, slots)


@cache
def known() -> Run:
    """Twelve noisy curves, every second of them trained to the last of three epochs."""
    draws = np.random.default_rng(5)
    trials = []
    for i, config in enumerate(LINE.from_uniform(draws.random((12, 1)))):
        epochs = (1, 2, 3) if i % 2 else (1,)
        noise = 0.1 * draws.standard_normal(len(epochs))
        values = tuple(
            (config["x"] - 0.3) ** 2 + own + 0.02 * epoch
            for epoch, own in zip(epochs, noise.tolist(), strict=True)
        )
        status = "finished" if i % 2 else "paused"
        trials.append(Trial(i, config, status, epochs[-1], epochs, values, values[-1]))
    return Run(LINE, max_epochs=3, trials=tuple(trials), total=12)


@cache
def recommends(name: str) -> int | None:
    """What one of the wrapped strategies recommends."""
    return recommended(WRAPPED[name], [known()])[0]


def test_these_strategies_recommend_different_trials_so_that_none_is_taken_for_another():
    names = ["random", "bayesian", "hyperband", "freeze thaw"]
    assert len({recommends(name) for name in names}) == len(names)


def within(strategy: hpo.Strategy, make: Callable[[object], object]) -> hpo.Strategy:
    """A strategy whose inner one is wrapped."""
    return replace(strategy, inner=make(strategy.inner)) if hasattr(strategy, "inner") else strategy


CURVED = (hpo.FreezeThaw, hpo.ModelHyperband)
AROUND = {
    "around it": Passing,
    "twice around it": lambda made: Passing(Passing(made)),
    "a proxy of it": Forwarding,
    "inside it": lambda made: within(made, Passing),
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize("name", WRAPPED)
def test_who_only_passes_runs_on_gives_the_answers_of_the_one_it_wraps(name, around):
    strategy = WRAPPED[name]
    mine = around(strategy)
    if around is Passing or strategy.__class__ not in CURVED:  # whose fits take long
        assert recommended(mine, [known()]) == [recommends(name)]
    assert answers.batch_of(mine) == answers.batch_of(strategy)
    assert answers.needs_total(mine) == answers.needs_total(strategy)
    assert answers.with_one_epoch(mine) == answers.with_one_epoch(strategy)
    assert answers.has(mine, "believe") == answers.has(strategy, "believe")


@pytest.mark.parametrize("name", ["bayesian", "median"])
def test_who_only_passes_runs_on_believes_what_the_one_it_wraps_does(name):
    cube = np.random.default_rng(1).random((5, 1))
    chosen = [LINE.decode(cube)[0]]
    theirs, mine = (
        surrogate(strategy, known(), chosen) for strategy in (WRAPPED[name], Passing(WRAPPED[name]))
    )
    np.testing.assert_array_equal(mine.believe(cube).median, theirs.believe(cube).median)
    np.testing.assert_array_equal(mine.acquisition(cube, 1), theirs.acquisition(cube, 1))


def test_a_rule_counts_the_rules_of_its_kind_behind_what_only_passes_runs_on():
    inner = hpo.MedianStopping(hpo.Random())
    assert name_of("median", hpo.MedianStopping(Passing(inner))) == "median2"


def test_what_wraps_says_goes_before_the_only_field_and_none_means_none():
    class Silent(Passing):
        wraps = None

    class Other(Passing):
        wraps = MODEL

    assert recommended(Silent(MODEL), [known()]) == [known().best().id] == [recommends("random")]
    assert recommended(Other(hpo.Random()), [known()]) == [recommends("bayesian")]


# --- through a store, read where the user's file is not there ---


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "users_file.py").write_text(USERS_FILE)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("users_file")


def forget(mine: ModuleType) -> None:
    """Take the user's file away."""
    Path(mine.__file__).unlink()
    del sys.modules["users_file"]
    importlib.invalidate_caches()
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("users_file")


THREE = {name: WRAPPED[name] for name in ("bayesian", "median", "freeze thaw")}


def test_a_store_read_without_the_users_file_says_the_same_of_both(mine, tmp_path):
    strategies = {
        "random": hpo.Random(),
        **THREE,
        **{f"my {name}": mine.Mine(made) for name, made in THREE.items()},
        "made": mine.Making(),
    }
    curves = Noisy(LearningCurves("branin", max_epochs=3), 20.0)
    experiment = hpo.Experiment(
        "own",
        [curves, LearningCurves("branin", max_epochs=1)],
        strategies,
        seeds=[0],
        budget=hpo.Budget(evaluations=6),
        parallel=None,
        execution="simulated",
    )
    hpo.run(experiment, out=tmp_path / "own", device="cpu")
    forget(mine)
    result = Result.read(tmp_path / "own")
    frame = ledger(result).drop(columns=["search_seconds"]).set_index(["problem", "strategy"])
    (clean,) = noise_free(result)
    rows = {(row.problem, row.strategy): replace(row, strategy="") for row in stops(result)}
    pairs = {f"my {name}": name for name in THREE} | {"made": "bayesian"}
    for own, ours in pairs.items():
        for problem in result.description["problems"]:
            names = [RunName(problem, strategy, 0) for strategy in (own, ours)]
            trials = [result.runs[name].trials for name in names]
            assert trials[0] == trials[1]
            assert frame.loc[problem, own].equals(frame.loc[problem, ours])
            assert not np.isnan(frame.loc[(problem, own), "waiting_seconds"])
            assert rows.get((problem, own)) == rows.get((problem, ours))
            figures = [surrogate_figure(result, problem, strategy) for strategy in (own, ours)]
            if ours == "freeze thaw":
                assert figures == [None, None]
                continue
            assert all(figures)
            cube = np.random.default_rng(0).random((4, 2))
            one, other = (believed(result, name).believe(cube).median for name in names)
            np.testing.assert_array_equal(one, other)
        for choice in (clean.recommended, clean.observed):
            np.testing.assert_array_equal(choice.values[own], choice.values[ours])
    said = [line for line in identical_strategies(result) if "nothing to judge" in line]
    assert len(said) == 2
    assert said[0].replace("median (MedianStopping)", "my median (Mine)") == said[1]
    assert "method of its own" not in noise_free_table(result, [clean]).caption


def test_an_own_recommendation_is_not_run_by_a_reader_which_says_so():
    class Choosing(Passing):
        def recommend(self, runs):
            return [0 for _ in runs]

    described = {
        "strategies": {"own": describe(Choosing(MODEL), "own"), "ours": describe(MODEL, "ours")},
        **stored({"own": Choosing(MODEL), "ours": MODEL}),
    }
    whole = {"name": "e", "execution": "lock-step", "final": "last", "problems": {}, "seeds": []}
    found = answers_of(facts_of(json.loads(json.dumps({**whole, **described}))), "own")
    assert (found.own, found.recommending, found.believing) == (("recommend",), None, MODEL)
    assert recommended(Choosing(MODEL), [known()]) == [0]
    assert list(described["answers"]) == ["own"]


def test_a_fitted_plan_of_the_users_own_cannot_grow_and_a_field_called_points_may(mine):
    def experiment(trials, strategy):
        given = [LearningCurves("branin", max_epochs=3)], {"own": strategy}, [0]
        return json.loads(
            json.dumps(hpo.Experiment("e", *given, hpo.Budget(trials=trials)).description())
        )

    @dataclass(frozen=True)
    class Fitted:
        points: str = "fit"

        def ask(self, runs, slots):
            return [Ask() for _ in runs]

    with pytest.raises(hpo.errors.ExperimentError, match="own is a grid fitted to the budget"):
        merged(*(experiment(n, mine.Mine(hpo.Grid("fit"))) for n in (4, 9)))
    grown = merged(*(experiment(n, Fitted()) for n in (4, 9)))
    assert grown["answers"]["own"]["needs_total"] is False


# --- wrong answers ---


def broken(runs):
    raise RuntimeError("of mine")


@pytest.mark.parametrize(
    ("answer", "value", "message"),
    [
        ("recommend", broken, r"^Wrong\.recommend raised RuntimeError: of mine \(test_answer_laws"),
        (
            "recommend",
            lambda runs: 3,
            r"^Wrong\.recommend: expected a list of one .*, got 3$",
        ),
        ("recommend", lambda runs: [1, 2], r"^Wrong\.recommend: expected a list .*, 1 in all, got"),
        ("recommend", lambda runs: ["1"], r"^Wrong\.recommend: expected the id of a trial .*'1'$"),
        ("recommend", lambda runs: [True], r"^Wrong\.recommend: expected the id .*, got True$"),
        ("recommend", lambda runs: [12], r"^Wrong\.recommend: expected the id .*, got 12$"),
        (
            "recommend",
            7,
            r"^Wrong\.recommend: expected a method, .* a field recommend, got 7",
        ),
        ("wraps", 7, r"^Wrong\.wraps: expected a strategy or None, .*, got 7$"),
        ("wraps", hpo.Random, r"^Wrong\.wraps: expected a strategy or None"),
        ("wraps", property(broken), r"^Wrong\.wraps raised RuntimeError: of mine"),
        ("wraps", property(lambda self: self.gone), r"^Wrong\.wraps raised AttributeError: "),
        (
            "wraps",
            property(lambda self: self),
            r"^Wrong\.wraps: more than 50 strategies",
        ),
    ],
)
def test_a_wrong_answer_names_the_strategy_and_the_answer(answer, value, message):
    is_method = callable(value) and not isinstance(value, type)
    made = staticmethod(value) if is_method else value
    wrong = type("Wrong", (Passing,), {answer: made})(MODEL)
    with pytest.raises(StrategyError, match=message):
        recommended(wrong, [known()])


@pytest.mark.parametrize(
    ("answer", "value", "ask"),
    [
        ("needs_total", 1, answers.needs_total),
        ("with_one_epoch", None, answers.with_one_epoch),
        ("believe", staticmethod(lambda run, chosen: run), lambda own: surrogate(own, known())),
    ],
)
def test_an_answer_of_a_wrong_kind_is_refused(answer, value, ask):
    wrong = type("Wrong", (Passing,), {answer: value})(MODEL)
    with pytest.raises(StrategyError, match=rf"^Wrong\.{answer}: expected "):
        ask(wrong)


@pytest.mark.parametrize("said", [3, {"own": []}, {**dict.fromkeys(answers.__dict__), "own": 3}])
def test_answers_of_a_store_that_are_none_are_damage(said):
    text = {"name": "e", "execution": "lock-step", "final": "last", "problems": {}, "seeds": []}
    described = json.dumps({**text, "strategies": {}, "answers": {"mine": said}}, default=str)
    with pytest.raises(DamagedRows, match=r"answers\.mine"):
        experiment_of(described)
