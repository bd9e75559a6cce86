"""Strategies read back from the description of an experiment."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from hpo_research.strategies.bayesian import Bayesian
from hpo_research.strategies.hyperband import Hyperband

Modelling = Bayesian | Hyperband
"""A strategy that may have a model of ours."""

_CLASSES: Mapping[str, type[Modelling]] = {
    f"{made.__module__}.{made.__qualname__}": made for made in (Bayesian, Hyperband)
}


def strategy_of(described: Mapping[str, Any]) -> Modelling | None:
    """Rebuild a `Bayesian` of our own parts, alone or inside `Hyperband`; None for all others.

    Other people's models and functions are described by their names, from which nothing can be
    made again.
    """
    inner = {key: strategy_of(v) for key, v in described.items() if isinstance(v, Mapping)}
    options = {key: value for key, value in described.items() if key != "class"} | inner
    made = _CLASSES.get(described.get("class", ""))
    if made is None or None in inner.values():
        return None
    return made(**options) if set(options) <= {field.name for field in fields(made)} else None
