"""A response held against botocore's own model of it: what the service could have said."""

import re
from datetime import datetime

import botocore.session

MODEL = botocore.session.Session().get_service_model("sagemaker")
_TYPES = {
    "string": str,
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
    "boolean": bool,
    "timestamp": datetime,
    "structure": dict,
    "map": dict,
    "list": list,
}


def faults(operation, response):
    """List what is wrong with a response: fields, types, words, limits, patterns, times."""
    shape = MODEL.operation_model(operation).output_shape
    rest = {key: value for key, value in response.items() if key != "ResponseMetadata"}
    wrong = [] if response["ResponseMetadata"]["HTTPStatusCode"] == 200 else ["the status"]
    return wrong + ([] if shape is None and not rest else list(_faults(shape, rest, operation)))


def _faults(shape, value, at):
    kind = shape.type_name
    if type(value) is not _TYPES[kind]:
        yield f"{at}: expected {kind}, got {value!r}"
        return
    rules = shape.metadata
    size = len(value) if kind in ("string", "list", "map") else value
    if kind in ("string", "list", "map", "integer", "long") and not (
        rules.get("min", size) <= size <= rules.get("max", size)
    ):
        yield f"{at} = {value!r}: not from {rules.get('min')} to {rules.get('max')}"
    if kind == "string":
        if shape.enum and value not in shape.enum:
            yield f"{at} = {value!r}: not one of {shape.enum}"
        if "pattern" in rules and not re.fullmatch(_python(rules["pattern"]), value):
            yield f"{at} = {value!r}: not {rules['pattern']}"
    elif kind == "timestamp" and value.tzinfo is None:
        yield f"{at}: a time without a zone"
    elif kind == "list":
        for i, one in enumerate(value):
            yield from _faults(shape.member, one, f"{at}[{i}]")
    elif kind == "map":
        for key, one in value.items():
            yield from _faults(shape.key, key, f"{at} key")
            yield from _faults(shape.value, one, f"{at}[{key!r}]")
    elif kind == "structure":
        yield from (f"{at}.{name}: unknown" for name in value.keys() - shape.members.keys())
        yield from (f"{at}.{name}: absent" for name in shape.required_members if name not in value)
        for name in shape.members.keys() & value.keys():
            yield from _faults(shape.members[name], value[name], f"{at}.{name}")


def _python(pattern):
    """A pattern of the model, whose classes of characters Python's `re` has not by these names."""
    return pattern.replace(r"\p{L}\p{Z}\p{N}", r"\w\s")
