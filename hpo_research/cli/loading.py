"""Experiment files: Python modules with a module-level `experiment`."""

import importlib.util
import re
import sys
import tokenize
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, cast

from hpo_research.errors import ExperimentError
from hpo_research.experiment import Experiment
from hpo_research.experiment.provenance import Source
from hpo_research.paths import place
from hpo_research.text import quoted


def load(path: Path) -> Experiment:
    """Run an experiment file and return its `experiment`.

    The module is named after the file's stem, so that its functions keep their qualified names
    wherever the file lies. Modules that lie beside the file can be imported from it; those that
    are installed come first. Raises `ExperimentError` with the line where the file went wrong.
    """
    path = place(path, "FILE", ExperimentError)
    _check(path, "that defines `experiment`")
    module = _run(path)
    experiment = getattr(module, "experiment", None)
    if experiment is None:
        raise ExperimentError(
            f"{path}: defines no `experiment`; add `experiment = hpo_research.Experiment(...)`"
        )
    if not isinstance(experiment, Experiment):
        raise ExperimentError(
            f"{path}: `experiment` must be an hpo_research.Experiment, got {quoted(experiment):.80}"
        )
    return experiment


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
