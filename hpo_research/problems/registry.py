"""The problems that come with the package, by name."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from hpo_research import habits
from hpo_research.errors import ProblemError
from hpo_research.problems import curve_table
from hpo_research.problems.classifiers import Classifier
from hpo_research.problems.curves import LearningCurves
from hpo_research.problems.families import FAMILIES, Family, synthetic
from hpo_research.problems.protocol import Problem, last_epoch
from hpo_research.problems.synthetic import FUNCTIONS
from hpo_research.problems.tabulated import Tabulated
from hpo_research.text import quoted


@dataclass(frozen=True)
class Listing:
    """A line of the table of problems: what `problem(name)` gives without options."""

    name: str
    description: str
    dimension: int
    max_epochs: int
    optimum: float | None


@dataclass(frozen=True)
class _Entry:
    description: str
    build: Callable[..., Problem]


_CLASSIFIERS = (
    ("digits", "mlp", "Perceptrons on scikit-learn's 8×8 digits"),
    ("digits", "cnn", "Convolutional networks on scikit-learn's 8×8 digits"),
    ("mnist5k", "mlp", "Perceptrons on 5,000 MNIST digits"),
    ("mnist5k", "cnn", "Convolutional networks on 5,000 MNIST digits"),
    ("mnist", "cnn", "Convolutional networks on MNIST"),
    ("fashion", "cnn", "Convolutional networks on Fashion-MNIST"),
    ("kmnist", "cnn", "Convolutional networks on Kuzushiji-MNIST"),
    ("cifar10", "cnn", "Convolutional networks on CIFAR-10"),
)

_ENTRIES: Mapping[str, _Entry] = {
    **{
        name: _Entry(function.description, partial(synthetic, name))
        for name, function in FUNCTIONS.items()
    },
    "curves": _Entry(
        "Learning curves that converge to a synthetic function, early ranks agreeing as set",
        LearningCurves,
    ),
    **{
        f"{images}-{network}": _Entry(description, partial(Classifier, images, network))
        for images, network, description in _CLASSIFIERS
    },
    **{
        f"{name}-table": _Entry(
            f"{name} replayed from recorded trainings", partial(Tabulated, name)
        )
        for name in curve_table.shipped()
    },
}


_MEMBERS: Mapping[str, _Entry] = {
    name: _Entry(family.description, build)
    for family in FAMILIES.values()
    for name, build in family.members.items()
}
_ALL = {**_ENTRIES, **_MEMBERS}


@habits.function
def problem(name: str, /, **options: Any) -> Problem:
    """Build a problem by its name, as in `problem("ackley", dimension=10)`.

    `problems()` and `families()` list the names. Options are the fields of the problem's class:
    `dimension` for synthetic functions and BBOB's, which have an `instance` too, and `noise`, the
    standard deviation of what is added to each value; `protocol` for tables of networks; `base`,
    `max_epochs`, `agreement`, ... for curves; `max_epochs`, `metric` for trained networks, and
    `data`, a file, where their images are fetched otherwise; `metric` for recorded curves; `name`,
    by which an experiment tells problems apart, for all. Raises `ProblemError` for an unknown name,
    an unknown option or an illegal value.
    """
    entry = _ALL.get(name) if isinstance(name, str) else None
    if entry is None:
        shown = name if isinstance(name, str) else quoted(name)
        close = difflib.get_close_matches(shown.lower(), _ALL, n=3)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        known = ", ".join([*_ENTRIES, *FAMILIES])
        raise ProblemError(f"problem({quoted(name)}): {hint}expected one of {known}")
    legal = _options(entry)
    unknown = [option for option in options if option not in legal]
    if unknown:
        raise ProblemError(
            f"problem({name!r}): no option {', '.join(unknown)}; it has {', '.join(legal)}"
        )
    return entry.build(**options)


def with_epochs() -> tuple[str, ...]:
    """Return the names of the problems that can be asked for with a number of epochs."""
    return tuple(name for name, entry in _ENTRIES.items() if "max_epochs" in _options(entry))


def _options(entry: _Entry) -> list[str]:
    return list(inspect.signature(entry.build).parameters)


def problems() -> tuple[Listing, ...]:
    """List every problem of the package's own that `problem` can build, without options."""
    rows = []
    for name, entry in _ENTRIES.items():
        built = problem(name)
        rows.append(
            Listing(
                name,
                entry.description,
                built.space.dimension,
                last_epoch(built.max_epochs),
                built.optimum,
            )
        )
    return tuple(rows)


def families() -> Mapping[str, Family]:
    """List the collections of other packages by what the names of their members look like."""
    return FAMILIES
