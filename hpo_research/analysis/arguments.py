"""What a reader of results is asked for, checked before it is looked up."""

from collections.abc import Collection, Sequence, Set
from numbers import Integral, Real

from hpo_research.errors import StoreError
from hpo_research.lists import items
from hpo_research.space.bounds import as_float
from hpo_research.text import is_one_of, quoted


def check_word(name: str, value: object, words: Collection[str]) -> None:
    """Raise `StoreError` unless an argument is one of some words."""
    if not is_one_of(value, words):
        raise StoreError(f"{name}={quoted(value)}: expected one of {', '.join(words)}")


def check_name(what: str, value: object, known: Collection[str]) -> None:
    """Raise `StoreError` unless this is the name of something that a result holds."""
    if not is_one_of(value, known):
        there = ", ".join(known) or "none"
        raise StoreError(f"no {what} {quoted(value)}; there are {there}")


def chosen(strategies: Sequence[str] | None, known: Collection[str]) -> list[str]:
    """Return the strategies asked for, all that are known where that is None.

    Raises `StoreError` for what is no list of names, and for a name that is not known.
    """
    if strategies is None:
        return list(known)
    given = tuple(strategies) if isinstance(strategies, Set) else strategies
    wanted = items(given, "strategies", StoreError)
    for name in wanted:
        check_name("strategy", name, known)
    return wanted


def check_count(name: str, value: object, least: int) -> None:
    """Raise `StoreError` unless an argument is an integer of at least so much."""
    is_count = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_count or not least <= int(value) < 2**63:  # type: ignore[call-overload]
        raise StoreError(f"{name}={quoted(value)}: expected an integer >= {least}")


def check_level(value: object) -> None:
    """Raise `StoreError` unless a level of confidence lies between 0 and 1."""
    is_level = isinstance(value, Real) and not isinstance(value, bool)
    if not is_level or not 0 < as_float(value) < 1:  # type: ignore[arg-type]
        raise StoreError(f"level={quoted(value)}: expected a number between 0 and 1, as 0.95")
