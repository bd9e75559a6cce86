"""What of BoTorch runs with what: every public class tried, and the table of `docs/botorch.md`.

    python -m tests.strategies.botorch_table [--check] [NAME ...]

Writes the tables on the page; with `--check` it compares them with what happens instead (exit code
1 where they differ), of the named classes or of all. A class runs, or is refused before the first
trial of a run: one that fails later is a mistake of ours, in either mode. Fully Bayesian models are
tried where NumPyro is installed; elsewhere their rows stay as they are.
"""

import argparse
import importlib
import inspect
import pkgutil
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import botorch.acquisition
import botorch.models
import numpy as np
import torch
from botorch.acquisition import (
    AcquisitionFunction,
    ExpectedImprovement,
    PosteriorMean,
    qMaxValueEntropy,
)
from botorch.acquisition.knowledge_gradient import ProjectedAcquisitionFunction
from botorch.acquisition.logei import qLogExpectedImprovement
from botorch.acquisition.penalized import PenalizedAcquisitionFunction
from botorch.acquisition.prior_guided import PriorGuidedAcquisitionFunction
from botorch.acquisition.proximal import ProximalAcquisitionFunction
from botorch.acquisition.thompson_sampling import PathwiseThompsonSampling
from botorch.models import SingleTaskGP
from botorch.models.fully_bayesian import SaasFullyBayesianSingleTaskGP
from botorch.models.model import Model

from hpo_research.errors import HpoError
from hpo_research.records import Run, Trial
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.strategies.bayesian import Bayesian

PAGE = Path(__file__).parents[2] / "docs" / "botorch.md"
MARKS = ("<!-- begin: written by python -m tests.strategies.botorch_table -->", "<!-- end -->")
CHEAP = {"initial": 4, "samples": 8, "starts": 2}
PLANE = SearchSpace(x=Float(-1.0, 2.0), y=Float(0.0, 1.0))
MIXED = SearchSpace(
    x=Float(-1.0, 2.0), c=Categorical(("a", "b", "c")), n=Integer(1, 9), d=Categorical((1, 2))
)
FINITE = SearchSpace(n=Integer(1, 6), c=Categorical(("a", "b", "c")))
YES, NO, ALONE, CATEGORIES = "yes", "no", "one at a time", "with categories"


NUMPYRO = {
    "qBayesianActiveLearningByDisagreement",
    *("FullyBayesianLinearSingleTaskGP", "FullyBayesianSingleTaskGP"),
    "SaasFullyBayesianSingleTaskGP",
}


class FailsLate(AssertionError):
    """Something of BoTorch was neither refused before the first trial nor did it run."""


# --- what there is ---


def classes(package: object, base: type) -> dict[str, type]:
    """Every public class below `base` in a package of BoTorch, by name."""
    assert inspect.ismodule(package)
    names = [m.name for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    found = {
        name: value
        for module in [package, *map(importlib.import_module, names)]
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, base) and not name.startswith("_")
        if value.__module__.startswith("botorch.")
    }
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


ACQUISITIONS = classes(botorch.acquisition, AcquisitionFunction)
MODELS = classes(botorch.models, Model)


# --- how each is made ---


@dataclass(frozen=True)
class Made:
    """How a class is used: what is given for it, and the words of the table."""

    part: Callable[..., object]
    words: str


def _bound(cls: type, words: str, **arguments: object) -> Made:
    return Made(partial(cls, **arguments), words)


class Nearer(torch.nn.Module):
    """A user's belief: better where the first column is small."""

    def forward(self, X):
        return -X[..., 0]


def prior_guided(model, best_f, sampler):
    inner = qLogExpectedImprovement(model, best_f, sampler)
    return PriorGuidedAcquisitionFunction(inner, Nearer(), log=True)


def penalized(model, best_f, sampler):
    inner = qLogExpectedImprovement(model, best_f, sampler)
    return PenalizedAcquisitionFunction(inner, lambda X: X[..., 0].mean(dim=-1), 0.1)


def proximal(model, best_f):
    weights = torch.ones_like(model.train_inputs[0][0])
    return ProximalAcquisitionFunction(ExpectedImprovement(model, best_f), weights)


def projected(model):
    return ProjectedAcquisitionFunction(PosteriorMean(model), lambda X: X)


_FEASIBLE = [lambda y: -y[..., 0]]
_ONE = torch.ones(1, dtype=torch.float64)
_WRAPPED = "in a function that makes both"
MADE: Mapping[str, Made] = {
    name: made
    for cls, made in [
        *(
            (ACQUISITIONS[name], _bound(ACQUISITIONS[name], "beta", beta=2.0))
            for name in ("UpperConfidenceBound", "qUpperConfidenceBound", "qLowerConfidenceBound")
        ),
        *(
            (ACQUISITIONS[name], _bound(ACQUISITIONS[name], "constraints", constraints=value))
            for name, value in (
                ("LogProbabilityOfFeasibility", {0: (0.0, None)}),
                ("qLogProbabilityOfFeasibility", _FEASIBLE),
            )
        ),
        *(
            (ACQUISITIONS[name], _bound(ACQUISITIONS[name], "weights", weights=_ONE))
            for name in ("ScalarizedPosteriorMean",)
        ),
        (PriorGuidedAcquisitionFunction, Made(prior_guided, _WRAPPED)),
        (PenalizedAcquisitionFunction, Made(penalized, _WRAPPED)),
        (ProximalAcquisitionFunction, Made(proximal, _WRAPPED)),
        (ProjectedAcquisitionFunction, Made(projected, _WRAPPED)),
        (
            MODELS["HierarchicalConditionalKernelGP"],
            _bound(
                MODELS["HierarchicalConditionalKernelGP"],
                "hierarchical_dependencies",
                hierarchical_dependencies={},
            ),
        ),
        (
            MODELS["SingleTaskMultiFidelityGP"],
            _bound(MODELS["SingleTaskMultiFidelityGP"], "data_fidelities", data_fidelities=[0]),
        ),
    ]
    for name in [cls.__name__]
}


def made(cls: type) -> Made:
    """How a class is used, by default as it is."""
    return MADE.get(cls.__name__, Made(cls, ""))


# --- trying ---


@dataclass(frozen=True)
class Scene:
    """A run that is asked: first when it is new, and then with some trials."""

    space: SearchSpace
    known: int = 8
    failed: int = 0
    running: int = 0
    slots: int = 1

    def run(self) -> Run:
        count = self.known + self.running
        configs = self.space.decode(np.random.default_rng(3).random((count, self.space.dimension)))
        trials = []
        for i, config in enumerate(configs):
            value = float(np.square(self.space.encode([config]) - 0.3).sum())
            if i < self.known - self.failed:
                trials.append(Trial(i, config, "finished", 1, (1,), (value,), value))
            elif i < self.known:
                trials.append(Trial(i, config, "failed", 1, reason="too large"))
            else:
                trials.append(Trial(i, config, "running", 1))
        return Run(self.space, trials=tuple(trials))


ONE = (Scene(PLANE), Scene(MIXED, failed=1), Scene(FINITE, known=5))
BATCH = Scene(MIXED, failed=1, running=1, slots=2)


def refusal(acquisition: object, model: object, scene: Scene) -> str:
    """Return why parts are refused for a new run; empty where the run can then be asked."""
    try:
        strategy = Bayesian(acquisition, model, **CHEAP)
        strategy.ask([Run(scene.space)], [scene.slots])
    except HpoError as error:
        return str(error)
    try:
        (ask,) = strategy.ask([scene.run()], [scene.slots])
    except Exception as error:
        raise FailsLate(f"{acquisition} with {model}, {scene}: {error}") from error
    assert len(ask.proposals) == scene.slots
    assert np.isfinite(ask.notes["acquisition"]).all(), f"{acquisition} with {model}: {ask.notes}"
    return ""


def told(acquisition: object, model: object, *, batch: bool = True) -> tuple[str, str]:
    """Return a cell of the table, and a sentence where it is not `yes`."""
    is_slow = any(getattr(part, "__name__", "") in NUMPYRO for part in (acquisition, model))
    # NUTS takes most of a minute: mixed spaces alone.
    sentences = [refusal(acquisition, model, scene) for scene in (ONE[1:2] if is_slow else ONE)]
    if all(sentences):
        return NO, sentence(sentences[min(1, len(sentences) - 1)])
    if any(sentences):
        return CATEGORIES if "cat_dims" in "".join(sentences) else "?", ""
    refused = refusal(acquisition, model, BATCH) if batch else ""
    if "evaluates a single point" in refused:
        return ALONE, ""
    return (ALONE if refused else YES), sentence(refused)


def sentence(refused: str) -> str:
    """What a refusal says beside where it was said."""
    short = re.sub(r"^Bayesian\([^)]*\): (tried before[^:]*: )?", "", refused)
    return re.sub(r"\s*\((\w+\.py:\d+|module\.py).*$", "", short, flags=re.DOTALL).replace("|", "/")


# --- the rows ---


def is_left(name: str) -> bool:
    """Whether a class cannot be tried here: it needs NumPyro."""
    return name in NUMPYRO and find_spec("numpyro") is None


def acquisition_row(cls: type) -> str:
    """The row of an acquisition function."""
    how = made(cls)
    if cls.__name__ in NUMPYRO:
        cell, words = told(how.part, SaasFullyBayesianSingleTaskGP)
        return _row(cls, how.words, NO, NO, f"`SaasFullyBayesianSingleTaskGP`: {cell} {words}")
    ours, why = told(how.part, "matern52")
    theirs, there = told(how.part, SingleTaskGP)
    if ours == theirs == NO:
        return _row(cls, how.words, NO, NO, why)
    return _row(cls, how.words, ours, theirs, why or there)


def model_row(cls: type) -> str:
    """The row of a model: with an improvement, with fantasies, with paths."""
    how = made(cls)
    cells = [told("qlogei", how.part)]
    if cells[0][0] == NO:
        return _row(cls, how.words, NO, NO, NO, cells[0][1])
    cells += [told(other, how.part) for other in (qMaxValueEntropy, PathwiseThompsonSampling)]
    why = " ".join(f"{words}." for _, words in cells if words)
    return _row(cls, how.words, *(cell for cell, _ in cells), why)


def _row(cls: type, *cells: str) -> str:
    plain = [cell.strip().removeprefix(f"{cls.__name__} ") for cell in cells]
    return " | ".join([f"| `{cls.__name__}`", *plain]) + " |"


TABLES: tuple[tuple[str, Mapping[str, type], Callable[[type], str]], ...] = (
    (
        "| acquisition function | to bind | our models | `SingleTaskGP` | why not |\n"
        "| --- | --- | --- | --- | --- |",
        ACQUISITIONS,
        acquisition_row,
    ),
    (
        '| model | to bind | `"qlogei"` | `qMaxValueEntropy` | `PathwiseThompsonSampling` | '
        "why not |\n| --- | --- | --- | --- | --- | --- |",
        MODELS,
        model_row,
    ),
)


def rows_of(page: str) -> dict[str, str]:
    """The rows that stand on the page, by class."""
    begin, end = (page.index(mark) for mark in MARKS)
    found = re.findall(r"^\| `(\w+)` \|.*$", page[begin:end], re.MULTILINE)
    lines = re.findall(r"^\| `\w+` \|.*$", page[begin:end], re.MULTILINE)
    return {name: line for name, line in zip(found, lines, strict=True) if name != "qlogei"}


def tried(names: Iterable[str]) -> dict[str, str]:
    """The rows of these classes as they are now, without those that cannot be tried here."""
    chosen, found = set(names), {}
    for _, known, row in TABLES:
        for name, cls in known.items():
            if name in chosen and not is_left(name):
                found[name] = row(cls)
                print(found[name], file=sys.stderr, flush=True)
    return found


def _order(row: str) -> tuple[bool, bool]:
    """What runs, then what is refused, then what is abstract."""
    runs = any(f" {cell} |" in row for cell in (YES, ALONE, CATEGORIES))
    return not runs, "derived from" in row


def written(page: str, rows: Mapping[str, str]) -> str:
    """The page with these rows in the place of its own."""
    stands = {**rows_of(page), **rows}
    parts = [f"BoTorch {botorch.__version__}."]
    for head, known, _ in TABLES:
        lines = [stands.get(name, _row(cls, "?")) for name, cls in known.items()]
        parts.append("\n".join([head, *sorted(lines, key=_order)]))
    begin, end = page.index(MARKS[0]) + len(MARKS[0]), page.index(MARKS[1])
    return page[:begin] + "\n" + "\n\n".join(parts) + "\n" + page[end:]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.strategies.botorch_table")
    parser.add_argument("names", nargs="*", metavar="NAME", help="classes; all by default")
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # BoTorch's advice on its own classes
    names = options.names or [*ACQUISITIONS, *MODELS]
    if not options.check:
        rows = tried(names)
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(written(page, rows), encoding="utf-8")
        return 0
    stands = rows_of(PAGE.read_text(encoding="utf-8"))
    rows = tried(names)
    wrong = [name for name, row in rows.items() if row != stands.get(name)]
    for name in wrong:
        print(f"{name}\n  on the page: {stands.get(name)}\n  happens:     {rows[name]}")
    left = ", ".join(name for name in names if is_left(name))
    print(f"{len(rows)} classes of BoTorch {botorch.__version__}: {len(wrong)} rows differ")
    print(f"not tried, for want of NumPyro: {left or 'none'}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
