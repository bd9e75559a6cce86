"""What trials and spaces say of themselves: a line each, and a small table in a notebook."""

from collections.abc import Mapping, Sequence
from typing import Any

from hpo_research import html
from hpo_research.text import count

MOST = 12
"""How many hyperparameters a line names, and how many values one of them."""
_ROWS = 40


def configuration(config: Mapping[str, object]) -> str:
    """Return a configuration as a literal, cut where it is long."""
    named = [f"{name!r}: {value!r}" for name, value in list(config.items())[:MOST]]
    left = len(config) - MOST
    return "{" + ", ".join(named) + (f", ... {left} more" if left > 0 else "") + "}"


def trial_line(trial: Any) -> str:
    """Return a `Trial` in a line: its number, how it stands, its value, its configuration."""
    return f"<Trial {trial.id}, {_standing(trial)}: {configuration(trial.config)}>"


def trial_html(trial: Any) -> str:
    """Return a `Trial` as a table, with its learning curve where it has one."""
    rows = [(name, repr(value)) for name, value in list(trial.config.items())[:_ROWS]]
    left = len(trial.config) - _ROWS
    return html.block(
        f"Trial {trial.id}, {_standing(trial)}",
        html.line(f"proposed as {trial.origin}" if trial.origin else ""),
        html.curve(trial.values),
        html.table([*rows, (f"{left} more", "...")] if left > 0 else rows),
        html.line(trial.reason),
    )


def _standing(trial: Any) -> str:
    reached = f" after {count(trial.reached, 'epoch')}" if trial.reached > 1 else ""
    value = "" if trial.value is None else f", value {trial.value!r}"
    return f"{trial.status}{reached}{value}"


def space_line(space: Any) -> str:
    """Return a `SearchSpace` as the call that makes it; where that is long, what it is of."""
    named = [f"{name}={_call(own)}" for name, own in space.parameters.items()]
    if len(named) <= MOST and space.among is None and all(n.isidentifier() for n in space.names):
        return f"SearchSpace({', '.join(named)})"
    names = ", ".join(space.names[:MOST]) + (", ..." if len(named) > MOST else "")
    own = count(len(named), "hyperparameter")
    listed = "" if space.among is None else f", {count(len(space.among), 'configuration')}"
    return f"<SearchSpace of {own}{listed}: {names}>"


def space_html(space: Any) -> str:
    """Return a `SearchSpace` as a table, a row a hyperparameter."""
    rows = [(name, *_cells(own)) for name, own in list(space.parameters.items())[:_ROWS]]
    size = "a continuum" if space.size is None else count(space.size, "configuration")
    left = len(space.parameters) - _ROWS
    return html.block(
        f"SearchSpace: {count(len(space.parameters), 'hyperparameter')}, {size}",
        html.table(rows, ("name", "kind", "values", "scale")),
        html.line(f"{left} more" if left > 0 else ""),
    )


def _call(parameter: Any) -> str:
    kind = type(parameter).__name__
    if hasattr(parameter, "values"):
        ordered = ", ordered=True" if parameter.ordered else ""
        return f"{kind}([{values(parameter.values)}]{ordered})"
    scale = "" if parameter.scale == "linear" else f", scale={parameter.scale!r}"
    step = "" if parameter.step == type(parameter).step else f", step={parameter.step!r}"
    return f"{kind}({parameter.low!r}, {parameter.high!r}{scale}{step})"


def _cells(parameter: Any) -> Sequence[str]:
    kind = type(parameter).__name__
    if hasattr(parameter, "values"):
        return kind, values(parameter.values), "ordered" if parameter.ordered else ""
    step = f", step {parameter.step:g}" if parameter.step not in (None, 1) else ""
    return kind, f"{parameter.low!r} to {parameter.high!r}{step}", parameter.scale


def listed(names: Sequence[str]) -> str:
    """Return names in a line, the first of them where there are many."""
    left = len(names) - MOST
    return ", ".join(names[:MOST]) + (f" and {left:,} more" if left > 0 else "")


def values(given: Sequence[object]) -> str:
    """Return values in a line, the first of them where there are many."""
    left = len(given) - MOST
    return ", ".join(map(repr, given[:MOST])) + (f", ... {left:,} more" if left > 0 else "")
