"""The names of problems: an experiment tells its problems apart by them."""

from typing import Any

from hpo_research.errors import ProblemError
from hpo_research.text import name_mistake


def name_of(call: str, given: object, otherwise: str) -> str:
    """Return the name that was given, or another where it was left empty.

    `call` is what the caller wrote. Raises `ProblemError` for what can be no name.
    """
    if isinstance(given, str) and not given:
        return otherwise
    if mistake := name_mistake(given):
        raise ProblemError(f"{call}: name {mistake}")
    return str(given)


def add_name(call: str, wrapper: Any, suffix: str) -> None:
    """Name a frozen wrapper that was left without a name after its problem. Raises as `name_of`."""
    name = name_of(call, wrapper.name, f"{wrapper.problem.name}{suffix}")
    object.__setattr__(wrapper, "name", name)
