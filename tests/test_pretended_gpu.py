"""No tensor is left on the wrong side: what runs on a GPU, on a machine without one.

Every test computes on the CPU, where loops do it, then on a GPU that is pretended
(`tests/pretended.py`), where tensors do: the second comes to its end only if no operation mixes
devices and the host reads nothing but copies, and it ends at the first one's numbers, which are an
oracle for the code that is a GPU's alone. `BROKEN` takes one move out of the package at a time, and
is refused each time.

What this cannot show: a GPU's own numbers; whether it has a kernel for each operation and dtype;
speed, memory and what is done when that runs out; streams, graphs and errors that come later than
their cause. What draws from a GPU's own generator (`rng.lent`, for parts of BoTorch) is not run
here. For these there are `pytest -m gpu` and `python -m benchmarks.gpu`.
"""

import importlib
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from pretended import OnCard, gpu
from training.conftest import classes_of_noise

import hpo_research as hpo
from hpo_research.device import used
from hpo_research.gp import Kernel
from hpo_research.problems.stacks import trained as trained_stacks
from hpo_research.problems.wrappers import Discretised, Noisy, Rotated, Shifted
from hpo_research.records import Run, Segment, Trial
from hpo_research.rng import Stream
from hpo_research.training import CNN, MLP, Recipe, Task, train
from hpo_research.training.stack import Stack

SPACES = {
    "continuous": hpo.SearchSpace(x=hpo.Float(0, 1), y=hpo.Float(1e-3, 1.0, scale="log")),
    "mixed": hpo.SearchSpace(
        x=hpo.Float(0, 1), n=hpo.Integer(1, 64, scale="log"), c=hpo.Categorical(("a", "b"))
    ),
    "finite": hpo.SearchSpace(n=hpo.Integer(1, 20), c=hpo.Categorical(("a", "b", "c"))),
}


@pytest.fixture(autouse=True)
def one_round(monkeypatch):
    """Let searches flip choices once: each round climbs again."""
    monkeypatch.setattr(importlib.import_module("hpo_research.acquisition.maximise"), "_ROUNDS", 1)


def limit(monkeypatch, name, constant, evaluations):
    """Let a search end early."""
    module = importlib.import_module(f"hpo_research.{name}")
    few = replace(getattr(module, constant), evaluations=evaluations)
    monkeypatch.setattr(module, constant, few)


def runs(space, count=2, pending=1, seeds=2, max_epochs=1):
    """Return runs of ten trials; those of one seed are alike."""
    found = []
    for i in range(count):
        draws = np.random.default_rng(i % seeds).random((10 + pending, space.dimension))
        trials = tuple(
            Trial(k, config, "finished", max_epochs, epochs=(1,), values=(value,), value=value)
            if k < 10
            else Trial(k, config, "running", max_epochs)
            for k, (config, value) in enumerate(
                zip(
                    space.from_uniform(draws),
                    ((draws - 0.3) ** 2).sum(axis=1).tolist(),
                    strict=True,
                )
            )
        )
        found.append(Run(space, seed=i % seeds, trials=trials, id=i, max_epochs=max_epochs))
    return found


# --- asks ---


def alike(here, there):
    """Compare asks: both end where an optimiser does, within its tolerance, and not at one bit."""
    for one, other in zip(here, there, strict=True):
        assert one.notes.keys() == other.notes.keys()
        assert other.notes.get("kernel") == one.notes.get("kernel")
        if "log_evidence" in one.notes:
            assert other.notes["log_evidence"] == pytest.approx(one.notes["log_evidence"], abs=1e-3)
        worth = [ask.notes["acquisition"][0] for ask in (one, other)]
        assert worth[1] == pytest.approx(worth[0], abs=0.02)
        assert len(one.proposals) == len(other.proposals)


QEI = {"acquisition": "qei"}
ASKS = {
    "q-EI over columns and choices": ("mixed", {}),
    "a bound": ("finite", {"acquisition": "ucb"}),
    "functions drawn": ("mixed", {"acquisition": "thompson"}),
    "an average, of noisy values": ("continuous", {"model": "averaged", "acquisition": "qlognei"}),
    "what has most evidence": (
        "finite",
        {"model": "by-evidence", "transform": "by-evidence"} | QEI,
    ),
    "ranks": ("finite", {"transform": "rank"}),
    "functions drawn over a table": ("finite", {"acquisition": "thompson"}),
}


def aware(known):
    """Runs that know each other's trials: as of their own task, and of two related ones."""
    first, second = (tuple(trial for trial in run.trials[:7]) for run in known[:2])
    return [replace(run, prior=second[:4], related=(second, first[2:])) for run in known]


AWARE = ("q-EI over columns and choices", "ranks")


@pytest.mark.parametrize(
    ("name", "is_aware"), [*((n, False) for n in ASKS), *((n, True) for n in AWARE)]
)
def test_an_ask(name, is_aware):
    space, options = ASKS[name]
    strategy, known = hpo.Bayesian(starts=2, samples=8, **options), runs(SPACES[space])
    known = aware(known) if is_aware else known
    here = strategy.ask(known, [2, 2])
    with gpu() as card, used("cuda:0"):
        there = strategy.ask(known, [2, 2])
    assert card.looks
    alike(here, there)


def test_the_host_waits_as_often_for_many_runs_as_for_two(monkeypatch):
    """A look at a number costs a GPU some microseconds: one a run would outweigh the ask."""
    limit(monkeypatch, "gp.fit", "OPTIONS", 2)
    limit(monkeypatch, "acquisition.maximise", "_POLISH", 2)
    strategy, waits = hpo.Bayesian(starts=2, samples=8), []
    for count in (2, 6):
        with gpu() as card, used("cuda:0"):
            strategy.ask(runs(SPACES["continuous"], count, pending=0), [1] * count)
        waits.append(card.looks)
    assert waits[0] == waits[1]


def curved(space, count=2):
    """Return runs of curves: finished, paused, and one that is trained now."""
    known = []
    for run in runs(SPACES[space], count, pending=0, max_epochs=9):
        curves = [
            Trial(
                t.id,
                t.config,
                "paused" if t.id % 2 else "finished",
                3 if t.id % 2 else 9,
                epochs=tuple(range(1, (3 if t.id % 2 else 9) + 1)),
                values=tuple(t.value + 1 / e for e in range(1, (3 if t.id % 2 else 9) + 1)),
                value=t.value,
            )
            for t in run.trials
        ]
        curves.append(Trial(10, run.trials[0].config, "running", 9, epochs=(1,), values=(0.9,)))
        known.append(replace(run, trials=tuple(curves)))
    return known


@pytest.mark.parametrize("space", ["continuous", "finite"])
def test_an_ask_by_learning_curves(space, monkeypatch):
    limit(monkeypatch, "curve_gp.fit", "OPTIONS", 9)
    known, strategy = aware(curved(space)), hpo.FreezeThaw(starts=2)
    here = strategy.ask(known, [3, 3]), strategy.recommend(known)
    with gpu() as card, used("cuda:0"):
        there = strategy.ask(known, [3, 3]), strategy.recommend(known)
    assert card.looks
    alike(here[0], there[0])
    assert here[1] == there[1]


@pytest.mark.parametrize(
    "strategy", [hpo.Bayesian(), hpo.FreezeThaw(starts=2)], ids=["q-EI", "freeze-thaw"]
)
def test_runs_that_do_not_fit_in_memory_are_asked_by_halves(strategy, monkeypatch):
    """As a full GPU would refuse them; here on the CPU, where no number may change by it."""
    known = (
        curved("finite", count=3)
        if isinstance(strategy, hpo.FreezeThaw)
        else runs(SPACES["finite"], 3)
    )
    here, sizes, asked = strategy.ask(known, [1, 1, 1]), [], type(strategy)._asked

    def crowded(self, *arguments):
        sizes.append(len(getattr(arguments[0], "runs", arguments[0])))
        if sizes[-1] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return asked(self, *arguments)

    monkeypatch.setattr(type(strategy), "_asked", crowded)
    there = strategy.ask(known, [1, 1, 1])
    assert sizes == [3, 2, 1, 1, 1]
    assert [(a.proposals, a.notes) for a in here] == [(a.proposals, a.notes) for a in there]


def test_a_recommendation():
    known, strategy = runs(SPACES["mixed"], pending=0), hpo.Bayesian(acquisition="qlognei")
    here = strategy.recommend(known)
    with gpu(), used("cuda:0"):
        assert strategy.recommend(known) == here


# --- training ---

COMMON = {"batch_size": 16, "width": 8, "learning_rate": 1e-2}
RECIPES = [
    Recipe(**COMMON, optimizer="sgd", activation="relu", dropout=0.3),
    Recipe(**COMMON, optimizer="nesterov", activation="gelu", schedule="cosine", warmup=0.1),
    Recipe(**COMMON, optimizer="adam", activation="silu", label_smoothing=0.1),
    Recipe(**COMMON, optimizer="adamw", activation="relu", schedule="step", weight_decay=1e-3),
    Recipe(**COMMON, optimizer="rmsprop", activation="gelu", shift=1, flip=True),
    Recipe(**COMMON, optimizer="adam", activation="silu", normalisation="layer"),
    Recipe(**COMMON, optimizer="sgd", activation="gelu", normalisation="group", depth=1),
]
NETWORKS = {
    "perceptrons": (MLP(), (1, 8, 8), RECIPES),
    "small images": (CNN(), (1, 8, 8), [RECIPES[i] for i in (0, 4, 6)]),
    "images of odd sides": (CNN((3, 5, 7)), (3, 5, 7), [RECIPES[i] for i in (0, 4, 5)]),
}


def trained(architecture, data, recipes, device):
    """Train for an epoch, drop the first, pack what the others are, and train one of them on."""
    tasks = [Task(r, Stream(i).at("net"), 2, horizon=3) for i, r in enumerate(recipes)]
    training = train(tasks, architecture, data, device)
    first = next(training)
    states = [result.state() for result in first]
    second = training.send({0})
    task = replace(tasks[2], start=1, state=states[2])
    resumed = next(train([task], architecture, data, device))
    return [*first, *second, *resumed], states


@pytest.mark.parametrize("name", NETWORKS)
def test_training(name):
    architecture, shape, recipes = NETWORKS[name]
    data = classes_of_noise(shape, (32, 32, 32))
    here, kept = trained(architecture, data, recipes, "cpu")
    with gpu() as card:
        there, packed = trained(architecture, data, recipes, "cuda:0")
    assert card.looks
    for one, other in zip(here, there, strict=True):
        for metric in ("id", "epoch", "log_loss", "train_loss", "test_log_loss"):
            assert getattr(other, metric) == pytest.approx(getattr(one, metric), rel=1e-3), metric
    for one, other in zip(kept, packed, strict=True):
        assert one.keys() == other.keys()
        for key, tensor in other.items():
            assert not isinstance(tensor, OnCard)
            torch.testing.assert_close(tensor, one[key], rtol=1e-2, atol=1e-3)


# --- problems and experiments ---

PROBLEMS = {
    "functions": hpo.problem("griewank"),
    "moved": Noisy(Rotated(Shifted(hpo.problem("hartmann6"), seed=3), seed=1), 0.5),
    "discretised": Discretised(hpo.problem("branin"), steps=30),
    "curves": hpo.problem("curves"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_problem(name):
    problem = PROBLEMS[name]
    draws = np.random.default_rng(0).random((3, problem.space.dimension))
    segments = [
        Segment(0, i, config, 1, Stream(0).at("trial", i))
        for i, config in enumerate(problem.space.from_uniform(draws))
    ]
    here = [r.metrics for reports in problem.evaluate(segments) for r in reports]
    with gpu() as card:
        there = [r.metrics for reports in problem.evaluate(segments, "cuda:0") for r in reports]
    assert card.looks
    assert there == [pytest.approx(metrics) for metrics in here]


@dataclass(frozen=True)
class Networks:
    """Perceptrons on a few images, as `digits-mlp` is made."""

    name: str = "networks"
    metric: str = "log_loss"
    direction: str = "minimize"
    max_epochs: int = 3
    can_resume: bool = True
    has_recorded_seconds: bool = False
    optimum: None = None
    space: ClassVar[hpo.SearchSpace] = hpo.SearchSpace(
        learning_rate=hpo.Float(1e-3, 1e-1, scale="log"), width=hpo.Integer(4, 16)
    )

    def evaluate(self, segments, device="cpu"):
        data = classes_of_noise((1, 8, 8), (32, 32, 32))
        return trained_stacks(segments, MLP(64), data, self.max_epochs, device)


def test_an_experiment(tmp_path):
    """A device found by itself; configurations chosen and trained there, stored, paused, read."""
    experiment = hpo.Experiment(
        name="there",
        problems=[Networks()],
        strategies={"halving": hpo.SuccessiveHalving(candidates=3)},
        seeds=[0],
        budget=hpo.Budget(epochs=12),
    )
    with gpu() as card:
        frame = hpo.run(experiment, out=tmp_path / "there", device="auto").frame()
    assert card.looks
    assert (frame["epochs"] > 0).all() and frame["value"].notna().all()


# --- the tests can fail ---


def stays(self, device, *args, **kwargs):
    return self


def made_here(self, *shape, like):
    return torch.from_numpy(self.generator().random(shape)).to(like.dtype)


def unpacked(self, row, packed=Stack.state):
    return {name: tensor.to(self.parameters.device) for name, tensor in packed(self, row).items()}


BROKEN = {
    "a domain left behind": ("strategies.models.inputs", "moved", lambda domain, device: domain),
    "a kernel left behind": (
        "gp.kernels",
        "Kernel.expanded",
        lambda self, b, *, like: Kernel(self.coefficients.expand(b, -1)),
    ),
    "draws made here": ("rng", "Stream.uniform", made_here),
    "rows far off made here": (
        "gp.posterior",
        "far",
        lambda n, *, like: torch.zeros(n, 1).double(),
    ),
    "loops on what is there": ("gp.kernels", "by_loops", lambda *tensors: True),
    "loops in a criterion": ("acquisition.criteria", "by_loops", lambda *tensors: True),
    "loops in a search": ("optim.lbfgs", "by_loops", lambda *tensors: True),
    "images left behind": ("training.data", "Data.to", stays),
    "networks left behind": (
        "training.stack",
        "_stacked",
        lambda states, name, subject: torch.stack([state[name] for state in states]),
    ),
    "a state not packed": ("training.stack", "Stack.state", unpacked),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_move_that_is_missing_is_seen(name, monkeypatch):
    """By PyTorch where devices are mixed, by what reads a tensor, or by the comparison."""
    module, attribute, broken = BROKEN[name]
    owner = importlib.import_module(f"hpo_research.{module}")
    *parts, attribute = attribute.split(".")
    monkeypatch.setattr(getattr(owner, parts[0]) if parts else owner, attribute, broken)
    with pytest.raises((RuntimeError, TypeError, AssertionError)):
        if module.startswith("training"):
            test_training("images of odd sides")
        else:
            test_an_ask("q-EI over columns and choices")
