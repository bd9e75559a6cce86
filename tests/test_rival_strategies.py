"""Other libraries' optimisers as strategies: the mechanism with an engine of our own, and Optuna's.

`make rivals` holds every rival to the laws; here only what is quick.
"""

import math
import sys
import time
from dataclasses import replace
from typing import ClassVar

import pytest

import hpo_research as hpo
from hpo_research.errors import MissingPackageError, StrategyError
from hpo_research.records import Run, Trial, start
from hpo_research.rivals import catalogue, environments, installed, live
from hpo_research.rivals.axes import Axes
from hpo_research.rivals.catalogue import CATALOGUE, Entry, Library
from hpo_research.rivals.conversation import Conversation
from hpo_research.rivals.engines.protocol import Axis, Suggestion
from hpo_research.rivals.strategy import Rival
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.testing import check_strategy
from hpo_research.testing import strategies as laws
from hpo_research.testing.simulated import Loop, accepted, settled

SPACE = SearchSpace(
    rate=Float(1e-5, 1.0, scale="log"),
    width=Integer(2, 10, step=4),
    near=Float(0.0, 0.99, scale="reverse_log"),
    fixed=Categorical(("only",)),
    size=Categorical((1, 2, 4), ordered=True),
    kind=Categorical(("a", "b")),
)


class Walk:
    """An engine that draws globally, remembers all that it is told, and may wait or raise."""

    log: ClassVar[list[tuple]] = []
    waits_for = 0
    raises_at = math.inf
    beyond = 0.0

    def __init__(self, task):
        self.task, self.told, self.count = task, [], 0

    def ask(self, count):
        import random

        if self.count >= self.raises_at:
            raise ValueError("out of ideas")
        if self.waits_for and self.count >= self.waits_for and not self.told:
            return []
        found = []
        for _ in range(count):
            u = (random.random() + sum(self.told)) % 1.0
            point = [
                axis.low + u * (axis.high - axis.low)
                if axis.kind == "float"
                else int(axis.low) + int(u * axis.size)
                for axis in self.task.axes
            ]
            if self.beyond and self.task.axes[0].kind == "float":
                point[0] = self.task.axes[0].low - self.beyond
            found.append(Suggestion(self.count, point, self.task.epochs))
            self.count += 1
        return found

    def tell(self, number, epoch, loss, *, is_over):
        self.told.append(loss)
        Walk.log.append(("tell", number, loss))

    def add(self, point, loss):
        self.told.append(loss)
        Walk.log.append(("add", point, loss))


@pytest.fixture
def walk(monkeypatch):
    """Return a rival whose engine is `Walk`, in this process."""
    module = type(sys)("hpo_research.rivals.engines.walk")
    kind = type("Own", (Walk,), {})
    module.ENGINES = {"walk": kind}
    monkeypatch.setitem(sys.modules, module.__name__, module)
    library = Library("walk", "numpy", ("numpy",))
    monkeypatch.setattr(catalogue, "CATALOGUE", CATALOGUE)
    monkeypatch.setitem(CATALOGUE, "walk", Entry(library, "Walks"))
    live.clear()
    Walk.log.clear()
    yield kind
    live.clear()


def asked(strategy, run, slots=2):
    (ask,) = strategy.ask([run], [slots])
    return ask


def test_a_rival_keeps_the_laws_of_strategies(walk):
    check_strategy(hpo.rival("walk"), space=laws.SPACES["mixed"])


@pytest.mark.parametrize("name", ["optuna-tpe"])
def test_optuna_killed_before_each_ask_comes_to_the_same(name):
    pytest.importorskip("optuna")
    strategy = hpo.rival(name)
    for space in laws.SPACES.values():
        run = Run(space, seed=5, max_epochs=3)
        laws.killed_is_whole(strategy, run, laws.Drive(laws.curve_of("some fail"), Loop(3, 14)))


def test_dropping_every_engine_between_two_asks_changes_nothing(walk):
    strategy, run = hpo.rival("walk"), Run(SPACE, seed=3)
    plain = cleared = run
    for _ in range(4):
        plain = settled(accepted(plain, asked(strategy, plain)), laws.curve_of("some fail"))
    for _ in range(4):
        live.clear()
        cleared = settled(accepted(cleared, asked(strategy, cleared)), laws.curve_of("some fail"))
    assert cleared == plain


def test_an_engine_that_is_kept_is_told_nothing_twice(walk):
    strategy, run = hpo.rival("walk"), Run(SPACE, seed=3)
    for _ in range(4):
        run = settled(accepted(run, asked(strategy, run)), laws.curve_of("noise"))
    assert [entry[1] for entry in Walk.log] == list(range(6))


def test_an_ask_that_the_budget_cut_short_is_repeated_whole(walk):
    strategy, run = hpo.rival("walk"), Run(SPACE, seed=3)
    ask = asked(strategy, run, 4)
    cut = accepted(run, replace(ask, proposals=ask.proposals[:1]))
    first = asked(strategy, settled(cut, laws.curve_of("noise")))
    live.clear()
    assert asked(strategy, settled(cut, laws.curve_of("noise"))) == first
    assert Walk.log[-1][1] == 0


def test_a_failed_trial_is_told_as_the_worst_loss_so_far(walk):
    strategy, run = hpo.rival("walk"), Run(SPACE, seed=3)
    run = accepted(run, asked(strategy, run, 3))
    ends = [("failed", ()), ("finished", (2.0,)), ("finished", (math.nan,))]
    done = [
        replace(t, status=s, epochs=(1,) * len(v), values=v, value=v[0] if v else None)
        for t, (s, v) in zip(run.trials, ends, strict=True)
    ]
    asked(strategy, replace(run, trials=tuple(done[:1]) + run.trials[1:]), 1)
    assert Walk.log == []  # it waits until there is a loss that it can stand for
    ask = asked(strategy, replace(run, trials=tuple(done)), 1)
    assert Walk.log == [("tell", 1, 2.0), ("tell", 2, 2.0)] or Walk.log[-1][2] == 2.0
    assert ask.notes["rival_losses"] == [2.0] * len(ask.notes["rival_losses"])


def test_values_that_are_maximised_are_told_as_losses(walk):
    strategy, run = hpo.rival("walk"), Run(SPACE, direction="maximize", seed=3)
    run = accepted(run, asked(strategy, run, 1))
    done = replace(run.trials[0], status="finished", epochs=(1,), values=(2.0,), value=2.0)
    asked(strategy, replace(run, trials=(done,)), 1)
    assert Walk.log == [("tell", 0, -2.0)]


def test_where_all_trials_fail_an_engine_that_waits_is_told_something(walk):
    walk.waits_for = 2
    strategy, run = hpo.rival("walk"), Run(SPACE, seed=3)
    done = Loop(2, 6).drive(strategy, run, laws.curve_of("all fail"))
    assert len(done.trials) == 6
    assert Walk.log[0] == ("tell", 0, 0.0)


def test_an_engine_that_suggests_no_more_ends_the_run(walk):
    walk.waits_for = 2
    run = accepted(Run(SPACE, seed=3), asked(hpo.rival("walk"), Run(SPACE, seed=3)))
    assert asked(hpo.rival("walk"), run) == hpo.Ask()  # it waits for what is running
    walk.waits_for = -1
    monkey = type("Nothing", (Walk,), {"ask": lambda self, count: []})
    sys.modules["hpo_research.rivals.engines.walk"].ENGINES["walk"] = monkey
    live.clear()
    assert asked(hpo.rival("walk"), Run(SPACE, seed=3)).ends == "walk suggests no more"


def test_trials_of_others_are_added_and_those_outside_are_not(walk):
    inside = SPACE.middle
    outside = {**inside, "rate": 7.0}
    prior = tuple(
        Trial(i, config, "finished", 1, (1,), (v,), v)
        for i, (config, v) in enumerate([(inside, 4.0), (outside, 5.0)])
    )
    asked(hpo.rival("walk"), Run(SPACE, seed=3, prior=prior), 1)
    assert [entry[0] for entry in Walk.log] == ["add"]
    assert Walk.log[0][2] == 4.0


def test_a_value_below_its_bound_is_moved_to_it_and_counted(walk):
    walk.beyond = 1e-9
    ask = asked(hpo.rival("walk"), Run(SPACE, seed=3), 2)
    assert [proposal.config["rate"] for proposal in ask.proposals] == [1e-5, 1e-5]
    assert ask.notes["rival_clipped"] == 2


def test_a_configuration_that_is_repeated_is_counted(walk):
    space = SearchSpace(c=Categorical(("a", "b")), d=Categorical(("a", "b")))
    (ask,) = hpo.rival("walk").ask([Run(space, seed=3)], [9])
    assert len(ask.proposals) == 9
    assert ask.notes["rival_repeated"] >= 5


def test_a_finite_space_that_was_tried_whole_ends_the_run(walk):
    space = SearchSpace(c=Categorical(("a",)))
    run = accepted(Run(space, seed=3), asked(hpo.rival("walk"), Run(space, seed=3)))
    assert len(run.trials) == 1
    assert asked(hpo.rival("walk"), settled(run, laws.curve_of("noise"))) == hpo.Ask()


def test_what_an_engine_raises_names_strategy_problem_and_seed(walk, tmp_path):
    walk.raises_at = 3
    experiment = hpo.Experiment(
        "x",
        [hpo.problem("branin")],
        {"theirs": hpo.rival("walk")},
        [4],
        hpo.Budget(trials=9),
        parallel=1,
    )
    message = r"(?s)theirs on branin, seed 4: walk.*out of ideas.*stored so far is kept"
    with pytest.raises(StrategyError, match=message):
        hpo.run(experiment, out=tmp_path, device="cpu")
    walk.raises_at = math.inf
    result = hpo.run(experiment, out=tmp_path, device="cpu")
    (run,) = result.runs.values()
    assert len(run.trials) == 9


def test_the_store_records_version_and_options(walk, tmp_path):
    experiment = hpo.Experiment(
        "x", [hpo.problem("branin")], {"walk": hpo.rival("walk")}, [4], hpo.Budget(trials=3)
    )
    result = hpo.run(experiment, out=tmp_path, device="cpu")
    (run,) = result.runs.values()
    assert run.asks[0].notes["rival_version"] == hpo.rival("walk").version
    described = result.facts.strategies["walk"].described
    assert (described["name"], described["version"]) == ("walk", hpo.rival("walk").version)


def test_another_version_than_the_recorded_one_is_refused(walk):
    with pytest.raises(StrategyError, match=r"walk: the experiment records numpy 0\.0\.1"):
        asked(Rival("walk", "0.0.1"), Run(SPACE, seed=3))


def test_an_engine_that_says_something_else_when_made_again_is_refused(walk):
    strategy, run = hpo.rival("walk"), Run(SPACE, seed=3)
    run = settled(accepted(run, asked(strategy, run)), laws.curve_of("noise"))
    live.clear()
    walk.beyond = 1.0
    with pytest.raises(StrategyError, match=r"walk: asked again from the beginning, it says"):
        asked(strategy, run)


def test_seconds_are_those_of_the_engine(walk):
    def slow(self, count):
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass
        return Walk.ask(self, count)

    walk.ask = slow
    strategy, run = hpo.rival("walk"), Run(SPACE, seed=3)
    first = asked(strategy, run)
    run = settled(accepted(run, first), laws.curve_of("noise"))
    live.clear()
    again = asked(strategy, run)  # the first ask is repeated, and was paid for before
    assert 0.05 <= first.seconds["rival"] < 0.09
    assert 0.05 <= again.seconds["rival"] < 0.09


def test_a_space_is_told_as_libraries_know_it():
    axes = Axes(SPACE)
    assert axes.axes == (
        Axis("x000", "float", 1e-5, 1.0, True),
        Axis("x001", "integer", 0, 2),
        Axis("x002", "float", 0.0, 1.0),
        Axis("x003", "ordered", 0, 2),
        Axis("x004", "choice", 0, 1),
    )
    config = {"rate": 0.1, "width": 6, "near": 0.9, "fixed": "only", "size": 4, "kind": "b"}
    point = axes.point(config)
    assert axes.config(point).config == {**config, "near": pytest.approx(0.9)}
    assert axes.point({**config, "width": 7}) is None


def test_a_list_of_configurations_takes_the_nearest():
    among = [{"x": 0.1, "c": "a"}, {"x": 0.8, "c": "b"}]
    space = SearchSpace({"x": Float(0, 1), "c": Categorical(("a", "b"))}, among=among)
    assert Axes(space).config([0.7, 1]).config == among[1]


def test_optuna_is_asked_and_told_as_it_would_be_by_hand():
    optuna = pytest.importorskip("optuna")
    problem = hpo.problem("branin")
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=7))
    bounds = [(p.low, p.high) for p in problem.space.parameters.values()]
    own, told = [], Run(problem.space, seed=7)
    strategy = hpo.rival("optuna-tpe")
    for _ in range(14):
        dists = {
            f"x{i:03}": optuna.distributions.FloatDistribution(*b) for i, b in enumerate(bounds)
        }
        trial = study.ask(dists)
        own.append(list(trial.params.values()))
        told = accepted(told, asked(strategy, told, 1))
        value = sum(own[-1])
        study.tell(trial, value)
        last = replace(
            told.trials[-1], status="finished", epochs=(1,), values=(value,), value=value
        )
        told = replace(told, trials=(*told.trials[:-1], last))
    assert [list(trial.config.values()) for trial in told.trials] == own


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("optuna", r"did you mean optuna-"),
        ("nothing", r"expected one of optuna-tpe, optuna-gp"),
        (3, r"rival\(3\): expected one of"),
    ],
)
def test_an_unknown_rival_is_refused_by_name(name, message):
    with pytest.raises(StrategyError, match=message):
        hpo.rival(name)


def test_options_that_no_store_can_hold_are_refused_together(walk):
    with pytest.raises(StrategyError, match=r"(?s)a must be a number.*\n.*b must be"):
        hpo.rival("walk", a=[1], b=object())


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch, tmp_path):
    monkeypatch.setenv(environments.VARIABLE, str(tmp_path))
    monkeypatch.setattr(installed, "find_spec", lambda module: None)
    with pytest.raises(MissingPackageError, match=r"hebo needs hebo.*: hpo rivals install hebo"):
        hpo.rival("hebo")
    with pytest.raises(MissingPackageError, match=r"optuna.*pip install 'hpo_research\[rivals\]'"):
        hpo.rival("optuna-tpe")
    assert {row.version for row in hpo.rivals()} == {None}


@pytest.mark.parametrize(
    ("name", "message"),
    [("optuna-tpe", r"needs no environment of its own: pip install"), ("xy", r"expected one of")],
)
def test_what_needs_no_environment_gets_none(name, message, tmp_path):
    with pytest.raises(StrategyError, match=message):
        environments.install(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_every_library_with_an_environment_has_its_pins():
    folder = environments.resources.files("hpo_research.rivals") / "pins"
    for library in {entry.library for entry in CATALOGUE.values() if entry.library.environment}:
        lines = (folder / f"{library.environment}.txt").read_text().splitlines()
        assert any(line.startswith(f"{library.package}==") for line in lines)
        assert all("==" in line for line in lines)


def test_the_conversation_of_a_wrapped_rival_is_its_own(walk):
    inner = hpo.rival("walk")
    strategy = hpo.Hyperband(inner=inner)
    laws.killed_is_whole(
        strategy, Run(SPACE, seed=3, max_epochs=9), laws.Drive(laws.curve_of("noise"), Loop(3, 16))
    )


def test_a_configuration_of_the_users_own_is_told_as_one_of_others(walk):
    run = Run(SPACE, seed=3)
    ask = asked(hpo.rival("walk"), run, 1)
    both = replace(ask, proposals=(start(SPACE.middle, 1, "enqueued"), *ask.proposals))
    run = settled(accepted(run, both), laws.curve_of("noise"))
    talk = Conversation(run, is_by_epoch=False)
    assert [telling.number for telling in talk.fresh] == [None, 0]


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """Return a rival that runs in another process, in an environment that is this one."""
    pytest.importorskip("optuna")
    python = tmp_path / "own" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (tmp_path / "own" / "ready").touch()
    monkeypatch.setenv(environments.VARIABLE, str(tmp_path))
    library = Library("optuna", "optuna", ("optuna",), "own")
    monkeypatch.setitem(CATALOGUE, "optuna-tpe", Entry(library, "There"))
    live.clear()
    yield hpo.rival("optuna-tpe")
    live.clear()
    installed.close()


def test_elsewhere_a_rival_says_what_it_says_here(elsewhere, monkeypatch):
    runs = [Run(SPACE, seed=3), Run(SPACE, seed=4)]
    for _ in range(4):
        asks = elsewhere.ask(runs, [4, 4])
        runs = [
            settled(accepted(run, ask), laws.curve_of("some fail"))
            for run, ask in zip(runs, asks, strict=True)
        ]
    found = installed.found("optuna-tpe")
    assert found.python is not None
    assert all(ask.seconds["rival"] > 0 for ask in runs[0].asks)
    live.clear()
    monkeypatch.delenv(environments.VARIABLE)
    monkeypatch.setattr(environments, "_DEFAULT", "nowhere")
    here = Run(SPACE, seed=4)
    for _ in range(4):
        here = settled(accepted(here, asked(elsewhere, here, 4)), laws.curve_of("some fail"))
    assert here == runs[1]


def test_a_process_that_is_killed_is_begun_again(elsewhere):
    run = accepted(Run(SPACE, seed=3), asked(elsewhere, Run(SPACE, seed=3)))
    run = settled(run, laws.curve_of("noise"))
    (process,) = installed._processes.values()
    process._process.kill()
    process._process.wait()
    after = asked(elsewhere, run)
    live.clear()
    assert asked(elsewhere, run) == after


def test_what_is_raised_elsewhere_is_quoted(elsewhere):
    wrong = replace(elsewhere, options=(("n_startup_trials", "many"),))
    with pytest.raises(StrategyError, match=r"(?s)optuna-tpe .*TypeError"):
        Loop(2, 8).drive(wrong, Run(SPACE, seed=3), laws.curve_of("noise"))
    assert len(asked(elsewhere, Run(SPACE, seed=3)).proposals) == 2


def test_an_environment_is_made_by_venv_and_pip_once(monkeypatch, tmp_path):
    called, said = [], []

    def run(command, **how):
        called.append(command)
        return type("Done", (), {"returncode": 0, "stderr": ""})()

    monkeypatch.setattr(environments.subprocess, "run", run)
    (tmp_path / "hebo").mkdir()
    for _ in range(2):
        environments.install("hebo", tmp_path, said.append)
    assert [command[1:3] for command in called] == [["-m", "venv"], ["-m", "pip"]]
    assert "--no-deps" in called[1]
    assert said[-2:] == [
        f"{tmp_path}/hebo holds what hebo needs; set HPO_RIVALS={tmp_path} to use it",
        f"{tmp_path}/hebo is there already; remove it to make it anew",
    ]


def test_an_install_that_fails_says_what_pip_said(monkeypatch, tmp_path):
    done = type("Done", (), {"returncode": 1, "stderr": "no such package"})()
    monkeypatch.setattr(environments.subprocess, "run", lambda command, **how: done)
    with pytest.raises(MissingPackageError, match=r"(?s)ended with 1:\nno such package"):
        environments.install("hebo", tmp_path)
    assert not (tmp_path / "hebo" / "ready").exists()


@pytest.mark.parametrize(
    "made",
    [
        lambda inner: hpo.Hyperband(inner=inner),
        lambda inner: hpo.SuccessiveHalving(inner=inner),
        lambda inner: hpo.ASHA(inner=hpo.MedianStopping(inner)),
        lambda inner: hpo.AsynchronousHyperband(inner=inner),
        lambda inner: hpo.EarlyDiscarding(candidates=4, top=1, inner=inner),
    ],
)
def test_a_rival_that_says_how_far_to_train_is_refused_within_rungs(made):
    with pytest.raises(StrategyError, match=r"inner must be .* says itself to which epoch"):
        made(Rival("dehb", "0.1.2"))
    made(Rival("hebo", "0.3.6"))
