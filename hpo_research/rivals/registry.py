"""The rivals by name: to make one, and to list them."""

import difflib
from dataclasses import dataclass
from typing import Any

from hpo_research import habits
from hpo_research.errors import MissingPackageError, StrategyError
from hpo_research.rivals import installed
from hpo_research.rivals.catalogue import CATALOGUE
from hpo_research.rivals.strategy import Rival, options_of
from hpo_research.text import quoted


@dataclass(frozen=True)
class Listing:
    """A line of the table of rivals: its version, or where none is found what installs it.

    `handled` says what its library does with valid input that is answered here.
    """

    name: str
    package: str
    version: str | None
    install: str
    description: str
    handled: str


@habits.function
def rival(name: str, /, **options: Any) -> Rival:
    """Return another library's optimiser as a strategy, as in `rival("optuna-tpe")`.

    `rivals()` lists the names. It runs at its library's defaults; options are arguments of the
    library's own class, such as `n_startup_trials=20`, and part of what the experiment records, as
    is the version that is installed. Raises `StrategyError` for an unknown name or an option that
    no store can hold, `MissingPackageError` with the line that installs it.
    """
    if not isinstance(name, str) or name not in CATALOGUE:
        shown = name if isinstance(name, str) else quoted(name)
        close = difflib.get_close_matches(shown.lower(), CATALOGUE, n=3)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise StrategyError(f"rival({quoted(name)}): {hint}expected one of {', '.join(CATALOGUE)}")
    given = options_of(options, f"rival({quoted(name)})")
    return Rival(name, installed.found(name).version, given)


def rivals() -> tuple[Listing, ...]:
    """List every rival, with the version that is found here or in its own environment."""
    rows = []
    for name, entry in CATALOGUE.items():
        try:
            version: str | None = installed.found(name).version
        except MissingPackageError:
            version = None
        line = installed.install_line(name)
        rows.append(
            Listing(
                name, entry.library.package, version, line, entry.description, entry.library.handled
            )
        )
    return tuple(rows)
