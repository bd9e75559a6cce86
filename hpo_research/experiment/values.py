"""Values that code refers to, as plain tuples: the same in every process, and cheap to make."""

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from hpo_research import heavy
from hpo_research.moved import first_path
from hpo_research.origin import is_own_module

_PLAIN = (str, int, float, complex, bool, bytes, type(None), type(...), PurePath, range, slice)
_MOST_BYTES = 2**24  # of an array that is read, which takes some ten milliseconds
_MOST_ITEMS = 10_000
_DEEPEST = 8
_CODE = (FunctionType, BuiltinFunctionType, MethodType, partial, type, ModuleType)


def qualified(value: object) -> str:
    """Return module and name of a function, a class, or a value's class."""
    module = getattr(value, "__module__", None) or type(value).__module__
    return first_path(f"{module}.{getattr(value, '__qualname__', type(value).__qualname__)}")


@dataclass
class Reading:
    """One value being read: how much may still come, and the code that was met in it.

    Code is named in what is read, and listed in `code`. Arrays are read up to 16 MiB in all; what
    is beyond that, deeper than 8 levels, or an object of another package is named by its type alone
    (an array by its shape too).
    """

    left: int = _MOST_ITEMS
    bytes_left: int = _MOST_BYTES
    code: list[object] = field(default_factory=list)

    def plain(self, value: object, depth: int = 0) -> tuple[object, ...]:
        """Return the value as nested tuples and texts."""
        self.left -= 1
        name = qualified(type(value))
        if isinstance(value, enum.Enum):
            self.code.append(type(value))
            return (name, value.name)
        if isinstance(value, _PLAIN):
            return (name, repr(value))
        if isinstance(value, np.ndarray | np.generic) or heavy.is_tensor(value):
            self.bytes_left -= int(getattr(value, "nbytes", 0)) if _is_plain(value) else 0
            return (name, *_array(value, has_bytes=self.bytes_left >= 0))
        if isinstance(value, _CODE) or is_own_object(value):
            self.code.append(value)
            return ("code", qualified(value))
        if hasattr(value, "__wrapped__"):
            self.code.append(value.__wrapped__)
            return (name, qualified(value))
        if is_own_module(type(value).__module__):
            self.code.append(type(value))
        if self.left < 0 or depth > _DEEPEST:
            return (name, len(value) if isinstance(value, list | tuple | dict | set) else None)
        return (name, self._parts(value, depth + 1))

    def _parts(self, value: object, depth: int) -> object:
        if isinstance(value, Mapping):
            pairs = [(self.plain(key, depth), self.plain(value[key], depth)) for key in value]
            return sorted(pairs, key=repr)
        if isinstance(value, list | tuple):
            return [self.plain(item, depth) for item in value]
        if isinstance(value, set | frozenset):
            return sorted((self.plain(item, depth) for item in value), key=repr)
        if is_dataclass(value) and not isinstance(value, type):
            return [
                (f.name, self.plain(getattr(value, f.name, None), depth)) for f in fields(value)
            ]
        return None


def is_own_object(value: object) -> bool:
    """Return whether a value is an object of a class of the user's that is no dataclass."""
    own = is_own_module(type(value).__module__)
    is_container = isinstance(value, Mapping | list | tuple | set | frozenset)
    return own and not is_dataclass(value) and not is_container


def _is_plain(value: Any) -> bool:
    """Return whether an array's bytes say all of it, and lie in this computer's memory."""
    if heavy.is_tensor(value):
        is_strided = value.layout is heavy.torch.strided and value.device.type == "cpu"
        return is_strided and not value.is_quantized
    return not value.dtype.hasobject


def _array(value: Any, *, has_bytes: bool) -> tuple[object, ...]:
    """Return an array's type and shape, with a digest of its bytes if they are to be read."""
    facts = (str(value.dtype), tuple(value.shape))
    if not has_bytes or not _is_plain(value):
        return facts
    if heavy.is_tensor(value):
        value = value.detach().resolve_conj().resolve_neg().contiguous().reshape(-1)
        value = value.view(heavy.torch.uint8).numpy() if value.numel() else np.zeros(0)
    content = np.asarray(value).tobytes()
    if isinstance(value, np.ma.MaskedArray):
        content += np.ma.getmaskarray(value).tobytes()
    return (*facts, hashlib.sha256(content).hexdigest())
