"""Descriptions of an experiment, read back as the calls that people wrote."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from hpo_research.store.facts import BudgetFacts


def call(described: Any) -> str:
    """Return what a description stands for as Python would show it: `Hyperband(eta=3)`.

    Classes and functions are called by their last name.
    """
    if isinstance(described, Mapping):
        return _mapping(described)
    if isinstance(described, list):
        return f"[{', '.join(map(call, described))}]"
    return repr(described)


def _mapping(described: Mapping[str, Any]) -> str:
    if described.get("class") == "SearchSpace":
        return "SearchSpace(...)"  # the page shows it elsewhere
    if "class" in described:
        options = {key: value for key, value in described.items() if key != "class"}
        return f"{_last(described['class'])}({_options(options)})"
    if set(described) == {"function"}:
        return _last(described["function"])
    if set(described) == {"object"}:
        return f"{_last(described['object'])}(...)"
    if set(described) == {"partial", "args", "keywords"}:
        parts = [call(described["partial"]), *map(call, described["args"])]
        keywords = _options(described["keywords"])
        return f"partial({', '.join([*parts, *([keywords] if keywords else [])])})"
    return f"{{{', '.join(f'{key!r}: {call(value)}' for key, value in described.items())}}}"


def _options(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={call(value)}" for key, value in options.items())


def _last(qualified: str) -> str:
    return qualified.rpartition(".")[2]


def class_of(described: Any) -> str:
    """Return the last name of the class that a description stands for, empty for none."""
    return _last(described["class"]) if isinstance(described, Mapping) else ""


def budget(found: BudgetFacts | None) -> str:
    """Return a budget in words: `48 evaluations or 600 seconds`."""
    if found is None:
        return "none"
    limits = [f"{limit:g} {unit}" for unit, limit in asdict(found).items() if limit is not None]
    return " or ".join(limits) + " per run" + (", whichever is first" if len(limits) > 1 else "")
