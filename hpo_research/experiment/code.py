"""The user's code in a problem or a strategy, and all that it reaches: digests by name.

Functions, lambdas, methods, own classes with their own bases, what is bound by `partial`, captured
by a closure, wrapped by a decorator or given as a default; then, by the global names that these
use, functions, classes and constants of the user's modules, and so on. Code of installed packages
is known by their versions, and is not entered.
"""

import dis
import enum
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cached_property, partial, partialmethod
from importlib.machinery import PathFinder
from importlib.util import resolve_name
from types import CodeType, FunctionType, MethodType, ModuleType

from hpo_research.experiment import digests
from hpo_research.experiment.values import Reading, is_own_object, qualified
from hpo_research.origin import is_own, is_own_function, is_own_module, module_of

_ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD"}
_NAMES = {"LOAD_GLOBAL", "LOAD_NAME"}


def code_of(value: object) -> dict[str, str]:
    """Return a digest of each piece of the user's code that a value holds or reaches, by its name.

    A piece is a function, or a value that functions use (`SCALE`, `shift in make.<locals>.loss`);
    digests are those of `digests.of_code`. Plain data in the value's own fields is left out: it is
    described, and may not change. Empty where there is no code of the user's.
    """
    reached = _Reached()
    reading = Reading()
    reading.plain(value)
    reached.enter(reading.code, qualified(value))
    reached.follow()
    return reached.pieces


@dataclass
class _Reached:
    """What was reached so far, and what is still to be looked at, each with a name for it."""

    pieces: dict[str, str] = field(default_factory=dict)
    _left: deque[tuple[object, str]] = field(default_factory=deque)
    _seen: dict[int, object] = field(default_factory=dict)  # holds them, so that ids stay theirs

    def enter(self, code: Sequence[object], name: str) -> None:
        """Take code that is to be looked at; a value that it binds is called after `name`."""
        self._left.extend((thing, name) for thing in code)

    def follow(self) -> None:
        """Look at everything that can be reached."""
        while self._left:
            thing, name = self._left.popleft()
            if id(thing) not in self._seen:
                self._seen[id(thing)] = thing
                self._look_at(thing, name)

    def _look_at(self, thing: object, name: str) -> None:
        if isinstance(thing, FunctionType):
            self._function(thing)
        elif isinstance(thing, type):
            self._class(thing)
        elif isinstance(thing, MethodType):
            self.enter([thing.__func__], name)
            self._use(thing.__self__, f"self of {qualified(thing.__func__)}")
        elif isinstance(thing, partial):
            self._partial(thing, name)
        elif isinstance(thing, ModuleType):
            if is_own_module(thing.__name__) and getattr(thing, "__file__", None):
                self._piece(f"module {thing.__name__}", digests.of_file(str(thing.__file__)))
        elif is_own_object(thing):
            self.enter([type(thing)], name)
            for key, item in sorted(getattr(thing, "__dict__", {}).items()):
                self._use(item, f"{qualified(type(thing))}.{key}")
        if wrapped := getattr(thing, "__wrapped__", None):
            self.enter([wrapped], name)

    def _use(self, value: object, name: str, *, is_piece: bool = True) -> None:
        """Read a value that code uses: its data is a piece of that name, its code is looked at."""
        reading = Reading()
        plain = reading.plain(value)
        self.enter(reading.code, name)
        if is_piece and plain[0] != "code" and not isinstance(value, enum.Enum):
            self._piece(name, f"value:{digests.short(repr(plain))}")

    def _piece(self, name: str, digest: str) -> None:
        number = 2
        own = name
        while own in self.pieces:  # two lambdas of a module, two closures of one function
            own = f"{name} ({number})"
            number += 1
        self.pieces[own] = digest

    def _partial(self, bound: "partial[object]", name: str) -> None:
        self.enter([bound.func], name)
        target = qualified(bound.func)
        for number, item in enumerate(bound.args):
            self._use(item, f"argument {number} of {target}")
        for key, item in bound.keywords.items():
            self._use(item, f"{key} of {target}")

    # -- functions

    def _function(self, function: FunctionType) -> None:
        own = is_own_function(function)
        code = function.__code__
        name = f"{module_of(function)}.{code.co_qualname}"
        if own:
            self._piece(name, digests.of_code(code))
        for variable, value in _bound(function):
            self._use(value, f"{variable} of {name}", is_piece=own)
        if own:
            for chain in dict.fromkeys(_chains(code)):
                self._global(function, chain)
            for module in dict.fromkeys(_imports(function)):
                self._module(module)

    def _global(self, function: FunctionType, chain: Sequence[str]) -> None:
        """Look at what a dotted name stands for: through modules of the user's, to the thing."""
        if chain[0] not in function.__globals__:
            return  # a builtin, or not there yet
        thing, name = function.__globals__[chain[0]], f"{module_of(function)}.{chain[0]}"
        for attribute in chain[1:]:
            if not isinstance(thing, ModuleType) or attribute not in vars(thing):
                break
            if not is_own_module(thing.__name__):
                return
            name = f"{thing.__name__}.{attribute}"
            thing = vars(thing)[attribute]
        self._use(thing, name)

    def _module(self, name: str) -> None:
        """Look at a module that a function imports when it is called: its whole file."""
        file = getattr(sys.modules.get(name), "__file__", None) or _file(name)
        if file is not None and is_own(file):
            piece = f"module {name}"
            if piece not in self.pieces:
                self._piece(piece, digests.of_file(file))

    # -- classes

    def _class(self, made: type) -> None:
        if not is_own_module(made.__module__):
            return
        for key, item in vars(made).items():
            self._attribute(made, key, item)
        if is_dataclass(made):
            factories = [f.default_factory for f in fields(made)]
            self.enter([f for f in factories if f is not MISSING], qualified(made))
        self.enter([*made.__bases__, type(made)], qualified(made))

    def _attribute(self, made: type, key: str, item: object) -> None:
        name = f"{qualified(made)}.{key}"
        parts = _accessors(item)
        if parts:
            self.enter(parts, name)
        elif isinstance(item, FunctionType):
            self.enter([item], name)
        elif issubclass(made, enum.Enum):
            if isinstance(item, made):
                self._use(item.value, name)
        elif not (key.startswith("__") and key.endswith("__")) and key != "_abc_impl":
            self._use(item, name)


def _accessors(item: object) -> list[object]:
    """Return the functions within what a class body makes of one."""
    if isinstance(item, staticmethod | classmethod):
        return [item.__func__]
    if isinstance(item, property):
        return [f for f in (item.fget, item.fset, item.fdel) if f is not None]
    if isinstance(item, cached_property | partialmethod):
        return [item.func]
    return []


def _bound(function: FunctionType) -> Iterator[tuple[str, object]]:
    """Yield what a function has captured and its defaults, by the variable's name."""
    code = function.__code__
    for variable, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield variable, cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    defaults = function.__defaults__ or ()
    places = code.co_varnames[: code.co_argcount]
    yield from zip(places[len(places) - len(defaults) :], defaults, strict=True)
    yield from (function.__kwdefaults__ or {}).items()


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for item in code.co_consts:
        if isinstance(item, CodeType):
            yield from _codes(item)


def _chains(code: CodeType) -> Iterator[tuple[str, ...]]:
    """Yield the global names that code uses, with the attributes taken of each: (`np`, `exp`)."""
    for part in _codes(code):
        chain: list[str] = []
        for step in dis.get_instructions(part):
            if chain and step.opname in _ATTRIBUTES:
                chain.append(step.argval)
                continue
            if chain:
                yield tuple(chain)
            chain = [step.argval] if step.opname in _NAMES else []


def _imports(function: FunctionType) -> Iterator[str]:
    """Yield the absolute names of the modules that a function imports when it is called."""
    package = str(function.__globals__.get("__package__") or "")
    for part in _codes(function.__code__):
        steps = list(dis.get_instructions(part))
        for i, step in enumerate(steps):
            if step.opname == "IMPORT_NAME":
                level = steps[i - 2].argval
                if not level:
                    yield step.argval
                elif package:
                    yield resolve_name("." * level + step.argval, package)


def _file(name: str) -> str | None:
    """Return the file of a module that has not been imported, None where there is none."""
    place, known = None, ""
    spec = None
    for part in name.split("."):
        known = f"{known}.{part}" if known else part
        spec = PathFinder.find_spec(known, place)
        if spec is None:
            return None
        place = spec.submodule_search_locations
    return None if spec is None or not spec.has_location else spec.origin
