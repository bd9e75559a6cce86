"""Strategies read back from the description of an experiment."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from hpo_research.strategies.bayesian import Bayesian
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.recommend import AROUND

_CLASSES: Mapping[str, type[Any]] = {
    f"{made.__module__}.{made.__qualname__}": made for made in (Bayesian, *AROUND)
}


def strategy_of(described: Mapping[str, Any]) -> Strategy | None:
    """Rebuild a `Bayesian` of our own parts, alone or inside `AROUND`; None for all others.

    Other people's models and functions are described by their names, from which nothing can be
    made again.
    """
    inner = {key: strategy_of(v) for key, v in described.items() if isinstance(v, Mapping)}
    options = {key: value for key, value in described.items() if key != "class"} | inner
    made = _CLASSES.get(described.get("class", ""))
    if made is None or None in inner.values():
        return None
    if not set(options) <= {field.name for field in fields(made)}:
        return None
    rebuilt: Strategy = made(**options)
    return rebuilt
