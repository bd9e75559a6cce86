"""What a reader of results is asked for, checked before it is looked up."""

from collections.abc import Collection, Sequence, Set

from hpo_research.errors import StoreError
from hpo_research.lists import items
from hpo_research.text import is_one_of, quoted


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
