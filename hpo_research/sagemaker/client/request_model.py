"""What the service's model says of a request and botocore does not check."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hpo_research.text import quoted


def broken(shape: Any, value: Any, at: str = "") -> Iterator[str]:
    """Yield a line for each word, maximum and pattern of a shape that a value breaks.

    `shape` is one of botocore's, `value` has passed its own validation.
    """
    if shape is None:
        return
    if shape.type_name == "structure":
        for name, own in value.items():
            yield from broken(shape.members[name], own, f"{at}.{name}" if at else name)
    elif shape.type_name == "list":
        for i, own in enumerate(value):
            yield from broken(shape.member, own, f"{at}[{i}]")
    else:
        yield from (f"{at} = {quoted(value)}: {rule}" for rule in _rules(shape, value))


def _rules(shape: Any, value: Any) -> Iterator[str]:
    rules: Mapping[str, Any] = shape.metadata
    if shape.type_name == "string":
        if shape.enum and value not in shape.enum:
            yield f"must be one of {', '.join(shape.enum)}"
        if len(value) > rules.get("max", len(value)):
            yield f"must have at most {rules['max']} characters"
        if "pattern" in rules and not re.fullmatch(rules["pattern"], value):
            yield f"must match {rules['pattern']}"
    elif shape.type_name in ("integer", "long") and value > rules.get("max", value):
        yield f"must be at most {rules['max']}"
