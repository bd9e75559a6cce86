"""The problems that come with the package, by name."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from hpo_research.errors import ProblemError
from hpo_research.problems.curves import LearningCurves
from hpo_research.problems.digits import DigitsCNN, DigitsMLP
from hpo_research.problems.protocol import Problem
from hpo_research.problems.synthetic import FUNCTIONS, Synthetic


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


_ENTRIES: Mapping[str, _Entry] = {
    **{
        name: _Entry(function.description, partial(Synthetic, name))
        for name, function in FUNCTIONS.items()
    },
    "curves": _Entry(
        "Learning curves that fall to a synthetic function, early ranks agreeing as asked",
        LearningCurves,
    ),
    "digits-mlp": _Entry("Perceptrons on scikit-learn's 8×8 digits", DigitsMLP),
    "digits-cnn": _Entry("Convolutional networks on scikit-learn's 8×8 digits", DigitsCNN),
}


def problem(name: str, /, **options: Any) -> Problem:
    """Build a problem by its name, as in `problem("ackley", dimension=10)`.

    `problems()` lists the names. Options are the fields of the problem's class: `dimension` for
    synthetic functions; `base`, `max_epochs`, `agreement`, ... for curves; `max_epochs`, `metric`
    for the digits; `name`, by which an experiment tells problems apart, for all. Raises
    `ProblemError` for an unknown name, an unknown option or an illegal value.
    """
    entry = _ENTRIES.get(name) if isinstance(name, str) else None
    if entry is None:
        close = difflib.get_close_matches(str(name).lower(), _ENTRIES, n=3)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise ProblemError(f"problem({name!r}): {hint}expected one of {', '.join(_ENTRIES)}")
    legal = list(inspect.signature(entry.build).parameters)
    unknown = [option for option in options if option not in legal]
    if unknown:
        raise ProblemError(
            f"problem({name!r}): {', '.join(unknown)} is no option of it; it has {', '.join(legal)}"
        )
    return entry.build(**options)


def problems() -> tuple[Listing, ...]:
    """List every problem that `problem` can build, as built without options."""
    rows = []
    for name, entry in _ENTRIES.items():
        built = problem(name)
        rows.append(
            Listing(name, entry.description, built.space.dimension, built.max_epochs, built.optimum)
        )
    return tuple(rows)
