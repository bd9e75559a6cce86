"""Experiment files: Python modules with an `experiment`, or a function that makes it."""

import importlib.util
import re
import sys
import tokenize
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, cast

from hpo_research.cli import file_options
from hpo_research.errors import ExperimentError
from hpo_research.experiment import Experiment
from hpo_research.experiment.provenance import Source
from hpo_research.paths import place
from hpo_research.text import quoted


def load(path: Path, arguments: Sequence[str] = ()) -> Experiment:
    """Run an experiment file and return its `experiment`; one where it has several is an error."""
    first, *more = load_all(path, arguments)
    if more:
        names = ", ".join(experiment.name for experiment in (first, *more))
        raise ExperimentError(f"{path}: expected one experiment, it has {names}")
    return first


def load_all(path: Path, arguments: Sequence[str] = ()) -> tuple[Experiment, ...]:
    """Run an experiment file and return its experiments, in order.

    `experiment` is one, a list of several, or a function that returns either: its parameters are
    options, which `arguments` are. The module is named after the file's stem, so that its functions
    keep their qualified names wherever the file lies. Modules that lie beside the file can be
    imported from it; those that are installed come first. Raises `ExperimentError` with the line
    where the file went wrong, and a usage error for options that it does not have.
    """
    path = place(path, "FILE", ExperimentError)
    _check(path, "that defines `experiment`")
    found = getattr(_run(path), "experiment", None)
    if found is None:
        raise ExperimentError(
            f"{path}: defines no `experiment`; add `experiment = hpo_research.Experiment(...)`"
        )
    if isinstance(found, FunctionType):
        found = _made(found, path, arguments)
        what = "`experiment()` must return"
    else:
        file_options.refused(path, arguments)
        what = "`experiment` must be"
    several = found if isinstance(found, list | tuple) else [found]
    made = [one for one in several if isinstance(one, Experiment)]
    if not made or len(made) < len(several):
        wrong = next((one for one in several if not isinstance(one, Experiment)), found)
        raise ExperimentError(
            f"{path}: {what} an hpo_research.Experiment, got {quoted(wrong):.80}; or a list of "
            "several"
        )
    names = [experiment.name for experiment in made]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise ExperimentError(
            f"{path}: experiments must have names of their own, since their results are in folders "
            f"of these names; several are named {', '.join(sorted(repeated))}"
        )
    return tuple(made)


def _made(function: FunctionType, path: Path, arguments: Sequence[str]) -> object:
    call = file_options.parsed(function, path, arguments)
    try:
        return call()
    # Whatever the function raises is the file's mistake, as what the file raises is.
    except (Exception, SystemExit) as error:
        raise ExperimentError(_blame(path, error)) from error


def function(text: str) -> Callable[..., Any]:
    """Run the file of `FILE:function` and return its function.

    Raises `ExperimentError` where there is none, naming the functions that there are.
    """
    file, colon, name = text.rpartition(":")
    if not colon or not file or not name:
        raise ExperimentError(f"--objective {text}: expected FILE:function, as in train.py:loss")
    path = place(file, "--objective", ExperimentError)
    _check(path, "that defines the function")
    module = _run(path)
    found = getattr(module, name, None)
    if callable(found):
        return cast(Callable[..., Any], found)
    own = [
        key
        for key, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__
    ]
    raise ExperimentError(
        f"{path}: has no function {name!r}; it defines {', '.join(own) or 'none'}"
    )


def source(path: Path, options: Sequence[str] = ()) -> Source:
    """Return the text of an experiment file that has been loaded, in the encoding it declares."""
    with tokenize.open(place(path, "FILE", ExperimentError)) as file:
        return Source(path.name, file.read(), tuple(options))


def _check(path: Path, what_it_does: str) -> None:
    if not path.is_file():
        what = "there is no such file"
        if path.exists():
            what = "is a folder" if path.is_dir() else "is not a regular file"
        raise ExperimentError(f"{path}: {what}; name a Python file {what_it_does}")
    if path.suffix != ".py":
        raise ExperimentError(f"{path}: expected a Python file, whose name ends in .py")


def _run(path: Path) -> ModuleType:
    name = "experiment_" + re.sub(r"\W", "_", path.stem)
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None and spec.loader is not None  # a file that ends in .py has both
    module = importlib.util.module_from_spec(spec)
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    sys.modules[name] = module  # dataclasses and pickles look their module up
    try:
        spec.loader.exec_module(module)
    # Whatever the file raises is the file's mistake; an interrupt is not.
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ExperimentError(_blame(path, error)) from error
    return module


def _blame(path: Path, error: BaseException) -> str:
    """Say what went wrong, and at which line of the file."""
    file = str(path.resolve())
    if isinstance(error, SyntaxError) and error.filename == file:
        where = f"{path}:{error.lineno}" if error.lineno else str(path)  # none for its encoding
        return f"{where}: {type(error).__name__}: {error.msg}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    where = f"{path}:{lines[-1]}" if lines else str(path)
    return f"{where}: {''.join(traceback.format_exception_only(error)).strip()}"
