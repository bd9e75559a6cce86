"""A search space as plain JSON, and back."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from hpo_research.space.parameters import Categorical, Float, Integer, Parameter
from hpo_research.space.search_space import SearchSpace

_KINDS: Mapping[str, type[Parameter]] = {
    kind.__name__: kind for kind in (Float, Integer, Categorical)
}


def document(space: SearchSpace) -> dict[str, Any]:
    """Return a space as plain JSON: its hyperparameters in order, and the list of `among`."""
    parameters = [[name, _fields(parameter)] for name, parameter in space.parameters.items()]
    listed = space.among
    among = None if listed is None else [[[*pair] for pair in config.items()] for config in listed]
    return {"class": "SearchSpace", "parameters": parameters, "among": among}


def from_document(document: Mapping[str, Any]) -> SearchSpace:
    """Return the space that `document` was made of. Raises `SpaceError` for another's mistakes."""
    parameters = {name: _parameter(described) for name, described in document["parameters"]}
    listed = document["among"]
    return SearchSpace.stored(parameters, None if listed is None else [dict(c) for c in listed])


def _fields(parameter: Parameter) -> dict[str, Any]:
    assert isinstance(parameter, Float | Integer | Categorical)
    kind = type(parameter)
    values = {field.name: getattr(parameter, field.name) for field in fields(parameter)}
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
    return {"class": f"{kind.__module__}.{kind.__qualname__}", **plain}


def _parameter(described: Mapping[str, Any]) -> Parameter:
    options = {key: value for key, value in described.items() if key != "class"}
    return _KINDS[described["class"].rpartition(".")[2]](**options)
