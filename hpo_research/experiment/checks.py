"""What no caller may give, found before it is stored."""

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TypeVar

from hpo_research.strategies.sparing import epochs_mistake
from hpo_research.text import quoted

Item = TypeVar("Item", bound=Hashable)
_FIELDS = "__dataclass_fields__"


def strategy_mistake(strategy: object, max_epochs: int | None = None) -> str:
    """Say what is wrong with something that is to be a strategy; empty where nothing is.

    `max_epochs` is that of the only problem there is, where there is only one.
    """
    if isinstance(strategy, type):
        return f"must have ask(runs, slots), got the class {strategy!r}; call it to make one"
    if not callable(getattr(strategy, "ask", None)):
        hint = "; use Random()" if isinstance(strategy, str) else ""
        return f"must have ask(runs, slots), got {quoted(strategy)}{hint}"
    options = getattr(strategy, "__dataclass_params__", None)
    if options is not None and not options.frozen:
        name = type(strategy).__qualname__
        return (
            f"must be a frozen dataclass, got {name}, whose fields can change between two asks; "
            f"write @dataclass(frozen=True) above class {name}"
        )
    if mistake := _inner_mistake(strategy):
        return mistake
    mistake = epochs_mistake(strategy, max_epochs)
    return mistake and f"does not suit: {mistake}"


def _inner_mistake(strategy: object) -> str:
    """Say what is wrong with a strategy inside another, by the name of its field."""
    inner = {name: getattr(strategy, name, None) for name in getattr(strategy, _FIELDS, ())}
    for name, value in inner.items():
        is_strategy = callable(getattr(value, "ask", None)) and not isinstance(value, type)
        if is_strategy and (mistake := strategy_mistake(value)):
            return f"{name}= {mistake}"
    return ""


def repeated(items: Iterable[Item]) -> list[Item]:
    """Return what there is more than once of some hashable items, once each, as they come."""
    return [item for item, count in Counter(items).items() if count > 1]
