"""A problem as bytes: by value wherever a fresh interpreter could not import it."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import fields, is_dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

import cloudpickle

from hpo_research.errors import ProblemError
from hpo_research.executors.processes import scripts
from hpo_research.problems.protocol import Problem


def dumps(problem: Problem) -> bytes:
    """Pickle a problem so that any fresh process can load it.

    Functions and classes of main programs, of notebooks and of files that were loaded under
    another name go by value, and are found by name there (`scripts.py`). Raises `ProblemError`
    where something cannot be sent.
    """
    modules = {module.__name__: module for module in _modules(problem)}
    foreign = [module for module in modules.values() if not _is_importable(module)]
    with ExitStack() as stack:
        for module in foreign:
            cloudpickle.register_pickle_by_value(module)
            stack.callback(cloudpickle.unregister_pickle_by_value, module)
        try:
            return scripts.dumps(problem, [sys.modules["__main__"], *foreign])
        except Exception as error:  # whatever an object of the user's raises when it is pickled
            raise ProblemError(
                f"{problem.name} cannot be sent to a worker process ({type(error).__name__}: "
                f"{error}); open files, locks, connections and the like inside the function "
                "instead of referring to them"
            ) from error


def _modules(thing: object) -> Iterator[ModuleType]:
    for owner in (thing, type(thing)):
        module = sys.modules.get(getattr(owner, "__module__", None) or "")
        if module is not None:
            yield module
    for name in ("func", "__wrapped__", "__self__"):
        inner = getattr(thing, name, None)
        if inner is not None and not isinstance(inner, ModuleType):
            yield from _modules(inner)
    if is_dataclass(thing) and not isinstance(thing, type):
        for field in fields(thing):
            yield from _modules(getattr(thing, field.name, None))


def _is_importable(module: ModuleType) -> bool:
    if module.__name__ == "__main__" or module.__name__ in sys.builtin_module_names:
        return True  # cloudpickle itself sends __main__ by value
    root, _, rest = module.__name__.partition(".")
    spec = PathFinder.find_spec(root)
    if spec is None:
        return root in sys.stdlib_module_names or hasattr(sys.modules.get(root), "__path__")
    file = getattr(module, "__file__", None)
    if spec.origin is None and not hasattr(sys.modules.get(root), "__path__"):
        return False  # a folder of that name, which is another thing
    if rest or file is None or spec.origin is None:
        return True
    return Path(spec.origin).resolve() == Path(file).resolve()
