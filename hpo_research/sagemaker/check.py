"""The rules of single fields: what pydantic finds in a document, in our words."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hpo_research.options import is_boolean, is_integer
from hpo_research.sagemaker.fields import Wire
from hpo_research.sagemaker.plain import Json, copied
from hpo_research.sagemaker.violations import ABSENT, Path, Violation, is_touched, is_within

W = TypeVar("W", bound=Wire)

_Context = Mapping[str, Any]
_RULES: Mapping[str, Callable[[_Context], str]] = {
    "string_type": lambda _: "must be a string",
    "string_unicode": lambda _: "must be text that UTF-8 can hold",
    "int_type": lambda _: "must be an integer",
    "float_type": lambda _: "must be a number",
    "finite_number": lambda _: "must be a finite number",
    "bool_type": lambda _: "must be true or false",
    "model_type": lambda _: "must be an object",
    "dict_type": lambda _: "must be an object",
    "list_type": lambda _: "must be a list",
    "literal_error": lambda c: f"must be {c['expected']}",
    "greater_than_equal": lambda c: f"must be an integer >= {c['ge']}",
    "less_than_equal": lambda c: f"must be an integer <= {c['le']}",
    "string_too_short": lambda c: f"must have at least {_of(c['min_length'], 'character')}",
    "string_too_long": lambda c: f"must have at most {_of(c['max_length'], 'character')}",
    "too_short": lambda c: f"must have at least {_of(c['min_length'], 'entry', 'entries')}",
    "too_long": lambda c: f"must have at most {_of(c['max_length'], 'entry', 'entries')}",
    "string_pattern_mismatch": lambda c: _pattern(c["pattern"]),
}
_KEY = "[key]"  # where pydantic says that the name in a map is what is wrong


def checked(model: type[W], document: Mapping[str, Json]) -> tuple[W, list[Violation]]:
    """Return as much of a document as obeys the rules of its fields, and what does not.

    What breaks a rule is left out of the object; an entry of a list that is no object becomes an
    empty one, so that the others keep their places.
    """
    found: list[Violation] = []
    left: Json = copied(document)
    while True:
        try:
            return model.model_validate(left), found
        except ValidationError as error:
            errors = error.errors(include_url=False)
            found += [_violation(model, one) for one in errors]
            for one in errors:
                _prune(left, [step for step in one["loc"] if step != _KEY], one["type"])


def absent(wire: Wire, at: Path = ()) -> Iterator[Violation]:
    """Yield what an object, and those in it, lack."""
    for name in wire.required:
        if getattr(wire, name) is None:
            yield Violation((*at, name), ABSENT, f"{wire.shape} requires it", "add it")
    for name in wire.model_fields_set:
        value = getattr(wire, name)
        for place, item in [((), value)] if not isinstance(value, list) else _places(value):
            if isinstance(item, Wire):
                yield from absent(item, (*at, name, *place))


def _places(items: list[Any]) -> list[tuple[Path, Any]]:
    return [((i,), item) for i, item in enumerate(items)]


def _prune(document: Json, loc: list[int | str], kind: str) -> None:
    """Take away what stands at a place, if it is still there."""
    *outer, last = loc
    container = document
    for step in outer:
        if isinstance(container, dict):
            is_there = step in container
        else:
            is_there = isinstance(step, int) and step < len(container)
        if not is_there:
            return
        container = container[step]
    if isinstance(container, dict):
        container.pop(last, None)
    elif kind == "model_type":
        container[last] = {}
    else:  # of a list of strings the others alone would be another list
        _prune(document, outer, kind)


def _violation(model: type[Wire], error: ErrorDetails) -> Violation:
    loc: Path = tuple(step for step in error["loc"] if step != _KEY)
    if error["type"] == "extra_forbidden":
        return _unknown(model, loc, error["input"])
    say = _RULES.get(error["type"])
    rule = say(error.get("ctx", {})) if say else error["msg"]
    way_out = _way_out(error["type"], error["input"], error.get("ctx", {}))
    return Violation(loc, error["input"], rule, way_out)


def _way_out(kind: str, given: object, context: _Context) -> str:
    if kind == "string_type" and (is_integer(given) or isinstance(given, float)):
        return f'write it as text, "{given}"'
    if kind in ("int_type", "float_type"):
        if is_boolean(given):
            return f"{str(given).lower()} is no number; write one"
        if isinstance(given, str):
            return "write it without quotes" if _is_number(given) else "write a number"
        if isinstance(given, float) and given.is_integer():
            return f"write {int(given)}"
    if kind == "literal_error" and isinstance(given, str):
        words = re.findall(r"'([^']+)'", context["expected"])
        near = [word for word in words if word.lower() == re.sub("[^a-z]", "", given.lower())]
        near = near or difflib.get_close_matches(given, words, 1)
        return f"write {near[0]!r}" if near else "choose one of them"
    if kind == "bool_type":
        return "write it without quotes" if given in ("true", "false") else "write one of them"
    if kind == "list_type":
        is_one = isinstance(given, str | int | float)
        return "write it in brackets, as a list of one" if is_one else "write a list"
    if kind in ("model_type", "dict_type"):
        return "write its fields in braces"
    if kind in ("string_too_long", "too_long"):
        return "shorten it"
    if kind in ("string_too_short", "too_short"):
        return "lengthen it" if kind == "string_too_short" else "add one"
    if kind == "finite_number":
        return "write one, or leave the field out"
    if kind in ("greater_than_equal", "less_than_equal"):
        return "raise it" if kind == "greater_than_equal" else "lower it"
    return "correct it"


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?", text) is not None


def _unknown(model: type[Wire], loc: Path, value: object) -> Violation:
    """Return what is wrong with a field that nobody knows, and which one may be meant."""
    *outer, name = loc
    owner = _owner(model, outer)
    known = list(owner.model_fields)
    within = [field for field in known if str(name) in _fields_of(owner, field)]
    wanted = str(name).replace("_", "").removesuffix(".$")
    near = {field.lower(): field for field in known}.get(wanted.lower())
    near = near or next(iter(difflib.get_close_matches(str(name), known, 1)), None)
    rule = f"{owner.shape} has no field of this name"
    if str(name).endswith(".$"):
        way_out = "a state machine would fill it in; write the value itself"
        return Violation(loc, value, rule, way_out, ((*outer, near or ""),))
    if near:
        way_out = f"write {near}" if near not in (None, name) else "remove it"
        return Violation(loc, value, rule, way_out, ((*outer, near),))
    if within:
        return Violation(loc, value, rule, f"it belongs in {within[0]}")
    return Violation(loc, value, rule, f"remove it; there are {', '.join(known)}")


def _owner(model: type[Wire], loc: list[int | str]) -> type[Wire]:
    for step in loc:
        inner = _wire_in(model.model_fields[step].annotation) if isinstance(step, str) else None
        model = inner or model
    return model


def _fields_of(owner: type[Wire], field: str) -> set[str]:
    inner = _wire_in(owner.model_fields[field].annotation)
    return set(inner.model_fields) if inner else set()


def _wire_in(annotation: object) -> type[Wire] | None:
    """Return the object that a field holds, in a list or alone."""
    if isinstance(annotation, type) and issubclass(annotation, Wire):
        return annotation
    return next((w for part in get_args(annotation) if (w := _wire_in(part))), None)


def _of(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _pattern(pattern: str) -> str:
    if pattern == r"^.*$":
        return "must have no line break"
    return f"must match {pattern.removeprefix('^').removesuffix('$')}"


def uncovered(found: list[Violation], more: Iterator[Violation]) -> list[Violation]:
    """Return further violations that no earlier one has a part in: one mistake, one line.

    What is absent because something in it was left out is no mistake of its own.
    """
    paths = [path for one in found for path in (one.path, *one.covers)]
    return [
        one
        for one in more
        if not any(is_within(one.path, path) for path in paths)
        and not (one.value is ABSENT and is_touched(one.path, paths))
    ]
