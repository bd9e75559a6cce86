"""The parts of the command, each a generator of rows: what stands is written before the next."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

import hpo_research as hpo
from benchmarks.beside import ROOT, shown
from benchmarks.speed import own
from benchmarks.speed.cases import Case, data, points, runs
from benchmarks.speed.clock import Contender, duel
from benchmarks.speed.measured import Race
from benchmarks.speed.rows import ask_on_a_card
from benchmarks.training.__main__ import measured
from benchmarks.training.cases import CASES
from hpo_research.acquisition import CRITERIA, GPAcquisition, confidence_bound
from hpo_research.device import used
from hpo_research.gp import KERNELS, Data, Priors, condition, evidence, fit, paths_of
from hpo_research.gp.quasi_random import normal_set
from hpo_research.rng import Stream
from hpo_research.training import Recipe, Task, train

_TESTS = (
    "tests/gp/test_gpu.py",
    "tests/test_rng.py",
    "tests/training/test_training_laws.py",
    "tests/problems/test_classifiers.py",
    "tests/laws/test_problem_laws.py",
    "tests/executors/test_on_gpu.py",
)


@dataclass(frozen=True)
class Place:
    """Where to compute, and whether only to rehearse it in small."""

    device: str = "cuda:0"
    is_small: bool = False


@dataclass(frozen=True)
class Row:
    """What was found, in words and in numbers; `holds`: within what is claimed; None: a figure."""

    what: str
    found: str
    holds: bool | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)


def begin(place: Place) -> Iterator[Row]:
    """Ask once on the CPU, whose loops are compiled by it, then on the GPU, which wakes it up."""
    for device in ("cpu", place.device):
        began = time.perf_counter()
        with used(device):
            hpo.Bayesian().ask(runs(Case(2, 16, 2, 1)), [1, 1])
        seconds = time.perf_counter() - began
        yield Row(f"the first ask, {device}", shown(seconds), None, {"seconds": seconds})


# --- agreement with the CPU ---


def agreement(place: Place) -> Iterator[Row]:
    """Compare fits, predictions, acquisition functions, drawn functions, asks and training."""
    here = data(Case(2 if place.is_small else 16, 16 if place.is_small else 96, 6))
    there = Data(*(t.to(place.device) for t in (here.x, here.y, here.mask)), here.lengthscale_of)
    for name, kernel in KERNELS.items():
        theta = torch.tensor([[0.3] * 6 + [-5.0, 0.1]], dtype=torch.float64).repeat(len(here.x), 1)
        ours = evidence(theta, here, kernel, Priors())
        theirs = evidence(theta.to(place.device), there, kernel, Priors())
        yield _close(f"evidence and its gradient, {name}", ours, theirs, 1e-9)
    kernel = KERNELS["matern52"]
    fits = [fit(known, [kernel]) for known in (here, there)]
    yield _close("evidence where the fit ends", *([f.log_evidence] for f in fits), 1e-6)
    yield from _searched(here, there, fits[0], place)
    yield from _asked(place)
    yield from _trained(place)


def _close(what: str, ours: Sequence[Tensor], theirs: Sequence[Tensor], most: float) -> Row:
    """Compare tensors; a difference counts relative to a number's size where that is above 1."""
    pairs = zip(ours, theirs, strict=True)
    gaps = [((b.cpu() - a).abs() / a.abs().clamp(min=1)).max().item() for a, b in pairs]
    gap = max(gaps)
    holds = gap <= most  # False where it is NaN
    return Row(what, f"{gap:.1e}, at most {most:g}", holds, {"difference": gap, "most": most})


def _searched(here: Data, there: Data, fitted, place: Place) -> Iterator[Row]:
    """Compare what is searched, under the CPU's hyperparameters, one point pending."""
    hyper = fitted.hyperparameters
    asked = torch.stack([points(run + 100, 32, 6) for run in range(len(here.x))])
    known = []
    for part in (here, there):
        moved = type(hyper)(
            *(t.to(part.x.device) for t in (hyper.lengthscale, hyper.noise, hyper.mean))
        )
        known.append(condition(part, KERNELS["matern52"], moved, free_rows=2))
    found = [posterior.predict(asked.to(posterior.x.device)) for posterior in known]
    yield _close("posterior mean and variance", *([p.mean, p.variance] for p in found), 1e-8)
    for name, criterion in {**CRITERIA, "ucb": confidence_bound(4.0)}.items():
        made = []
        for posterior, part in zip(known, (here, there), strict=True):
            samples = normal_set(64, 2).to(part.x).expand(len(part.x), -1, -1)
            best = part.y.amin(dim=1, keepdim=True).repeat(1, 2)
            surface = GPAcquisition(posterior, criterion, best, samples)
            x = asked.to(part.x.device)
            made.append(surface.pending(x[:, 0]).value_and_gradient(x[:, 1:]))
        yield _close(f"acquisition function and its gradient, {name}", *made, 1e-6)
    streams = [Stream(run).at("paths") for run in range(len(here.x))]
    drawn = []
    for posterior in known:
        x = asked.to(posterior.x.device)[:, None].expand(-1, 2, -1, -1)
        drawn.append([paths_of(posterior, streams, 2).value(x)])
    yield _close("functions drawn", *drawn, 1e-6)


def _asked(place: Place) -> Iterator[Row]:
    """Compare what first choices are worth: a search may end on another, equally high top."""
    case = Case(2 if place.is_small else 32, 16 if place.is_small else 100, 6, 1)
    known, worth = runs(case), []
    for device in ("cpu", place.device):
        with used(device):
            asks = hpo.Bayesian().ask(known, [1] * case.runs)
        worth.append(torch.tensor([ask.notes["acquisition"] for ask in asks], dtype=torch.float64))
    gaps = (worth[1] - worth[0])[:, 0]
    near = int((gaps.abs() <= 1e-2).sum())
    least = case.runs - max(1, case.runs // 16)
    found = f"{near} of {case.runs} within 0.01 nats, at least {least}; worst {gaps.min():+.2g}"
    yield Row("what first choices are worth", found, near >= least, {"worst": float(gaps.min())})


def _trained(place: Place) -> Iterator[Row]:
    """Compare losses after an epoch: float32, and sums in another order."""
    for name in ("digits-mlp", "digits-cnn"):
        case, losses = CASES[name], []
        recipes = case.recipes(2 if place.is_small else 8)
        recipes = [
            Recipe(**{**vars(r), "learning_rate": min(r.learning_rate, 1e-2)}) for r in recipes
        ]
        tasks = [Task(r, Stream(i).at("net"), 1, horizon=3) for i, r in enumerate(recipes)]
        for device in ("cpu", place.device):
            results = next(train(tasks, case.architecture, case.data(), device))
            losses.append([torch.tensor([r.log_loss for r in results], dtype=torch.float64)])
        yield _close(f"log loss after an epoch, {name}", *losses, 1e-2)


# --- tests ---


class _Outcomes:
    """What pytest says of each test."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the call, or what went wrong or was left out before it."""
        if report.when == "call" or report.outcome != "passed":
            numbers = {"seconds": report.duration}
            self.rows.append(
                Row(report.nodeid, report.outcome, {"failed": False}.get(report.outcome), numbers)
            )


def tests(place: Place) -> Iterator[Row]:
    """Run `pytest -m gpu`, a file at a time; where nothing is to be run on, they are left out."""
    files = [file for file in _TESTS if (ROOT / file).exists()]
    for file in files[:1] if place.is_small else files:
        outcomes = _Outcomes()
        # Without the check of shapes, which would have to be there before the package.
        options = ["-o", "addopts=--import-mode=importlib", "-m", "gpu", "-q", "--no-header"]
        options += ["-p", "no:cacheprovider"]
        code = pytest.main([*options, "--rootdir", str(ROOT), str(ROOT / file)], [outcomes])
        counts = {
            name: sum(r.found == name for r in outcomes.rows) for name in ("passed", "skipped")
        }
        failed = [row for row in outcomes.rows if row.holds is False]
        yield from failed
        said = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        is_well = code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        yield Row(Path(file).name, said or f"pytest ended with {int(code)}", is_well)


# --- seconds ---


def asks(place: Place) -> Iterator[Row]:
    """Row 8 of the targets: an ask of many runs, beside BoTorch looped on this machine's CPU."""
    size = own.QUICK if place.is_small else own.FULL
    for race in ask_on_a_card(size, place.device):
        assert isinstance(race, Race)
        found = f"{shown(race.ours)}, {shown(race.theirs)}: {race.ratio:.0f}× ({race.verdict})"
        numbers = {"ours": race.ours, "theirs": race.theirs, "ratio": race.ratio}
        yield Row(f"{race.what}, and {race.rival}", found, None, numbers)


def graphs(place: Place) -> Iterator[Row]:
    """Fits and asks with CUDA graphs on and off, in turns."""
    small = Case(n=12, d=2, q=1)
    for count in (1,) if place.is_small else (1, 16, 64):
        case = Case(count, 100, 6) if not place.is_small else small
        known = data(case)
        there = Data(
            *(t.to(place.device) for t in (known.x, known.y, known.mask)), known.lengthscale_of
        )
        yield _turns(
            f"fit, {count} GPs", place, lambda there=there: fit(there, [KERNELS["matern52"]])
        )
    for count in (1,) if place.is_small else (1, 32):
        case = Case(count, 100, 6, 4) if not place.is_small else small
        known, slots = runs(case), [case.q] * case.runs
        yield _turns(f"ask, {case}", place, lambda a=known, b=slots: hpo.Bayesian().ask(a, b))


def _turns(what: str, place: Place, call: Callable[[], object]) -> Row:
    times = 1 if place.is_small else 3
    off, on = duel(
        *(
            Contender(partial(partial, _within, place, is_on, call), times)
            for is_on in (False, True)
        )
    )
    ratio = off.clock / on.clock
    found = f"{shown(off.clock)} without, {shown(on.clock)} with: {ratio:.2f}×"
    return Row(what, found, None, {"off": off.clock, "on": on.clock, "ratio": ratio})


def _within(place: Place, is_on: bool, call: Callable[[], object]) -> None:
    with used(place.device, graphs=is_on):
        call()


def training(place: Place) -> Iterator[Row]:
    """Many networks as one batch, beside the same one by one and under `torch.func.vmap`."""
    for count in (4,) if place.is_small else (81, 256):
        for name in ("digits-mlp",) if place.is_small else ("digits-mlp", "digits-cnn"):
            ways = ["ours", "loop"] if place.is_small else ["ours", "loop", "vmap"]
            each = measured(CASES[name], count, place.device, ways)["milliseconds"]
            assert isinstance(each, dict)
            ratios = ", ".join(f"{way} {each[way] / each['ours']:.1f}×" for way in ways[1:])
            found = f"{each['ours']:.2f} ms a network-epoch; {ratios}"
            yield Row(f"{name}, {count} networks", found, None, each)


PARTS: Mapping[str, Callable[[Place], Iterator[Row]]] = {
    "begin": begin,
    "agreement": agreement,
    "tests": tests,
    "asks": asks,
    "training": training,
    "graphs": graphs,
}
