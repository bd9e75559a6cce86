"""A document as plain JSON, from a file or from what a program built."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hpo_research import paths
from hpo_research.errors import DocumentError
from hpo_research.options import is_boolean
from hpo_research.sagemaker.violations import Path, Violation
from hpo_research.text import quoted

Json = Any
"""What JSON can hold: objects, lists, strings, numbers, true, false and null."""

_DEEPEST = 50  # objects within one another; the service's own go 9 deep


@dataclass(frozen=True)
class Foreign:
    """What no JSON can hold, such as a number of NumPy's: no field takes it."""

    value: object

    def __repr__(self) -> str:
        return repr(self.value)


@dataclass
class Plain:
    """A document and what no object of JSON's may hold; a copy that nobody else changes."""

    document: Json = None
    violations: list[Violation] = field(default_factory=list)


def read(given: object, what: str, at: Path = ()) -> Plain:
    """Return a document from a path, a mapping or a list; `what` is the argument's name.

    Tuples become lists and decimals floats, as for botocore. Null and a name that is given twice
    are violations. Raises `DocumentError` for a file that cannot be read or holds no JSON.
    """
    plain = Plain()
    if isinstance(given, Mapping | list | tuple):
        plain.document = _copied(given, at, plain.violations)
        return plain
    if isinstance(given, str) and given.lstrip().startswith(("{", "[")):
        raise DocumentError(f"{what}: expected a path or a dict, got JSON text; use json.loads")
    plain.document = _copied(_parsed(given, what), at, plain.violations)
    return plain


class _Repeated(dict[str, Json]):
    """An object of a file in which names stand twice: `names`."""

    names: tuple[str, ...] = ()


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    document = _Repeated(pairs)
    document.names = tuple(
        name for name, count in Counter(n for n, _ in pairs).items() if count > 1
    )
    return document


def _parsed(given: object, what: str) -> Json:
    path = paths.place(given, what, DocumentError)
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=_object)
    except OSError as error:
        raise DocumentError(
            f"{what}: {path} cannot be read ({error.strerror}); check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise DocumentError(f"{what}: {path} is not UTF-8 text; save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise DocumentError(
            f"{what}: {path} is not JSON: {error.msg}, line {error.lineno} column {error.colno}"
        ) from error
    except (RecursionError, ValueError) as error:  # nested too deep, or an endless integer
        raise DocumentError(f"{what}: {path} is no tuning-job document: {error}") from error


def _copied(value: object, at: Path, found: list[Violation]) -> Json:
    if len(at) > _DEEPEST:
        raise DocumentError(f"the document has more than {_DEEPEST} objects within one another")
    if value is None:
        found.append(Violation(at, None, "null is no value of any field", "leave the field out"))
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list | tuple):
        return [_copied(item, (*at, i), found) for i, item in enumerate(value)]
    if not isinstance(value, Mapping):
        return _own(value)
    for name in value.names if isinstance(value, _Repeated) else ():
        rule = "a name stands once in an object"
        found.append(Violation((*at, name), value[name], rule, "it stands twice; remove one"))
    document = {}
    for name, item in value.items():
        if isinstance(name, str):
            document[name] = _copied(item, (*at, name), found)
        else:
            rule = f"names are strings, got {quoted(name)}"
            found.append(Violation(at, value, rule, "rename it, or remove it"))
    return document


def _own(value: object) -> Json:
    """Return text, a number or a truth value as Python's own, as JSON would bring it back."""
    if value is None or is_boolean(value):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    return float.__float__(value) if isinstance(value, float) else Foreign(value)


def copied(document: Json) -> Json:
    """Return a copy of plain JSON."""
    if isinstance(document, dict):
        return {name: copied(value) for name, value in document.items()}
    return [copied(item) for item in document] if isinstance(document, list) else document
