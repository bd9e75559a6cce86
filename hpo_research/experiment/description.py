"""What an experiment is, as plain JSON: stored with it, and compared when it is run again."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hpo_research.analysis.rebuild import stored_answers
from hpo_research.errors import ExperimentError
from hpo_research.moved import first_path
from hpo_research.space import SearchSpace
from hpo_research.space.documents import document
from hpo_research.strategies.protocol import Strategy

Json = Any


def describe(value: object, what: str) -> Json:
    """Return the value as plain JSON that identifies it; callables by their qualified name.

    A dataclass field with `metadata={"identity": False}` (how many workers, say) is left out.
    Raises `ExperimentError` for objects that are neither data nor frozen dataclasses.
    """
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, SearchSpace):
        return document(value)
    if is_dataclass(value) and not isinstance(value, type):
        parts = {
            f.name: describe(getattr(value, f.name), f"{what}.{f.name}")
            for f in fields(value)
            if f.metadata.get("identity", True)
        }
        return {"class": _qualified(type(value)), **parts}
    if isinstance(value, Mapping):
        return {str(key): describe(item, f"{what}[{key!r}]") for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset | range):
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [describe(item, f"{what}[{i}]") for i, item in enumerate(items)]
    if isinstance(value, partial):
        return _partial(value, what)
    if callable(value):
        return {"function": _qualified(value)}
    raise ExperimentError(
        f"{what}: {value!r} cannot be stored with the experiment; make it a frozen dataclass, "
        "a function, or plain data"
    )


def _partial(value: partial[object], what: str) -> Json:
    return {
        "partial": describe(value.func, what),
        "args": [_bound(item) for item in value.args],
        "keywords": {name: _bound(item) for name, item in value.keywords.items()},
    }


def _bound(value: object) -> Json:
    # Data sets and models are bound to functions too; they are named by their class alone.
    try:
        return describe(value, "")
    except ExperimentError:
        return {"object": _qualified(type(value))}


def _qualified(value: object) -> str:
    module = getattr(value, "__module__", type(value).__module__)
    name = getattr(value, "__qualname__", type(value).__qualname__)
    return first_path(f"{module}.{name}")


def stored(strategies: Mapping[str, Strategy]) -> Json:
    """Return what a reader of the store has to be told of strategies, beside their descriptions.

    Under `"answers"`, by name; nothing where each can be made again and asked
    (`analysis.described`). It is no part of what may not change.
    """
    found = {
        name: own
        for name, strategy in strategies.items()
        if (own := stored_answers(strategy, lambda part: describe(part, "strategies"))) is not None
    }
    return {"answers": found} if found else {}


def compared(described: Json) -> Json:
    """Return of a problem's description what is compared: of earlier trials their digest alone."""
    if not isinstance(described, dict) or not (prior := described.get("prior")):
        return described
    tasks = [prior] if isinstance(prior, dict) else prior  # the first stores held one
    own = [{key: task[key] for key in ("task", "count", "digest")} for task in tasks]
    return {**described, "prior": own}


def differences(old: Json, new: Json, where: str = "") -> list[str]:
    """Return one line for each place where two descriptions differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            line
            for key in {**old, **new}
            for line in differences(
                old.get(key), new.get(key), f"{where}.{key}" if where else str(key)
            )
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            line
            for i, (a, b) in enumerate(zip(old, new, strict=True))
            for line in differences(a, b, f"{where}[{i}]")
        ]
    # NaN is no equal of itself, and 1, 1.0 and True are options of different types.
    return [] if repr(old) == repr(new) else [f"{where}: {old!r} became {new!r}"]
