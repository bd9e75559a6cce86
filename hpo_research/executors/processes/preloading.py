"""Which slow packages the workers of a problem will want: loaded once, before they are forked."""

import contextlib
import importlib
import pickletools
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import chain, islice
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType

from hpo_research import heavy

_MOST = 100_000  # opcodes of a pickle that are looked through
_own = type.__dict__["__dict__"].__get__  # of a class, whatever its metaclass makes of names
_LOADED = {"hpo_research", "numpy"}  # there before anything else
_LATE = {"torch": "torch._dynamo"}
"""What a package itself loads late: torch with the first optimiser, two seconds in each worker."""


def wanted(pickled: bytes) -> tuple[str, ...]:
    """Return those of `heavy.PACKAGES`, and modules in them, that a pickled thing refers to.

    They are found by their names: in the pickle (functions by value hold the modules they use, and
    the names of what they import), and in the modules that functions are taken from, and on from
    there. One too many costs memory, one too few is loaded by each worker.
    """
    names = {text for text in _texts(pickled) if _is_module(text)}
    found, seen = set(), set[str]()
    while names - seen:
        name = (names - seen).pop()
        seen.add(name)
        root = name.partition(".")[0]
        if root in heavy.PACKAGES:
            found.add(name)
        elif root not in _LOADED | sys.stdlib_module_names and name in sys.modules:
            names.update(_referred(sys.modules[name]))
    roots = {name.partition(".")[0] for name in found}
    there = [name for name in heavy.PACKAGES if name in roots and find_spec(name) is not None]
    public = sorted(name for name in found if "." in name and "._" not in name)
    inside = [name for name in public if name.partition(".")[0] in there]
    return (*there, *(_LATE[name] for name in there if name in _LATE), *inside)


def load(modules: Sequence[str]) -> None:
    """Load modules. What is in a package, and cannot be loaded, is for who wants it to say."""
    for module in modules:
        if module.partition(".")[0] in heavy.PACKAGES and "." in module:
            # A text may look like a module's name; a worker that wants it hears what is wrong.
            with contextlib.suppress(Exception):
                importlib.import_module(module)
        else:
            importlib.import_module(module)


def _texts(pickled: bytes) -> Iterator[str]:
    for _, argument, _ in islice(pickletools.genops(pickled), _MOST):
        if isinstance(argument, str):
            # A class may be written as "module name".
            yield from argument.split(" ", 1)[:1]


def _is_module(name: str) -> bool:
    return name in sys.modules or name.partition(".")[0] in heavy.PACKAGES


def _referred(module: ModuleType) -> Iterator[str]:
    if vars(module).get("__file__") is None and "__path__" in vars(module):
        return  # a folder without code: to import it loads none of the modules that lie there
    names = chain.from_iterable(_named(value) for value in list(vars(module).values()))
    # Some compiled functions have their module itself as `__module__`.
    yield from (name for name in names if isinstance(name, str) and _is_module(name))


def _named(value: object) -> Iterator[object]:
    # To look at a user's object may run code of the user's: only modules, functions and classes.
    kind = type(value)
    if kind is ModuleType:
        yield vars(value).get("__name__")
    elif kind in (FunctionType, BuiltinFunctionType):
        yield value.__module__
        if isinstance(value, FunctionType):
            yield from _imported(value.__code__)
    elif issubclass(kind, type):
        yield _own(value).get("__module__")


def _imported(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _imported(constant)
