"""Lists as callers give them: lists, tuples, ranges, arrays, columns; none of them endless."""

from collections.abc import Sequence
from typing import Any, cast

from hpo_research.errors import HpoError
from hpo_research.text import quoted

LONGEST = 10_000_000
"""A longer list is a mistake: `range(10**12)` would fill the memory before anything is said."""

MOST_AT_ONCE = 1_000_000
"""How many trials can be asked for at once."""


def items(values: object, what: str, error: type[HpoError]) -> list[Any]:
    """Return the items of a list of any type, `what` being its name in a message.

    A generator could be read once only, a string is a list of strings, a set has no order, and an
    array without dimensions no items. Raises `error` for these, and for more than `LONGEST` items.
    """
    is_list = isinstance(values, Sequence) and not isinstance(values, str | bytes)
    if not is_list and not _has_rows(values):
        hint = f"; [{quoted(values)}] is a list of one" if isinstance(values, str) else ""
        raise error(f"{what} must be a list, got {quoted(values)}{hint}")
    given = cast(Sequence[Any], values)
    # `len` of a range beyond 64 bits raises.
    if given[LONGEST:] if isinstance(given, range) else len(given) > LONGEST:
        raise error(f"{what} must be a list of at most {LONGEST:,} items, got {quoted(values)}")
    return list(given)


def _has_rows(values: object) -> bool:
    """Whether this is an array, a tensor, or a column of a table, with a dimension or more."""
    dimensions = getattr(values, "ndim", None)
    return isinstance(dimensions, int) and dimensions > 0 and hasattr(values, "__array__")
