"""Strategies read back from the description of an experiment, and what they say of themselves.

A reader of a store runs no code of the user's, whose file may not be there. A strategy of this
package is made again from its description and asked (`strategies.answers`). Of any other, and of
one with parts that have no description, the experiment wrote down what it said (`stored_answers`);
what it would recommend or believe by a method of its own is not known to a reader, and `own` says
so.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib import import_module
from typing import Any

from hpo_research.moved import current_path
from hpo_research.store.facts import Described, Facts
from hpo_research.strategies import answers
from hpo_research.strategies.protocol import Strategy

_ROOM = "hpo_research.strategies."
_METHODS = ("recommend", "believe")


@dataclass(frozen=True)
class Answers:
    """What a strategy says of itself, as far as a store knows it.

    `inner` is the description of the strategy whose trials it cuts short, None for none.
    `recommending` and `believing` answer in its place, made again from their descriptions; None
    where that cannot be. `own` names what a method of the user's answers.
    """

    batch: int | None = None
    needs_total: bool = False
    with_one_epoch: str = ""
    inner: Described | None = None
    recommending: Strategy | None = None
    believing: Strategy | None = None
    own: tuple[str, ...] = ()


def answers_of(facts: Facts, name: str) -> Answers:
    """Return what a strategy of an experiment says of itself."""
    described = facts.strategies[name].described or {}
    if stored := facts.strategies[name].answers:
        return Answers(
            stored.batch,
            stored.needs_total,
            stored.with_one_epoch,
            stored.inner,
            strategy_of(stored.recommend),
            strategy_of(stored.believe),
            stored.own,
        )
    strategy = strategy_of(described)
    if strategy is None:
        return _guessed(described)
    inner = answers.unspared(strategy)
    return Answers(
        answers.batch_of(strategy),
        answers.needs_total(strategy),
        answers.with_one_epoch(strategy),
        None if inner is None else described["inner"],
        strategy,
        strategy,
    )


def stored_answers(strategy: Strategy, describe: Callable[[object], Any]) -> dict[str, Any] | None:
    """Return what has to be written down of a strategy, as plain JSON; None where nothing has.

    `describe` makes the description of a strategy. Raises `StrategyError` for a wrong answer.
    """
    described = describe(strategy)
    if not isinstance(described, Mapping) or strategy_of(described) is not None:
        return None
    inner, batch = answers.unspared(strategy), answers.batch_of(strategy)
    standing = {answer: _standing_in(strategy, answer) for answer in _METHODS}
    return {
        "batch": batch if type(batch) is int else None,
        "needs_total": answers.needs_total(strategy),
        "with_one_epoch": answers.with_one_epoch(strategy),
        "inner": None if inner is None else describe(inner),
        **{answer: describe(made) for answer, made in standing.items()},
        "own": [answer for answer, made in standing.items() if _has_own(made, answer)],
    }


def strategy_of(described: Described) -> Strategy | None:
    """Make a strategy of this package again; None for all others.

    Other people's models and functions are described by their names, from which nothing can be
    made again.
    """
    made = _class_of(described)
    options = {key: value for key, value in described.items() if key != "class"}
    if made is None or not set(options) <= {field.name for field in fields(made)}:
        return None
    for key, value in options.items():
        if isinstance(value, Mapping) and not _is_plain(value):
            options[key] = strategy_of(value)
            if options[key] is None:
                return None
    rebuilt: Strategy = made(**options)
    return rebuilt


def _class_of(described: Described) -> type[Any] | None:
    module, _, name = current_path(str(described.get("class", ""))).rpartition(".")
    if not module.startswith(_ROOM):
        return None
    try:
        found = getattr(import_module(module), name, None)
    except ImportError:  # of another version of this package
        return None
    is_one = isinstance(found, type) and is_dataclass(found) and hasattr(found, "ask")
    return found if is_one and found.__module__ == module else None


def _is_plain(value: Described) -> bool:
    """Return whether a mapping is one, and not the description of an object or a function."""
    names = (value.get("class"), value.get("function"), value.get("object"), value.get("partial"))
    return not any(isinstance(name, str | Mapping) for name in names)


def _guessed(described: Described) -> Answers:
    """Return what can be known of a strategy that nothing was written down of.

    By earlier versions; theirs is a field `inner` that holds a strategy.
    """
    inner = described.get("inner")
    inner = inner if isinstance(inner, Mapping) else None
    batch = described.get("batch")
    if batch is None and inner is not None:
        batch = _guessed(inner).batch
    return Answers(
        batch=batch if type(batch) is int else None,
        needs_total=_contains_total(described),
        with_one_epoch=str(getattr(_class_of(described), "with_one_epoch", "")),
        inner=inner,
    )


def _contains_total(described: Any) -> bool:
    items = described.values() if isinstance(described, Mapping) else described
    if isinstance(described, Mapping) and (found := strategy_of(described)) is not None:
        return answers.needs_total(found)
    return isinstance(described, Mapping | list) and any(map(_contains_total, items))


# -- what stands for a strategy whose code a reader may not have


def _standing_in(strategy: Strategy, answer: str) -> Strategy:
    """Return who gives an answer, without the users' strategies in it that only pass runs on."""
    who = answers.answering(strategy, answer) or strategy
    if not _is_ours(who):
        return who
    parts = {name: _standing_in(part, answer) for name, part in _within(who)}
    return replace(who, **parts)  # type: ignore[type-var]


def _has_own(strategy: Strategy, answer: str) -> bool:
    """Return whether a method of the user's is asked for an answer."""
    if not _is_ours(strategy):
        return getattr(answers.answering(strategy, answer), answer, None) is not None
    return any(_has_own(part, answer) for _, part in _within(strategy))


def _within(strategy: Any) -> Iterator[tuple[str, Strategy]]:
    values = ((field.name, getattr(strategy, field.name)) for field in fields(strategy))
    return ((name, value) for name, value in values if answers.is_strategy(value))


def _is_ours(strategy: object) -> bool:
    kind = type(strategy)
    return _class_of({"class": f"{kind.__module__}.{kind.__qualname__}"}) is kind
