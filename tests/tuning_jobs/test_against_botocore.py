"""Whatever the service's model in botocore refuses of a single field, we refuse.

Every object below `CreateHyperParameterTuningJobRequest` is filled in once, then each of its fields
is spoiled, one at a time. What is legal is computed here from the model, beside the verdict of
botocore's own validator, which knows no words, maxima and patterns.
"""

import copy
import math
import re
import unicodedata
from collections.abc import Iterator
from functools import cache

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from tuning_jobs.examples import DOCUMENTS

from hpo_research import sagemaker
from hpo_research.errors import DocumentError
from hpo_research.sagemaker.check import absent, checked, uncovered
from hpo_research.sagemaker.fields import Wire
from hpo_research.sagemaker.plain import read
from hpo_research.sagemaker.violations import dotted
from hpo_research.sagemaker.wire import Request

REQUEST, CONFIG = "CreateHyperParameterTuningJobRequest", "HyperParameterTuningJobConfig"
WIRES = {wire.shape: wire for wire in Wire.__subclasses__()}
# A text for each pattern that "a" does not match.
MATCHING = {
    "S3Uri": "s3://bucket/key",
    "RoleArn": "arn:aws:iam::111122223333:role/R",
    "FileSystemId": "fs-0123456789abcdef0",
    "HubDataSetArn": "arn:aws:sagemaker:eu-west-1:aws:hub-content/hub/DataSet/data/1.0.0",
    "TrainingPlanArn": "arn:aws:sagemaker:eu-west-1:111122223333:training-plan/plan",
}
TEXTS = [
    "",
    "a",
    "A_b",
    "a-b",
    "-a",
    "a-",
    "a b",
    "a.b",
    "a/b",
    "a\nb",
    "é",
    "a:b=c@d",
    "1",
    "日本",
    "\t",
]
TEXTS += [
    "s3://b",
    "s3:/b",
    "https://b/c",
    "arn:aws:iam::12:role/abcdefgh",
    "fs-1",
    "fs-0123abcdef",
    "𝟘",
]
MACHINE = "TrainingInstanceType"  # checked for its form alone: the list grows with each release


@cache
def service():
    return ServiceModel(Loader().load_service_model("sagemaker", "service-2"), "sagemaker")


def patterned(pattern, text):
    """Whether the whole text matches; Python's re knows no properties of characters."""
    if r"\p{" in pattern:
        plain = set("_.:/=+-@")
        return all(c in plain or unicodedata.category(c)[0] in "LZN" for c in text)
    return re.fullmatch(pattern, text, re.ASCII) is not None


def is_legal(shape, value):
    """Whether a text, a number or a truth value is one of this shape: the model, read plainly."""
    kind, rule = shape.type_name, shape.metadata
    least, most = rule.get("min", -math.inf), rule.get("max", math.inf)
    if kind == "string":
        if not isinstance(value, str):
            return False
        if shape.name == MACHINE:
            return re.fullmatch(r"ml\.[a-z0-9-]+\.[a-z0-9-]+", value) is not None
        if rule.get("enum"):
            return value in rule["enum"]
        pattern = service_pattern(shape.name)
        return least <= len(value) <= most and (not pattern or patterned(pattern, value))
    if kind == "boolean":
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if kind == "float":
        return math.isfinite(value)
    return isinstance(value, int) and least <= value <= most


@cache
def service_pattern(name):
    shapes = Loader().load_service_model("sagemaker", "service-2")["shapes"]
    return shapes[name].get("pattern", "")


def legal(shape):
    """Return a value of a shape, all fields filled in."""
    kind, rule = shape.type_name, shape.metadata
    if kind == "structure":
        return {name: legal(member) for name, member in shape.members.items()}
    if kind == "list":
        return [legal(shape.member)]
    if kind == "map":
        return {legal(shape.key): legal(shape.value)}
    if kind == "string":
        if rule.get("enum"):
            return rule["enum"][0]
        text = MATCHING.get(shape.name, "a")
        return text.ljust(rule.get("min", 0), "a")
    return {"boolean": True, "float": 0.5}.get(kind, rule.get("min", 0))


def places(shape, value, path=()) -> Iterator[tuple]:
    """Yield every place in a document with its shape, from the outside in."""
    yield path, shape
    if shape.type_name == "structure":
        for name, inner in value.items():
            yield from places(shape.members[name], inner, (*path, name))
    elif shape.type_name == "list":
        for i, inner in enumerate(value):
            yield from places(shape.member, inner, (*path, i))
    elif shape.type_name == "map":
        for name, inner in value.items():
            yield from places(shape.value, inner, (*path, name))


def spoiled(shape, value) -> Iterator[tuple[object, bool]]:
    """Yield other values for a place, and whether each is legal there."""
    kind, rule = shape.type_name, shape.metadata
    least, most = rule.get("min"), rule.get("max")
    if kind == "structure":
        yield from ((wrong, False) for wrong in (None, "text", 5, [], True))
        yield {**value, "Nonsense": 1}, False
        for name in shape.required_members:
            yield {key: inner for key, inner in value.items() if key != name}, False
        for name in set(shape.members) - set(shape.required_members):
            yield {key: inner for key, inner in value.items() if key != name}, True
    elif kind == "list":
        yield from ((wrong, False) for wrong in (None, "text", 5, {}, [None], [*value, 5.0]))
        yield [], not least
        yield value * most, True
        yield value * (most + 1), False
    elif kind == "map":
        yield from ((wrong, False) for wrong in (None, "text", [], {"a": 5}, {"a": None}))
        yield {f"a{i}": "a" for i in range(most)}, True
        yield {f"a{i}": "a" for i in range(most + 1)}, False
        yield from (({text: "a"}, is_legal(shape.key, text)) for text in TEXTS)
    else:
        candidates = [None, True, 5, 5.0, 0.5, "5", [], {}, math.nan, math.inf, -(2**80), 2**80]
        if kind == "string":
            sizes = {n for edge in (least, most) if edge for n in (edge - 1, edge, edge + 1)}
            words = [*rule.get("enum", ())] if shape.name != MACHINE else ["ml.p5.48xlarge"]
            candidates += TEXTS + ["a" * n for n in sorted(sizes)] + words
        edges = [
            n for edge in (least, most) if edge is not None for n in (edge - 1, edge, edge + 1)
        ]
        candidates += edges if kind in ("integer", "long") else []
        for candidate in candidates:
            is_right = is_legal(shape, candidate)
            is_huge = isinstance(candidate, int) and abs(candidate) >= 2**31
            yield candidate, is_right and not (is_huge and kind != "float")


def put(document, path, value):
    changed = copy.deepcopy(document)
    if not path:
        return value
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


def complaints(wire, document):
    """Return what is wrong with a document's single fields, as the loader gathers it."""
    if not isinstance(document, dict):
        return [f"{document!r} is no object"]
    plain = read(document, "document")
    found = list(plain.violations)
    checked_wire, wrong = checked(wire, plain.document)
    found += uncovered(found, iter(wrong))
    return [str(one) for one in found + uncovered(found, absent(checked_wire))]


def is_refused(shape, document):
    return ParamValidator().validate(document, shape).has_errors()


def test_a_request_with_every_field_filled_in_is_legal_to_both():
    shape = service().shape_for(REQUEST)
    document = legal(shape)
    assert not is_refused(shape, document)
    assert complaints(Request, document) == []
    assert {one.name for _, one in places(shape, document) if one.type_name == "structure"} == {
        *WIRES
    }


def own_places(shape, value):
    """Yield the places of an object that lie in no other object within it."""
    inner = [path for path, one in places(shape, value) if path and one.type_name == "structure"]
    for path, one in places(shape, value):
        if not any(path[: len(other)] == other for other in inner if path != other):
            yield path, one


@pytest.mark.parametrize("name", WIRES)
def test_what_the_model_forbids_is_refused_and_what_it_allows_is_not(name):
    shape, wire = service().shape_for(name), WIRES[name]
    document = legal(shape)
    for path, one in own_places(shape, document):
        value, at = document, dotted(path)
        for step in path:
            value = value[step]
        for other, is_right in spoiled(one, value):
            changed = put(document, path, other)
            found = complaints(wire, changed)
            assert bool(found) != is_right, (at, other, found)
            assert found or not is_refused(shape, changed), (at, other)
            assert all(line.startswith(at) for line in found if path), (at, found)


@pytest.mark.parametrize("wire", Wire.__subclasses__(), ids=lambda wire: wire.__name__)
def test_an_object_has_the_fields_of_its_shape_and_requires_what_it_requires(wire):
    shape = service().shape_for(wire.shape)
    assert set(wire.model_fields) == set(shape.members)
    assert set(wire.required) == set(shape.required_members)


def test_machines_of_every_type_are_taken_and_nonsense_is_not():
    machine = service().shape_for(MACHINE)
    for name in machine.enum:
        assert is_legal(machine, name), name


@pytest.mark.parametrize("base", DOCUMENTS)
def test_whatever_botocore_refuses_load_refuses(base):
    document = DOCUMENTS[base]
    shape, count = service().shape_for(CONFIG if "Strategy" in document else REQUEST), 0
    for path, one in places(shape, document):
        value = document
        for step in path:
            value = value[step]
        for other, is_right in spoiled(one, value) if path else ():
            changed = put(document, path, other)
            if not is_right and is_refused(shape, changed):
                count += 1
                with pytest.raises(DocumentError, match=re.escape(dotted(path))):
                    sagemaker.load(changed)
    assert count > 100
