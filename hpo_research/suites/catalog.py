"""The suites by name: `suite("bbob-5d")`, `suite("hpobench", protocol="one seed")`."""

import difflib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hpo_research import habits
from hpo_research.errors import ProblemError
from hpo_research.experiment.budget import Budget
from hpo_research.options import Mistakes, number, one_of, whole
from hpo_research.problems import curve_table
from hpo_research.problems.coco import Bbob, MixedInteger
from hpo_research.problems.coco_constrained import Penalised
from hpo_research.problems.coco_noisy import NoisyBbob
from hpo_research.problems.curves import LearningCurves
from hpo_research.problems.hpo_tables import COLLECTIONS, PROTOCOLS, HpoTable, Protocol
from hpo_research.problems.models import DATA, SPACES, CrossValidated
from hpo_research.problems.protocol import Problem
from hpo_research.problems.registry import problem
from hpo_research.problems.synthetic import FUNCTIONS, Synthetic
from hpo_research.problems.tabulated import Tabulated
from hpo_research.problems.wrappers import Noisy
from hpo_research.suites import sources
from hpo_research.suites.measured import baselines
from hpo_research.suites.suite import Source, Suite
from hpo_research.text import quoted

DEFAULT_INSTANCES = (1, 2, 3)
"""Of each of COCO's functions, where none are named."""

_PER_DIMENSION = 20  # evaluations a dimension: where models are worth their time


@dataclass(frozen=True)
class SuiteListing:
    """A line of the table of suites."""

    name: str
    description: str
    options: str


@dataclass(frozen=True)
class _Entry:
    """How suites of a name are built; `dimensions` are those of which baselines are stored."""

    description: str
    build: Callable[..., Suite]
    dimensions: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Coco:
    """One of COCO's suites: how a problem is made, its functions, and where it comes from."""

    name: str
    made: Callable[..., Problem]
    functions: range
    source: Source


def _coco(
    what: _Coco,
    description: str,
    dimension: int = 5,
    instances: Sequence[int] = DEFAULT_INSTANCES,
    functions: Sequence[int] | None = None,
) -> Suite:
    members = what.functions if functions is None else functions
    mistakes = Mistakes(f"suite({what.name!r})")
    mistakes.check("instances", instances, _listed)
    mistakes.check("functions", members, _listed)
    mistakes.refuse(ProblemError)
    made = tuple(
        what.made(function, instance, dimension) for function in members for instance in instances
    )
    evaluations = Budget(evaluations=_PER_DIMENSION * dimension)
    name = f"{what.name}-{dimension}d"
    return Suite(name, description, made, evaluations, what.source, "log")


def _listed(value: object) -> str:
    is_list = isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 0
    return "" if is_list else "a list of integers, such as [1, 2, 3]"


def _synthetic(noise: float = 0.0) -> Suite:
    mistakes = Mistakes("suite('synthetic')")
    mistakes.check("noise", noise, number(least=0))
    mistakes.refuse(ProblemError)
    made: list[Problem] = []
    for name, function in FUNCTIONS.items():
        own = Synthetic(name, function.dimension if function.largest else 5)
        made.append(Noisy(own, _deviation(own, noise)) if noise else own)
    said = (
        f"Gaussian, its standard deviation {noise:g} of the regret of a simple start (a score of "
        "0), to three digits; values without it are known"
    )
    source = sources.SYNTHETIC
    if noise:
        source = Source(source.origin, source.licence, source.cite, said)
    text = "Functions with known minima, in five dimensions where they have any number"
    return Suite("synthetic", text, tuple(made), Budget(evaluations=100), source, "log")


def _deviation(function: Synthetic, noise: float) -> float:
    """Return the standard deviation of noise that is as much for every function, of any scale."""
    start = baselines([function], "log")[function.name]
    return float(f"{noise * abs(start.start - start.best):.3g}")


def _tables(collection: str, protocol: Protocol = "mean") -> Suite:
    mistakes = Mistakes(f"suite({collection!r})")
    mistakes.check("protocol", protocol, one_of(PROTOCOLS))
    mistakes.refuse(ProblemError)
    recorded = COLLECTIONS[collection]
    made = tuple(HpoTable(collection, data, protocol) for data in recorded.datasets)
    source = sources.tables(collection, protocol)
    budget = Budget(evaluations=100)
    return Suite(collection, f"{recorded.title}, complete tables", made, budget, source)


def _multi_fidelity(max_epochs: int = 27, noise: float = 0.0) -> Suite:
    mistakes = Mistakes("suite('multi-fidelity')")
    mistakes.check("max_epochs", max_epochs, whole())
    mistakes.check("noise", noise, number(least=0))
    mistakes.refuse(ProblemError)
    bases = (
        *map(Synthetic, ("branin", "hartmann6")),
        *(Synthetic(n, 5) for n in ("ackley", "levy")),
    )
    made = tuple(
        LearningCurves(base, max_epochs, agreement, noise)
        for base in bases
        for agreement in (0.9, 0.6, 0.3)
    )
    text = "Learning curves to a known minimum, whose early ranks agree with late ones or hardly do"
    return Suite("multi-fidelity", text, made, Budget(evaluations=50), sources.CURVES, "log")


def _curve_tables() -> Suite:
    made = tuple(Tabulated(name) for name in curve_table.shipped())
    text = "Recorded learning curves of networks on images, epoch by epoch"
    return Suite("curve-tables", text, made, Budget(evaluations=20), sources.RECORDED)


def _classifiers(max_epochs: int = 27) -> Suite:
    made = tuple(problem(name, max_epochs=max_epochs) for name in ("digits-mlp", "digits-cnn"))
    text = "Networks trained on scikit-learn's digits while you wait"
    return Suite("classifiers", text, made, Budget(evaluations=20), sources.TRAINED)


def _models() -> Suite:
    made = tuple(CrossValidated(model, data) for model in SPACES for data in DATA)
    text = "scikit-learn's models, cross-validated on scikit-learn's own data"
    return Suite("models", text, made, Budget(evaluations=50), sources.MODELS)


def _coco_entry(what: _Coco, description: str, dimensions: tuple[int, ...]) -> _Entry:
    return _Entry(description, partial(_coco, what, description), dimensions)


_ENTRIES: Mapping[str, _Entry] = {
    "bbob": _coco_entry(
        _Coco("bbob", Bbob, range(1, 25), sources.BBOB),
        "BBOB's 24 noiseless functions",
        (2, 3, 5, 10, 20),
    ),
    "bbob-noisy": _coco_entry(
        _Coco("bbob-noisy", NoisyBbob, range(101, 131), sources.BBOB_NOISY),
        "BBOB's 30 noisy functions",
        (2, 5, 10),
    ),
    "bbob-mixint": _coco_entry(
        _Coco("bbob-mixint", MixedInteger, range(1, 25), sources.BBOB_MIXINT),
        "BBOB's 24 functions of integers and floats",
        (5, 10),
    ),
    "bbob-constrained": _coco_entry(
        _Coco("bbob-constrained", Penalised, range(1, 55), sources.BBOB_CONSTRAINED),
        "BBOB's 54 constrained functions, infeasible points being penalised",
        (2, 5, 10),
    ),
    "synthetic": _Entry("Functions with known minima", _synthetic),
    **{
        name: _Entry(f"{recorded.title}, complete tables", partial(_tables, name))
        for name, recorded in COLLECTIONS.items()
    },
    "multi-fidelity": _Entry("Learning curves to known minima", _multi_fidelity),
    "curve-tables": _Entry("Recorded learning curves of networks", _curve_tables),
    "models": _Entry("scikit-learn's models, cross-validated on its own data", _models),
    "classifiers": _Entry("Networks trained on scikit-learn's digits", _classifiers),
}


@habits.function
def suite(name: str, /, **options: Any) -> Suite:
    """Build a suite by its name, as in `suite("bbob-5d")` or `suite("bbob", dimension=7)`.

    `suites()` lists the names and their options: `dimension`, `instances` and `functions` of
    COCO's; `protocol` of tables of networks; `noise` of synthetic functions and curves. Raises
    `ProblemError` for an unknown name, an unknown option or an illegal value, and
    `MissingPackageError` where its problems come with a package that is not installed.
    """
    entry, given = _named(name, options)
    legal = list(inspect.signature(entry.build).parameters)
    unknown = [option for option in given if option not in legal]
    if unknown:
        has = f"it has {', '.join(legal)}" if legal else "it has none"
        raise ProblemError(f"suite({name!r}): no option {', '.join(unknown)}; {has}")
    return entry.build(**given)


def _named(name: object, options: Mapping[str, Any]) -> tuple[_Entry, Mapping[str, Any]]:
    """Return what a name stands for, with its dimension among the options where it ends in one."""
    if isinstance(name, str):
        if name in _ENTRIES:
            return _ENTRIES[name], options
        found = re.fullmatch(r"(.+)-(\d{1,4})d", name)
        if found and found[1] in _ENTRIES and _ENTRIES[found[1]].dimensions:
            if "dimension" in options:
                raise ProblemError(f"suite({name!r}): the name has the dimension; leave it out")
            return _ENTRIES[found[1]], {"dimension": int(found[2]), **options}
    known = [own.name for own in suites()]
    close = difflib.get_close_matches(name.lower(), known, n=3) if isinstance(name, str) else []
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise ProblemError(f"suite({quoted(name)}): {hint}expected one of {', '.join(known)}")


def suites() -> tuple[SuiteListing, ...]:
    """List the suites whose baselines are stored; BBOB's exist in other dimensions too."""
    found = []
    for name, entry in _ENTRIES.items():
        parameters = inspect.signature(entry.build).parameters.values()
        options = ", ".join(
            f"{p.name}={p.default!r}"
            for p in parameters
            if not (entry.dimensions and p.name == "dimension")
        )
        own = [f"{name}-{d}d" for d in entry.dimensions] or [name]
        found += [SuiteListing(one, entry.description, options) for one in own]
    return tuple(found)
