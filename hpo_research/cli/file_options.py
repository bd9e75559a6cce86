"""Options of an experiment file: the parameters of its function `experiment`, as a command line."""

import inspect
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

import typer

from hpo_research.errors import ExperimentError

FOREIGN = MappingProxyType({"allow_extra_args": True, "ignore_unknown_options": True})
"""The settings of a command whose unknown options are those of an experiment file."""


def refused(path: object, arguments: Sequence[str]) -> None:
    """Refuse what was given to a file without options. Raises `typer.BadParameter`."""
    if arguments:
        raise typer.BadParameter(
            f"no such option or argument: {' '.join(arguments)}; {path} has no options of its "
            "own, since its `experiment` is no function; see hpo run --help"
        )


def parsed(function: Callable[..., Any], path: object, given: Sequence[str]) -> Callable[[], Any]:
    """Return a call of a file's `experiment` with options as `hpo run FILE --small` gives them.

    Raises `ExperimentError` for a function that cannot be called so, a usage error for options that
    it does not have, and `typer.Exit` where they ask for help.
    """
    wrong = [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is inspect.Parameter.empty
    ]
    if wrong:
        raise ExperimentError(
            f"{path}: `hpo run {path}` calls `experiment` without arguments, so that each of its "
            f"parameters needs a default: {', '.join(wrong)}"
        )
    program = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    program.command()(function)
    command = typer.main.get_command(program)
    context = command.make_context(f"hpo run {path} --", list(given))
    return lambda: command.invoke(context)
