"""A user's script as it stands in a worker: a module of the same name, with the same names in it.

What a fresh interpreter cannot import (a main program, a notebook, a file that was loaded under
another name) goes to workers by value. There it must also be found by name: pickle writes a class
as `__main__.Model`. So every such module is stood up again in the worker, under its name in
`sys.modules`: functions that arrive by value are put where they stood, their globals are the
module's, and what else the script defines lies beside them, pickled one by one, and is loaded
when it is looked up. The script is not run again: one without a main guard would start its
experiment anew, and what it read, printed or changed would happen twice.
"""

import functools
import io
import pickle
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from threading import RLock
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any
from weakref import WeakValueDictionary

import cloudpickle

from hpo_research.errors import ProblemError
from hpo_research.problems.reporting import cut

_MOST = 1 << 26  # bytes of a name, with all that it needs, which is sent unasked
_PLAIN = (type(None), bool, int, float, complex, str, bytes, tuple, list, dict, set, frozenset)
_NAMED = (
    *(type, FunctionType, BuiltinFunctionType, ModuleType),
    *(functools.partial, functools._lru_cache_wrapper),
)
_FACTS = ("__file__", "__package__", "__doc__")
_LOOKUPS = {"globals", "vars", "eval", "exec"}
# What a notebook keeps of its cells and their outputs.
_NOTEBOOKS = re.compile(r"__\w+__|_+|_i{0,3}\d*|_[iod]h|In|Out|exit|quit|open|get_ipython")


@dataclass(frozen=True)
class Script:
    """A module as it travels: its name, facts such as its file, and what is in it.

    `entries` are pickled names; `missing` says why others are not among them. `is_looked_up`:
    functions ask for names in a way that only a full namespace can answer.
    """

    name: str
    facts: Mapping[str, object]
    entries: Mapping[str, bytes]
    missing: Mapping[str, str]
    is_looked_up: bool


def dumps(thing: object, modules: Iterable[ModuleType]) -> bytes:
    """Pickle something by value wherever it belongs to the modules, and the modules with it."""
    homes = {module.__name__: module for module in modules}
    whole = _Pickler(_Buffer(), homes)
    whole.dump(thing)
    scripts = [_script(module, homes, name in whole.looked_up) for name, module in homes.items()]
    return pickle.dumps((scripts, whole.buffer.content()))


def thing_of(pickled: bytes) -> bytes:
    """Return the pickled thing itself, without the modules that go with it."""
    _, thing = pickle.loads(pickled)
    return bytes(thing)


def loads(pickled: bytes) -> Any:
    """Stand the modules up in this process, in the place of its own, and return the thing."""
    scripts, thing = pickle.loads(pickled)
    for script in scripts:
        sys.modules[script.name] = _Stood(script)
    loaded = pickle.loads(thing)
    for script in scripts:
        if script.is_looked_up:
            _fill(sys.modules[script.name], script)
    return loaded


class _Stood(ModuleType):
    """A script's module in a worker; names that nobody has looked up yet are still bytes."""

    def __init__(self, script: Script) -> None:
        ModuleType.__init__(self, script.name)
        own = vars(self)
        own.update(script.facts)
        if script.facts["__spec__"] is not None:
            own["__spec__"] = ModuleSpec(str(script.facts["__spec__"]), None)
        own.update(
            __builtins__=__builtins__, __script__=script, __lock__=RLock(), __loading__=set()
        )

    def __getattr__(self, name: str) -> Any:
        """Load a name of the script. Raises `ProblemError` where it could not be sent."""
        own = vars(self)
        script = own["__script__"]
        if name in script.missing:
            raise ProblemError(
                f"{script.name}.{name} is not in the worker processes: {script.missing[name]}; "
                "let the function itself refer to it, or move it to a module that can be imported"
            )
        if name not in script.entries:
            raise AttributeError(f"module {script.name!r} has no attribute {name!r}")
        with own["__lock__"]:
            if name in own:  # another thread has loaded it
                return own[name]
            if name in own["__loading__"]:
                raise ProblemError(
                    f"{script.name}.{name} is pickled by its name alone, and a worker process "
                    "cannot import it; move it to a module that can be imported"
                )
            own["__loading__"].add(name)
            try:
                value = pickle.loads(script.entries[name])
            finally:
                own["__loading__"].discard(name)
            return own.setdefault(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *vars(self)["__script__"].entries})


class _Namespace:
    """Stands for a module's globals in a pickle."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __reduce__(self) -> tuple[object, ...]:
        return namespace, (self._name,)


class _Buffer:
    """What a pickler writes, up to a limit."""

    def __init__(self, most: float = float("inf")) -> None:
        self._most = most
        self._held = io.BytesIO()

    def write(self, data: Any) -> int:
        if self._held.tell() + len(memoryview(data).cast("B")) > self._most:
            raise ProblemError(f"with all that it refers to it has more than {_MOST >> 20} MB")
        return self._held.write(data)

    def content(self) -> bytes:
        return self._held.getvalue()


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """cloudpickle's, but functions find their module's globals, and themselves, in the worker."""

    def __init__(self, buffer: _Buffer, homes: Mapping[str, ModuleType]) -> None:
        cloudpickle.Pickler.__init__(self, buffer)
        self.buffer = buffer
        self.looked_up: set[str] = set()
        self._homes = homes
        for name, module in homes.items():
            self.globals_ref[id(vars(module))] = _Namespace(name)

    def reducer_override(self, obj: Any) -> Any:
        """Reduce functions and classes as cloudpickle does; under a name they are made once."""
        if isinstance(obj, functools._lru_cache_wrapper):
            home, name = self._place(obj)
            parts = (obj.__wrapped__, obj.cache_parameters())
            return (born, (home, name, _cached, parts)) if home else NotImplemented
        reduced = cloudpickle.Pickler.reducer_override(self, obj)
        if not isinstance(reduced, tuple) or len(reduced) < 6:
            return reduced
        if isinstance(obj, FunctionType) and _looks_up(obj.__code__):
            self.looked_up.add(str(obj.__globals__.get("__name__")))
        make, arguments, state, _, _, setter = reduced
        arguments = (*self._place(obj), make, arguments)
        return born, arguments, (setter, state, obj.__qualname__), None, None, settle

    def _place(self, obj: Any) -> tuple[str, str]:
        """Return the script that an object belongs to, and its name there, empty without one."""
        home = self._homes.get(obj.__module__) if isinstance(obj.__module__, str) else None
        if home is None:
            return "", ""
        name = obj.__qualname__
        return home.__name__, name if vars(home).get(name) is obj else ""


def _looks_up(code: CodeType) -> bool:
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return not _LOOKUPS.isdisjoint(code.co_names) or any(map(_looks_up, inner))


def _script(module: ModuleType, homes: Mapping[str, ModuleType], is_looked_up: bool) -> Script:
    own = vars(module)
    entries: dict[str, bytes] = {}
    missing: dict[str, str] = {}
    if isinstance(module, _Stood):  # an experiment within a trial
        known = own["__script__"]
        entries, missing = dict(known.entries), dict(known.missing)
    for name, value in list(own.items()):
        if _NOTEBOOKS.fullmatch(name):
            continue
        kind = type(value)
        if not (isinstance(value, _NAMED) or kind in _PLAIN or kind.__module__ in homes):
            missing[name] = f"it is a {kind.__name__}, and only what a script defines is sent there"
            continue
        pickler = _Pickler(_Buffer(_MOST), homes)
        try:
            pickler.dump(value)
        except Exception as error:  # whatever an object of the user's raises when it is pickled
            missing[name] = f"it cannot be pickled ({type(error).__name__}: {cut(str(error), 200)})"
        else:
            entries[name] = pickler.buffer.content()
    spec = getattr(own.get("__spec__"), "name", None)
    facts: dict[str, object] = {
        name: own[name] for name in ("__file__", "__package__", "__doc__") if name in own
    }
    facts["__spec__"] = spec
    return Script(module.__name__, facts, entries, missing, is_looked_up)


def _fill(module: ModuleType, script: Script) -> None:
    for name in script.entries:
        try:
            getattr(module, name)
        except Exception:  # it is raised where the name is looked up, if ever
            continue


# -- what a pickle calls in the worker


def namespace(name: str) -> dict[str, Any]:
    """Return a module's globals."""
    return vars(sys.modules[name])


def born(home: str, name: str, make: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Return what stands under a name in its script, made where nothing stands there yet."""
    own = namespace(home) if name else {}
    if name in own:
        return own[name]
    made = make(*arguments)
    if _SETTLED.get(id(made)) is not made:  # cloudpickle knows a class again that has come before
        _FRESH[id(made)] = made
    if name:
        own[name] = made
    return made


def settle(made: Any, parts: tuple[Callable[..., object], Any, str]) -> None:
    """Give a function or class its state, once: what has changed since then stays.

    What a module knows by name already stays as it is, too.
    """
    if _FRESH.pop(id(made), None) is None:
        return
    setter, state, name = parts
    own = made.__globals__ if isinstance(made, FunctionType) else {}
    known = dict(own)
    setter(made, state)
    own.update(known)
    made.__qualname__ = name  # cloudpickle forgets it of a class within a class
    _SETTLED[id(made)] = made


_FRESH: dict[int, Any] = {}
_SETTLED: WeakValueDictionary[int, Any] = WeakValueDictionary()


def _cached(function: Callable[..., Any], parameters: Mapping[str, Any]) -> Any:
    return functools.lru_cache(**parameters)(function)
